package reconcile

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/reconcile/watch"
)

// TestOpenForWriting: half of a file is not gone by while somebody has it open, for
// thirty seconds at the most. A person does not wait.
func TestOpenForWriting(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}, func(w *fixture, hint *fakeWatcher) {
		open := func(name string) *os.File {
			f, err := os.OpenFile(w.root+"/conf.d/"+name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString("[program:" + strings.TrimSuffix(name, ".ini") + "]\ncommand=/bin/half\n"); err != nil {
				t.Fatal(err)
			}
			return f
		}
		a, c := open("a.ini"), open("c.ini")
		w.put(hint, "conf.d/b.ini", ini("b", "command=/bin/n"))
		equal(t, "groups", w.groups(), "a, b=n")
		if s := w.rec.State(); s.Phase != Held || !strings.Contains(s.Reason, "a.ini is open for writing") {
			t.Errorf("%+v", s)
		}
		a.WriteString("command=/bin/whole\n")
		a.Close()
		time.Sleep(time.Second) // without a notice
		synctest.Wait()
		equal(t, "groups when one is closed", w.groups(), "a=whole, b=n")
		time.Sleep(openLimit - 2*time.Second)
		synctest.Wait()
		equal(t, "groups before the limit", w.groups(), "a=whole, b=n")
		time.Sleep(3 * time.Second)
		synctest.Wait()
		equal(t, "groups after the limit", w.groups(), "a=whole, b=n, c=half")
		w.log.once(t, "c.ini has been open for writing for 30s")
		c.Close()

		a = open("a.ini")
		defer a.Close()
		if _, err := w.rec.Apply(context.Background(), nil, ""); err != nil {
			t.Fatal(err)
		}
		equal(t, "groups after update", w.groups(), "a=half, b=n, c=half")
	})
}

// TestManyAreWritten: a checkout that writes many files at a time is told in one line,
// whether they are open or were just written to, and so is its end.
func TestManyAreWritten(t *testing.T) {
	const n = 100
	for _, r := range []struct {
		name, kind string
		open       bool
	}{{"open", "files that are open for writing", true}, {"busy", "files that are still being written to", false}} {
		t.Run(r.name, func(t *testing.T) {
			inBubble(t, "settle=1s\nrescan=0\n", programs(n), func(w *fixture, hint *fakeWatcher) {
				h := watch.Hint{Trigger: TriggerWatch}
				var open []*os.File
				for i := range n {
					name := fmt.Sprintf("%s/conf.d/p%02d.ini", w.root, i)
					f, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
					if err != nil {
						t.Fatal(err)
					}
					if r.open {
						open = append(open, f)
						continue
					}
					f.Close()
					h.Busy = append(h.Busy, name)
				}
				w.table.took()
				hint.hints <- h
				synctest.Wait()
				w.log.once(t, fmt.Sprintf("reconcile: held: %d %s, the first: ", n, r.kind))
				for i, f := range open {
					fmt.Fprint(f, ini(fmt.Sprintf("p%02d", i)))
					f.Close()
				}
				if !r.open {
					for name, text := range programs(n) {
						w.write(name, text)
					}
				}
				hint.hints <- watch.Hint{Trigger: TriggerWatch}
				time.Sleep(time.Minute)
				synctest.Wait()
				w.log.once(t, fmt.Sprintf("reconcile: no longer held: %d %s, the first: ", n, r.kind))
				if held, all := w.log.count("held: "), w.log.count("WARN"); held != 2 || all != 1 {
					t.Errorf("%d lines of what is held, %d warnings\n%s", held, all, w.log)
				}
				equal(t, "what was done", words(w.table.took()), "")
			})
		})
	}
}
