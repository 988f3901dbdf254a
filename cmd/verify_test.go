package cmd

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
	"supervisord/runtime/procstat"
)

// TestVerifyFromGit: a commit that does not run is taken back within two seconds of its
// failure, which wait tells with the reason, long before verify is over; the next good one
// goes through. It comes by git-sync's way of flipping a link.
func TestVerifyFromGit(t *testing.T) {
	t.Parallel()
	if !installed(t, "git") {
		return
	}
	w := started(t, "sync/current/*.ini", "settle=100ms\nverify=60m\nverify_stable=500ms\non_failure=revert\n"+
		"revision=auto\nenvironment_revision=true\nreport_command=/bin/sh -c 'cat >>\"$0\"' %(here)s/reports\n", "", nil)
	w.sh(`mkdir -p origin sync/.worktrees; cd origin; git init -q -b main .; git config user.email a@b; git config user.name n`)
	revision := 0
	commit := func(edit string) {
		t.Helper()
		revision++
		w.sh(fmt.Sprintf(`cd origin; %[1]s; git add -A; git commit -qm 'number %[2]d'; git worktree add -q --detach ../sync/.worktrees/%[2]d main
ln -s .worktrees/%[2]d ../sync/tmp; mv -T ../sync/tmp ../sync/current`, edit, revision))
	}
	wait := func() oracle.Output {
		return w.Ctl(oracle.Ours, "wait", "-t", strconv.Itoa(int(oracle.Deadline/time.Second)))
	}
	commit(`printf '` + strings.ReplaceAll(sleeper("web", 1000), "\n", `\n`) + `' >web.ini; printf '` + strings.ReplaceAll(sleeper("db", 1000), "\n", `\n`) + `' >db.ini`)
	w.becomes("db, web")
	pids, _ := w.running()
	good := w.head()
	w.reported("success", good)
	if env := w.environ(pids["web"]); env["SUPERVISOR_REVISION"] != good {
		t.Errorf("web was given %q, want %s", env["SUPERVISOR_REVISION"], good)
	}

	commit(`sed -i 's:^command=.*:command=/bin/sh -c "exit 3"\nstartretries=0:' web.ini; sed -i s/1000/2000/ db.ini`)
	out := wait()
	if out.Exit != 1 || !strings.Contains(out.Stdout, "web.ini is rejected: web is FATAL (Exited too quickly: exit status 3)") {
		t.Errorf("wait: %v", out)
	}
	bad := w.head()
	if out := w.Ctl(oracle.Ours, "wait", "-t", "60", "--revision", bad[:7]); out.Exit != 1 || !strings.Contains(out.Stdout, "revision "+bad+": failed") ||
		!strings.Contains(out.Stdout, "web.ini is rejected: web is FATAL") {
		t.Errorf("wait --revision: %v", out)
	}
	oracle.WaitFor(t, "what ran before runs again", func() bool { return w.sleepers() == "db=2000, web" })
	if took := tookBack(t, w.Log()); took > 2*time.Second {
		t.Errorf("it was taken back %v after the failure", took)
	}
	if reason := w.reported("failure", bad); !strings.Contains(reason, "web.ini is rejected: web is FATAL") {
		t.Errorf("the report says %q", reason)
	}
	if s := w.state(); s["revision"] != good || s["attempted_revision"] != bad || s["outcome"] != "failure" {
		t.Errorf("state %v", s)
	}
	if state := w.fileState("web.ini"); state != "rejected" {
		t.Errorf("web.ini is %s", state)
	}
	if out := w.Ctl(oracle.Ours, "update"); out.Exit != 1 || !strings.Contains(out.Stdout, "web.ini is rejected") {
		t.Errorf("update: %v", out)
	}

	commit(`sed -i -e 's:^command=.*:command=/bin/sleep 3000:' web.ini`)
	w.becomes("db=2000, web=3000")
	if out := wait(); out.Exit != 0 {
		t.Errorf("wait: %v", out)
	}
	if out := w.Ctl(oracle.Ours, "wait", "-t", "60", "--revision", w.head()); out.Exit != 0 {
		t.Errorf("wait --revision: %v", out)
	}
	w.reported("success", w.head())
	if now, _ := w.running(); now["web"] == pids["web"] || now["db"] == pids["db"] {
		t.Errorf("pids %v, %v before", now, pids)
	}
}

// head is the commit of the repository.
func (w *fixture) head() string { return strings.TrimSpace(w.sh("git -C origin rev-parse HEAD")) }

// reported waits until the last report says so of a revision, and returns its reason.
func (w *fixture) reported(state, revision string) (reason string) {
	w.t.Helper()
	var last struct{ State, Revision, Reason, Hostname, Identifier string }
	oracle.WaitFor(w.t, "a report of "+state+" of "+revision, func() bool {
		data, _ := os.ReadFile(w.Dir + "/reports")
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		return json.Unmarshal([]byte(lines[len(lines)-1]), &last) == nil && last.State == state && last.Revision == revision
	})
	if last.Hostname == "" || last.Identifier == "" {
		w.t.Errorf("the report does not say who sends it: %+v", last)
	}
	return last.Reason
}

// environ is what a process was started with.
func (w *fixture) environ(pid int) map[string]string {
	w.t.Helper()
	data, err := procstat.Environ("/proc", pid, time.Now().Add(procstat.ExecPatience))
	if err != nil {
		w.t.Fatal(err)
	}
	env := make(map[string]string)
	for _, kv := range strings.Split(string(data), "\x00") {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	return env
}

// tookBack is how long after web had failed it was started again as it was, by a log of that.
func tookBack(t *testing.T, log string) time.Duration {
	t.Helper()
	var failed, started time.Time
	for line := range strings.Lines(log) {
		at, err := time.Parse("2006-01-02 15:04:05,000", line[:min(23, len(line))])
		switch {
		case err != nil:
		case strings.Contains(line, "gave up: web "):
			failed = at
		case strings.Contains(line, "spawned: 'web'"):
			started = at
		}
	}
	if failed.IsZero() || started.Before(failed) {
		t.Fatalf("it did not fail and go back:\n%s", log)
	}
	return started.Sub(failed)
}

// fileState is what getFiles says of the file whose path ends so.
func (w *fixture) fileState(name string) string {
	w.t.Helper()
	out := w.Ctl(oracle.Ours, "files", "-o", "json")
	var files []struct{ Path, State string }
	if err := json.Unmarshal([]byte(out.Stdout), &files); err != nil {
		w.t.Fatalf("%v: %v", out, err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Path, name) {
			return f.State
		}
	}
	return ""
}

// TestRevertIsQuick measures how long it takes from the failure of new processes to the old
// ones running again. REVERTS is how often, 5 times if it is not set.
func TestRevertIsQuick(t *testing.T) {
	n, _ := strconv.Atoi(cmp.Or(os.Getenv("REVERTS"), "5"))
	w := started(t, "conf.d/*.ini", "settle=20ms\nverify=20s\nverify_stable=0\non_failure=revert\n", "", map[string]string{"conf.d/web.ini": sleeper("web", 1000, "startsecs=0")})
	w.becomes("web")
	var all []time.Duration
	for i := range n {
		before, was := len(w.Log()), w.sleepers()
		w.Write("conf.d/web.ini", fmt.Sprintf("[program:web]\ncommand=/bin/sh -c 'exit %d'\nstartretries=0\n", 3+i%100))
		oracle.WaitFor(t, "web goes back", func() bool {
			return strings.Contains(w.Log()[before:], "put back in force") && w.sleepers() == was
		})
		all = append(all, tookBack(t, w.Log()[before:]))
		w.Write("conf.d/web.ini", sleeper("web", 1001+i, "startsecs=0"))
		w.becomes(fmt.Sprintf("web=%d", 1001+i))
	}
	slices.Sort(all)
	t.Logf("from the failure to the spawn of what ran before, %d times: p50 %v, p99 %v", n, all[n/2], all[n*99/100])
	if all[n/2] > time.Second {
		t.Errorf("half of the reverts took more than %v", all[n/2])
	}
}
