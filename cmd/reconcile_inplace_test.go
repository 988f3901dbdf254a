package cmd

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// TestInPlace: a key that the running child was not started with is in force for
// that very child, which keeps its pid.
//
// Source: reconciler.md, What counts as a change, row inplace.
func TestInPlace(t *testing.T) {
	t.Parallel()
	d := oracle.StartDaemon(t, oracle.Ours, t.TempDir(), watched)
	keys := map[string]string{"stdout_logfile": d.Dir + "/one.log", "stderr_logfile": "NONE", "autorestart": "true", "startsecs": "0"}
	pid := func() int { return runningPIDs(t, d)["p"] }
	// set writes the file with more keys and puts it in force.
	set := func(changes ...string) {
		t.Helper()
		for i := 0; i < len(changes); i += 2 {
			keys[changes[i]] = changes[i+1]
		}
		var lines []string
		for key, value := range keys {
			lines = append(lines, key+"="+value)
		}
		slices.Sort(lines)
		d.Write("conf.d/p.ini", `[program:p]
command=/bin/sh -c "trap 'echo got USR1; exit 3' USR1; trap 'echo no thanks' TERM; while :; do echo tick; sleep 0.05; done"
`+strings.Join(lines, "\n")+"\n")
		// By hand, since so many automatic updates of one group would be held.
		if out := d.Ctl(oracle.Ours, "update", "p"); out.Exit != 0 {
			t.Fatalf("%v: %v", changes, out)
		}
	}
	ticks := func(log string) int { return strings.Count(d.Read(log), "tick\n") }
	set()
	oracle.WaitFor(t, "ticks", func() bool { return ticks("one.log") > 2 })
	first := pid()
	same := func(what string) {
		t.Helper()
		if now := pid(); now != first {
			t.Fatalf("%s: pid %d, was %d; log:\n%s", what, now, first, d.Log())
		}
	}

	set("stdout_logfile", d.Dir+"/two.log")
	oracle.WaitFor(t, "ticks in the other file", func() bool { return ticks("two.log") > 2 })
	same("another log")

	set("stdout_logfile_maxbytes", "100", "stdout_logfile_backups", "1")
	oracle.WaitFor(t, "a rotated log", func() bool { return ticks("two.log.1") > 0 })
	same("a size for the log")
	set("stdout_logfile", "NONE")
	same("no log")
	set("stdout_logfile", d.Dir+"/three.log", "stdout_logfile_maxbytes", "0")

	set("priority", "5", "startretries", "7", "autostart", "false", "stopasgroup", "true", "killasgroup", "true")
	same("what shows later only")
	set("stopasgroup", "false", "killasgroup", "false")

	// The end of the child goes by what is in force now: an exit code that is not
	// expected, and no restart for it.
	set("autorestart", "false", "exitcodes", "0")
	same("autorestart")
	if err := syscall.Kill(first, syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	oracle.WaitFor(t, "EXITED", func() bool { return d.State("p") == "EXITED" })
	if !strings.Contains(d.Log(), "exited: p (exit status 3; not expected)") {
		t.Errorf("log:\n%s", d.Log())
	}
	if out := d.Ctl(oracle.Ours, "start", "p"); out.Exit != 0 {
		t.Fatal(out)
	}
	first = pid()
	set("autorestart", "unexpected", "exitcodes", "3")
	same("exitcodes")
	if err := syscall.Kill(first, syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	oracle.WaitFor(t, "EXITED", func() bool { return d.State("p") == "EXITED" })
	if !strings.Contains(d.Log(), "exited: p (exit status 3; expected)") {
		t.Errorf("log:\n%s", d.Log())
	}

	// And so does a stop: it would not end by TERM before ten seconds have passed.
	if out := d.Ctl(oracle.Ours, "start", "p"); out.Exit != 0 {
		t.Fatal(out)
	}
	first = pid()
	set("stopsignal", "USR1")
	same("stopsignal")
	before := strings.Count(d.Read("three.log"), "got USR1")
	if out := d.Ctl(oracle.Ours, "stop", "p"); out.Stdout != "p: stopped\n" {
		t.Error(out)
	}
	if n := strings.Count(d.Read("three.log"), "got USR1"); n != before+1 || strings.Contains(d.Log(), "killing 'p'") {
		t.Errorf("it got USR1 %d times, want %d; log:\n%s", n, before+1, d.Log())
	}
	if out := d.Ctl(oracle.Ours, "start", "p"); out.Exit != 0 {
		t.Fatal(out)
	}
	first = pid()
	set("stopsignal", "TERM", "stopwaitsecs", "1")
	same("stopwaitsecs")
	if out := d.Ctl(oracle.Ours, "stop", "p"); out.Stdout != "p: stopped\n" || !strings.Contains(d.Log(), fmt.Sprintf("killing 'p' (%d) with SIGKILL", first)) {
		t.Errorf("%v; log:\n%s", out, d.Log())
	}
	for _, u := range history(t, d) {
		for _, a := range u.Actions {
			if strings.HasPrefix(a, "restart") {
				t.Errorf("a restart: %+v", u)
			}
		}
	}
}
