package reconcile

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/reconcile/watch"
)

// changing is a host on which something happens right before each time that a directory
// is listed.
type changing struct {
	testHost
	list func(dir string)
}

func (h changing) ReadDir(p string) ([]fs.DirEntry, error) {
	h.list(filepath.Clean(p))
	return h.testHost.ReadDir(p)
}

// TestGoesDuringLook: a directory that goes out of sight in the middle of a look, at any of
// the times that the look lists it, is held by that look, and so it is if it is back before
// the look has ended. What is deleted then is deleted.
func TestGoesDuringLook(t *testing.T) {
	for _, r := range []struct {
		name         string
		away, back   string // commands; back is "" for one that stays away
		groups, then string // after the look; after the next one, by a person
	}{
		{"the directory is renamed", "mv conf.d away", "", "a, b", ""},
		{"the directory is deleted", "rm -r conf.d", "", "a, b", ""},
		{"something else takes its place", "mv conf.d away; touch conf.d", "", "a, b", ""},
		{"it is renamed and comes back", "mv conf.d away", "mv away conf.d", "a, b", "a, b"},
		{"a file is deleted", "rm conf.d/a.ini", "", "b", "b"},
		{"a file is renamed and comes back", "mv conf.d/a.ini away", "mv away conf.d/a.ini", "a, b", "a, b"},
	} {
		for at := range 4 {
			t.Run(r.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newFixture(t, "settle=20ms\nrescan=0\nmax_removals=100%\n", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")})
					left, away := -2, false // listings until it happens
					w.seen = changing{w.host, func(dir string) {
						if dir != w.root+"/conf.d" {
							return
						}
						if left--; left == 0 {
							w.sh(r.away)
							away = true
						} else if left == -1 && away {
							w.sh(r.back)
							away = false
						}
					}}
					hint := &fakeWatcher{make(chan watch.Hint, 1)}
					if err := w.tryStart(Options{Watcher: hint}); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					left = at + 1
					hint.hints <- watch.Hint{Trigger: TriggerRescan}
					synctest.Wait()
					if left > 0 { // the look does not list it so often
						w.stop()
						return
					}
					equal(t, "groups", w.groups(), r.groups)
					if left = -2; away {
						w.sh(r.back)
					}
					time.Sleep(time.Minute)
					if _, err := w.rec.Apply(context.Background(), nil, "uid 0"); err != nil {
						t.Fatal(err)
					}
					equal(t, "groups in the end", w.groups(), r.then)
					w.stop()
				})
			})
		}
	}
}

// TestComesDuringLook: a directory that comes back in the middle of a look is held by it, or
// read whole.
func TestComesDuringLook(t *testing.T) {
	for at := range 4 {
		synctest.Test(t, func(t *testing.T) {
			w := newFixture(t, "settle=20ms\nrescan=0\nmax_removals=100%\n", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")})
			left := -1
			w.seen = changing{w.host, func(string) {
				if left--; left == 0 {
					if err := os.Rename(w.root+"/away", w.root+"/conf.d"); err != nil {
						t.Error(err)
					}
				}
			}}
			hint := &fakeWatcher{make(chan watch.Hint, 1)}
			if err := w.tryStart(Options{Watcher: hint}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			w.sh("mv conf.d away")
			left = at + 1
			for range 3 {
				hint.hints <- watch.Hint{Trigger: TriggerRescan}
				synctest.Wait()
				time.Sleep(time.Minute)
				equal(t, "groups", w.groups(), "a, b")
			}
			w.stop()
		})
	}
}

// TestGoesAgainDuringLook: so is one of which a file is still waited for since the last time.
func TestGoesAgainDuringLook(t *testing.T) {
	for at := range 6 {
		synctest.Test(t, func(t *testing.T) {
			w := newFixture(t, "settle=20ms\nrescan=0\nmax_removals=100%\n", map[string]string{
				"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b"), "conf.d/c.ini": ini("c")})
			left := -1
			w.seen = changing{w.host, func(dir string) {
				if left--; left == 0 && dir == w.root+"/conf.d" {
					w.sh("mv conf.d away")
				}
			}}
			hint := &fakeWatcher{make(chan watch.Hint, 1)}
			if err := w.tryStart(Options{Watcher: hint}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			for i, sh := range []string{"mv conf.d x", "mv x conf.d; rm conf.d/c.ini", "true", "true"} {
				w.sh(sh)
				if i == 2 {
					left = at + 1
				}
				hint.hints <- watch.Hint{Trigger: TriggerRescan}
				synctest.Wait()
				equal(t, fmt.Sprintf("groups after %d: %s", i, sh), w.groups(), "a, b, c")
			}
			w.stop()
		})
	}
}
