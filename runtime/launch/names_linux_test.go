package launch

import (
	"syscall"
	"testing"
)

// TestNames: where one number has several names, Supervisor's is the one that is
// shown.
func TestNames(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		11: "EAGAIN", 35: "EDEADLOCK", 95: "ENOTSUP", 117: "EUCLEAN",
	} {
		if got := ErrnoName(errno); got != want {
			t.Errorf("error %d: got %q, want %q", int(errno), got, want)
		}
	}
}
