package reconcile

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/reconcile/watch"
	"supervisord/spec"
)

var rewrite = flag.Bool("update", false, "rewrite what the transcripts of testdata/verify and testdata/intent say")

// TestVerify: what becomes of updates whose processes run or do not, as transcripts. Each
// situation in testdata/verify begins with a line "# title" and is a daemon of its own:
// "$ command" is what happens, and what follows is what there is then: processes with
// their pids and states, the phase, files that are not simply applied, and what is new in
// the history. See verifier for the commands.
func TestVerify(t *testing.T) {
	if count := transcripts(t, "testdata/verify/*.txt"); count < 40 {
		t.Errorf("%d situations, want 40", count)
	}
}

// TestIntent: the same for what people pause and disable, and for windows.
func TestIntent(t *testing.T) { transcripts(t, "testdata/intent/*.txt") }

// TestOutputStays: what a program has written before it failed is in the history, and neither
// in an event nor in a report.
func TestOutputStays(t *testing.T) {
	for _, action := range []string{"keep", "hold", "revert"} {
		settings := "settle=20ms\nrescan=0\nverify=30s\non_failure=" + action + "\n"
		inBubble(t, settings, nil, func(w *fixture, hint *fakeWatcher) {
			v := &verifier{fixture: w, settings: settings, hint: hint, pids: make(map[int]int)}
			w.table.fate = fate
			var out strings.Builder
			for _, command := range []string{"write a.ini a=one", "5s", "write a.ini a=slow", "says a hunter2", "fatal a", "5s"} {
				v.do(command, &out)
				synctest.Wait()
			}
			if text := fmt.Sprint(w.rec.History(0), w.rec.Files()); !strings.Contains(text, "hunter2") {
				t.Errorf("%s: the output is not in %s", action, text)
			}
			s, _, ok := w.rec.Status()
			text := fmt.Sprint(s)
			if !ok || !strings.Contains(text, "a is FATAL") {
				t.Errorf("%s: the report is %s", action, text)
			}
			for failed := false; ; {
				select {
				case e := <-w.events:
					text += fmt.Sprint(e)
					failed = failed || strings.Contains(e.Reason, "a is FATAL")
					continue
				default:
				}
				if !failed {
					t.Errorf("%s: no event says why", action)
				}
				break
			}
			if strings.Contains(text, "hunter2") {
				t.Errorf("%s: the output is in %s", action, text)
			}
		})
	}
}

// transcripts compares, or rewrites, all situations of some files, and counts them.
func transcripts(t *testing.T, pattern string) (count int) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var now strings.Builder
		for i, part := range strings.Split("\n"+string(text), "\n# ") {
			if i == 0 {
				continue
			}
			count++
			title, _, _ := strings.Cut(part, "\n")
			t.Run(title, func(t *testing.T) {
				got := transcribe(t, "# "+part)
				now.WriteString(got)
				if want := strings.TrimRight("# "+part, "\n") + "\n\n"; !*rewrite && got != want {
					equal(t, file, strings.Split(got, "\n"), strings.Split(want, "\n"))
				}
			})
		}
		if *rewrite {
			if err := os.WriteFile(file, []byte(now.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return count
}

// verifier is a daemon of a transcript.
type verifier struct {
	*fixture
	settings string // of [reconcile]
	hint     *fakeWatcher
	told     int         // entries of the history
	pids     map[int]int // the number that is shown of each pid
}

// transcribe gives a situation with what there is after each of its commands.
func transcribe(t *testing.T, text string) string {
	settings := "settle=20ms\nrescan=0\n"
	var out strings.Builder
	var commands []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "#"):
			fmt.Fprintln(&out, line)
		case strings.HasPrefix(line, "[reconcile] "):
			fmt.Fprintln(&out, line) // a space in a value has a backslash before it
			keys := strings.ReplaceAll(strings.Join(strings.Fields(strings.ReplaceAll(line, `\ `, "\x00"))[1:], "\n"), "\x00", " ")
			settings += keys + "\n"
		case strings.HasPrefix(line, "$ "):
			commands = append(commands, line[2:])
		}
	}
	inBubble(t, settings, nil, func(w *fixture, hint *fakeWatcher) {
		v := &verifier{fixture: w, settings: settings, hint: hint, pids: make(map[int]int)}
		w.table.fate = fate
		v.told = len(w.rec.History(0))
		for _, c := range commands {
			fmt.Fprintf(&out, "$ %s\n", c)
			v.do(c, &out)
			synctest.Wait()
			time.Sleep(2 * judgePause) // some of what comes of it may be seen a pause later
			synctest.Wait()
			v.show(&out)
		}
	})
	return out.String() + "\n"
}

// fate is the state of a process after its start, by the first word of its command.
func fate(p spec.Process) string {
	switch name := filepath.Base(p.Command); {
	case strings.HasPrefix(name, "bad"):
		return "FATAL"
	case strings.HasPrefix(name, "slow"):
		return "STARTING"
	case strings.HasPrefix(name, "once"):
		return "EXITED"
	}
	return "RUNNING"
}

// do does what a command says, and shows what only it can show.
//
//	write FILE NAME=COMMAND[,KEY=VALUE]...  a file with these programs, or group:NAME=A+B, or
//	                                        env:NAME=VALUE of the daemon's, and comments #TEXT
//	rm FILE, mv FILE FILE                   more than one of these with && is one commit
//	5s                                      time passes
//	run|fatal|crash|exit|fail|stop NAME     it is RUNNING; FATAL; has ended unexpectedly and runs
//	                                        again; has ended as expected; unexpectedly, for good;
//	                                        a person has stopped it
//	says NAME TEXT                          it writes a line
//	waits|goes NAME                         it waits for what it depends on; does no more
//	update [NAME...]                        a person asks
//	diff [NAME...]                          a person asks what that would do
//	remove NAME                             a person stops and removes it
//	revert FILE|NAME|N, unpin FILE|NAME
//	looking COMMAND                         the same while the files are being looked at
//	pause NAME TIME [REASON], resume NAME, disable NAME, enable NAME
//	start NAME                              a person starts it
//	fails NAME, succeeds                    it cannot be added; it can
//	told                                    what was logged of holds
//	autoupdate on|off
//	restart, kill, upgrade                  the daemon ends and begins again; is killed; goes on in
//	                                        another program
func (v *verifier) do(command string, out *strings.Builder) {
	verb, rest, _ := strings.Cut(command, " ")
	if d, err := time.ParseDuration(command); err == nil {
		time.Sleep(d)
		return
	}
	group, process, both := strings.Cut(rest, ":")
	if !both {
		process = group
	}
	set := func(change func(p *modelProcess)) {
		v.table.mu.Lock()
		change(v.table.groups[group].procs[process])
		v.table.notice.Tell()
		v.table.mu.Unlock()
	}
	switch verb {
	case "write", "rm", "mv":
		for _, c := range strings.Split(command, " && ") {
			v.edit(c)
		}
		v.hint.hints <- watch.Hint{Trigger: TriggerWatch}
	case "run":
		set(func(p *modelProcess) {
			if p.pid == 0 {
				v.table.pids++
				p.pid, p.given = v.table.pids, *find(v.table.groups[group].def, process)
			}
			p.state = "RUNNING"
		})
	case "fatal":
		set(func(p *modelProcess) { p.state, p.pid = "FATAL", 0 })
	case "crash":
		set(func(p *modelProcess) {
			v.table.pids++
			p.crashed, p.pid = p.crashed+1, v.table.pids
		})
	case "says":
		name, text, _ := strings.Cut(rest, " ")
		group, process = name, name
		set(func(p *modelProcess) { p.says = append(p.says, strings.NewReplacer(`\e`, "\x1b").Replace(text)) })
	case "exit":
		set(func(p *modelProcess) { p.state, p.pid = "EXITED", 0 })
	case "fail":
		set(func(p *modelProcess) { p.crashed++; p.state, p.pid, p.failed = "EXITED", 0, true })
	case "stop":
		set(func(p *modelProcess) { p.state, p.pid, p.user = "STOPPED", 0, true })
	case "waits", "goes":
		set(func(p *modelProcess) {
			p.waiting = verb == "waits"
			p.state = map[bool]string{true: "STOPPED", false: "STARTING"}[p.waiting]
		})
	case "remove":
		set(func(p *modelProcess) { p.state, p.pid, p.user = "STOPPED", 0, true })
		if err := v.rec.RemoveGroup(context.Background(), rest, "uid 0"); err != nil {
			fmt.Fprintln(out, "  error:", err)
		}
	case "revert":
		report, err := v.rec.Revert(context.Background(), rest, "uid 0")
		v.report(report, err, out)
	case "looking":
		v.hang("conf.d")
		v.hint.hints <- watch.Hint{Trigger: TriggerWatch}
		synctest.Wait()
		done := make(chan bool)
		go func() { defer close(done); v.do(rest, out) }()
		synctest.Wait()
		v.answers("conf.d")
		<-done
	case "unpin":
		if err := v.rec.Unpin(context.Background(), rest, "uid 0"); err != nil {
			fmt.Fprintln(out, "  error:", v.short(err.Error()))
		}
	case "pause":
		name, rest, _ := strings.Cut(rest, " ")
		length, reason, _ := strings.Cut(rest, " ")
		d, err := time.ParseDuration(length)
		if err != nil {
			v.t.Fatal(err)
		}
		said, err := v.rec.Pause(context.Background(), name, d, reason, "uid 0")
		v.said(said, err, out)
	case "resume":
		said, err := v.rec.Resume(context.Background(), rest, "uid 0")
		v.said(said, err, out)
	case "disable":
		said, err := v.rec.Disable(context.Background(), rest, "uid 0")
		if err == nil { // whoever asks stops it, too
			for _, p := range v.table.groups[group].def.Processes {
				if !both || p.Name == process {
					v.table.set(group, p.Name, "STOPPED", true)
				}
			}
		}
		v.said(said, err, out)
	case "enable":
		said, err := v.rec.Enable(context.Background(), rest, "uid 0")
		v.said(said, err, out)
	case "start":
		v.table.mu.Lock()
		v.table.start(v.table.groups[group], process)
		v.table.mu.Unlock()
	case "fails":
		v.table.refusing(func(op string) error {
			if op == "add "+rest {
				return errors.New("no")
			}
			return nil
		})
	case "succeeds":
		v.table.refusing(nil)
	case "told":
		for line := range strings.Lines(v.log.String()) {
			if _, text, is := strings.Cut(line, `msg="reconcile: held: `); is {
				text, _, _ = strings.Cut(text, `"`)
				fmt.Fprintln(out, "  held:", v.short(text))
			}
		}
	case "autoupdate":
		v.autoupdate(rest == "on")
	case "update":
		report, err := v.rec.Apply(context.Background(), strings.Fields(rest), "uid 0")
		v.report(report, err, out)
	case "diff":
		actions, err := v.rec.Diff(context.Background(), strings.Fields(rest))
		if err != nil {
			fmt.Fprintln(out, "  error:", v.short(err.Error()))
		}
		for i := range actions {
			fmt.Fprintln(out, "  |", actions[i].String())
		}
	case "restart", "kill":
		v.restart(verb == "kill")
	case "upgrade":
		m, _, err := v.rec.HandOver(context.Background())
		if err != nil {
			v.t.Fatal(err)
		}
		text, err := json.Marshal(m)
		if err != nil {
			v.t.Fatal(err)
		}
		v.stop()
		m = new(Memory)
		if err := json.Unmarshal(text, m); err != nil {
			v.t.Fatal(err)
		}
		st, err := Resume(v.host, v.root+"/main.conf", "", spec.Options{}, m)
		if err != nil {
			v.t.Fatal(err)
		}
		v.hint = &fakeWatcher{make(chan watch.Hint, 1)}
		v.run(st, Options{Watcher: v.hint})
	default:
		v.t.Fatalf("no such command: %s", command)
	}
}

// said shows the answer to a person who says what he wants.
func (v *verifier) said(s Said, err error, out *strings.Builder) {
	switch {
	case err != nil:
		fmt.Fprintln(out, "  error:", err)
	case !s.Changed:
		fmt.Fprintln(out, "  it is so already")
	case !s.Kept:
		fmt.Fprintln(out, "  it is not kept")
	}
}

// report shows the answer to a person's request.
func (v *verifier) report(report Report, err error, out *strings.Builder) {
	if err != nil {
		fmt.Fprintln(out, "  error:", v.short(err.Error()))
		return
	}
	for _, line := range report.Lines {
		fmt.Fprintln(out, "  |", v.short(line))
	}
	if !report.OK {
		fmt.Fprintln(out, "  | exit 1")
	}
}

// restart has the daemon end, and start anew with nothing that runs. A killed one has
// written nothing that it had not written before.
func (v *verifier) restart(killed bool) {
	stateDir := v.root + "/state"
	saved := v.root + "/saved"
	if killed {
		v.sh("rm -rf " + saved + " && cp -a " + stateDir + " " + saved)
	}
	v.stop()
	if killed {
		v.sh("rm -rf " + stateDir + " && mv " + saved + " " + stateDir)
	}
	v.table.mu.Lock()
	pids := v.table.pids
	v.table.mu.Unlock()
	v.table = newModel()
	v.table.pids, v.table.fate = pids, fate
	st, err := Startup(v.host, v.root+"/main.conf", "", spec.Options{})
	if err != nil {
		v.t.Fatal(err)
	}
	v.begins = st.Config.Groups
	defer func() { v.begins = nil }()
	v.hint = &fakeWatcher{make(chan watch.Hint, 1)}
	v.run(st, Options{Watcher: v.hint})
}

// edit does one edit of a commit.
func (v *verifier) edit(command string) {
	words := strings.Fields(command)
	switch words[0] {
	case "write":
		var text strings.Builder
		for _, w := range words[2:] {
			if w[0] == '#' {
				fmt.Fprintln(&text, w)
				continue
			}
			name, keys, _ := strings.Cut(w, "=")
			if variable, is := strings.CutPrefix(name, "env:"); is {
				fmt.Fprintf(&text, "[supervisord]\nenvironment=%s=%s\n", variable, keys)
				continue
			}
			if group, is := strings.CutPrefix(name, "group:"); is {
				fmt.Fprintf(&text, "[group:%s]\nprograms=%s\n", group, strings.ReplaceAll(keys, "+", ","))
				continue
			}
			command, more, _ := strings.Cut(keys, ",")
			fmt.Fprintf(&text, "[program:%s]\ncommand=/bin/%s\n%s\n", name, command, strings.ReplaceAll(more, ",", "\n"))
		}
		if words[1] == "main.conf" {
			v.main(v.settings + text.String())
			return
		}
		v.write("conf.d/"+words[1], text.String())
	case "rm":
		v.sh("rm conf.d/" + words[1])
	case "mv":
		v.sh("mv conf.d/" + words[1] + " conf.d/" + words[2])
	}
}

// short leaves the fixture's directory out of a text.
func (v *verifier) short(text string) string {
	text = strings.ReplaceAll(text, v.root+"/conf.d/", "")
	return strings.ReplaceAll(text, v.root+"/", "")
}

// show writes down what there is.
func (v *verifier) show(out *strings.Builder) {
	type shown struct {
		name  string
		pid   int
		state string
		off   bool
	}
	var list []shown
	for _, a := range v.table.Groups() {
		for i, p := range a.Group.Processes {
			text := a.Group.Name
			if p.Name != a.Group.Name {
				text += ":" + p.Name
			}
			text += "=" + filepath.Base(p.Command)
			list = append(list, shown{text, v.table.pidOf(a.Group.Name, p.Name), a.Processes[i].State, a.Processes[i].Disabled})
		}
	}
	slices.SortFunc(list, func(a, b shown) int { return strings.Compare(a.name, b.name) })
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.name
		if p.pid != 0 && v.pids[p.pid] == 0 { // in the order of the names, for some are started at once
			v.pids[p.pid] = len(v.pids) + 1
		}
		if p.pid != 0 {
			texts[i] += fmt.Sprintf(" #%d", v.pids[p.pid])
		}
		if p.state != "RUNNING" {
			texts[i] += " " + p.state
		}
		if p.off {
			texts[i] += " disabled"
		}
	}
	fmt.Fprintf(out, "  %s\n", cmp.Or(strings.Join(texts, ", "), "nothing"))
	state := v.rec.State()
	if state.Phase != Synced {
		fmt.Fprintf(out, "  %s: %s\n", state.Phase+map[bool]string{true: " deferred"}[state.Deferred], v.short(state.Reason))
	}
	for _, f := range v.rec.Files() {
		if !f.Directory && (f.State != FileApplied || f.Reason != "") {
			line := fmt.Sprintf("  %s is %s", v.short(f.Path), f.State)
			if f.Reason != "" && !strings.Contains(state.Reason, f.Reason) {
				line += ": " + v.short(f.Reason)
			}
			fmt.Fprintln(out, line)
		}
	}
	intents, known := v.rec.Intents()
	for i := range intents {
		if !known[i] {
			fmt.Fprintf(out, "  %s, which is not there, is %s\n", intents[i].Name(), intents[i].String())
		}
	}
	history := v.rec.History(0)
	for _, e := range slices.Backward(history[:max(0, len(history)-v.told)]) {
		var actions []string
		for i := range e.Actions {
			actions = append(actions, e.Actions[i].String())
		}
		fmt.Fprintf(out, "  %d by %s: %s: %s\n", e.Generation, e.Trigger, cmp.Or(strings.Join(actions, ", "), "nothing"), v.short(e.Result))
		if e.Reason != "" {
			fmt.Fprintf(out, "    since %s\n", v.short(e.Reason))
		}
	}
	v.told = len(history)
	if wrong := slices.Concat(v.table.wrong, v.table.stale()); len(wrong) > 0 {
		fmt.Fprintf(out, "  WRONG: %v\n", wrong)
	}
}
