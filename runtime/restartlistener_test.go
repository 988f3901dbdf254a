package runtime

import (
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/state"
	"supervisord/spec"
)

// restarted has the loop restart a process as one that does not answer.
func (b *bench) restarted(name string) {
	b.t.Helper()
	err := b.sup.ask(background, func() {
		p, err := b.sup.find(name, name)
		if err != nil {
			b.t.Error(err)
			return
		}
		b.sup.restartListener(p)
	})
	if err != nil {
		b.t.Error(err)
	}
}

// A listener that does not answer comes back, unless somebody wants it stopped
// while it goes: then it stays down, and whoever waits for that is told.
func TestStopOutlivesRestart(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(time.Second)
		b.kernel.deafTo(syscall.SIGTERM)
		b.restarted("l")
		b.after(10 * time.Second)
		b.expect("l", state.Starting)
		b.after(time.Second)

		b.restarted("l")
		stopped := make(chan error, 1)
		go func() { stopped <- b.sup.StopProcesses(background, "l", []string{"l"}) }()
		b.after(10 * time.Second)
		select {
		case err := <-stopped:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("the update waits for a listener that was started again")
		}
		b.expect("l", state.Stopped)

		b.sup.Start(background, one("l"), true)
		b.restarted("l")
		if _, err := b.sup.Stop(background, one("l"), true); err == nil {
			t.Error("a stop of what is being stopped was not refused")
		}
		b.after(10 * time.Second)
		b.expect("l", state.Stopped)
	}, program("l", nil))
}

// Numbers that nobody means literally do not turn into their opposite.
func TestHugeNumbers(t *testing.T) {
	inBubble(t, func(b *bench) {
		if diff := cmp.Diff([]string{"low", "high"}, b.kernel.begun()); diff != "" {
			t.Errorf("start order: %s", diff)
		}
		b.kernel.deafTo(syscall.SIGTERM)
		b.after(24 * time.Hour)
		b.expect("high", state.Starting)
		b.expect("low", state.Running)
		b.sup.Stop(background, one("low"), false)
		b.after(24 * time.Hour)
		b.expect("low", state.Stopping)
		if diff := cmp.Diff([]string{"low terminated"}, b.kernel.sent()); diff != "" {
			t.Errorf("signals: %s", diff)
		}
		b.kernel.exit("low", 0)
	}, program("high", func(p *spec.Process) { p.Priority, p.StartSecs = math.MaxInt, math.MaxInt }),
		program("low", func(p *spec.Process) { p.Priority, p.StopWaitSecs = math.MinInt, math.MaxInt }))
}
