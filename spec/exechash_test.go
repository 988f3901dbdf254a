package spec

import (
	"slices"
	"testing"
)

// The fingerprint changes with what a child is given, and with nothing else.
func TestExecHash(t *testing.T) {
	for _, c := range processChanges() {
		t.Run(c.field, func(t *testing.T) {
			old, new := plainProcess(), plainProcess()
			c.apply(&new)
			restart := slices.ContainsFunc(Compare(old, new), func(f Field) bool { return f.Restart })
			if differ := old.ExecHash() != new.ExecHash(); differ != restart {
				t.Errorf("the hashes differ: %v, but a child must be restarted: %v", differ, restart)
			}
		})
	}
}
