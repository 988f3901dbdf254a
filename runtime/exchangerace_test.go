package runtime

import (
	"path/filepath"
	"testing"

	"supervisord/spec"
)

// What is done to logs outside the loop shares nothing with an exchange that
// follows, also when it fails: this is for the race detector.
func TestExchangesDoNotRace(t *testing.T) {
	dir := t.TempDir()
	logging := func(path string) *spec.Group {
		return program("web", func(p *spec.Process) {
			p.Stdout = spec.Output{Kind: spec.OutputFile, File: filepath.Join(dir, path)}
		})
	}
	inBubble(t, func(b *bench) {
		for range 20 {
			for _, path := range []string{"missing/log", "other/log", "log"} {
				active, err := b.sup.Groups(background)
				if err != nil {
					t.Fatal(err)
				}
				if err := b.sup.SetGroup(background, active[0].Group, logging(path), nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		b.after(0)
	}, logging("log"))
}
