package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
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

// What a person is told is kept is on the disk by then; what cannot be written is told, too,
// and so is what a disk has not taken within keepPatience.
func TestKeptIsWritten(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a")}).start()
	ctx := context.Background()
	stored := func() int {
		data, err := os.ReadFile(filepath.Join(w.rec.store.Dir(), intentsItem+".json"))
		if err != nil {
			return 0
		}
		var r intentRecord
		if err := json.Unmarshal(data, &r); err != nil {
			t.Fatal(err)
		}
		return len(r.Intents)
	}
	kept := 0
	for range 20 {
		said, err := w.rec.Disable(ctx, "a", "uid 0")
		if err != nil || said.Kept && stored() != 1 {
			t.Fatalf("disable: %+v, %v; stored are %d", said, err, stored())
		}
		then, err := w.rec.Enable(ctx, "a", "uid 0")
		if err != nil || then.Kept && stored() != 0 {
			t.Fatalf("enable: %+v, %v; stored are %d", then, err, stored())
		}
		if said.Kept && then.Kept {
			kept++
		}
	}
	if kept == 0 {
		t.Error("nothing was kept")
	}
	w.sh("mv state gone && : >state")
	said, err := w.rec.Disable(ctx, "a", "uid 0")
	if err != nil || said.Kept || !said.Changed {
		t.Errorf("where it cannot be written: %+v, %v", said, err)
	}
}
