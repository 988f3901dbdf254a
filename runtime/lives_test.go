package runtime

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/runtime/state"
	"supervisord/spec"
)

// While one launch waits for something else than its fork, the dead that are
// nobody's are nobody's: their numbers may be given out again.
func TestWaitingLaunchKeepsNoDead(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(time.Second)
		pid := b.info("web").PID
		b.kernel.leave(pid, 1)
		b.kernel.deafTo(syscall.SIGTERM)
		b.kernel.exit("web", 1) // who is left of it must end before it begins again
		b.after(0)
		b.expect("web", state.Starting)

		b.kernel.mu.Lock()
		b.kernel.end(4242, syscall.WaitStatus(3<<8))
		b.kernel.pids = 4241
		b.kernel.mu.Unlock()
		b.after(overtakeAfter)
		if !strings.Contains(b.lines(), "reaped unknown pid 4242 (exit status 3)") {
			t.Errorf("log:\n%s", b.lines())
		}
		b.sup.Start(background, one("other"), false)
		b.after(2 * time.Second)
		b.expect("other", state.Running)
		if got := b.info("other").PID; got != 4242 {
			t.Fatalf("other has pid %d", got)
		}
		b.kernel.leave(pid, 0)
		b.after(time.Second)
	}, program("web", func(p *spec.Process) {
		p.StopAsGroup, p.KillAsGroup, p.Autorestart, p.StopWaitSecs = true, true, spec.RestartAlways, 100
	}), program("other", func(p *spec.Process) { p.Autostart = false }))
}

// slowLook is a kernel that takes long to say who is in a group.
type slowLook struct{ *fakeKernel }

func (k slowLook) GroupMembers(pgid int) []int {
	time.Sleep(5 * time.Second)
	return k.fakeKernel.GroupMembers(pgid)
}

// Whether a process lived long enough is a question of when it died, not of when
// we were done with its remains.
func TestTimeOfDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := slowLook{newFakeKernel()}
		s := New(Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), kernel: k, children: k.notices})
		ctx, cancel := context.WithCancel(background)
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		defer func() { cancel(); <-ended }()
		if err := s.SetGroup(ctx, nil, program("web", func(p *spec.Process) { p.StartSecs = 2 }), nil); err != nil {
			t.Fatal(err)
		}
		s.Begin(ctx)
		time.Sleep(time.Second)
		i, _ := s.Info(ctx, "web", "web")
		k.leave(i.PID, 1)
		died := time.Now()
		k.exit("web", 1)
		time.Sleep(5*time.Second + time.Millisecond)
		synctest.Wait()
		i, _ = s.Info(ctx, "web", "web")
		if i.State != state.Backoff || !i.Stop.Equal(died) {
			t.Errorf("%v, stopped %v after it died", i.State, i.Stop.Sub(died))
		}
	})
}

// closing is a kernel that is told when nobody needs it any more.
type closing struct {
	*fakeKernel
	closed chan struct{}
}

func (k closing) Close() { close(k.closed) }

// The kernel's threads end with the supervisor, but not before a launch that is
// still under way.
func TestKernelIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := closing{newFakeKernel(), make(chan struct{})}
		isClosed := func() bool {
			synctest.Wait()
			select {
			case <-k.closed:
				return true
			default:
				return false
			}
		}
		s := New(Options{kernel: k, children: k.notices})
		ended := make(chan error, 1)
		go func() { ended <- s.Run(background) }()
		s.SetGroup(background, nil, program("stuck", nil), nil)
		s.Begin(background)
		s.Restart(background)
		if err := <-ended; err != ErrRestart {
			t.Error(err)
		}
		if isClosed() {
			t.Error("closed under a launch")
		}
		close(k.hold)
		if !isClosed() {
			t.Error("not closed")
		}
	})
}
