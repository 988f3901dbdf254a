package runtime

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// What the end of one process is to the daemon.
func TestCause(t *testing.T) {
	const none = ""
	for _, row := range []struct {
		name string
		when spec.ExitWhen
		end  ended
		want string
	}{
		{"by default", spec.ExitNever, ended{"a", state.Exited, 3, spec.OnExitIgnore}, none},
		{"FATAL by default", spec.ExitNever, ended{"a", state.Fatal, 3, spec.OnExitIgnore}, none},
		{"an exit", spec.ExitNever, ended{"a", state.Exited, 0, spec.OnExitShutdown}, "a is EXITED (on_exit=shutdown)"},
		{"a failed start", spec.ExitNever, ended{"a", state.Fatal, 127, spec.OnExitShutdown}, "a is FATAL (on_exit=shutdown)"},
		{"FATAL", spec.ExitOnFatal, ended{"a", state.Fatal, 1, spec.OnExitIgnore}, "a is FATAL (exit_when=fatal)"},
		{"an exit is not FATAL", spec.ExitOnFatal, ended{"a", state.Exited, 3, spec.OnExitIgnore}, none},
		{"both", spec.ExitOnFatal, ended{"a", state.Fatal, 3, spec.OnExitShutdown}, "a is FATAL (on_exit=shutdown)"},
		{"idle is not for one", spec.ExitOnIdle, ended{"a", state.Fatal, 3, spec.OnExitIgnore}, none},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, got := row.end.cause(row.when), none
			if c != nil {
				got = c.Text
				if c.Status != row.end.status {
					t.Errorf("status %d", c.Status)
				}
			}
			if got != row.want {
				t.Errorf("it is %q, want %q", got, row.want)
			}
		})
	}
}

// When all are idle, and with which status.
func TestIdle(t *testing.T) {
	at := func(n int) time.Time { return time.Unix(int64(n), 0) }
	exited := resting{name: "exited", state: state.Exited, ended: at(9)}
	failed := resting{name: "failed", state: state.Exited, failed: true, status: 3, ended: at(8)}
	fatal := resting{name: "fatal", state: state.Fatal, failed: true, status: 127, ended: at(7)}
	running := resting{name: "running", state: state.Running, busy: true}
	listener := resting{name: "listener", state: state.Running, busy: true, listener: true}
	deadListener := resting{name: "dead", state: state.Fatal, failed: true, status: 9, listener: true}
	fresh := resting{name: "fresh", state: state.Stopped}
	stopped := resting{name: "stopped", state: state.Stopped, stopped: true}
	ending := resting{name: "ending", state: state.Exited, busy: true} // what it left behind is
	for _, row := range []struct {
		name string
		all  []resting
		want int // -1 while it is not idle
	}{
		{"nothing", nil, -1},
		{"nothing was started", []resting{fresh}, -1},
		{"one ended", []resting{exited}, 0},
		{"one ended, one was never started", []resting{exited, fresh}, 0},
		{"one runs", []resting{exited, running}, -1},
		{"one that failed has more to end", []resting{failed, ending}, -1},
		{"a listener works for nobody", []resting{exited, listener}, 0},
		{"listeners alone", []resting{listener, deadListener}, -1},
		{"what a client stopped waits for him", []resting{exited, stopped}, -1},
		{"one failed", []resting{exited, failed}, 3},
		{"the first that failed", []resting{failed, exited, fatal}, 127},
		{"a listener's failure is not the programs'", []resting{exited, deadListener}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := -1
			if c := idle(row.all); c != nil {
				got = c.Status
			}
			if got != row.want {
				t.Errorf("it is %d, want %d", got, row.want)
			}
		})
	}
}

// The time of a shutdown is shared in proportion to stopwaitsecs, if it does not do.
func TestStageShare(t *testing.T) {
	const s = time.Second
	for _, row := range []struct {
		name  string
		left  time.Duration
		waits []time.Duration
		want  time.Duration // -1 for all that stopwaitsecs give
	}{
		{"enough", 10 * s, []time.Duration{8 * s, 2 * s}, -1},
		{"alone", 9 * s, []time.Duration{60 * s}, 9 * s},
		{"two", 9 * s, []time.Duration{60 * s, 30 * s}, 6 * s},
		{"what the first did not use goes to the second", 8 * s, []time.Duration{30 * s}, 8 * s},
		{"one that wants no time", 9 * s, []time.Duration{0, 30 * s}, 0},
		{"none left", 0, []time.Duration{30 * s}, 0},
		{"less than none", -s, []time.Duration{30 * s}, 0},
		{"for ever", 9 * s, []time.Duration{proc.Seconds(1 << 30), proc.Seconds(1 << 30)}, 9 * s / 2},
		{"nothing runs", 9 * s, []time.Duration{0}, -1},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, ok := stageShare(row.left, row.waits)
			if !ok {
				got = -1
			}
			if got != row.want {
				t.Errorf("it is %v, want %v", got, row.want)
			}
		})
	}
}

// with prepares the options of the next supervisor.
func with(t *testing.T, change func(*Options)) {
	prepareOptions = change
	t.Cleanup(func() { prepareOptions = nil })
}

// causeAtEnd waits for the supervisor to end and returns why it did, "" for what it was
// asked for.
func (b *bench) causeAtEnd() string {
	b.t.Helper()
	select {
	case <-b.sup.done:
	case <-time.After(time.Hour):
		b.t.Fatal("it does not end")
	}
	if c := b.sup.Cause(); c != nil {
		return itoa(c.Status) + ": " + c.Text
	}
	return ""
}

func endsWith(priority int, on spec.OnExit) func(*spec.Process) {
	return func(p *spec.Process) { p.Priority, p.OnExit = priority, on }
}

// The end of a process ends all others in their order; what they come to on the way
// changes no status.
func TestOnExit(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(2 * time.Second)
		b.kernel.deafTo(syscall.SIGTERM, "db")
		b.kernel.exit("job", 0)
		b.after(time.Second)
		b.kernel.exit("other job", 4)
		if got, want := b.causeAtEnd(), "0: job is EXITED (on_exit=shutdown)"; got != want {
			t.Errorf("the cause is %q, want %q", got, want)
		}
		if diff := cmp.Diff([]string{"other job terminated", "db terminated", "db killed", "web terminated"}, b.kernel.sent()); diff != "" {
			t.Error(diff)
		}
		if !strings.Contains(b.lines(), "level=WARN msg=\"job is EXITED (on_exit=shutdown): shutting down, to end with exit status 0\"") {
			t.Errorf("the log:\n%s", b.lines())
		}
	}, program("web", at(1, 10)), program("db", at(2, 10)),
		program("job", endsWith(3, spec.OnExitShutdown)), program("other job", endsWith(4, spec.OnExitShutdown)))
}

// Who asks for the end before a process gives a cause is not told of one.
func TestCauseTooLate(t *testing.T) {
	for name, ask := range map[string]func(*Supervisor) error{
		"shutdown": func(s *Supervisor) error { return s.Shutdown(background) },
		"restart":  func(s *Supervisor) error { return s.Restart(background) },
	} {
		t.Run(name, func(t *testing.T) {
			with(t, func(o *Options) { o.ExitWhen = spec.ExitOnFatal })
			inBubble(t, func(b *bench) {
				b.after(2 * time.Second)
				b.kernel.deafTo(syscall.SIGTERM, "web")
				ask(b.sup)
				b.after(time.Second)
				b.kernel.exit("job", 4)
				if got := b.causeAtEnd(); got != "" {
					t.Errorf("the cause is %q", got)
				}
			}, program("job", endsWith(3, spec.OnExitShutdown)), program("web", at(4, 10)))
		})
	}
}

// A stop is none, by whomever, and its process may be started again.
func TestStopIsNoCause(t *testing.T) {
	with(t, func(o *Options) { o.ExitWhen = spec.ExitOnFatal })
	inBubble(t, func(b *bench) {
		b.after(2 * time.Second)
		if _, err := b.sup.Stop(background, one("job"), true); err != nil {
			t.Fatal(err)
		}
		if _, err := b.sup.Start(background, one("job"), true); err != nil {
			t.Fatal(err)
		}
		if err := b.sup.StopProcesses(background, "job", []string{"job"}); err != nil {
			t.Fatal(err)
		}
		b.after(time.Minute)
		if b.sup.Mood() != state.MoodRunning {
			t.Fatal("it ends")
		}
		g := b.sup.groupsForTest(t)["job"]
		if err := b.sup.SetGroup(background, g, nil, nil); err != nil {
			t.Fatal(err)
		}
		b.after(time.Minute)
		if b.sup.Mood() != state.MoodRunning {
			t.Fatal("it ends")
		}
	}, program("job", endsWith(3, spec.OnExitShutdown)), program("web", nil))
}

func (s *Supervisor) groupsForTest(t *testing.T) map[string]*spec.Group {
	t.Helper()
	groups, err := s.Groups(background)
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]*spec.Group)
	for _, g := range groups {
		byName[g.Group.Name] = g.Group
	}
	return byName
}

// FATAL ends the daemon where that was asked for.
func TestExitWhenFatal(t *testing.T) {
	with(t, func(o *Options) { o.ExitWhen = spec.ExitOnFatal })
	inBubble(t, func(b *bench) {
		for range 5 {
			b.kernel.exit("job", 3)
			b.after(5 * time.Second)
		}
		if got, want := b.causeAtEnd(), "3: job is FATAL (exit_when=fatal)"; got != want {
			t.Errorf("the cause is %q, want %q", got, want)
		}
	}, program("job", func(p *spec.Process) { p.StartSecs, p.StartRetries = 100, 2 }), program("web", nil))
}

// All are idle when the last has ended by itself; whoever is told of it may know better.
func TestExitWhenIdle(t *testing.T) {
	told := 0
	with(t, func(o *Options) { o.ExitWhen, o.OnIdle = spec.ExitOnIdle, func() { told++ } })
	oneShot := func(p *spec.Process) { p.Autorestart = spec.RestartNever }
	inBubble(t, func(b *bench) {
		b.after(2 * time.Second)
		b.kernel.exit("a", 0)
		b.after(time.Second)
		if told != 0 {
			t.Error("all are idle, although b runs")
		}
		if _, err := b.sup.Stop(background, one("b"), true); err != nil {
			t.Fatal(err)
		}
		if told != 0 {
			t.Error("all are idle, although a client may be about to start b again")
		}
		if _, err := b.sup.Start(background, one("b"), true); err != nil {
			t.Fatal(err)
		}
		b.kernel.exit("b", 5)
		b.after(time.Second)
		if told != 1 || b.sup.Mood() != state.MoodRunning {
			t.Errorf("told %d times, in mood %v", told, b.sup.Mood())
		}
		if _, err := b.sup.Start(background, one("a"), true); err != nil {
			t.Fatal(err)
		}
		if err := b.sup.EndIfIdle(background); err != nil || b.sup.Mood() != state.MoodRunning {
			t.Errorf("it ends although a runs again: %v", err)
		}
		b.kernel.exit("a", 0)
		b.after(time.Second)
		if told != 2 {
			t.Errorf("told %d times", told)
		}
		if err := b.sup.EndIfIdle(background); err != nil {
			t.Fatal(err)
		}
		if got, want := b.causeAtEnd(), "5: every program has ended; b was the first to fail (exit_when=idle)"; got != want {
			t.Errorf("the cause is %q, want %q", got, want)
		}
	}, program("a", oneShot), program("b", oneShot), program("never", func(p *spec.Process) { p.Autostart = false }), listening("l"))
}

// A shutdown with a limit is over within it, and each group has its share.
func TestShutdownTimeout(t *testing.T) {
	for _, row := range []struct {
		name    string
		timeout time.Duration
		deaf    []string
		signals []string
		took    time.Duration
	}{
		{"time enough", time.Minute, []string{"web"}, []string{"web terminated", "web killed", "db terminated"}, 30 * time.Second},
		{"shared", 10 * time.Second, []string{"web", "db"}, []string{"web terminated", "web killed", "db terminated", "db killed"}, 9500 * time.Millisecond},
		{"what one does not use is the other's", 10 * time.Second, []string{"db"}, []string{"web terminated", "db terminated", "db killed"}, 9500 * time.Millisecond},
		{"short", time.Second, []string{"web", "db"}, []string{"web terminated", "web killed", "db terminated", "db killed"}, 900 * time.Millisecond},
		{"none", 0, []string{"web", "db"}, []string{"web terminated", "web killed", "db terminated", "db killed"}, 45 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			with(t, func(o *Options) { o.ShutdownTimeout = row.timeout })
			inBubble(t, func(b *bench) {
				b.after(2 * time.Second)
				b.kernel.deafTo(syscall.SIGTERM, row.deaf...)
				begun := time.Now()
				b.sup.Shutdown(background)
				if took := b.end(begun); took != row.took {
					t.Errorf("it took %v, want %v", took, row.took)
				}
				if diff := cmp.Diff(row.signals, b.kernel.sent()); diff != "" {
					t.Error(diff)
				}
			}, program("db", at(1, 15)), program("web", at(2, 30)))
		})
	}
}

// The limit holds whatever hangs: a disk, a process that does not die, what outlived its
// leader. A restart has none, until a shutdown overrides it.
func TestShutdownTimeoutWhateverHangs(t *testing.T) {
	t.Run("a process that does not die", func(t *testing.T) {
		with(t, func(o *Options) { o.ShutdownTimeout = 5 * time.Second })
		inBubble(t, func(b *bench) {
			b.after(2 * time.Second)
			b.kernel.mu.Lock()
			b.kernel.ignores = func(string, syscall.Signal) bool { return true }
			b.kernel.mu.Unlock()
			begun := time.Now()
			b.sup.Shutdown(background)
			if took := b.end(begun); took < 4*time.Second || took > 5*time.Second+stageGrace {
				t.Errorf("it took %v", took)
			}
			b.kernel.mu.Lock()
			clear(b.kernel.names)
			b.kernel.mu.Unlock()
		}, program("web", at(1, 60)))
	})
	t.Run("a disk", func(t *testing.T) {
		with(t, func(o *Options) { o.ShutdownTimeout = 1500 * time.Millisecond })
		inBubble(t, func(b *bench) {
			b.after(2 * time.Second)
			defer b.hang("a")()
			begun := time.Now()
			b.sup.Shutdown(background)
			if took := b.end(begun); took > 1500*time.Millisecond {
				t.Errorf("it took %v", took)
			}
		}, program("a", at(40, 10)), program("b", at(20, 10)))
	})
	t.Run("a restart that a shutdown overrides", func(t *testing.T) {
		with(t, func(o *Options) { o.ShutdownTimeout = 5 * time.Second })
		inBubble(t, func(b *bench) {
			b.after(2 * time.Second)
			b.kernel.deafTo(syscall.SIGTERM)
			b.sup.Restart(background)
			b.after(20 * time.Second)
			begun := time.Now()
			b.sup.Shutdown(background)
			if took := b.end(begun); took != 4500*time.Millisecond {
				t.Errorf("it took %v", took)
			}
		}, program("web", at(1, 60)))
	})
}
