package reconcile

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/runtime/hang"
)

// TestPhaseOfAnUpdate: what State says is of now while an update that somebody asked for
// looks at the files, first of all or while another one is carried out.
func TestPhaseOfAnUpdate(t *testing.T) {
	const looks = "an update looks at the files"
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")}, func(w *fixture, hint *fakeWatcher) {
		phase := func(when, want, reason string) {
			t.Helper()
			synctest.Wait()
			s := w.rec.State()
			equal(t, "phase "+when, s.Phase+": "+s.Reason, want+": "+reason)
		}
		time.Sleep(time.Minute)
		phase("at first", Synced, "")
		began := time.Now()
		answers := make(chan error, 2)
		update := func() { _, err := w.rec.Apply(context.Background(), nil, "uid 0"); answers <- err }
		w.hang("conf.d")
		go update()
		phase("while one looks", Pending, looks)
		if s := w.rec.State(); !s.Since.Equal(began) {
			t.Errorf("since %v, want %v", s.Since, began)
		}
		w.answers("conf.d")
		if err := <-answers; err != nil {
			t.Fatal(err)
		}
		phase("when it is over", Synced, "")

		w.table.stopping = func(string, string) time.Duration { return 5 * time.Second }
		w.write("conf.d/a.ini", ini("a", "command=/bin/n"))
		go update()
		phase("while one is carried out", Applying, "1 group by update")
		go update()
		phase("while another waits", Applying, "1 group by update")
		w.hang("conf.d")
		time.Sleep(5 * time.Second)
		if err := <-answers; err != nil {
			t.Fatal(err)
		}
		phase("while the other looks", Pending, looks)
		w.answers("conf.d")
		if err := <-answers; err != nil {
			t.Fatal(err)
		}
		time.Sleep(hang.Patience)
		phase("when both are over", Synced, "")
	})
}
