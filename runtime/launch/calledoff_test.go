package launch

import (
	"errors"
	"os"
	"testing"
)

// A start that is called off when it is announced makes no child and leaves no
// descriptor open.
func TestCalledOff(t *testing.T) {
	l := launcher(t)
	child := start(t, l, cat()) // so that what a Launcher needs once is there
	defer child.Stdin.Close()
	before := openDescriptors(t)
	c := cat()
	c.Announce = func(Pipes) bool { return false }
	for range 10 {
		if _, err := l.Start(c); !errors.Is(err, ErrCalledOff) {
			t.Fatalf("%v", err)
		}
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
