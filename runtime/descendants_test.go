package runtime

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/state"
	"supervisord/spec"
)

// inCgroups is inBubble on a machine with cgroups.
func inCgroups(t *testing.T, f func(*bench, *fakeCgroups), groups ...*spec.Group) {
	t.Helper()
	c := newFakeCgroups()
	prepareKernel = func(k *fakeKernel) { k.cgroups = c }
	defer func() { prepareKernel = nil }()
	inBubble(t, func(b *bench) { f(b, c) }, groups...)
}

func caged(p *spec.Process) { p.KillMode, p.StopWaitSecs = spec.KillCgroup, 4 }

// A stop tells all of the cgroup, then waits for it within stopwaitsecs, then
// kills it, and leaves no cgroup behind.
func TestStopOfACgroup(t *testing.T) {
	inCgroups(t, func(b *bench, c *fakeCgroups) {
		b.after(time.Second)
		c.leave(2)
		begun := time.Now()
		if _, err := b.sup.Stop(background, one("web"), true); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < 4*time.Second || took > 4*time.Second+lastPoll {
			t.Errorf("it took %v", took)
		}
		want := []string{"create 1.web:web", "terminated 1.web:web", "kill 1.web:web", "remove 1.web:web"}
		if diff := cmp.Diff(want, c.log()); diff != "" {
			t.Error(diff)
		}
		// The group's number may be somebody else's once the leader has gone.
		if diff := cmp.Diff([]string{"web terminated"}, b.kernel.sent()); diff != "" {
			t.Error(diff)
		}
		if !strings.Contains(b.lines(), "web: 2 processes of its cgroup survived the stop") {
			t.Errorf("not reported:\n%s", b.lines())
		}
	}, program("web", caged))
}

// What a dead leader leaves in its cgroup is ended before there is a new one, which
// has a cgroup of its own.
func TestRestartWithACgroup(t *testing.T) {
	inCgroups(t, func(b *bench, c *fakeCgroups) {
		b.after(time.Second)
		c.leave(1)
		b.kernel.exit("web", 3)
		b.after(3 * time.Second)
		if n := len(b.kernel.begun()); n != 1 {
			t.Errorf("%d starts while something was left", n)
		}
		b.after(time.Second + 2*lastPoll)
		want := []string{"create 1.web:web", "terminated 1.web:web", "kill 1.web:web", "remove 1.web:web", "create 2.web:web"}
		if diff := cmp.Diff(want, c.log()); diff != "" {
			t.Error(diff)
		}
		b.expect("web", state.Starting)
	}, program("web", caged))
}

// What is left of a process that is not started again is ended when it is removed,
// stopped while it waits, or the daemon shuts down, which waits for that.
func TestLeftoversEnd(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(*spec.Process)
		end  func(*bench)
	}{
		{"removed", func(p *spec.Process) { p.Autorestart = spec.RestartNever }, func(b *bench) {
			groups, _ := b.sup.Groups(background)
			if err := b.sup.SetGroup(background, groups[0].Group, nil, nil); err != nil {
				b.t.Error(err)
			}
		}},
		{"stopped for an update", func(p *spec.Process) { p.Autorestart = spec.RestartNever }, func(b *bench) {
			if err := b.sup.StopProcesses(background, "web", []string{"web"}); err != nil {
				b.t.Error(err)
			}
		}},
		{"stopped in backoff", func(p *spec.Process) { p.StartSecs = 100 }, func(b *bench) {
			if _, err := b.sup.Stop(background, one("web"), true); err != nil {
				b.t.Error(err)
			}
		}},
		{"shutdown", func(p *spec.Process) { p.Autorestart = spec.RestartNever }, func(b *bench) {
			b.sup.Shutdown(background)
			<-b.sup.done
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inCgroups(t, func(b *bench, c *fakeCgroups) {
				b.after(time.Second)
				c.leave(1)
				b.kernel.exit("web", 3)
				b.after(0)
				if n := len(c.log()); n != 1 {
					t.Errorf("nobody asked for %q", c.log())
				}
				test.end(b)
				b.after(5 * time.Second)
				want := []string{"create 1.web:web", "terminated 1.web:web", "kill 1.web:web", "remove 1.web:web"}
				if diff := cmp.Diff(want, c.log()); diff != "" {
					t.Error(diff)
				}
				if n := len(b.kernel.begun()); n != 1 {
					t.Errorf("%d starts", n)
				}
			}, program("web", func(p *spec.Process) { caged(p); test.edit(p) }))
		})
	}
}

// A group's number that went to somebody else meanwhile is not signalled, however
// long after the leader's end the next start comes.
func TestReusedGroupIsLeftAlone(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(time.Second)
		pid := b.info("web").PID
		b.kernel.leave(pid, 1)
		b.kernel.exit("web", 0)
		b.after(time.Hour)
		b.kernel.mu.Lock()
		b.kernel.names[pid], b.kernel.others = "stranger", map[int]bool{pid: true}
		b.kernel.mu.Unlock()
		if _, err := b.sup.Start(background, one("web"), false); err != nil {
			t.Fatal(err)
		}
		b.after(time.Second)
		b.expect("web", state.Running)
		if diff := cmp.Diff([]string(nil), b.kernel.sent()); diff != "" {
			t.Error(diff)
		}
		b.kernel.mu.Lock()
		delete(b.kernel.names, pid)
		b.kernel.mu.Unlock()
	}, program("web", func(p *spec.Process) { p.KillMode = spec.KillGroup }))
}

// Members that the known ones have forked since are known, too: the group is not
// given up when only they are left.
func TestOrphansThatFork(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(time.Second)
		pid := b.info("web").PID
		b.kernel.group(pid, 501)
		b.kernel.exit("web", 3)
		b.after(0)
		b.kernel.group(pid, 501, 502)
		b.after(time.Second)
		b.kernel.group(pid, 502)
		b.after(2 * time.Second)
		if n := len(b.kernel.begun()); n != 1 {
			t.Errorf("%d starts while a member of the group lives", n)
		}
		b.after(2 * time.Second)
		if diff := cmp.Diff([]string{"group terminated", "group killed"}, slices.Compact(b.kernel.sent())); diff != "" {
			t.Error(diff)
		}
		b.kernel.group(pid)
		b.after(time.Second)
		if n := len(b.kernel.begun()); n != 2 {
			t.Errorf("%d starts", n)
		}
	}, program("web", func(p *spec.Process) { p.KillMode, p.StopWaitSecs = spec.KillGroup, 4 }))
}

// A stop is over when the group's number has been given to another's leader.
func TestReusedGroupEndsStop(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(time.Second)
		pid := b.info("web").PID
		b.kernel.group(pid, 501)
		if _, err := b.sup.Stop(background, one("web"), false); err != nil {
			t.Fatal(err)
		}
		b.after(lastPoll)
		b.expect("web", state.Stopping)
		b.kernel.group(pid, 600)
		b.after(2 * lastPoll)
		b.expect("web", state.Stopped)
		if diff := cmp.Diff([]string{"web terminated"}, b.kernel.sent()); diff != "" {
			t.Error(diff)
		}
		b.kernel.group(pid)
	}, program("web", func(p *spec.Process) { p.KillMode = spec.KillGroup }))
}

// A stop that comes while the output of a dead leader is read, or its group looked
// at, does not signal the group by a number that may be somebody else's by now: who
// is left is told once it is known, and a group that is another's is left alone.
func TestStopWhileDying(t *testing.T) {
	for _, test := range []struct {
		name   string
		reused bool
		want   []string
	}{
		{"ours", false, []string{"group terminated", "group killed"}},
		{"another's", true, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			prepareKernel = func(k *fakeKernel) { k.looks = make(chan struct{}) }
			defer func() { prepareKernel = nil }()
			inBubble(t, func(b *bench) {
				b.after(time.Second)
				pid := b.info("web").PID
				b.kernel.leave(pid, 1)
				b.kernel.exit("web", 0)
				b.after(0)
				if _, err := b.sup.Stop(background, one("web"), false); err != nil {
					t.Fatal(err)
				}
				b.after(0)
				if diff := cmp.Diff([]string(nil), b.kernel.sent()); diff != "" {
					t.Errorf("before it was known who is left: %s", diff)
				}
				if test.reused {
					b.kernel.mu.Lock()
					b.kernel.names[pid], b.kernel.others = "stranger", map[int]bool{pid: true}
					b.kernel.mu.Unlock()
				}
				close(b.kernel.looks)
				b.after(11 * time.Second)
				if diff := cmp.Diff(test.want, b.kernel.sent()); diff != "" {
					t.Error(diff)
				}
				if survived := strings.Contains(b.lines(), "survived the stop"); survived == test.reused {
					t.Errorf("log:\n%s", b.lines())
				}
				b.kernel.leave(pid, 0)
				b.kernel.mu.Lock()
				delete(b.kernel.names, pid)
				b.kernel.mu.Unlock()
				b.after(time.Second)
				b.expect("web", state.Stopped)
			}, program("web", func(p *spec.Process) { p.KillMode = spec.KillGroup }))
		})
	}
}

// Without cgroups each program is named once, and its group is what is stopped.
func TestFallback(t *testing.T) {
	two := &spec.Group{Name: "g", Priority: 999}
	for i := range 2 {
		p := program(fmt.Sprint("p", i), caged).Processes[0]
		p.Origin.Section = "program:many"
		two.Processes = append(two.Processes, p)
	}
	inBubble(t, func(b *bench) {
		const said = "killmode=cgroup falls back to group: read-only file system"
		if n := strings.Count(b.lines(), said); n != 2 || !strings.Contains(b.lines(), "many: "+said) {
			t.Errorf("said %d times:\n%s", n, b.lines())
		}
		b.kernel.deafTo(syscall.SIGTERM)
		if _, err := b.sup.Stop(background, one("web"), true); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"web terminated", "web killed"}, b.kernel.sent()); diff != "" {
			t.Error(diff)
		}
		b.kernel.deafTo(0)

		groups, _ := b.sup.Groups(background)
		next := *two
		next.Priority = 5
		for _, g := range groups {
			if g.Group.Name == "g" {
				if err := b.sup.SetGroup(background, g.Group, &next, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := strings.Count(b.lines(), said); n != 2 {
			t.Errorf("said again for a change of something else:\n%s", b.lines())
		}
	}, program("web", caged), two)
}
