package runtime

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/state"
	"supervisord/spec"
)

// end waits for the end of the supervisor and returns how long it took.
func (b *bench) end(begun time.Time) time.Duration {
	<-b.sup.done
	return time.Since(begun)
}

// at is a priority, and the time in which a program may stop.
func at(priority, stopwaitsecs int) func(*spec.Process) {
	return func(p *spec.Process) { p.Priority, p.StopWaitSecs = priority, stopwaitsecs }
}

// hang has whoever looks at a process group wait, as for a disk, until the test ends.
func (b *bench) hang(names ...string) (release func()) {
	for _, name := range names {
		b.kernel.leave(b.info(name).PID, 1)
	}
	looks := make(chan struct{})
	b.kernel.mu.Lock()
	b.kernel.looks = looks
	b.kernel.mu.Unlock()
	return func() { close(looks) }
}

// However many stages hang on something that is no child, all of them together have
// one patience, and no child loses a second of its stopwaitsecs for it.
func TestEndIsBounded(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(2 * time.Second)
		defer b.hang("a", "b", "c")()
		b.kernel.deafTo(syscall.SIGTERM, "slow")
		begun := time.Now()
		b.sup.Shutdown(background)
		if took := b.end(begun); took < 7*time.Second+endPatience || took > 7*time.Second+stageGrace+endPatience+3*lastMoment {
			t.Errorf("the end took %v", took)
		}
		if !b.sup.givenUp() {
			t.Error("disks were not given up on")
		}
	}, program("a", at(40, 10)), program("slow", at(30, 7)), program("b", at(20, 10)), program("c", at(10, 10)))
}

// Who is asked a second time to end gives up on disks at once, and never on a child.
func TestGiveUpOnDisks(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(2 * time.Second)
		defer b.hang("a", "b")()
		b.kernel.deafTo(syscall.SIGTERM, "slow")
		begun := time.Now()
		b.sup.Shutdown(background)
		b.after(time.Second)
		b.sup.GiveUpOnDisks()
		b.sup.GiveUpOnDisks()
		if took := b.end(begun); took < 8*time.Second || took > 8*time.Second+2*lastMoment {
			t.Errorf("the end took %v, want 1 s until disks are given up on and 7 s of stopwaitsecs", took)
		}
		want := []string{"a terminated", "slow terminated", "slow killed", "b terminated"}
		if got := b.kernel.sent(); len(got) != len(want) {
			t.Errorf("signals %q, want %q", got, want)
		}
	}, program("a", at(30, 10)), program("slow", at(20, 7)), program("b", at(10, 10)))
}

// A process that does not go although it was killed hangs in the kernel: the daemon
// ends without it, but begins no other life beside it.
func TestUnkillable(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(2 * time.Second)
		b.kernel.deafTo(syscall.SIGTERM)
		b.kernel.mu.Lock()
		b.kernel.ignores = func(string, syscall.Signal) bool { return true }
		b.kernel.mu.Unlock()
		b.sup.Restart(background)
		b.after(time.Minute)
		select {
		case <-b.sup.done:
			t.Fatal("another life begins while a process of this one is there")
		default:
		}
		begun := time.Now()
		b.sup.Shutdown(background)
		if took := b.end(begun); took > stageGrace+endPatience {
			t.Errorf("the end took %v", took)
		}
		b.kernel.mu.Lock()
		clear(b.kernel.names)
		b.kernel.mu.Unlock()
	}, program("web", nil))
}

// What has not come to its fork when the end begins is not spawned any more, however
// much is in the queue, and is stopped when it is its turn, as a process that is
// starting would be.
func TestQueuedLaunchesDieWithTheShutdown(t *testing.T) {
	for _, end := range []func(*Supervisor) error{
		func(s *Supervisor) error { return s.Shutdown(background) },
		func(s *Supervisor) error { return s.Restart(background) },
	} {
		groups := []*spec.Group{program("stuck", at(1, 10)), listening("l")}
		groups[1].Priority = 0
		for i := range 50 {
			groups = append(groups, program("w"+itoa(i), at(2+i, 10)))
		}
		inBubble(t, func(b *bench) {
			b.kernel.deafTo(syscall.SIGTERM, "l")
			if n := len(b.kernel.begun()); n != 1 { // the listener
				t.Fatalf("%d were started before the end", n)
			}
			if err := end(b.sup); err != nil {
				t.Fatal(err)
			}
			b.after(0)
			for _, i := range []int{0, 49} {
				b.expect("w"+itoa(i), state.Stopped)
			}
			b.expect("stuck", state.Stopped)
			if i := b.info("w0"); i.SpawnErr != "" || i.Stop.IsZero() || i.Starts != 0 {
				t.Errorf("%+v", i)
			}
			b.after(10 * time.Second) // the listener is killed
			close(b.kernel.hold)
			b.after(0)
			if n := len(b.kernel.begun()); n != 1 {
				t.Errorf("%d were spawned after the end had begun", n-1)
			}
		}, groups...)
	}
}

// Stopped in turn: a process whose launch was called off is STARTING until those
// after it are down.
func TestCalledOffInTurn(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(overtakeAfter)
		b.kernel.deafTo(syscall.SIGTERM, "web")
		b.sup.Shutdown(background)
		b.after(4 * time.Second)
		b.expect("stuck", state.Starting)
		b.after(2 * time.Second)
		<-b.sup.done
		lines := b.lines()
		if web, stuck := strings.Index(lines, "stopped: web"), strings.Index(lines, "stopped: stuck (before it was spawned)"); web < 0 || stuck < web {
			t.Errorf("the order of the stops:\n%s", lines)
		}
		close(b.kernel.hold)
	}, program("stuck", at(1, 10)), program("web", at(2, 5)))
}

// A stop of a process whose launch hangs is over at once, and so is its removal; a
// start that follows waits for nothing either, and the launch that was called off
// spawns nothing when it comes back.
func TestStopOfAQueuedLaunch(t *testing.T) {
	inBubble(t, func(b *bench) {
		begun := time.Now()
		for _, name := range []string{"web", "stuck"} { // one that waits for one that hangs, and that one
			if _, err := b.sup.Stop(background, one(name), true); err != nil {
				t.Fatal(err)
			}
			b.expect(name, state.Stopped)
		}
		if _, err := b.sup.Start(background, one("web"), false); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("it took %v", took)
		}
		go b.sup.Start(background, one("stuck"), false)
		b.after(time.Second)
		b.expect("web", state.Running)
		b.expect("stuck", state.Starting)
		close(b.kernel.hold)
		b.after(0)
		if diff := cmp.Diff([]string{"web", "stuck"}, b.kernel.begun()); diff != "" {
			t.Error(diff)
		}
	}, program("stuck", at(1, 10)), program("web", at(2, 10)))
}
