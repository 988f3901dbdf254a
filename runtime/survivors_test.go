package runtime

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/state"
	"supervisord/spec"
)

// survivor makes something that runs, and is not ours, and how it is remembered.
func (b *bench) survivor(name string, edit func(*spec.Process)) Survivor {
	b.kernel.mu.Lock()
	defer b.kernel.mu.Unlock()
	b.kernel.pids++
	b.kernel.names[b.kernel.pids] = name
	g := program(name, edit)
	c := RunChange{
		Group: name, Name: name, PID: b.kernel.pids, StartTime: uint64(b.kernel.pids), Started: b.epoch.Add(-time.Hour),
		GroupPriority: g.Priority, Def: &g.Processes[0],
	}
	return c.Remember("")
}

func manual(p *spec.Process) { p.Autostart = false }

// An adopted process is one like others.
func TestAdopt(t *testing.T) {
	inBubble(t, func(b *bench) {
		v := b.survivor("web", manual)
		if err := b.sup.Adopt(background, v); err != nil {
			t.Fatal(err)
		}
		b.after(0)
		i := b.info("web")
		if i.State != state.Running || i.PID != v.PID || !i.Start.Equal(b.epoch.Add(-time.Hour)) {
			t.Errorf("it is %+v", i)
		}
		if err := b.sup.Adopt(background, v); err == nil {
			t.Error("it was adopted twice")
		}

		b.kernel.deafTo(syscall.SIGHUP)
		if _, err := b.sup.Signal(background, one("web"), int(syscall.SIGHUP)); err != nil {
			t.Error(err)
		}
		b.kernel.deafTo(syscall.SIGTERM)
		begun := time.Now()
		if _, err := b.sup.Stop(background, one("web"), true); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("the stop took %v", took)
		}
		if diff := cmp.Diff([]string{"web hangup", "web terminated", "web killed"}, b.kernel.sent()); diff != "" {
			t.Error(diff)
		}
		b.expect("web", state.Stopped)
		if i := b.info("web"); i.ExitStatus != -1 {
			t.Errorf("exit status %d", i.ExitStatus)
		}
		if !strings.Contains(b.lines(), "stopped: web (exit status not known)") {
			t.Errorf("log:\n%s", b.lines())
		}
	}, program("web", manual))
}

// One that ends by itself is started again, and that one is our child.
func TestAdoptedIsRestarted(t *testing.T) {
	inBubble(t, func(b *bench) {
		v := b.survivor("web", manual)
		if err := b.sup.Adopt(background, v); err != nil {
			t.Fatal(err)
		}
		b.kernel.exit("web", 0)
		b.after(0)
		if !strings.Contains(b.lines(), "exited: web (exit status not known; not expected)") {
			t.Errorf("log:\n%s", b.lines())
		}
		b.after(2 * time.Second)
		b.expect("web", state.Running)
		b.kernel.exit("web", 0)
		b.after(0)
		if !strings.Contains(b.lines(), "exited: web (exit status 0; expected)") {
			t.Errorf("log:\n%s", b.lines())
		}
	}, program("web", manual))
}

func TestAdoptRefuses(t *testing.T) {
	listener := program("listener", manual)
	listener.Kind, listener.Listener = spec.KindListener, &spec.Listener{Events: []string{"TICK_5"}, BufferSize: 1, ResultHandler: "supervisor.dispatchers:default_handler"}
	inBubble(t, func(b *bench) {
		for _, test := range []struct {
			what string
			v    Survivor
			want Kind // 0 for ErrGone
		}{
			{"another's number", func() Survivor { v := b.survivor("web", manual); v.Start++; return v }(), 0},
			{"nobody", Survivor{Group: "web", Name: "web", PID: 1 << 20, Start: 1 << 20}, 0},
			{"an unknown name", b.survivor("nope", manual), BadName},
			{"another command", b.survivor("web", func(p *spec.Process) { p.Command = "/bin/false" }), Conflict},
			{"what runs", b.survivor("busy", nil), Conflict},
			{"a listener", b.survivor("listener", manual), Abnormal},
		} {
			err := b.sup.Adopt(background, test.v)
			var refused *Error
			if test.want == 0 && !errors.Is(err, ErrGone) || test.want != 0 && (!errors.As(err, &refused) || refused.Kind != test.want) {
				t.Errorf("%s: %v", test.what, err)
			}
		}
		// A change in place is none for a child.
		if err := b.sup.Adopt(background, b.survivor("patient", func(p *spec.Process) { manual(p); p.StopWaitSecs = 99 })); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string(nil), b.kernel.sent()); diff != "" {
			t.Errorf("somebody was signalled: %s", diff)
		}
		b.kernel.mu.Lock()
		for pid, name := range b.kernel.names {
			if name != "patient" && name != "busy" || name == "busy" && pid != b.sup.snapshotPID("busy") {
				delete(b.kernel.names, pid)
			}
		}
		b.kernel.mu.Unlock()
	}, program("web", manual), program("busy", nil), listener, program("patient", manual))
}

// snapshotPID is the pid of a group's only process.
func (s *Supervisor) snapshotPID(name string) int {
	i, _ := s.Info(background, name, name)
	return i.PID
}

// Survivors are ended in the order of a shutdown, each as it was told, and those
// that cannot be recognised are not touched.
func TestEndSurvivors(t *testing.T) {
	inBubble(t, func(b *bench) {
		prio := func(n int, more func(*spec.Process)) func(*spec.Process) {
			return func(p *spec.Process) {
				p.Priority, p.StopWaitSecs = n, 5
				if more != nil {
					more(p)
				}
			}
		}
		var list []Survivor
		for _, s := range []struct {
			name string
			edit func(*spec.Process)
		}{
			{"early", prio(1, nil)},
			{"late", prio(9, func(p *spec.Process) { p.StopSignal = int(syscall.SIGINT) })},
			{"deaf", prio(5, func(p *spec.Process) { p.StopWaitSecs = 3 })},
			{"deafer", prio(5, func(p *spec.Process) { p.StopWaitSecs, p.KillMode = 4, spec.KillGroup })},
		} {
			list = append(list, b.survivor(s.name, s.edit))
		}
		stranger := b.survivor("stranger", prio(7, nil))
		stranger.Start++
		list = append(list, stranger)
		b.kernel.deafTo(syscall.SIGTERM, "deaf", "deafer")

		var mu sync.Mutex
		var gone []string
		begun := time.Now()
		b.sup.EndSurvivors(list, func(v Survivor) {
			mu.Lock()
			defer mu.Unlock()
			gone = append(gone, v.Name)
		})
		if took := time.Since(begun); took < 4*time.Second || took > 4*time.Second+lastPoll {
			t.Errorf("it took %v: those of one priority should go together", took)
		}
		sent := slices.DeleteFunc(b.kernel.sent(), func(s string) bool { return strings.HasSuffix(s, "signal 0") })
		want := []string{"late interrupt", "deaf terminated", "deafer terminated", "deaf killed", "deafer killed", "early terminated"}
		if diff := cmp.Diff(want, sent); diff != "" {
			t.Error(diff)
		}
		slices.Sort(gone)
		if diff := cmp.Diff([]string{"deaf", "deafer", "early", "late", "stranger"}, gone); diff != "" {
			t.Error(diff)
		}
		b.kernel.mu.Lock()
		if b.kernel.names[stranger.PID] != "stranger" {
			t.Error("the stranger is gone")
		}
		delete(b.kernel.names, stranger.PID)
		b.kernel.mu.Unlock()
	})
}

// One that SIGKILL does not end does not keep the daemon from starting.
func TestUnkillableSurvivor(t *testing.T) {
	inBubble(t, func(b *bench) {
		v := b.survivor("web", nil)
		b.kernel.mu.Lock()
		b.kernel.ignores = func(string, syscall.Signal) bool { return true }
		b.kernel.mu.Unlock()
		begun := time.Now()
		b.sup.EndSurvivors([]Survivor{v}, func(Survivor) { t.Error("it is not gone") })
		if took := time.Since(begun); took != 10*time.Second+killPatience {
			t.Errorf("it took %v", took)
		}
		b.kernel.mu.Lock()
		delete(b.kernel.names, v.PID)
		b.kernel.mu.Unlock()
	})
}

// A shutdown does not wait for survivors: those that have not ended are left to the
// next daemon, and those whose turn had not come are not told.
func TestShutdownCutsSurvivorsShort(t *testing.T) {
	for _, test := range []struct {
		name    string
		members int // of the group whose leader has ended; 0 while it lives
	}{{"leader", 0}, {"group", 2}} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				patient := b.survivor("patient", func(p *spec.Process) { p.Priority, p.StopWaitSecs, p.KillMode = 9, 1000, spec.KillGroup })
				later := b.survivor("later", func(p *spec.Process) { p.Priority = 1 })
				b.kernel.leave(patient.PID, test.members)
				if test.members == 0 {
					b.kernel.deafTo(syscall.SIGTERM)
				}
				var gone []string
				done := make(chan time.Duration)
				begun := time.Now()
				go func() {
					b.sup.EndSurvivors([]Survivor{patient, later}, func(v Survivor) { gone = append(gone, v.Name) })
					done <- time.Since(begun)
				}()
				b.after(time.Second)
				if err := b.sup.Shutdown(background); err != nil {
					t.Fatal(err)
				}
				if took := <-done; took > time.Second+lastPoll {
					t.Errorf("it took %v", took)
				}
				if diff := cmp.Diff([]string(nil), gone); diff != "" {
					t.Errorf("gone: %s", diff)
				}
				sent := slices.DeleteFunc(b.kernel.sent(), func(s string) bool { return strings.HasSuffix(s, "signal 0") })
				if diff := cmp.Diff([]string{"patient terminated"}, sent); diff != "" {
					t.Error(diff)
				}
				if !strings.Contains(b.lines(), "processes of an earlier supervisord that are left to the next one: 2") {
					t.Errorf("log:\n%s", b.lines())
				}
				b.kernel.mu.Lock()
				clear(b.kernel.names)
				b.kernel.mu.Unlock()
			})
		})
	}
}

// What is left in a cgroup whose leader has died is told, and then ended.
func TestSurvivorWithoutALeader(t *testing.T) {
	inCgroups(t, func(b *bench, c *fakeCgroups) {
		v := b.survivor("web", caged)
		b.kernel.mu.Lock()
		delete(b.kernel.names, v.PID)
		b.kernel.mu.Unlock()
		v.Cgroup, _ = c.Create("1234567890.9.web:web")
		c.leave(3)
		n := 0
		b.sup.EndSurvivors([]Survivor{v}, func(Survivor) { n++ })
		want := []string{"create 9.web:web", "terminated 9.web:web", "kill 9.web:web", "remove 9.web:web"}
		if diff := cmp.Diff(want, c.log()); diff != "" || n != 1 {
			t.Errorf("gone %d times, %s", n, diff)
		}
	})
}

// The table of what runs is told of all that begins and ends, and of a definition
// that changes in place; what outlives its leader keeps its line.
func TestRunningIsTold(t *testing.T) {
	var told []string
	var mu sync.Mutex
	running := func(c RunChange) {
		mu.Lock()
		defer mu.Unlock()
		what := "ended"
		if c.Runs {
			what = "runs, stopwaitsecs " + itoa(c.Def.StopWaitSecs)
		}
		told = append(told, c.Name+" "+what)
	}
	expect := func(want ...string) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if diff := cmp.Diff(want, told); diff != "" {
			t.Error(diff)
		}
		told = nil
	}
	prepareOptions = func(o *Options) { o.OnChange = running }
	defer func() { prepareOptions = nil }()
	inCgroups(t, func(b *bench, c *fakeCgroups) {
		b.after(time.Second)
		expect("web runs, stopwaitsecs 4")
		groups, _ := b.sup.Groups(background)
		next := program("web", func(p *spec.Process) { caged(p); p.StopWaitSecs, p.Autorestart = 5, spec.RestartNever })
		if err := b.sup.SetGroup(background, groups[0].Group, next, nil); err != nil {
			t.Fatal(err)
		}
		expect("web runs, stopwaitsecs 5")
		c.leave(1)
		b.kernel.exit("web", 0)
		b.after(time.Minute)
		expect()
		if _, err := b.sup.Start(background, one("web"), true); err != nil {
			t.Fatal(err)
		}
		expect("web ended", "web runs, stopwaitsecs 5")
		b.sup.Stop(background, one("web"), true)
		expect("web ended")
	}, program("web", caged))
}

// While launches are held nothing runs, whoever asks; then everything that was started
// does, and what was stopped meanwhile does not.
func TestHeldLaunches(t *testing.T) {
	var hold chan struct{}
	prepareOptions = func(o *Options) { // in the bubble
		hold = make(chan struct{})
		o.Hold = hold
	}
	defer func() { prepareOptions = nil }()
	inBubble(t, func(b *bench) {
		b.after(time.Minute)
		b.expect("web", state.Starting)
		started := make(chan error, 1)
		go func() { _, err := b.sup.Start(background, one("asked"), true); started <- err }()
		b.after(time.Minute)
		b.expect("asked", state.Starting)
		stopped := make(chan error, 1)
		go func() { _, err := b.sup.Stop(background, one("unwanted"), true); stopped <- err }()
		b.after(time.Second)
		if started := b.kernel.started; len(started) > 0 {
			t.Errorf("started: %v", started)
		}
		close(hold)
		b.after(time.Second)
		for _, name := range []string{"web", "asked"} {
			b.expect(name, state.Running)
		}
		b.expect("unwanted", state.Stopped)
		for what, c := range map[string]chan error{"start": started, "stop": stopped} {
			select {
			case err := <-c:
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
			default:
				t.Errorf("the %s was not answered", what)
			}
		}
	}, program("web", nil), program("asked", manual), program("unwanted", nil))
}

// Who has left the process group of a survivor is ended with it, and also when the
// leader has ended meanwhile; without the variable, and the user, nobody is looked for.
func TestSurvivorsStrays(t *testing.T) {
	const first = 5000
	for name, test := range map[string]struct {
		edit func(*Survivor)
		want []string
	}{
		"with the leader": {func(v *Survivor) {}, []string{"web signal 0", "web terminated", "stray terminated"}},
		"the leader gone": {func(v *Survivor) { v.Start++ }, []string{"stray terminated"}},
		"an old table":    {func(v *Survivor) { v.Variable = "" }, []string{"web signal 0", "web terminated"}},
		"an older table":  {func(v *Survivor) { v.User = nil }, []string{"web signal 0", "web terminated"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				v := b.survivor("web", grouped)
				v.Variable = runVariable + "=x.1"
				test.edit(&v)
				b.stray(first)
				var ended []Survivor
				var mu sync.Mutex
				b.sup.EndSurvivors([]Survivor{v}, func(v Survivor) {
					mu.Lock()
					defer mu.Unlock()
					ended = append(ended, v)
				})
				if diff := cmp.Diff(test.want, b.kernel.sent()); diff != "" {
					t.Error(diff)
				}
				for _, left := range []string{"web", "stray"} { // the fake wants nobody left
					b.kernel.exit(left, 0)
				}
				if len(ended) != 1 {
					t.Errorf("%d ended", len(ended))
				}
			})
		})
	}
}

// Who has left the group of an adopted process ends with it.
func TestAdoptedStrays(t *testing.T) {
	inBubble(t, func(b *bench) {
		both := func(p *spec.Process) { manual(p); grouped(p) }
		v := b.survivor("web", both)
		v.Variable = runVariable + "=x.1"
		if err := b.sup.Adopt(background, v); err != nil {
			t.Fatal(err)
		}
		b.after(0)
		b.stray(5000)
		if _, err := b.sup.Stop(background, one("web"), true); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"web signal 0", "web terminated", "stray terminated"}, b.kernel.sent()); diff != "" {
			t.Error(diff)
		}
	}, program("web", func(p *spec.Process) { manual(p); grouped(p) }))
}
