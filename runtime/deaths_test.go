package runtime

import (
	"strings"
	"syscall"
	"testing"

	"supervisord/runtime/state"
	"supervisord/spec"
)

// die has the process of that name die of a signal that nobody here has sent.
func (k *fakeKernel) die(name string, status syscall.WaitStatus) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for pid, n := range k.names {
		if n == name {
			k.end(pid, status)
		}
	}
}

const killedForMemory = "web (pid 101) was killed by the kernel, which was out of memory"

// TestDeaths: how a process ended is told and counted; Supervisor's line is as it was.
func TestDeaths(t *testing.T) {
	once := func(p *spec.Process) { p.Autorestart = spec.RestartNever }
	for _, r := range []struct {
		name   string
		end    func(*bench)
		line   string
		want   End
		counts EndCounts
	}{
		{"exit status", func(b *bench) { b.kernel.exit("web", 3) }, "exited: web (exit status 3; not expected)",
			End{How: "exit status 3"}, EndCounts{Status: 1}},
		{"signal", func(b *bench) { b.kernel.die("web", syscall.WaitStatus(syscall.SIGSEGV)) }, "exited: web (terminated by SIGSEGV; not expected)",
			End{How: "terminated by SIGSEGV", Signal: "SIGSEGV"}, EndCounts{Signal: 1}},
		{"core", func(b *bench) { b.kernel.die("web", syscall.WaitStatus(syscall.SIGABRT)|0x80) }, "exited: web (terminated by SIGABRT (core dumped); not expected)",
			End{How: "terminated by SIGABRT (core dumped)", Signal: "SIGABRT", Core: true}, EndCounts{Core: 1}},
		{"somebody's SIGKILL", func(b *bench) { b.kernel.die("web", syscall.WaitStatus(syscall.SIGKILL)) }, "exited: web (terminated by SIGKILL; not expected)",
			End{How: "terminated by SIGKILL", Signal: "SIGKILL"}, EndCounts{Signal: 1}},
		{"out of memory", func(b *bench) {
			b.kernel.oomKills = 1
			b.kernel.die("web", syscall.WaitStatus(syscall.SIGKILL))
		}, "exited: web (terminated by SIGKILL; not expected)",
			End{How: "terminated by SIGKILL", Signal: "SIGKILL", OOM: true}, EndCounts{OOM: 1}},
		{"a client's SIGKILL while memory was short", func(b *bench) {
			b.kernel.oomKills = 1
			if _, err := b.sup.Signal(background, one("web"), int(syscall.SIGKILL)); err != nil {
				b.t.Fatal(err)
			}
		}, "exited: web (terminated by SIGKILL; not expected)",
			End{How: "terminated by SIGKILL", Signal: "SIGKILL"}, EndCounts{Signal: 1}},
		{"a count that cannot be read", func(b *bench) {
			b.kernel.oomKills, b.kernel.oomHangs = 1, make(chan struct{})
			b.kernel.die("web", syscall.WaitStatus(syscall.SIGKILL))
			b.after(oomPatience / 2)
			b.expect("web", state.Running)
			b.after(oomPatience)
			close(b.kernel.oomHangs)
		}, "exited: web (terminated by SIGKILL; not expected)",
			End{How: "terminated by SIGKILL", Signal: "SIGKILL"}, EndCounts{Signal: 1}},
	} {
		t.Run(r.name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.after(lookAgainAfter * 2)
				b.expect("web", state.Running)
				r.end(b)
				b.after(0)
				b.expect("web", state.Exited)
				i := b.info("web")
				if i.LastEnd == nil || *i.LastEnd != r.want || i.Ends != r.counts {
					t.Errorf("got %+v, %+v\nwant %+v, %+v", i.LastEnd, i.Ends, r.want, r.counts)
				}
				before, after, found := strings.Cut(b.lines(), r.line)
				if !found || strings.Contains(after, killedForMemory) != r.want.OOM || strings.Contains(before, killedForMemory) {
					t.Errorf("no %q, or not what belongs to it, in\n%s", r.line, b.lines())
				}
			}, program("web", once))
		})
	}
}

// TestEndsAreCounted: over all runs, those that cannot be executed among them.
func TestEndsAreCounted(t *testing.T) {
	inBubble(t, func(b *bench) {
		for range 3 {
			b.after(lookAgainAfter * 2)
			b.kernel.die("web", syscall.WaitStatus(syscall.SIGHUP))
		}
		b.after(lookAgainAfter * 2)
		if i := b.info("web"); i.Ends != (EndCounts{Signal: 3}) || i.State != state.Running || i.LastEnd.Signal != "SIGHUP" {
			t.Errorf("%v, %+v, %+v", i.State, i.Ends, i.LastEnd)
		}
	}, program("web", func(p *spec.Process) { p.Autorestart = spec.RestartAlways }))
}

// TestKilledWhileHandedOver: which count a process is watched by goes over with it. What an
// earlier version wrote down does not say, and the process is watched anew.
func TestKilledWhileHandedOver(t *testing.T) {
	for _, older := range []bool{false, true} {
		inBubble(t, func(b *bench) {
			b.after(lookAgainAfter * 2)
			b.kernel.oomElsewhere = true // for who is watched from now on
			h, err := b.sup.HandOver(background)
			if err != nil {
				t.Fatal(err)
			}
			if older {
				h.data.OOMCounts, h.data.Groups[0].Processes[0].OOM = nil, ""
			}
			data, err := writeDown(h)
			if err != nil {
				t.Fatal(err)
			}
			o := Options{Logger: b.sup.log, kernel: b.kernel, children: b.kernel.notices}
			if o.From, err = readBack(data, h.Files()); err != nil {
				t.Fatal(err)
			}
			if err := <-b.ended; err != ErrHandedOver {
				t.Fatal(err)
			}
			b.kernel.oomKills = 1
			b.kernel.die("web", syscall.WaitStatus(syscall.SIGKILL))
			b.sup = New(o)
			go func() { b.ended <- b.sup.Run(background) }()
			b.after(0)
			b.expect("web", state.Exited)
			if end := b.info("web").LastEnd; end == nil || end.OOM == older {
				t.Errorf("by an older version: %v; its end is %+v", older, end)
			}
			if err := b.sup.Shutdown(background); err != nil {
				t.Error(err)
			}
		}, program("web", func(p *spec.Process) { p.Autorestart = spec.RestartNever }))
	}
}
