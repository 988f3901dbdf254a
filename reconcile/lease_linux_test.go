package reconcile

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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
