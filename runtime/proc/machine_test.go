package proc

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/exact"
	"supervisord/runtime/state"
	"supervisord/spec"
)

var (
	update = flag.Bool("update", false, "rewrite the golden files")
	steps  = flag.Int("steps", 100_000, "steps of the random walk")
)

// epoch is when every transcript begins.
var epoch = time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)

// describe words one effect as the transcripts do.
func describe(e Effect) string {
	switch e.Kind {
	case Cancel:
		return "cancel"
	case Launch:
		if e.OrphanGroup != 0 {
			return fmt.Sprintf("launch after ending group %d", e.OrphanGroup)
		}
		return "launch"
	case Kill:
		who := strconv.Itoa(e.PID)
		if e.Group {
			who = "group " + who
		}
		return fmt.Sprintf("kill %s %s", who, state.SignalName(e.Signal))
	case Emit:
		s := fmt.Sprintf("emit %s from %s", e.To, e.From)
		switch e.To {
		case state.Starting, state.Backoff:
			s += fmt.Sprintf(" tries:%d", e.Tries)
		case state.Running, state.Stopping, state.Stopped:
			s += fmt.Sprintf(" pid:%d", e.PID)
		case state.Exited:
			s += fmt.Sprintf(" expected:%t pid:%d", e.Expected, e.PID)
		}
		return s
	case Log:
		return fmt.Sprintf("%s %q", e.Level, e.Text)
	case Left:
		return "left"
	case Refused:
		return "refused"
	}
	return fmt.Sprintf("effect %d", e.Kind)
}

// program is the state machine's whole definition of a fresh process; words
// such as startsecs=0 change it.
func program(t *testing.T, words []string) *Machine {
	t.Helper()
	m := new(Machine)
	m.Step(epoch, Input{Kind: Defined, Name: "cat", Rules: Rules{
		Autorestart: spec.RestartUnexpected, StartSecs: 1, StartRetries: 3,
		ExitCodes: []int{0}, StopSignal: 15, StopWaitSecs: 10, Failures: 3,
	}})
	rules(t, m, words)
	return m
}

func rules(t *testing.T, m *Machine, words []string) {
	t.Helper()
	r := m.Rules
	defer func() { m.Step(epoch, Input{Kind: Defined, Name: m.Name, Rules: r}) }()
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		n, _ := strconv.Atoi(value)
		switch key {
		case "startsecs":
			r.StartSecs = n
		case "startretries":
			r.StartRetries = n
		case "stopwaitsecs":
			r.StopWaitSecs = n
		case "stopsignal":
			r.StopSignal = n
		case "exitcodes":
			r.ExitCodes = nil
			for _, c := range strings.Split(value, ",") {
				if c != "" {
					n, _ := strconv.Atoi(c)
					r.ExitCodes = append(r.ExitCodes, n)
				}
			}
		case "autorestart":
			r.Autorestart = map[string]spec.Autorestart{
				"true": spec.RestartAlways, "false": spec.RestartNever, "unexpected": spec.RestartUnexpected}[value]
		case "backoff":
			r.Retry.Backoff = duration(t, value)
		case "backoff_factor":
			r.Retry.Factor, _ = strconv.ParseFloat(value, 64)
		case "backoff_max":
			r.Retry.Max = duration(t, value)
		case "backoff_jitter":
			r.Retry.Jitter = spec.Percent(n)
		case "backoff_reset":
			r.Retry.Reset = duration(t, value)
		case "give_up":
			r.Retry.GiveUp = map[string]spec.GiveUp{"never": spec.GiveUpNever, "startretries": spec.GiveUpRetries}[value]
		case "crash_limit":
			times, within, _ := strings.Cut(value, "/")
			r.Retry.Crashes.N, _ = strconv.Atoi(times)
			r.Retry.Crashes.Within = duration(t, within)
		case "ready":
			r.Ready, r.Notify = value != "no", value == "notify"
		case "watchdog":
			r.Watchdog = duration(t, value)
		case "ready_timeout":
			r.ReadyWithin = duration(t, value)
		case "health_failures":
			r.Failures = n
		case "on_unhealthy":
			r.OnUnhealthy = map[string]spec.OnUnhealthy{"restart": spec.UnhealthyRestart, "stop": spec.UnhealthyStop, "report": spec.UnhealthyReport}[value]
		case "stopasgroup":
			r.StopAsGroup, r.KillAsGroup = true, true
		case "killasgroup":
			r.KillAsGroup = true
		default:
			t.Fatalf("unknown word %q", w)
		}
	}
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// parseInput reads one command of a transcript, such as "exited 3" or
// "launched 7", before which shut may stand; ok is false when it is none.
func parseInput(words []string) (in Input, ok bool) {
	if words[0] == "shut" {
		in.Shut, words = true, words[1:]
	}
	for kind, name := range inputNames {
		if name == words[0] {
			in.Kind = kind
		}
	}
	arg := 0
	if len(words) > 1 {
		arg, _ = strconv.Atoi(words[1])
	}
	switch in.Kind {
	case 0:
		return in, false
	case Launched, OrphansEnded:
		in.PID = arg
	case Adopted:
		in.PID, in.Began = arg, epoch.Add(-time.Hour)
	case SendSignal:
		in.Signal = arg
	case Exited:
		in.Exit = Exit{Code: arg, How: fmt.Sprintf("exit status %d", arg)}
		if arg < 0 {
			in.Exit = Exit{Code: -1, Signal: -arg, How: "terminated by " + state.SignalName(-arg)}
		}
		if words[1] == "unknown" {
			in.Exit = ExitUnknown
		}
		if len(words) > 2 {
			in.Orphans, _ = strconv.Atoi(words[2])
			in.Cgroup = words[len(words)-1] == "cgroup"
		}
	case Notified:
		in.Notice = ParseNotice(strings.ReplaceAll(strings.Join(words[1:], " "), ";", "\n"))
	case LaunchFailed, KillFailed, Unhealthy:
		in.Text = strings.Join(words[1:], " ")
	}
	return in, true
}

// TestTranscripts replays testdata/*.txt. A line is a command; what the machine
// answered stands below it, indented. "after 1.5" lets seconds pass first.
func TestTranscripts(t *testing.T) {
	for _, file := range transcripts(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(want))
			if *update {
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

func transcripts(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/transcript/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	return files
}

func replay(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	var m *Machine
	now := epoch
	sc := bufio.NewScanner(strings.NewReader(text))
	for sc.Scan() {
		line := sc.Text()
		if strings.HasPrefix(line, "    ") {
			continue // an answer: it is made anew
		}
		out.WriteString(line + "\n")
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		switch words[0] {
		case "program":
			m = program(t, words[1:])
			continue
		case "rules":
			rules(t, m, words[1:])
			continue
		case "after":
			d, err := time.ParseDuration(words[1])
			if err != nil {
				t.Fatal(err)
			}
			now = now.Add(d)
			words = words[2:]
		}
		in, ok := parseInput(words)
		if !ok {
			t.Fatalf("no such input: %q", line)
		}
		for _, e := range m.Step(now, in) {
			said := describe(e)
			if e.Kind == Left {
				said += fmt.Sprintf(" with status %d", m.Status())
			}
			out.WriteString("    " + said + "\n")
		}
		fmt.Fprintf(&out, "    = %s\n", summary(m, now))
	}
	return out.String()
}

// summary is a machine's state in a few words.
func summary(m *Machine, now time.Time) string {
	s := m.State.String()
	if m.Launching {
		s += " launching"
	}
	if m.EndingGroup {
		s += " ending group"
	}
	if m.PID != 0 {
		s += fmt.Sprintf(" pid %d", m.PID)
	}
	if m.Rules.Ready && m.Ready && m.State == state.Starting {
		s += " ready"
	}
	if m.Late {
		s += " late"
	}
	if m.Renewing {
		s += " renewing"
	}
	if m.Health != HealthUnknown && m.PID != 0 {
		s += " health " + m.Health.String()
	}
	if m.Failing != 0 && m.PID != 0 {
		s += fmt.Sprintf(" failing %d", m.Failing)
	}
	if m.Reloading {
		s += " reloading"
	}
	if m.Leaving {
		s += " leaving"
	}
	if m.Missed != "" && m.PID != 0 {
		s += fmt.Sprintf(" missed %q", m.Missed)
	}
	if m.StatusText != "" {
		s += fmt.Sprintf(" status %q", m.StatusText)
	}
	if !m.blind.IsZero() {
		s += " blind"
	}
	if m.Killed {
		s += " killed"
	}
	if m.Waiting {
		s += " waiting"
	}
	if m.OrphanGroup != 0 {
		s += fmt.Sprintf(" orphans %d", m.OrphanGroup)
	}
	if m.Tries != 0 {
		s += fmt.Sprintf(" tries %d", m.Tries)
	}
	if m.Retries != m.Tries {
		s += fmt.Sprintf(" retries %d", m.Retries)
	}
	if len(m.crashes) != 0 {
		s += fmt.Sprintf(" crashes %d", len(m.crashes))
	}
	if m.ExitStatus != 0 {
		s += fmt.Sprintf(" status %d", m.ExitStatus)
	}
	if m.SpawnErr != "" {
		s += fmt.Sprintf(" %q", m.SpawnErr)
	}
	if at, ok := m.Deadline(); ok {
		s += fmt.Sprintf(" deadline %s", at.Sub(now))
	}
	return s
}

// reach is one way into each state that the grid starts from.
var reach = []struct {
	name   string
	inputs string
}{
	{"STOPPED fresh", ""},
	{"STARTING launching", "start"},
	{"STARTING launching, stop asked", "start;stop"},
	{"STARTING", "start;launched 7"},
	{"RUNNING", "start;launched 7;after 1s tick"},
	{"BACKOFF", "start;launch-failed no"},
	{"STOPPING", "start;launched 7;after 1s tick;stop"},
	{"STOPPING ending group", "start;launched 7;after 1s tick;stop;exited 0 2"},
	{"STOPPED", "start;launched 7;after 1s tick;stop;exited -15"},
	{"EXITED", "start;launched 7;after 1s tick;exited 0"},
	{"EXITED orphans", "start;launched 7;after 1s tick;exited 0 2"},
	{"RUNNING adopted", "adopted 7"},
	{"STOPPING adopted", "adopted 7;stop"},
	{"STOPPED waiting", "shut start-in-order"},
	{"BACKOFF waiting", "start;launch-failed no;after 1s shut tick"},
	{"EXITED waiting", "start;launched 7;after 1s tick;shut exited 3"},
	{"FATAL", "start;shutdown;launch-failed no"},
	{"UNKNOWN", "start;launched 7;after 1s tick;stop;kill-failed EPERM"},
}

// TestGrid is every state with every input, so that each empty cell is a
// decision somebody made.
func TestGrid(t *testing.T) {
	var out strings.Builder
	inputs := []string{"start", "stop", "signal 1", "launched 9", "launch-failed no", "exited 0",
		"exited 3", "exited -9", "exited 0 2", "group-ended", "kill-failed EPERM", "after 1s tick", "after 10s tick", "adopted 8", "shutdown", "freeze", "time-up", "cancelled", "orphans-ended 7", "reset", "ready", "healthy", "unhealthy no", "says READY=1;STATUS=up", "says RELOADING=1", "says STOPPING=1", "says WATCHDOG=trigger", "blind", "sighted", "shut start-in-order", "shut exited 0", "after 10s shut tick", "shut look", "look"}
	for _, r := range reach {
		fmt.Fprintf(&out, "%s\n", r.name)
		for _, in := range inputs {
			m := program(t, []string{"stopasgroup"})
			now := epoch
			var effects []Effect
			for _, cmd := range append(strings.Split(r.inputs, ";"), in) {
				words := strings.Fields(cmd)
				if len(words) == 0 {
					continue
				}
				if words[0] == "after" {
					d, _ := time.ParseDuration(words[1])
					now, words = now.Add(d), words[2:]
				}
				i, ok := parseInput(words)
				if !ok {
					t.Fatalf("no such input %q", cmd)
				}
				effects = m.Step(now, i)
			}
			said := make([]string, 0, len(effects))
			for _, e := range effects {
				if e.Kind != Log {
					said = append(said, describe(e))
				}
			}
			fmt.Fprintf(&out, "    %-18s %-60s = %s\n", in, strings.Join(said, ", "), summary(m, now))
		}
	}
	const file = "testdata/grid.txt"
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("grid differs (-want +got):\n%s", diff)
	}
}

// TestRandomWalk keeps the caller's duties (doc.go) and otherwise does anything
// at any time. After each step the invariants hold.
func TestRandomWalk(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d, %d steps", seed, *steps)
	var m, twin *Machine // the same, but for a handover before each step of the twin
	var now time.Time
	var history []string
	arrows := drawn(t)
	live, nextPID := 0, 100
	for i := range *steps {
		if i%500 == 0 {
			m, twin = program(t, nil), program(t, nil)
			now, history, live = epoch, history[:0], 0
		}
		now = now.Add(time.Duration(rng.IntN(1500)) * time.Millisecond)
		in := Input{Kind: InputKind(1 + rng.IntN(int(Sighted)))}
		if i%500 == 0 {
			in.Kind = Defined
		}
		if at, ok := m.Deadline(); ok && in.Kind == Tick && now.Before(at) && rng.IntN(2) == 0 {
			now = at // most come in time
		}
		switch in.Kind {
		case Defined:
			if i%500 != 0 && rng.IntN(10) != 0 {
				continue
			}
			in.Name = "cat"
			in.Rules = Rules{
				StartSecs: rng.IntN(3), StartRetries: rng.IntN(4) - 1, StopWaitSecs: rng.IntN(4) - 1,
				Autorestart: spec.Autorestart(rng.IntN(3)), StopAsGroup: rng.IntN(2) == 0, StopSignal: 15,
			}
			if rng.IntN(2) == 0 {
				in.Rules.Notify, in.Rules.Watchdog = rng.IntN(2) == 0, time.Duration(rng.IntN(3))*time.Second
				in.Rules.Ready, in.Rules.ReadyWithin = rng.IntN(2) == 0, time.Duration(rng.IntN(4))*time.Second
				in.Rules.Failures, in.Rules.OnUnhealthy = 1+rng.IntN(2), spec.OnUnhealthy(rng.IntN(3))
				in.Rules.Retry = spec.Retry{
					Backoff: time.Duration(rng.IntN(3)) * time.Second, Factor: float64(rng.IntN(3)), Max: time.Duration(rng.IntN(3)) * time.Second,
					Jitter: spec.Percent(rng.IntN(101)), Reset: time.Duration(rng.IntN(3)) * time.Second, GiveUp: spec.GiveUp(rng.IntN(2)),
					Crashes: spec.CrashLimit{N: rng.IntN(4), Within: time.Duration(1+rng.IntN(20)) * time.Second},
				}
			}
			if m.State == state.Backoff {
				in.Rules.StartRetries = m.Rules.StartRetries // fewer count at the next failure
				in.Rules.Retry.GiveUp = m.Rules.Retry.GiveUp
			}
		case Cancelled: // only the answer to a Cancel
			if !m.Launching || !m.stopAsked {
				continue
			}
		case OrphansEnded:
			in.PID = m.OrphanGroup
		case Launched, LaunchFailed: // only the answer to a launch
			if !m.Launching {
				continue
			}
			if in.Kind == Launched {
				nextPID++
				in.PID, live = nextPID, nextPID
			}
		case Adopted: // only where there is none
			if live != 0 || m.Launching {
				continue
			}
			nextPID++
			in.PID, in.Began = nextPID, now
			if m.State == state.Stopped && !m.Frozen {
				live = nextPID
			}
		case Exited: // only of a live process
			if live == 0 || m.EndingGroup {
				continue
			}
			in.Exit = Exit{Code: rng.IntN(4) - 1, How: "somehow"}
			in.Orphans = rng.IntN(3)
			live = 0
		case Freeze, Shutdown:
			if rng.IntN(50) != 0 {
				continue
			}
		case SendSignal:
			in.Signal = 1
		case Notified:
			in.Notice = Notice{Ready: rng.IntN(3) == 0, Reloading: rng.IntN(3) == 0, Stopping: rng.IntN(10) == 0, Well: rng.IntN(2) == 0, Unwell: rng.IntN(10) == 0,
				Status: "busy", HasStatus: rng.IntN(2) == 0, Extend: time.Duration(rng.IntN(2)*rng.IntN(5)) * time.Second}
		}
		before := *m
		effects := m.Step(now, in)
		twin = handedOver(t, twin, now)
		if has, want := fmt.Sprint(twin.Step(now, in), summary(twin, now)), fmt.Sprint(effects, summary(m, now)); has != want {
			t.Fatalf("step %d: %+v after handovers: %s, without: %s", i, in, has, want)
		}
		history = append(history, fmt.Sprintf("%s %+v -> %s", now.Sub(epoch), in, summary(m, now)))
		for _, e := range effects {
			if a := (arrow{e.From.String(), e.To.String()}); e.Kind == Emit && !arrows[a] {
				t.Fatalf("step %d: %+v: doc.go does not draw %s ──> %s", i, in, a.from, a.to)
			}
		}
		if msg := broken(m, &before, in, effects, live); msg != "" {
			tail := history[max(0, len(history)-12):]
			t.Fatalf("step %d: %s\n%s", i, msg, strings.Join(tail, "\n"))
		}
	}
}

// handedOver is a machine that was written down and read again. Its times have no more
// than the wall clock's where people see them, and its rules come from a definition.
func handedOver(t *testing.T, m *Machine, now time.Time) *Machine {
	t.Helper()
	data, err := exact.Marshal(m.Save(now))
	if err != nil {
		t.Fatal(err)
	}
	var saved Saved
	if err := exact.Unmarshal(data, &saved); err != nil {
		t.Fatal(err)
	}
	if err := saved.Check(); err != nil {
		t.Fatalf("%x: %v", data, err)
	}
	next := Resume(saved, now)
	next.Step(now, Input{Kind: Defined, Name: m.Name, Rules: m.Rules})
	return &next
}

// broken names the invariant that does not hold, or is empty.
func broken(m, before *Machine, in Input, effects []Effect, live int) string {
	launches := 0
	from := before.State
	for _, e := range effects {
		switch e.Kind {
		case Launch:
			launches++
		case Emit:
			if e.From != from {
				return fmt.Sprintf("event from %s, but the state was %s", e.From, from)
			}
			if e.From == e.To {
				return "an event that changes nothing"
			}
			from = e.To
		case Kill:
			if e.PID == 0 || e.PID != m.PID {
				return fmt.Sprintf("kill of %d while the pid is %d", e.PID, m.PID)
			}
		case Left:
			if m.State != state.Exited && m.State != state.Fatal || before.Frozen || before.stopAsked || launches > 0 {
				return "left for good, in " + m.State.String()
			}
		case Refused:
			after := *m
			after.out, before.out = nil, nil
			if len(effects) != 1 || !cmp.Equal(after, *before, cmp.AllowUnexported(Machine{})) {
				return "a refusal changed something"
			}
		}
	}
	switch {
	case from != m.State:
		return fmt.Sprintf("state %s was entered without an event", m.State)
	case launches > 1:
		return "two launches in one step"
	case launches == 1 && (before.Launching || live != 0):
		return "a launch while there is a process already"
	case m.Launching && (m.PID != 0 || m.State != state.Starting):
		return "launching, with a pid or not STARTING"
	case m.EndingGroup && m.State != state.Stopping:
		return "ending a group, but not STOPPING"
	case !m.EndingGroup && m.PID != live:
		return fmt.Sprintf("pid %d, but %d lives", m.PID, live)
	case (m.PID != 0) != (m.State == state.Running || m.State == state.Stopping || m.State == state.Unknown ||
		m.State == state.Starting && !m.Launching):
		return fmt.Sprintf("pid %d in %s", m.PID, m.State)
	case m.State == state.Backoff && m.Rules.Retry.GiveUp != spec.GiveUpNever && m.Tries > max(m.Rules.StartRetries, 0):
		return fmt.Sprintf("in BACKOFF with %d tries of %d", m.Tries, m.Rules.StartRetries)
	case m.State == state.Backoff && m.Retries < 1 && in.Kind != Reset && before.Retries > 0, m.Retries < m.Tries:
		return fmt.Sprintf("in %s with %d retries and %d tries", m.State, m.Retries, m.Tries)
	case before.State != state.Backoff && m.State == state.Backoff && before.State != state.Starting && m.Rules.Retry.Backoff == 0 && (!before.Renewing || m.Stopped.Sub(m.up) >= time.Second):
		return "a wait after RUNNING that nobody asked for"
	case launches == 1 && before.Renewing && m.Stopped.Sub(before.up) < time.Second:
		return "it was unhealthy at once, and did not wait"
	case before.State == state.Backoff && m.Launching && in.Kind != Tick:
		return "a wait was cut short"
	case len(m.crashes) > max(m.Rules.Retry.Crashes.N, len(before.crashes)):
		return fmt.Sprintf("%d crashes are remembered, of %d", len(m.crashes), m.Rules.Retry.Crashes.N)
	case before.Leaving && m.State == state.Stopping && in.Kind != Stop:
		return "it was stopped while it ended by itself"
	case m.Reloading && m.State != state.Running, m.Leaving && m.State != state.Running, m.Missed != "" && m.watchdog == 0:
		return "what it has said does not fit its state: " + m.State.String()
	case m.State == state.Running && before.State == state.Starting && m.Rules.Ready && !before.Ready && before.Rules.Ready && in.Kind != BecameReady && (in.Kind != Notified || !in.Notice.Ready || !m.Rules.Notify):
		return "RUNNING, and nobody said that it is ready"
	case before.Frozen && launches > 0:
		return "a launch after shutdown"
	case in.Kind == Stop && m.State.InRunning() && !m.Launching:
		return "a stop left the process in " + m.State.String()
	}
	if _, ok := m.Deadline(); !ok && (m.State == state.Stopping || m.State == state.Backoff) {
		return "no deadline: a stop or a retry that never ends"
	}
	return ""
}

func BenchmarkStep(b *testing.B) {
	m := new(Machine)
	m.Step(epoch, Input{Kind: Defined, Name: "cat", Rules: Rules{StartSecs: 1, ExitCodes: []int{0}, StopSignal: 15, StopWaitSecs: 10}})
	now := epoch
	b.ReportAllocs()
	for b.Loop() {
		m.Step(now, Input{Kind: Start})
		m.Step(now, Input{Kind: Launched, PID: 7})
		now = now.Add(time.Second)
		m.Step(now, Input{Kind: Tick})
		m.Step(now, Input{Kind: Stop})
		m.Step(now, Input{Kind: Exited, Exit: Exit{Code: -1, How: "terminated by SIGTERM"}})
	}
}
