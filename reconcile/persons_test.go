package reconcile

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestEndingWhatIsGone: what was said of the processes of a group is ended with the group's
// name, also where nothing has that name any more.
func TestEndingWhatIsGone(t *testing.T) {
	inBubble(t, "", map[string]string{"conf.d/a.ini": ini("a")}, func(w *fixture, _ *fakeWatcher) {
		ctx := context.Background()
		if _, err := w.rec.Pause(ctx, "a:a", time.Hour*24, "", "uid 0"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.rec.Disable(ctx, "a:a", "uid 0"); err != nil {
			t.Fatal(err)
		}
		w.sh("rm conf.d/a.ini")
		if report, err := w.rec.Apply(ctx, nil, "uid 0"); err != nil {
			t.Fatal(report, err)
		}
		w.becomes("")
		if _, known := w.rec.Intents(); len(known) != 2 || known[0] || known[1] {
			t.Fatalf("known %v", known)
		}
		for _, end := range []func(context.Context, string, string) (Said, error){w.rec.Resume, w.rec.Enable} {
			if said, err := end(ctx, "a", "uid 0"); err != nil || !said.Changed {
				t.Errorf("%+v, %v", said, err)
			}
		}
		if _, err := w.rec.Enable(ctx, "a", "uid 0"); !errors.Is(err, ErrBadName) {
			t.Errorf("of what there is not: %v", err)
		}
	})
}
