package reconcile

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/reconcile/watch"
)

// TestMoveIntoOpenFile: what moves into a file that is still open for writing is a
// change or nothing, for what is gone waits for that file: no longer than ten times
// settle_removals, nor than openLimit.
func TestMoveIntoOpenFile(t *testing.T) {
	for _, r := range []struct {
		name   string
		files  map[string]string
		move   string // what is gone
		into   string // what is open
		writes string
		closed time.Duration
		want   string
	}{
		{"nothing", nil, "rm conf.d/a.ini", "conf.d/z.ini", ini("a"), 20 * time.Second, ""},
		{"a change", nil, "rm conf.d/a.ini", "conf.d/z.ini", ini("a", "command=/bin/n"), 20 * time.Second,
			"stop a:a; stopped a:a; change a; start a:a"},
		{"into a file with others", map[string]string{"conf.d/z.ini": ini("z")}, "rm conf.d/a.ini", "conf.d/z.ini", ini("z") + ini("a"), 20 * time.Second, ""},
		{"a section", map[string]string{"conf.d/a.ini": ini("a") + ini("y")}, "sed -i /program:a/,2d conf.d/a.ini", "conf.d/z.ini", ini("a"), 20 * time.Second, ""},
		{"something else", nil, "rm conf.d/a.ini", "conf.d/z.ini", ini("z"), 10 * time.Second,
			"stop a:a; stopped a:a; remove a; add z; start z:z"},
		{"for too long", nil, "rm conf.d/a.ini", "conf.d/z.ini", "", time.Minute, "stop a:a; stopped a:a; remove a"},
	} {
		t.Run(r.name, func(t *testing.T) {
			files := map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}
			for name, text := range r.files {
				files[name] = text
			}
			waiting(t, files, func(w *fixture, hint *fakeWatcher) {
				time.Sleep(time.Hour)
				w.table.took()
				f, err := os.OpenFile(w.root+"/"+r.into, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
				if err != nil {
					t.Fatal(err)
				}
				w.follow(hint, r.move)
				time.Sleep(r.closed)
				if log := words(w.table.took()); r.closed < openLimit && log != "" {
					t.Errorf("while it was open: %s", log)
				} else if r.closed > openLimit {
					equal(t, "what was done", log, r.want)
					f.Close()
					return
				}
				if _, err := f.WriteString(r.writes); err != nil {
					t.Fatal(err)
				}
				f.Close()
				hint.hints <- watch.Hint{Trigger: TriggerWatch}
				time.Sleep(5 * time.Second)
				synctest.Wait()
				equal(t, "what was done", words(w.table.took()), r.want)
				equal(t, "phase", w.rec.State().Phase, Synced)
			})
		})
	}
}

// finishing is a host on which a writer finishes and closes a file right after it was
// read.
type finishing struct {
	testHost
	finish func(path string)
}

func (h finishing) ReadFile(p string) ([]byte, error) {
	content, err := h.testHost.ReadFile(p)
	h.finish(p)
	return content, err
}

// TestClosedAfterItWasRead: what was read while a file was open does not count because
// it is closed when that is asked.
func TestClosedAfterItWasRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, "settle=20ms\nrescan=0\n", map[string]string{"conf.d/a.ini": ini("a")})
		var open *os.File
		w.seen = finishing{w.host, func(p string) {
			if open != nil && strings.HasSuffix(p, "/a.ini") {
				_, _ = open.WriteString("command=/bin/whole\n")
				open.Close()
				open = nil
			}
		}}
		hint := &fakeWatcher{make(chan watch.Hint, 1)}
		if err := w.tryStart(Options{Watcher: hint}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.table.took()
		f, err := os.Create(w.root + "/conf.d/a.ini")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("[program:a]\ncommand=/bin/half\n"); err != nil {
			t.Fatal(err)
		}
		open = f
		hint.hints <- watch.Hint{Trigger: TriggerWatch}
		synctest.Wait()
		equal(t, "groups", w.groups(), "a=whole")
		equal(t, "what was done", words(w.table.took()), "stop a:a; stopped a:a; change a; start a:a")
		w.stop()
	})
}
