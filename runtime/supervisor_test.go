package runtime

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/launch"
	"supervisord/runtime/state"
	"supervisord/spec"
)

var background = context.Background()

func TestRetriesAndGivesUp(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.expect("web", state.Starting)
		for i, wait := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second} {
			b.kernel.exit("web", 1)
			b.after(0)
			b.expect("web", state.Backoff)
			b.after(wait - time.Millisecond)
			b.expect("web", state.Backoff)
			b.after(time.Millisecond)
			b.expect("web", state.Starting)
			if n := len(b.kernel.begun()); n != i+2 {
				t.Fatalf("%d starts, want %d", n, i+2)
			}
		}
		b.kernel.exit("web", 1)
		b.after(0)
		b.expect("web", state.Fatal)
		b.after(time.Hour)
		b.expect("web", state.Fatal)
	}, program("web", nil))
}

func TestStopEscalates(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.kernel.deafTo(syscall.SIGTERM)
		b.after(time.Second)
		b.expect("web", state.Running)
		begun := time.Now()
		if _, err := b.sup.Stop(background, one("web"), true); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took != 4*time.Second {
			t.Errorf("stop took %v, want stopwaitsecs", took)
		}
		if diff := cmp.Diff([]string{"web terminated", "web killed"}, b.kernel.sent()); diff != "" {
			t.Error(diff)
		}
		b.expect("web", state.Stopped)
	}, program("web", func(p *spec.Process) { p.StopWaitSecs = 4 }))
}

// A group with a member that outlives its leader is stopped only when that has
// gone too.
func TestStopWaitsForTheGroup(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(time.Second)
		pid := b.info("web").PID
		b.kernel.leave(pid, 2)
		if _, err := b.sup.Stop(background, one("web"), false); err != nil {
			t.Fatal(err)
		}
		b.after(9 * time.Second)
		b.expect("web", state.Stopping)
		b.kernel.leave(pid, 0)
		b.after(lastPoll)
		b.expect("web", state.Stopped)
		if !strings.Contains(b.lines(), "web: 2 processes of its group survived the stop") {
			t.Errorf("survivors not reported:\n%s", b.lines())
		}
	}, program("web", func(p *spec.Process) { p.StopAsGroup, p.KillAsGroup = true, true }))
}

// TestSurvivorsOfAStop: what has gone a moment after a stop, as a shell's sleep, is told
// at level debug; what has not is a warning.
func TestSurvivorsOfAStop(t *testing.T) {
	for _, gone := range []bool{true, false} {
		inBubble(t, func(b *bench) {
			b.after(time.Second)
			pid := b.info("web").PID
			b.kernel.leave(pid, 1)
			if _, err := b.sup.Stop(background, one("web"), true); err != nil {
				t.Fatal(err)
			}
			b.after(lookAgainAfter / 2)
			if gone {
				b.kernel.leave(pid, 0)
			}
			b.after(lookAgainAfter)
			const warning = `level=WARN msg="web: 1 process of its group survived the stop"`
			if warned := strings.Contains(b.lines(), warning); warned == gone { // debug lines are not among them
				t.Errorf("gone %v: warned of %v:\n%s", gone, warned, b.lines())
			}
			b.kernel.leave(pid, 0)
		}, program("web", func(*spec.Process) {}))
	}
}

func TestShutdownOrder(t *testing.T) {
	slow := func(priority int) func(*spec.Process) {
		return func(p *spec.Process) { p.Priority, p.StopWaitSecs = priority, 5 }
	}
	inBubble(t, func(b *bench) {
		if diff := cmp.Diff([]string{"first", "second", "third"}, b.kernel.begun()); diff != "" {
			t.Errorf("start order: %s", diff)
		}
		b.kernel.deafTo(syscall.SIGTERM, "third")
		b.after(2 * time.Second)
		if err := b.sup.Shutdown(background); err != nil {
			t.Fatal(err)
		}
		b.after(4 * time.Second)
		if diff := cmp.Diff([]string{"third terminated"}, b.kernel.sent()); diff != "" {
			t.Errorf("the next group was touched before the last was down: %s", diff)
		}
		if _, err := b.sup.Start(background, one("first"), false); err == nil {
			t.Error("a start during shutdown was not refused")
		}
		b.after(2 * time.Second)
		want := []string{"third terminated", "third killed", "second terminated", "first terminated"}
		if diff := cmp.Diff(want, b.kernel.sent()); diff != "" {
			t.Errorf("stop order: %s", diff)
		}
	}, program("second", slow(20)), program("third", slow(30)), program("first", slow(10)))
}

// What a wait for a start says, for each way a start can end.
func TestStartOutcomes(t *testing.T) {
	manual := func(p *spec.Process) { p.Autostart = false }
	inBubble(t, func(b *bench) {
		check := func(name string, wait bool, want Kind) {
			t.Helper()
			_, err := b.sup.Start(background, one(name), wait)
			var refused *Error
			if want == 0 && err != nil || want != 0 && (!errors.As(err, &refused) || refused.Kind != want) {
				t.Errorf("start %s: %v, want %v", name, err, want)
			}
		}
		check("web", true, 0)
		check("web", true, AlreadyStarted)
		check("missing", true, NoFile)
		check("directory", false, NotExecutable)
		check("quotes", true, NotExecutable)
		b.kernel.mu.Lock()
		b.kernel.fails = func(string) error { return &launch.Error{Stage: launch.StagePipes, Err: syscall.EMFILE, Name: "pipes"} }
		b.kernel.mu.Unlock()
		check("pipes", true, SpawnFailed)
		check("pipes", true, AlreadyStarted) // it waits to be tried again
		if got := b.info("pipes").SpawnErr; got != "too many open files to spawn 'pipes'" {
			t.Errorf("spawn error %q", got)
		}
		if _, err := b.sup.Info(background, "nope", "nope"); err == nil {
			t.Error("an unknown name was found")
		}
	}, program("web", manual),
		program("missing", func(p *spec.Process) { manual(p); p.Command = "/nope/nope" }),
		program("directory", func(p *spec.Process) { manual(p); p.Command = "/bin/" }),
		program("quotes", func(p *spec.Process) { manual(p); p.Command = `/bin/sh -c "foo` }),
		program("pipes", manual))
}

// Results of a request for several are in the order of the request when they
// come together, and in the order of their coming when they do not.
func TestResultsOrder(t *testing.T) {
	var procs []spec.Process
	for i := range 4 {
		p := program(fmt.Sprintf("w%d", i), func(p *spec.Process) { p.StopWaitSecs = 4 - i }).Processes[0]
		procs = append(procs, p)
	}
	inBubble(t, func(b *bench) {
		b.after(time.Second)
		names := func(results []Result) (names []string) {
			for _, r := range results {
				names = append(names, r.Name)
			}
			return names
		}
		results, err := b.sup.Stop(background, Select{Group: "w"}, true)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"w0", "w1", "w2", "w3"}, names(results)); diff != "" {
			t.Errorf("together: %s", diff)
		}
		if results, _ := b.sup.Stop(background, Select{Group: "w"}, true); results == nil || len(results) != 0 {
			t.Errorf("nothing to stop gave %v", results)
		}
		b.sup.Start(background, Select{Group: "w"}, true)
		b.kernel.deafTo(syscall.SIGTERM)
		results, _ = b.sup.Stop(background, Select{Group: "w"}, true)
		if diff := cmp.Diff([]string{"w3", "w2", "w1", "w0"}, names(results)); diff != "" {
			t.Errorf("one after another: %s", diff)
		}
	}, &spec.Group{Name: "w", Processes: procs})
}

// Without waiting they are in the order of the request, whatever comes first: a
// start that fails at once stands between those that take a moment.
func TestResultsOrderWithoutWaiting(t *testing.T) {
	manual := func(command string) func(*spec.Process) {
		return func(p *spec.Process) { p.Autostart, p.Command = false, command }
	}
	a, b, c := program("a", manual("/bin/sh")), program("b", manual("/nope/nope")), program("c", manual("/bin/sh"))
	inBubble(t, func(bench *bench) {
		results, err := bench.sup.Start(background, Select{}, false)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range results {
			got = append(got, fmt.Sprint(r.Name, " ", r.Err == nil))
		}
		if diff := cmp.Diff([]string{"a true", "b false", "c true"}, got); diff != "" {
			t.Error(diff)
		}
	}, a, b, c)
}

// An exchange of definitions touches what differs, and nothing else.
func TestExchange(t *testing.T) {
	two := func(names ...string) *spec.Group {
		g := &spec.Group{Name: "g", Priority: 999}
		for _, n := range names {
			g.Processes = append(g.Processes, program(n, nil).Processes[0])
		}
		return g
	}
	inBubble(t, func(b *bench) {
		b.after(time.Second)
		active, err := b.sup.Groups(background)
		if err != nil {
			t.Fatal(err)
		}
		old, pid := active[0].Group, b.info("g:a").PID
		next := two("a", "c")
		next.Processes[0].StopWaitSecs = 1

		err = b.sup.SetGroup(background, old, next, nil)
		var refused *Error
		if !errors.As(err, &refused) || refused.Kind != StillRunning {
			t.Fatalf("removing a running process: %v", err)
		}
		if err := b.sup.StopProcesses(background, "g", []string{"b"}); err != nil {
			t.Fatal(err)
		}
		if err := b.sup.SetGroup(background, old, next, []string{"c"}); err != nil {
			t.Fatal(err)
		}
		if err := b.sup.SetGroup(background, old, next, nil); !errors.As(err, &refused) || refused.Kind != Conflict {
			t.Errorf("an outdated plan was carried out: %v", err)
		}
		b.after(0)
		if got := b.info("g:a").PID; got != pid {
			t.Errorf("a has pid %d, had %d", got, pid)
		}
		b.expect("g:c", state.Starting)
		if _, err := b.sup.Info(background, "g", "b"); err == nil {
			t.Error("b is still there")
		}
		b.kernel.deafTo(syscall.SIGTERM)
		begun := time.Now()
		b.sup.Stop(background, Select{"g", "a"}, true)
		if took := time.Since(begun); took != time.Second {
			t.Errorf("stop took %v under the new stopwaitsecs", took)
		}
	}, two("a", "b"))
}

// A client that goes away ends its wait, not the stop.
func TestHangingUp(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(time.Second)
		b.kernel.deafTo(syscall.SIGTERM)
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		if _, err := b.sup.Stop(ctx, one("web"), true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("wait ended with %v", err)
		}
		b.expect("web", state.Stopping)
		b.after(9 * time.Second)
		b.expect("web", state.Stopped)
		if n := strings.Count(b.lines(), "waiting for web to stop"); n < 4 {
			t.Errorf("%d reports of the wait", n)
		}
	}, program("web", nil))
}

// A launch that is slow is not overtaken, so processes are forked and told of in their
// order on a busy machine, too.
func TestSlowLaunchKeepsItsPlace(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(overtakeAfter - time.Millisecond)
		if diff := cmp.Diff([]string{"slow", "web", "other"}, b.kernel.begun()); diff != "" {
			t.Errorf("started: %s", diff)
		}
		lines := b.lines()
		if slow, web := strings.Index(lines, "success: slow"), strings.Index(lines, "success: web"); slow < 0 || web < slow {
			t.Errorf("told of in another order:\n%s", lines)
		}
	}, program("slow", atOnceAs(1)), program("web", atOnceAs(2)), program("other", atOnceAs(3)))
}

// A launch that has forked and is not done lets those behind it fork, and is told of before
// them, unless it takes long. One that ends meanwhile gets its own exit.
func TestLateLaunch(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(0)
		if diff := cmp.Diff([]string{"late to return", "web", "other"}, b.kernel.begun()); diff != "" {
			t.Errorf("started: %s", diff)
		}
		b.kernel.die("web", syscall.WaitStatus(3<<8))
		b.after(overtakeAfter - time.Millisecond)
		b.expect("web", state.Starting)
		b.expect("other", state.Starting)
		b.after(time.Millisecond)
		b.expect("web", state.Exited)
		b.expect("other", state.Running)
		b.expect("late to return", state.Starting)
		close(b.kernel.hold)
		b.after(0)
		b.expect("late to return", state.Running)
		if !strings.Contains(b.lines(), "exited: web (exit status 3; not expected)") {
			t.Errorf("web has not ended with its own status:\n%s", b.lines())
		}
	}, program("late to return", atOnceAs(1)), program("web", func(p *spec.Process) { atOnceAs(2)(p); p.Autorestart = spec.RestartNever }), program("other", atOnceAs(3)))
}

// Those that become RUNNING at the same moment do so in the order in which they were forked.
func TestSameMomentKeepsTheOrder(t *testing.T) {
	var groups []*spec.Group
	var want []string
	for i := range 9 {
		name := "p" + itoa(i)
		groups = append(groups, program(name, nil))
		want = append(want, name)
	}
	inBubble(t, func(b *bench) {
		b.after(2 * time.Second)
		var got []string
		for line := range strings.Lines(b.lines()) {
			if _, rest, is := strings.Cut(line, "success: "); is {
				name, _, _ := strings.Cut(rest, " ")
				got = append(got, name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("RUNNING in another order: %s", diff)
		}
	}, groups...)
}

// atOnceAs is a priority, without a startsecs to wait for.
func atOnceAs(priority int) func(*spec.Process) {
	return func(p *spec.Process) { p.Priority, p.StartSecs = priority, 0 }
}

// Once a launch is known to be stuck, others that are cost those behind them less.
func TestStuckLaunches(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(overtakeAfter + overtakeAfterStuck - time.Millisecond)
		if n := len(b.kernel.begun()); n != 0 {
			t.Errorf("%d have begun already", n)
		}
		b.after(time.Millisecond)
		if diff := cmp.Diff([]string{"web"}, b.kernel.begun()); diff != "" {
			t.Errorf("started: %s", diff)
		}
		close(b.kernel.hold)
		b.after(0)
		if n := len(b.kernel.begun()); n != 3 {
			t.Errorf("%d have begun in the end", n)
		}
	}, program("stuck", atOnceAs(1)), program("stuck too", atOnceAs(2)), program("web", atOnceAs(3)))
}

// A launch that is stuck in its fork delays its own process alone, and a shutdown
// does not wait for it for ever; what comes of it after all is ended.
func TestStuckLaunch(t *testing.T) {
	inBubble(t, func(b *bench) {
		if len(b.kernel.begun()) != 0 {
			t.Fatalf("the line was overtaken at once: %v", b.kernel.begun())
		}
		b.after(overtakeAfter)
		if diff := cmp.Diff([]string{"web"}, b.kernel.begun()); diff != "" {
			t.Fatalf("started: %s", diff)
		}
		b.expect("stuck in exec", state.Starting)
		b.sup.Shutdown(background)
		b.after(stageGrace + endPatience + lastMoment)
		if b.sup.Mood() != state.MoodShutdown {
			t.Error("not shut down")
		}
		select {
		case <-b.sup.done:
		default:
			t.Error("the shutdown waits for a stuck launch")
		}
		close(b.kernel.hold)
		b.after(0)
		if diff := cmp.Diff([]string{"web", "stuck in exec"}, b.kernel.begun()); diff != "" {
			t.Fatalf("started: %s", diff)
		}
	}, program("stuck in exec", func(p *spec.Process) { p.Priority = 1 }), program("web", nil))
}

func TestUnknownPidIsReported(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.kernel.mu.Lock()
		b.kernel.end(4242, syscall.WaitStatus(3<<8))
		b.kernel.mu.Unlock()
		b.after(0)
		if !strings.Contains(b.lines(), "reaped unknown pid 4242 (exit status 3)") {
			t.Errorf("log:\n%s", b.lines())
		}
	}, program("web", nil))
}
