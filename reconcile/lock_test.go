package reconcile

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"supervisord/spec"
)

func itoa(n int) string { return strconv.Itoa(n) }

// TestLock: one holds it, over a copy of the descriptor, too, and is named to the others.
func TestLock(t *testing.T) {
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a")})
	start := func(more string) *Start {
		t.Helper()
		w.write("main.conf", "[supervisord]\n"+more+"[include]\nfiles = conf.d/*.ini\n[reconcile]\nstatedir="+w.root+"/state\n")
		s, err := Startup(w.host, w.root+"/main.conf", "", spec.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := start("")
	lock, err := s.TakeLock(-1, 0, nil)
	if err != nil || lock == nil {
		t.Fatal(lock, err)
	}
	refused := func(s *Start) {
		t.Helper()
		var held *LockedError
		if l, err := s.TakeLock(-1, 0, nil); !errors.As(err, &held) || held.PID != os.Getpid() || l != nil {
			t.Errorf("%v, %v", l, err)
		}
	}
	refused(s)

	// Its holder is executed anew.
	fd, err := unix.Dup(int(lock.File().Fd()))
	if err != nil {
		t.Fatal(err)
	}
	lock.Close()
	refused(s)
	lock, err = s.TakeLock(-1, 0, os.NewFile(uintptr(fd), "inherited"))
	if err != nil || lock.File().Fd() != uintptr(fd) {
		t.Fatalf("%v, %v", lock, err)
	}
	refused(s)

	// Other daemons.
	for _, other := range []string{"identifier=b\n", "pidfile=" + w.root + "/b.pid\n", "[unix_http_server]\nfile=" + w.root + "/b.sock\n", "[inet_http_server]\nport=127.0.0.1:1\n"} {
		l, err := start(other).TakeLock(-1, 0, nil)
		if err != nil {
			t.Errorf("%q: %v", other, err)
		}
		l.Close()
	}
	// One by another name of the same file.
	if err := os.Symlink("main.conf", filepath.Join(w.root, "link.conf")); err != nil {
		t.Fatal(err)
	}
	start("")
	linked, err := Startup(w.host, w.root+"/link.conf", "", spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	refused(linked)

	// A lock that is inherited and is another's is given up.
	b := start("identifier=b\n")
	l, err := b.TakeLock(-1, 0, lock.File())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if again, err := s.TakeLock(-1, 0, nil); err != nil {
		t.Error(err)
	} else {
		again.Close()
	}
	// Without a place for it there is none.
	nowhere := start("")
	nowhere.Config.Reconcile.StateDir = "/dev/null/state"
	if l, err := nowhere.TakeLock(-1, 0, nil); l != nil || err != nil {
		t.Error(l, err)
	}
}
