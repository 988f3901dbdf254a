package reconcile

import (
	"fmt"
	"strings"
	"testing"

	"supervisord/spec"

	"github.com/google/go-cmp/cmp"
)

// TestPlan is the change table, row by row: what differs, how the process is,
// and what is done about it.
func TestPlan(t *testing.T) {
	base := program("x")
	variant := func(edit func(*spec.Process)) []spec.Group { return []spec.Group{program("x", edit)} }
	rows := []struct {
		name     string
		old      spec.Group
		state    string // of each process, default RUNNING; "user" for stopped by a person
		explicit bool
		desired  []spec.Group
		want     string // actions
		log      string // what the table was asked
	}{
		{"nothing", base, "", false, []spec.Group{base}, "", ""},
		{"another file, another line", base, "", false, variant(func(p *spec.Process) { p.Origin = spec.Origin{File: "/else", Line: 9} }), "", ""},
		{"gone", base, "", false, nil, "remove x", "stop x:x; stopped x:x; remove x"},

		{"command", base, "", false, variant(command("/bin/y")), "restart x:x", "stop x:x; stopped x:x; change x; start x:x"},
		{"directory", base, "", false, variant(func(p *spec.Process) { p.Directory, p.HasDir = "/d", true }), "restart x:x", "stop x:x; stopped x:x; change x; start x:x"},
		{"umask", base, "", false, variant(func(p *spec.Process) { p.Umask = 0o22 }), "restart x:x", "stop x:x; stopped x:x; change x; start x:x"},
		{"user", base, "", false, variant(func(p *spec.Process) { p.User = &spec.Account{Name: "u", UID: 7} }), "restart x:x", "stop x:x; stopped x:x; change x; start x:x"},
		{"environment", base, "", false, variant(func(p *spec.Process) { p.Environment = spec.Env{"A": "1"} }), "restart x:x", "stop x:x; stopped x:x; change x; start x:x"},
		{"redirect_stderr", base, "", false, variant(func(p *spec.Process) { p.RedirectStderr = true }), "restart x:x", "stop x:x; stopped x:x; change x; start x:x"},
		{"serverurl", base, "", false, variant(func(p *spec.Process) { p.ServerURL = "http://x" }), "restart x:x", "stop x:x; stopped x:x; change x; start x:x"},
		{"socket", base, "", false, variant(func(p *spec.Process) { p.Socket = &spec.Socket{URL: "tcp://x:1"} }), "restart x:x", "stop x:x; stopped x:x; change x; start x:x"},

		{"priority", base, "", false, variant(priority(5)), "inplace x, inplace x:x", "change x"},
		{"autostart off", base, "", false, variant(autostart(false)), "inplace x:x", "change x"},
		{"autorestart", base, "", false, variant(func(p *spec.Process) { p.Autorestart = spec.RestartAlways }), "inplace x:x", "change x"},
		{"startsecs", base, "", false, variant(func(p *spec.Process) { p.StartSecs = 5 }), "inplace x:x", "change x"},
		{"startretries", base, "", false, variant(func(p *spec.Process) { p.StartRetries = 5 }), "inplace x:x", "change x"},
		{"exitcodes", base, "", false, variant(func(p *spec.Process) { p.ExitCodes = []int{0, 2} }), "inplace x:x", "change x"},
		{"stopsignal", base, "", false, variant(func(p *spec.Process) { p.StopSignal = 2 }), "inplace x:x", "change x"},
		{"stopwaitsecs", base, "", false, variant(stopwait(3)), "inplace x:x", "change x"},
		{"stopasgroup", base, "", false, variant(func(p *spec.Process) { p.StopAsGroup = true }), "inplace x:x", "change x"},
		{"killasgroup", base, "", false, variant(func(p *spec.Process) { p.KillAsGroup = true }), "inplace x:x", "change x"},
		{"log path", base, "", false, variant(func(p *spec.Process) { p.Stdout = spec.Output{Kind: spec.OutputFile, File: "/l"} }), "inplace x:x", "change x"},
		{"log size", base, "", false, variant(func(p *spec.Process) { p.Stderr.MaxBytes = 1 }), "inplace x:x", "change x"},
		{"log events", base, "", false, variant(func(p *spec.Process) { p.Stdout.EventsEnabled = true }), "inplace x:x", "change x"},

		{"more instances", numbered("w", 2), "", false, []spec.Group{numbered("w", 3)}, "numprocs w:w_2", "change w; start w:w_2"},
		{"fewer instances", numbered("w", 3), "", false, []spec.Group{numbered("w", 2)}, "numprocs w:w_2", "stop w:w_2; stopped w:w_2; change w"},
		{"one member of a group", numbered("w", 3), "", false, []spec.Group{edited(numbered("w", 3), 1, command("/bin/z"))}, "restart w:w_1", "stop w:w_1; stopped w:w_1; change w; start w:w_1"},
		{"the order of members", numbered("w", 2), "", false, []spec.Group{reversed(numbered("w", 2))}, "inplace w", "change w"},
		{"a program becomes a group of one", base, "", false, []spec.Group{kind(program("x"), spec.KindGroup)}, "inplace x", "change x"},
		{"a program becomes a listener", base, "", false, []spec.Group{kind(program("x"), spec.KindListener)}, "restart x", "stop x:x; stopped x:x; remove x; add x; start x:x"},
		{"listener events", kind(program("x"), spec.KindListener), "", false, []spec.Group{subscribed(kind(program("x"), spec.KindListener), "TICK_5")}, "inplace x", "change x"},

		{"a person stopped it", base, "user", false, variant(command("/bin/y")), "inplace x:x", "change x"},
		{"a person stopped it, in place", base, "user", false, variant(stopwait(3)), "inplace x:x", "change x"},
		{"a person stopped it and asks for an update", base, "user", true, variant(command("/bin/y")), "restart x:x", "change x; start x:x"},
		{"a person stopped it and asks, autostart off", base, "user", true, variant(func(p *spec.Process) { p.Command, p.Autostart = "/bin/y", false }), "inplace x:x", "change x"},
		{"FATAL", base, "FATAL", false, variant(command("/bin/y")), "restart x:x", "change x; start x:x"},
		{"FATAL, a key that counts in place", base, "FATAL", false, variant(stopwait(3)), "restart x:x", "change x; start x:x"},
		{"EXITED", base, "EXITED", false, variant(command("/bin/y")), "restart x:x", "change x; start x:x"},
		{"EXITED, not one that starts by itself", program("x", autostart(false)), "EXITED", false, variant(func(p *spec.Process) { p.Command, p.Autostart = "/bin/y", false }), "inplace x:x", "change x"},
		{"EXITED and the same", base, "EXITED", false, []spec.Group{base}, "", ""},
		{"BACKOFF", base, "BACKOFF", false, variant(command("/bin/y")), "restart x:x", "stop x:x; stopped x:x; change x; start x:x"},
		{"never started, now autostart", program("x", autostart(false)), "STOPPED", false, []spec.Group{base}, "restart x:x", "change x; start x:x"},
		{"never started, not autostart", program("x", autostart(false)), "STOPPED", false, variant(func(p *spec.Process) { p.Command, p.Autostart = "/bin/y", false }), "inplace x:x", "change x"},
		{"started by hand, not autostart", program("x", autostart(false)), "RUNNING", false, variant(func(p *spec.Process) { p.Command, p.Autostart = "/bin/y", false }), "restart x:x", "stop x:x; stopped x:x; change x; start x:x"},
		{"being stopped by a person", base, "STOPPING user", false, variant(command("/bin/y")), "inplace x:x", "stop x:x; stopped x:x; change x"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			m := newModel()
			m.update([]spec.Group{r.old}, Policy{})
			for _, p := range r.old.Processes {
				switch r.state {
				case "":
					m.set(r.old.Name, p.Name, "RUNNING", false)
				case "user":
					m.set(r.old.Name, p.Name, "STOPPED", true)
				case "STOPPING user":
					m.set(r.old.Name, p.Name, "STOPPING", true)
				default:
					m.set(r.old.Name, p.Name, r.state, false)
				}
			}
			m.took()
			steps := Plan(m.Groups(), r.desired, Policy{Explicit: r.explicit})
			var actions []string
			for _, s := range steps {
				for _, a := range s.Actions {
					actions = append(actions, a.String())
					if a.Reason == "" {
						t.Errorf("%s: no reason", a.String())
					}
				}
			}
			if got := strings.Join(actions, ", "); got != r.want {
				t.Errorf("actions %q, want %q", got, r.want)
			}
			m.update(r.desired, Policy{Explicit: r.explicit})
			if got := words(m.took()); got != r.log {
				t.Errorf("asked for\n%s\nwant\n%s", got, r.log)
			}
			if again := Plan(m.Groups(), r.desired, Policy{Explicit: r.explicit}); len(again) > 0 {
				t.Errorf("after the update there is still something to do: %+v", again)
			}
			if len(m.wrong)+len(m.stale()) > 0 {
				t.Errorf("broken rules: %v, stale children: %v", m.wrong, m.stale())
			}
		})
	}
}

// edited is g with its i-th process changed.
func edited(g spec.Group, i int, edit func(*spec.Process)) spec.Group {
	edit(&g.Processes[i])
	return g
}

func reversed(g spec.Group) spec.Group {
	for i, j := 0, len(g.Processes)-1; i < j; i, j = i+1, j-1 {
		g.Processes[i], g.Processes[j] = g.Processes[j], g.Processes[i]
	}
	return g
}

func kind(g spec.Group, k spec.GroupKind) spec.Group {
	g.Kind = k
	if k == spec.KindListener {
		g.Listener = &spec.Listener{Events: []string{"TICK_60"}, BufferSize: 10}
	}
	return g
}

func subscribed(g spec.Group, events ...string) spec.Group {
	l := *g.Listener
	l.Events = events
	g.Listener = &l
	return g
}

// TestPlanOrder: removed in the order of activation, then changed, then added
// in the order of the files; names restrict all of it.
func TestPlanOrder(t *testing.T) {
	m := newModel()
	m.update([]spec.Group{program("a"), program("b"), program("c"), program("d")}, Policy{})
	desired := []spec.Group{program("z", priority(1)), program("c", command("/n")), program("y"), program("b", stopwait(1))}
	order := func(only ...string) string {
		var list []string
		for _, s := range Plan(m.Groups(), desired, Policy{Only: only}) {
			list = append(list, s.Actions[0].Action+" "+s.Group)
		}
		return strings.Join(list, ", ")
	}
	if got, want := order(), "remove a, remove d, restart c, inplace b, add z, add y"; got != want {
		t.Errorf("plan is %q, want %q", got, want)
	}
	if got, want := order("y", "d", "b"), "remove d, inplace b, add y"; got != want {
		t.Errorf("plan for three names is %q, want %q", got, want)
	}
	if got := order("nothing"); got != "" {
		t.Errorf("plan for an unknown name is %q", got)
	}
}

// TestSecrets: what a person sees of a changed environment is that it changed.
func TestSecrets(t *testing.T) {
	env := func(e spec.Env) []spec.Group {
		return []spec.Group{program("x", func(p *spec.Process) { p.Environment = e })}
	}
	m := newModel()
	m.update(env(spec.Env{"TOKEN": "old-secret", "GONE": "gone-secret"}), Policy{})
	steps := Plan(m.Groups(), env(spec.Env{"TOKEN": "new-secret", "NEW": "other-secret"}), Policy{})
	if text := fmt.Sprintf("%+v", steps[0].Actions); strings.Contains(text, "secret") {
		t.Errorf("an action shows the value of a variable: %s", text)
	}
	want := []Change{{"environment GONE", "set", ""}, {"environment NEW", "", "set"}, {"environment TOKEN", "set", "changed"}}
	if d := cmp.Diff(want, steps[0].Actions[0].Changes); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
}
