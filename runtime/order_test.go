package runtime

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/launch"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
	"supervisord/spec/value"
)

var updateOrder = flag.Bool("update", false, "rewrite testdata/order")

// TestOrder replays testdata/order/*.txt. Each file is a configuration, then what happens;
// what was forked and signalled, what was answered and how the processes are stands below
// it, indented. Time stands still but for "after".
func TestOrder(t *testing.T) {
	files, err := filepath.Glob("testdata/order/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			play := orderPlay{fails: make(map[string]bool), disabled: make(map[spec.Namespec]bool)}
			prepareKernel = func(k *fakeKernel) { k.run = play.probe }
			defer func() { prepareKernel = nil }()
			inBubble(t, func(b *bench) {
				play.bench = b
				got = play.replay(string(want))
			})
			if *updateOrder {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("transcript differs (-want +got):\n%s", diff)
			}
		})
	}
}

// orderPlay is one transcript under way.
type orderPlay struct {
	*bench
	out             strings.Builder
	forked, signals int
	upgraded        bool
	shown           map[string]string
	disabled        map[spec.Namespec]bool

	mu    sync.Mutex
	fails map[string]bool // by the arguments of a probe
}

// probe is one look at a process.
func (o *orderPlay) probe(_ context.Context, c launch.Command) (output []byte, status int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fails[strings.Join(c.Args[1:], " ")] {
		status = 1
	}
	return nil, status, nil
}

// find has the looks at a process succeed or fail from now on.
func (o *orderPlay) find(what, name string, succeed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fails[what+" "+name] = !succeed
}

func (o *orderPlay) replay(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "    ") {
			continue // an answer: it is made anew
		}
		o.out.WriteString(line + "\n")
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		answer := o.do(words)
		synctest.Wait()
		for _, name := range o.kernel.begun()[o.forked:] {
			o.say("fork %s", name)
			o.forked++
		}
		for _, signal := range o.kernel.sent()[o.signals:] {
			o.say("%s", signal)
			o.signals++
		}
		o.show()
		for _, line := range answer() {
			o.say("> %s", line)
		}
	}
	if o.upgraded { // nobody else ends this one
		o.kernel.deafTo(0)
		o.sup.Shutdown(background) // unless the transcript has
	}
	return o.out.String()
}

func (o *orderPlay) say(format string, args ...any) {
	fmt.Fprintf(&o.out, "    "+format+"\n", args...)
}

// show tells of the processes that are not as they were.
func (o *orderPlay) show() {
	infos, err := o.sup.Snapshot(background)
	if err != nil {
		o.t.Fatal(err)
	}
	now := make(map[string]string)
	for _, i := range infos {
		name := spec.Namespec{Group: i.Group, Process: i.Name}.String()
		now[name] = i.State.String()
		if i.Waiting != "" {
			now[name] += ", waiting for " + i.Waiting
		}
		if i.Disabled {
			now[name] += ", disabled"
		}
		if now[name] != o.shown[name] {
			o.say("= %s %s", name, now[name])
		}
	}
	o.shown = now
}

// do carries out one command. What it gives is asked when all has happened that can.
func (o *orderPlay) do(words []string) (answer func() []string) {
	none := func() []string { return nil }
	switch words[0] {
	case "program", "update": // NAME[:PROCESS,...] key=value...
		if err := o.define(words[1], words[2:]); err != nil {
			return func() []string { return []string{err.Error()} }
		}
	case "remove":
		for _, g := range o.groups() {
			if g.Name == words[1] {
				if err := o.sup.SetGroup(background, g, nil, nil); err != nil {
					o.t.Fatal(err)
				}
			}
		}
	case "after":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			o.t.Fatal(err)
		}
		time.Sleep(d)
	case "exit":
		code, _ := strconv.Atoi(words[2])
		o.kernel.exit(words[1], code)
	case "deaf":
		o.kernel.deafTo(syscall.SIGTERM, words[1:]...)
	case "kill":
		o.kernel.deafTo(0, "nobody")
		o.kernel.exit(words[1], 0)
	case "start", "stop":
		return o.ask(words)
	case "disable", "enable": // as the reconciler does: the whole list, and then a stop
		now := maps.Clone(o.disabled)
		name := spec.ParseNamespec(words[1])
		if now[name] = true; words[0] == "enable" {
			delete(now, name)
		}
		o.disabled = now
		if err := o.sup.SetDisabled(background, now); err != nil {
			o.t.Fatal(err)
		}
		if words[0] == "disable" {
			return o.ask(append([]string{"stop-disabled"}, words[1:]...))
		}
	case "ready", "healthy", "unready", "unhealthy":
		what, not := strings.CutPrefix(words[0], "un")
		o.find(what, words[1], !not)
	case "shutdown":
		if err := o.sup.Shutdown(background); err != nil {
			o.t.Fatal(err)
		}
	case "upgrade":
		o.upgrade()
	default:
		o.t.Fatalf("no such command: %q", words)
	}
	return none
}

// upgrade has another Supervisor go on.
func (o *orderPlay) upgrade() {
	second := next(o.t, o.sup, Options{Logger: o.sup.log, kernel: o.kernel, children: o.kernel.notices})
	if err := <-o.ended; err != ErrHandedOver {
		o.t.Fatal(err)
	}
	o.sup = second
	o.upgraded = true
	go func() { o.ended <- second.Run(background) }()
	if err := second.SetDisabled(background, o.disabled); err != nil {
		o.t.Fatal(err)
	}
}

func (o *orderPlay) ask(words []string) func() []string {
	sel := Select{}
	if name := words[1]; name != "all" {
		n := spec.ParseNamespec(name)
		sel = Select(n)
	}
	wait := !slices.Contains(words, "nowait")
	var said []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		do := o.sup.Start
		switch words[0] {
		case "stop":
			do = o.sup.Stop
		case "stop-disabled":
			do = o.sup.StopDisabled
		}
		if slices.Contains(words, "with-deps") {
			do = func(ctx context.Context, sel Select, wait bool) ([]Result, error) {
				return o.sup.StartWithDeps(ctx, sel.Group, sel.Process, wait)
			}
		}
		results, err := do(background, sel, wait)
		if err != nil {
			said = append(said, err.Error())
		}
		for _, r := range results {
			text := "ok"
			if r.Err != nil {
				text = r.Err.Error()
			}
			said = append(said, spec.Namespec{Group: r.Group, Process: r.Name}.String()+": "+text)
		}
	}()
	return func() []string {
		select {
		case <-done:
			return said
		case <-time.After(time.Hour):
			<-done // else it would show too early
			return append(said, "after an hour at the most")
		}
	}
}

// groups are the definitions in force.
func (o *orderPlay) groups() (list []*spec.Group) {
	groups, err := o.sup.Groups(background)
	if err != nil {
		o.t.Fatal(err)
	}
	for _, g := range groups {
		list = append(list, g.Group)
	}
	return list
}

// define puts a group in force: a new one, or one in the place of the one of its name, as
// an update does.
func (o *orderPlay) define(name string, words []string) error {
	group, members, _ := strings.Cut(name, ":")
	g := program(group, nil)
	if members != "" {
		g.Kind, g.Processes = spec.KindGroup, nil
		for _, member := range strings.Split(members, ",") {
			g.Processes = append(g.Processes, program(member, nil).Processes...)
		}
	}
	var start []string
	for i := range g.Processes {
		p := &g.Processes[i]
		for _, word := range words {
			key, text, _ := strings.Cut(word, "=")
			if key == "group.restart_with" {
				g.RestartWith = strings.Split(text, ",")
				continue
			}
			if process, k, both := strings.Cut(key, "."); both {
				if process != p.Name {
					continue
				}
				key = k
			}
			n, _ := strconv.Atoi(text)
			text = strings.ReplaceAll(text, ",", " ")
			var err error
			switch key {
			case "depends_on":
				p.DependsOn, err = value.ParseDependsOn(text)
			case "restart_with":
				p.RestartWith = strings.Fields(text)
			case "ready": // when a line says so
				p.Probes.Ready = spec.Probe{Kind: "exec", Target: "/bin/true ready " + p.Name}
				o.find("ready", p.Name, false)
			case "healthy":
				p.Probes.Health = spec.Probe{Kind: "exec", Target: "/bin/true healthy " + p.Name}
				p.Probes.HealthInterval, p.Probes.HealthFailures = time.Second, 1
			case "priority":
				p.Priority, g.Priority = n, n
			case "startsecs":
				p.StartSecs = n
			case "startretries":
				p.StartRetries = n
			case "autostart":
				p.Autostart = text == "true"
			case "autorestart":
				p.Autorestart = map[string]spec.Autorestart{"true": spec.RestartAlways, "false": spec.RestartNever}[text]
			case "command":
				p.Command = text
			case "restart":
				start = append(start, p.Name)
			default:
				err = errors.New("there is no key " + key)
			}
			if err != nil {
				o.t.Fatal(err)
			}
		}
	}
	for _, old := range o.groups() {
		if old.Name == group {
			if err := o.sup.StopProcesses(background, group, start); err != nil {
				return err
			}
			return o.sup.SetGroup(background, old, g, append([]string{}, start...))
		}
	}
	return o.sup.SetGroup(background, nil, g, nil)
}

// TestOrderFromBefore: what a daemon hands over that knew of no order is taken from the state
// of each process.
func TestOrderFromBefore(t *testing.T) {
	var nothing *handedOrder
	for _, r := range []struct {
		m         proc.Machine
		done, ran bool
	}{
		{proc.Machine{State: state.Stopped}, false, false},
		{proc.Machine{State: state.Running}, false, true},
		{proc.Machine{State: state.Exited, Rules: proc.Rules{ExitCodes: []int{0}}}, true, false},
		{proc.Machine{State: state.Exited, ExitStatus: 3, Rules: proc.Rules{ExitCodes: []int{0}}}, false, false},
	} {
		if got := nothing.resume(&r.m); got.done != r.done || got.ran != r.ran {
			t.Errorf("%v: done %v, ran %v", r.m.State, got.done, got.ran)
		}
	}
}

// TestUpdateGivenUp: what an update has taken down is waited for until the update is over,
// also where that is since it was refused.
func TestUpdateGivenUp(t *testing.T) {
	cache := program("cache", func(p *spec.Process) { p.Autostart = false })
	web := program("web", func(p *spec.Process) {
		p.DependsOn = []spec.Dependency{{Name: "cache", Until: spec.UntilRunning, Optional: true}}
	})
	inBubble(t, func(b *bench) {
		if _, err := b.sup.Start(background, one("cache"), true); err != nil {
			t.Fatal(err)
		}
		if err := b.sup.StopProcesses(background, "cache", []string{"cache"}); err != nil {
			t.Fatal(err)
		}
		if err := b.sup.SetGroup(background, nil, web, nil); err != nil {
			t.Fatal(err)
		}
		b.after(time.Minute)
		b.expect("web", state.Stopped)
		another := *cache
		var refused *Error
		if err := b.sup.SetGroup(background, &another, &another, []string{"cache"}); !errors.As(err, &refused) || refused.Kind != Conflict {
			t.Errorf("an update of what is not there: %v", err)
		}
		b.after(2 * time.Second)
		b.expect("web", state.Running)
	}, cache)
}
