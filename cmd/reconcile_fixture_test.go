package cmd

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// fixture is a daemon whose programs come from watched files, and what of it can be
// seen from outside.
type fixture struct {
	t testing.TB
	*oracle.Daemon
}

// sleeper is the file of a program that does nothing for so many seconds: its
// definition in one number. more are further lines.
func sleeper(name string, seconds int, more ...string) string {
	return fmt.Sprintf("[program:%s]\ncommand=/bin/sleep %d\nstdout_logfile=NONE\nstderr_logfile=NONE\n%s", name, seconds, strings.Join(more, "\n")+"\n")
}

// sh runs a command in the directory.
func (w *fixture) sh(command string) string {
	w.t.Helper()
	return shell(w.t, w.Dir, command)
}

func shell(t testing.TB, dir, command string) string {
	t.Helper()
	ctx, cancel := oracle.Script(t)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-ec", command)
	cmd.WaitDelay = 30 * time.Second
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "TERM=vt100")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// running is the pid and the command line of every process, by its name.
func (w *fixture) running() (pids map[string]int, commands map[string]string) {
	w.t.Helper()
	pids, commands = runningPIDs(w.t, w.Daemon), make(map[string]string)
	for name, pid := range pids {
		// One that ends just now has none.
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		commands[name] = strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
	}
	return pids, commands
}

// sleepers words what runs: each name, with =SECONDS unless that is 1000, sorted.
func (w *fixture) sleepers() string {
	w.t.Helper()
	_, commands := w.running()
	var list []string
	for name, line := range commands {
		seconds := strings.TrimPrefix(line, "/bin/sleep ")
		if seconds != "1000" {
			name += "=" + seconds
		}
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// state is what reconcile.getState says.
func (w *fixture) state() map[string]any {
	w.t.Helper()
	answer, err := w.Call("reconcile.getState")
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.(map[string]any)
}

// becomes waits until exactly this runs, and the daemon says that all is done.
func (w *fixture) becomes(sleepers string) {
	w.t.Helper()
	got := ""
	if !oracle.Eventually(oracle.Deadline, func() bool { got = w.sleepers(); return got == sleepers }) {
		w.t.Fatalf("%s run, want %s; state %v; log:\n%s", got, sleepers, w.state(), w.Log())
	}
	w.synced()
}

// synced waits until files and groups agree.
func (w *fixture) synced() {
	w.t.Helper()
	var s map[string]any
	if !oracle.Eventually(oracle.Deadline, func() bool {
		s = w.state()
		return s["phase"] == "synced" && s["desired"] == s["applied"]
	}) {
		w.t.Fatalf("not synced: %v; log:\n%s", s, w.Log())
	}
}

// rests waits until no process is on its way, and returns them all, as NAME VERSION or
// NAME STATE. The original starts what was added when it turns to the next request, so
// two answers must be the same.
func (w *fixture) rests() (all string) {
	w.t.Helper()
	last := "unknown"
	oracle.WaitFor(w.t, "the processes to rest", func() bool {
		answer, err := w.Call("supervisor.getAllProcessInfo")
		if err != nil {
			w.t.Fatal(err)
		}
		var list []string
		resting := true
		for _, info := range answer.([]any) {
			p := info.(map[string]any)
			name, state := p["name"].(string), p["statename"].(string)
			switch state {
			case "STARTING", "STOPPING", "BACKOFF":
				resting = false
			case "RUNNING":
				line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p["pid"]))
				_, seconds, _ := strings.Cut(string(line), "\x00")
				state = "v" + strings.TrimSuffix(seconds, "000\x00")
			}
			list = append(list, name+" "+state)
		}
		slices.Sort(list)
		last, all = all, strings.Join(list, ", ")
		return resting && all == last
	})
	return all
}

// decided waits until the daemon has decided by the files as they are now: one that
// cannot be used is shown, and then shown no longer. With the first it has read the
// files, and before the second it has done what it made of them.
func (w *fixture) decided() {
	w.t.Helper()
	const marker = "/conf.d/zzmarker.ini"
	shown := func() any {
		files, err := w.Call("reconcile.getFiles")
		if err != nil {
			w.t.Fatal(err)
		}
		for _, f := range files.([]any) {
			if f := f.(map[string]any); strings.HasSuffix(f["path"].(string), marker) {
				return f["state"]
			}
		}
		return nil
	}
	if err := os.WriteFile(w.Dir+marker, []byte("[program:zzmarker]\n"), 0o644); err != nil {
		w.t.Fatal(err)
	}
	oracle.WaitFor(w.t, "the marker to be read", func() bool { return shown() == "invalid" })
	if err := os.Remove(w.Dir + marker); err != nil {
		w.t.Fatal(err)
	}
	oracle.WaitFor(w.t, "the marker's end to be read", func() bool { return shown() == nil })
}

// differences is by how many names two wordings of sleepers differ, and which they
// have in common.
func differences(before, after string) (n int, same []string) {
	words := func(s string) map[string]string {
		m := make(map[string]string)
		for _, word := range strings.Split(s, ", ") {
			name, _, _ := strings.Cut(word, "=")
			m[name] = word
		}
		delete(m, "")
		return m
	}
	a, b := words(before), words(after)
	for name := range a {
		switch {
		case a[name] == b[name]:
			same = append(same, name)
		default:
			n++
		}
	}
	for name := range b {
		if a[name] == "" {
			n++
		}
	}
	return n, same
}

// update is an entry of the history.
type update struct {
	Trigger, Result string
	Actions         []string
}

// history is every update so far, the newest first.
func history(t testing.TB, d *oracle.Daemon) (past []update) {
	t.Helper()
	entries, err := d.Call("reconcile.getHistory", 200)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries.([]any) {
		e := e.(map[string]any)
		u := update{Trigger: e["trigger"].(string), Result: e["result"].(string)}
		for _, a := range e["actions"].([]any) {
			u.Actions = append(u.Actions, a.(string))
		}
		past = append(past, u)
	}
	return past
}

// actions are those of all updates since there were so many.
func actions(past []update, since int) (list []string) {
	for _, u := range past[:len(past)-since] {
		list = append(list, u.Actions...)
	}
	return list
}

// does runs step and checks that sleepers then run, that the actions are as many
// as the differences, and that what did not change has kept its pid.
func (w *fixture) does(what string, step func(), sleepers string) {
	w.t.Helper()
	n, _ := differences(w.sleepers(), sleepers)
	w.doesIn(n, what, step, sleepers)
}

// doesIn is does where n actions are expected, or -1 for any number.
func (w *fixture) doesIn(n int, what string, step func(), sleepers string) {
	w.t.Helper()
	before, since := w.sleepers(), len(history(w.t, w.Daemon))
	pids, _ := w.running()
	_, same := differences(before, sleepers)
	step()
	if n == 0 {
		w.decided()
	}
	w.becomes(sleepers)
	var did []string
	if !oracle.Eventually(oracle.Deadline, func() bool {
		did = actions(history(w.t, w.Daemon), since)
		return len(did) >= n
	}) || n >= 0 && len(did) != n {
		w.t.Errorf("%s: %d actions, want %d: %q", what, len(did), n, did)
	}
	after, _ := w.running()
	for _, name := range same {
		if pids[name] != after[name] {
			w.t.Errorf("%s: %s had pid %d and has %d", what, name, pids[name], after[name])
		}
	}
}

// watchedSettle is [reconcile] settle where a test says nothing else. It is long
// enough for a step of several writes to be one burst on a busy machine, too.
const watchedSettle = time.Second

// installed reports whether the machine has a program. Where the tests must be
// whole (REQUIRE_SUPERVISOR=1, as in CI) it must.
func installed(t *testing.T, program string) bool {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("REQUIRE_SUPERVISOR") == "1" {
			t.Fatal(err)
		}
		t.Logf("not tried: %v", err)
		return false
	}
	return true
}

// started makes a fixture from files of the given names below conf.d, and more by
// their whole paths, with the setup run before the daemon is. settings are further
// lines of [reconcile].
func started(t testing.TB, include, settings, setup string, files map[string]string) *fixture {
	t.Helper()
	return startedIn(t, t.TempDir(), include, settings, setup, files)
}

// startedIn is started in a directory that the test has made ready.
func startedIn(t testing.TB, dir, include, settings, setup string, files map[string]string) *fixture {
	t.Helper()
	writeFiles(t, dir, files)
	if setup != "" {
		shell(t, dir, setup)
	}
	if !strings.Contains(settings, "settle=") {
		settings = fmt.Sprintf("settle=%v\n", watchedSettle) + settings
	}
	if !strings.Contains(settings, "settle_removals=") {
		settings = "settle_removals=100ms\n" + settings // what is gone goes soon unless a test says otherwise
	}
	config := oracle.Prelude + "[include]\nfiles=" + include + "\n[reconcile]\nstatedir={{.Dir}}/state\n" + settings
	w := &fixture{t, oracle.StartDaemon(t, oracle.Ours, dir, config)}
	oracle.WaitFor(t, "the first update", func() bool { return len(history(t, w.Daemon)) > 0 })
	return w
}

// writeFiles makes files below a directory, by their names.
func writeFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[name]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
