package reconcile

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"supervisord/runtime/exact"
	"supervisord/spec"
)

// goOn has another reconciler go on where the one of the fixture stops, by way of what is
// written down. Meanwhile is called in between.
func (w *fixture) goOn(meanwhile func()) {
	w.t.Helper()
	m, _, err := w.rec.HandOver(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	w.stop()
	text, err := exact.Marshal(m)
	if err != nil {
		w.t.Fatal(err)
	}
	m = new(Memory)
	if err := exact.Unmarshal(text, m); err != nil {
		w.t.Fatal(err)
	}
	meanwhile()
	if err := w.tryStartFrom(m); err != nil {
		w.t.Fatal(err)
	}
}

func (w *fixture) tryStartFrom(m *Memory) error {
	st, err := Resume(w.host, w.root+"/main.conf", "", spec.Options{}, m)
	if err != nil {
		return err
	}
	w.run(st, Options{})
	return nil
}

// TestGoOn: what the first reconciler decided, held and waited for, the next one does, and
// nothing that runs is touched.
func TestGoOn(t *testing.T) {
	t.Parallel()
	const slow = "settle=20ms\nrescan=0\n"
	for name, row := range map[string]struct {
		settings  string
		before    func(w *fixture)
		meanwhile func(w *fixture)
		after     func(w *fixture)
	}{
		"all is well": {after: func(w *fixture) { w.phase(Synced) }},
		"a file changes meanwhile": {
			meanwhile: func(w *fixture) { w.write("conf.d/a.ini", ini("a", "command=/bin/n")) },
			after:     func(w *fixture) { w.becomes("a=n, b, c, d") },
		},
		"a person removed a group": {
			before: func(w *fixture) {
				w.table.set("b", "b", "STOPPED", true)
				if err := w.rec.RemoveGroup(context.Background(), "b", "uid 0"); err != nil {
					w.t.Fatal(err)
				}
			},
			after: func(w *fixture) { w.phase(Held); w.becomes("a, c, d") },
		},
		"automatic updates are off": {
			before: func(w *fixture) { w.autoupdate(false) },
			after: func(w *fixture) {
				w.write("conf.d/a.ini", ini("a", "command=/bin/n"))
				w.phase(Pending)
				w.becomes("a, b, c, d")
			},
		},
		"removals are held": {
			before: func(w *fixture) { w.sh("rm conf.d/b.ini conf.d/c.ini conf.d/d.ini"); w.phase(Held) },
			after:  func(w *fixture) { w.phase(Held); w.becomes("a, b, c, d") },
		},
		"a removal waits": {
			settings: "settle_removals=3600s\n",
			before: func(w *fixture) {
				w.sh("rm conf.d/b.ini")
				w.phase(Pending)
			},
			after: func(w *fixture) {
				w.phase(Pending)
				w.write("conf.d/b.ini", ini("b"))
				w.phase(Synced)
				w.becomes("a, b, c, d")
			},
		},
		"a file is bad": {
			before: func(w *fixture) { w.write("conf.d/b.ini", "[program:b"); w.phase(Invalid) },
			after:  func(w *fixture) { w.phase(Invalid); w.becomes("a, b, c, d") },
		},
		"the main file is bad": {
			before: func(w *fixture) { w.write("main.conf", "[supervisord"); w.phase(Invalid) },
			after: func(w *fixture) {
				w.phase(Invalid)
				w.becomes("a, b, c, d")
				w.main(slow)
				w.phase(Synced)
			},
		},
		"the main file becomes bad meanwhile": {
			meanwhile: func(w *fixture) { w.write("main.conf", "[supervisord") },
			after:     func(w *fixture) { w.phase(Invalid); w.becomes("a, b, c, d") },
		},
		"the directory is out of sight": {
			before: func(w *fixture) { w.host.denied.Store(w.root+"/conf.d", true) },
			after: func(w *fixture) {
				w.phase(Held)
				w.becomes("a, b, c, d")
				w.host.denied.Delete(w.root + "/conf.d")
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t, slow+row.settings, map[string]string{
				"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b"), "conf.d/c.ini": ini("c"), "conf.d/d.ini": ini("d"),
			}).start()
			w.becomes("a, b, c, d")
			if row.before != nil {
				row.before(w)
			}
			generation, history, files := w.rec.State().Generation, w.rec.History(0), w.rec.published.Load().files
			w.table.took()
			w.goOn(func() {
				if row.meanwhile != nil {
					row.meanwhile(w)
				}
			})
			changes := name == "a file changes meanwhile" // which may have been applied by now
			if got := w.rec.History(0); !changes && (len(got) != len(history) || w.rec.State().Generation != generation) {
				t.Errorf("generation %d, then %d; %d updates, then %d", generation, w.rec.State().Generation, len(history), len(got))
			}
			if got := w.rec.published.Load().files; !maps.Equal(got, files) {
				t.Errorf("groups were seen in %v, and then in %v", files, got)
			}
			row.after(w)
			if log := w.table.took(); !changes && len(log) > 0 {
				t.Errorf("it did %s", words(log))
			}
		})
	}
}

// TestResumeKeepsTheStateDir: it is the same daemon, with the same state and the same lock.
func TestResumeKeepsTheStateDir(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a")}).start()
	m, _, err := w.rec.HandOver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.sh("ln -s main.conf link.conf")
	for _, main := range []string{"main.conf", "link.conf"} {
		before, err := Startup(w.host, w.root+"/"+main, "", spec.Options{})
		if err != nil {
			t.Fatal(err)
		}
		after, err := Resume(w.host, w.root+"/"+main, "", spec.Options{}, m)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, main, after.StateDir(), before.StateDir())
	}
}

// TestHandOverIsGivenUp: whoever cannot wait leaves the reconciler as it was, and so does who
// changes his mind.
func TestHandOverIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a")}).start()
	w.becomes("a")
	_, resume, err := w.rec.HandOver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.write("conf.d/b.ini", ini("b"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := w.rec.Apply(ctx, nil, "uid 0"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it answers while it rests: %v", err)
	}
	resume()
	w.becomes("a, b")

	release := make(chan struct{}) // an update takes a while
	w.table.before = func(op string) {
		if op == "add c" {
			<-release
		}
	}
	w.write("conf.d/c.ini", ini("c"))
	w.phase(Applying)
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := w.rec.HandOver(ctx); err == nil || !strings.Contains(err.Error(), Applying) {
		t.Errorf("it rests in the middle of an update: %v", err)
	}
	close(release)
	w.becomes("a, b, c")
	w.write("conf.d/d.ini", ini("d"))
	w.becomes("a, b, c, d")
}
