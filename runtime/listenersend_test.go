package runtime

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/runtime/state"
	"supervisord/spec"
)

// pools are n listener groups, l0 and so on, in the order of their priorities.
func pools(n int) []*spec.Group {
	var all []*spec.Group
	for i := range n {
		g := listening(fmt.Sprint("l", i))
		g.Priority = i
		all = append(all, g)
	}
	return all
}

// However many pools are stuck or have never said that they are ready, the end waits
// for all of them together one second, and stops them one after the other.
func TestListenersShareOneSecond(t *testing.T) {
	const n = 10
	for _, r := range []struct {
		name  string
		stuck func(i int) bool // by its number: in the middle of an event; otherwise never ready
	}{
		{"never ready", func(int) bool { return false }},
		{"in the middle of an event", func(int) bool { return true }},
		{"some and some", func(i int) bool { return i%2 == 0 }},
	} {
		t.Run(r.name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.after(2 * time.Second)
				for i := range n {
					if say := b.converse(fmt.Sprint("l", i)); r.stuck(i) {
						say("READY\n")
					}
				}
				begun := time.Now()
				b.sup.Shutdown(background)
				if took := b.end(begun); took < listenerGrace || took > listenerGrace+100*time.Millisecond {
					t.Errorf("the end took %v, want %v", took, listenerGrace)
				}
				var want []string
				for i := range n {
					want = append(want, fmt.Sprintf("l%d terminated", n-1-i))
				}
				if got := b.kernel.sent(); strings.Join(got, ", ") != strings.Join(want, ", ") {
					t.Errorf("signals %q, want %q", got, want)
				}
			}, pools(n)...)
		})
	}
}

// A listener that is stuck takes nothing from those that work: they still get the
// events of its end.
func TestStuckListenerTakesNothingFromOthers(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(2 * time.Second)
		b.converse("l1") // never ready, and stopped first
		say := b.converse("l0")
		say("READY\n")
		b.kernel.deafTo(syscall.SIGTERM, "l1") // it uses its stopwaitsecs, too
		heard := 0
		begun := time.Now()
		b.sup.Shutdown(background)
		for {
			select {
			case <-b.sup.done:
				if heard == 0 || time.Since(begun) > 12*time.Second {
					t.Errorf("%d events after the second was over, at the end of %v", heard, time.Since(begun))
				}
				if sent := b.kernel.sent(); sent[len(sent)-1] != "l0 terminated" {
					t.Errorf("signals %q", sent)
				}
				return
			default:
			}
			if b.info("l0").Listener.State == state.Busy {
				if time.Since(begun) > listenerGrace {
					heard++
				}
				b.after(10 * time.Millisecond)
				say("RESULT 2\nOKREADY\n")
			}
			b.after(10 * time.Millisecond)
		}
	}, pools(2)...)
}

// Listeners that work, but slowly, have a second together beyond that of the stuck.
func TestSlowListenersShareOneSecond(t *testing.T) {
	const n = 10
	inBubble(t, func(b *bench) {
		b.after(2 * time.Second)
		var say []func(string)
		for i := range n {
			say = append(say, b.converse(fmt.Sprint("l", i)))
		}
		for i := range n - 1 {
			say[i]("READY\n")
		}
		begun := time.Now()
		b.sup.Shutdown(background)
		for answered := 0; ; {
			select {
			case <-b.sup.done:
				if took := time.Since(begun); took < listenerGrace || took > 2*listenerGrace+100*time.Millisecond || answered == 0 {
					t.Errorf("the end took %v with %d answers", took, answered)
				}
				return
			case <-time.After(300 * time.Millisecond):
			}
			for i := range n - 1 {
				name := fmt.Sprint("l", i)
				if got, err := b.sup.Info(background, name, name); err == nil && got.Listener.State == state.Busy {
					answered++
					say[i]("RESULT 2\nOKREADY\n")
				}
			}
		}
	}, pools(n)...)
}
