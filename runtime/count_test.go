package runtime

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestCount: whoever wants to tell others how many processes are in which state hears
// when that may have changed, and nothing while the loop is stuck.
func TestCount(t *testing.T) {
	web := program("web", nil)
	var changed chan struct{}
	prepareOptions = func(o *Options) {
		changed = make(chan struct{}, 1) // in the bubble
		o.Changed = changed
	}
	defer func() { prepareOptions = nil }()
	inBubble(t, func(b *bench) {
		expect := func(want string) {
			t.Helper()
			synctest.Wait()
			select {
			case <-changed:
			default:
				t.Errorf("nothing was said of %s", want)
			}
			count, err := b.sup.Count(background)
			if got := count.String(); err != nil || got != want {
				t.Errorf("got %s, %v; want %s", got, err, want)
			}
		}
		b.after(2 * time.Second)
		expect("2 processes: 2 RUNNING")
		if _, err := b.sup.Stop(background, one("web"), true); err != nil {
			t.Fatal(err)
		}
		expect("2 processes: 1 STOPPED, 1 RUNNING")
		if err := b.sup.SetGroup(background, web, nil, nil); err != nil {
			t.Fatal(err)
		}
		expect("1 process: RUNNING")

		release := make(chan struct{})
		go b.sup.ask(background, func() { <-release })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(background, time.Hour)
		defer cancel()
		if _, err := b.sup.Count(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a stuck loop: %v", err)
		}
		close(release)
	}, web, program("db", nil))
}
