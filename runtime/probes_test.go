package runtime

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"supervisord/runtime/launch"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// peer is what the probes of a test find: an exit status, or nothing for as long as they
// wait.
type peer struct {
	mu     sync.Mutex
	status int // -1 hangs
	looks  []time.Duration
	begun  time.Time
	seen   launch.Command
}

func (p *peer) set(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
}

func (p *peer) run(ctx context.Context, c launch.Command) ([]byte, int, error) {
	p.mu.Lock()
	status := p.status
	if p.begun.IsZero() {
		p.begun = time.Now()
	}
	p.looks = append(p.looks, time.Since(p.begun))
	p.seen = c
	p.mu.Unlock()
	if status < 0 {
		<-ctx.Done()
		return nil, 0, ctx.Err()
	}
	return nil, status, nil
}

// probed is a bubble with one program that has the given probes, and their peer, which has
// a status at first.
func probed(t *testing.T, probes spec.Probes, status int, test func(b *bench, peer *peer)) {
	t.Helper()
	peer := &peer{status: status}
	prepareKernel = func(k *fakeKernel) { k.run = peer.run }
	defer func() { prepareKernel = nil }()
	inBubble(t, func(b *bench) { test(b, peer) },
		program("web", func(p *spec.Process) {
			p.Probes, p.User, p.StopWaitSecs = probes, &spec.Account{Name: "www", UID: 33, GID: 33}, 4
		}))
}

var byCommand = spec.Probe{Kind: "exec", Target: "/bin/true now"}

// TestReady: STARTING lasts until the probe succeeds, who waits for the start waits for
// that, and the probe is the program's user's.
func TestReady(t *testing.T) {
	probed(t, spec.Probes{Ready: byCommand}, 1, func(b *bench, peer *peer) {
		b.after(30 * time.Second)
		b.expect("web", state.Starting)
		if i := b.info("web"); i.Probed == nil || i.Probed.Ready || !i.Probed.Asked {
			t.Errorf("while it starts: %+v", i.Probed)
		}
		if c := peer.seen; !slices.Equal(c.Args, []string{"/bin/true", "now"}) || c.UID != 33 || !slices.Contains(c.Env, "SUPERVISOR_PROCESS_NAME=web") {
			t.Errorf("the probe ran %+v", c)
		}
		peer.set(0)
		b.after(time.Second)
		b.expect("web", state.Running)
		if i := b.info("web"); !i.Probed.Ready {
			t.Errorf("it runs: %+v", i.Probed)
		}
		looks := len(peer.looks)
		b.after(time.Minute)
		if len(peer.looks) != looks || looks < 30 || looks > 33 {
			t.Errorf("%d looks in 30 seconds, and %d after it was ready", looks, len(peer.looks)-looks)
		}
	})
}

// TestNotReady: what is not ready in time is ended, though its probe hangs, and tried again.
func TestNotReady(t *testing.T) {
	probed(t, spec.Probes{Ready: byCommand, ReadyTimeout: 10 * time.Second}, -1, func(b *bench, peer *peer) {
		b.kernel.deafTo(syscall.SIGTERM, "web")
		b.after(10*time.Second + time.Millisecond)
		b.expect("web", state.Starting)
		if sent := b.kernel.sent(); !slices.Equal(sent, []string{"web terminated"}) {
			t.Errorf("it was sent %q", sent)
		}
		b.after(4 * time.Second)
		b.expect("web", state.Backoff)
		if i := b.info("web"); i.SpawnErr != "Not ready within 10s (ready_timeout)" || i.Probed != nil {
			t.Errorf("it failed with %q, probed %+v", i.SpawnErr, i.Probed)
		}
		for i, at := range peer.looks[1:] {
			if at-peer.looks[i] < 3*time.Second {
				t.Errorf("a look began %v after one that hangs for three seconds", at-peer.looks[i])
			}
		}
		peer.set(0)
		b.after(2 * time.Second)
		b.expect("web", state.Running)
	})
}

// TestHealth: a process that fails as often as is asked is started again; clients see it
// come.
func TestHealth(t *testing.T) {
	probed(t, spec.Probes{Health: byCommand, HealthFailures: 2}, 0, func(b *bench, peer *peer) {
		b.after(time.Second)
		b.expect("web", state.Running)
		if i := b.info("web"); i.Probed.Health != "passing" || i.Probed.Asked {
			t.Errorf("at first: %+v", i.Probed)
		}
		before := b.info("web").PID
		snap := b.sup.snapshot.Load()
		b.after(time.Minute)
		if b.sup.snapshot.Load() != snap {
			t.Error("looks that find nothing new make the table anew")
		}
		if n := len(peer.looks); n < 6 || n > 8 {
			t.Errorf("%d looks in a minute, of one every ten seconds", n)
		}
		peer.set(-1)
		b.after(13 * time.Second)
		if i := b.info("web"); i.State != state.Running || i.Probed.Health != "passing" || i.Probed.Complaint != "no answer within 3s" {
			t.Errorf("after a failure it is %v: %+v", i.State, i.Probed)
		}
		b.after(13 * time.Second)
		if i := b.info("web"); i.PID == before || i.State != state.Running {
			t.Errorf("after two it is %v with pid %d, and was %d", i.State, i.PID, before)
		}
		if !strings.Contains(b.lines(), "failed 2 looks in a row: no answer within 3s") {
			t.Errorf("it was not said:\n%s", b.lines())
		}
		// A stop while it is being restarted is a stop.
		b.kernel.deafTo(syscall.SIGTERM, "web")
		for b.info("web").State != state.Stopping {
			b.after(time.Second)
		}
		var refused *Error
		if _, err := b.sup.Stop(background, one("web"), false); !errors.As(err, &refused) || refused.Kind != NotRunning {
			t.Errorf("a stop of what is STOPPING is %v", err)
		}
		b.after(time.Minute)
		b.expect("web", state.Stopped)
		if i := b.info("web"); i.Probed != nil {
			t.Errorf("probed while it is STOPPED: %+v", i.Probed)
		}
	})
}

// TestProbesInPlace: other probes are in force at once, and a RUNNING process that is given
// ready= stays RUNNING.
func TestProbesInPlace(t *testing.T) {
	probed(t, spec.Probes{}, 1, func(b *bench, peer *peer) {
		b.after(time.Minute)
		if len(peer.looks) != 0 {
			t.Errorf("%d looks that nobody asked for", len(peer.looks))
		}
		change := func(probes spec.Probes) {
			t.Helper()
			groups, err := b.sup.Groups(background)
			if err != nil {
				t.Fatal(err)
			}
			def := *groups[0].Group
			def.Processes = slices.Clone(def.Processes)
			def.Processes[0].Probes = probes
			if err := b.sup.SetGroup(background, groups[0].Group, &def, nil); err != nil {
				t.Fatal(err)
			}
		}
		change(spec.Probes{Ready: byCommand, Health: byCommand, OnUnhealthy: spec.UnhealthyReport})
		b.after(time.Minute)
		b.expect("web", state.Running)
		if i := b.info("web"); !i.Probed.Ready || i.Probed.Health != "failing" {
			t.Errorf("it is %+v", i.Probed)
		}
		change(spec.Probes{})
		looks := len(peer.looks)
		b.after(time.Minute)
		if i := b.info("web"); len(peer.looks) != looks || i.Probed != nil {
			t.Errorf("%d looks after the last one was taken away: %+v", len(peer.looks)-looks, i.Probed)
		}
	})
}

// TestProbesOverAHandover: a process that is not ready yet, whose probe hangs at the moment,
// goes on in the next life with the same pid, and becomes ready there.
func TestProbesOverAHandover(t *testing.T) {
	dir := t.TempDir()
	looked, ready := filepath.Join(dir, "looked"), filepath.Join(dir, "ready")
	command := "/bin/sh -c 'touch " + looked + "; test -e " + ready + " || exec sleep 1000'"
	l := live(t, shell("web", "exec sleep 1000", func(p *spec.Process) {
		p.Probes = spec.Probes{Ready: spec.Probe{Kind: "exec", Target: command}, ReadyTimeout: time.Hour, ReadyInterval: 10 * time.Millisecond,
			HealthTimeout: time.Hour, Health: spec.Probe{Kind: "file", Target: ready}, OnUnhealthy: spec.UnhealthyReport}
	}))
	hangs := func(i Info) bool {
		_, err := os.Stat(looked)
		return err == nil && i.State == state.Starting && i.PID != 0
	}
	before := l.until("web", "its probe hangs", hangs)
	if err := os.Remove(looked); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ready, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.handOver()
	after := l.untilState("web", state.Running)
	if after.PID != before.PID || !after.Probed.Ready {
		t.Errorf("pid %d became %d: %+v", before.PID, after.PID, after.Probed)
	}
	l.until("web", "it is healthy", func(i Info) bool { return i.Probed.Health == "passing" })
	l.handOver()
	if i := l.info("web"); i.PID != before.PID || i.State != state.Running || i.Probed.Health != "passing" {
		t.Errorf("after another one it is %v with pid %d: %+v", i.State, i.PID, i.Probed)
	}
}
