package runtime

import (
	"testing"
	"time"

	"supervisord/runtime/state"
	"supervisord/spec"
)

// TestRetry: a process waits after each exit as its restart policy says, clients see for
// how long, and a reset has the waits begin anew and lets go of what was given up.
func TestRetry(t *testing.T) {
	inBubble(t, func(b *bench) {
		end := func(status int) {
			t.Helper()
			b.after(time.Second) // startsecs
			b.expect("web", state.Running)
			b.kernel.exit("web", status)
			b.after(0)
		}
		end(3)
		b.expect("web", state.Backoff)
		if i := b.info("web"); i.Retry != 1 || i.RetryIn != 5*time.Second || i.SpawnErr != "Bad exit code 3" {
			t.Errorf("retry %d in %v after %q, want 1 in 5 s", i.Retry, i.RetryIn, i.SpawnErr)
		}
		b.after(2 * time.Second)
		if i := b.info("web"); i.RetryIn != 3*time.Second {
			t.Errorf("two seconds later it is to be retried in %v, want 3 s", i.RetryIn)
		}
		b.after(3 * time.Second)
		end(0)
		if i := b.info("web"); i.Retry != 2 || i.RetryIn != 10*time.Second || i.SpawnErr != "" {
			t.Errorf("retry %d in %v after %q, want 2 in 10 s", i.Retry, i.RetryIn, i.SpawnErr)
		}
		if _, err := b.sup.Reset(background, one("web")); err != nil {
			t.Fatal(err)
		}
		if i := b.info("web"); i.RetryIn != 5*time.Second {
			t.Errorf("after a reset it is to be retried in %v, want 5 s", i.RetryIn)
		}
		b.after(5 * time.Second)
		for range 2 { // the reset has forgotten the others
			end(3)
			b.expect("web", state.Backoff)
			b.after(10 * time.Second)
		}
		end(3)
		b.expect("web", state.Fatal)
		if _, err := b.sup.Reset(background, one("web")); err != nil {
			t.Fatal(err)
		}
		b.expect("web", state.Stopped)
		if _, err := b.sup.Reset(background, one("nope")); err == nil {
			t.Error("a process that there is not was reset")
		}
	}, program("web", func(p *spec.Process) {
		p.Autorestart = spec.RestartAlways
		p.Retry = spec.Retry{Backoff: 5 * time.Second, Factor: 2, Max: 10 * time.Second, Reset: time.Hour,
			Crashes: spec.CrashLimit{N: 3, Within: time.Hour}}
	}))
}
