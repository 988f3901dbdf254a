package cmd

import (
	"os"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// The function of the package supervisor_stdout is built in: what the listener
// answers is printed on the daemon's standard output, and after an event that ends in
// a newline an empty line of that process.
func TestPrintingListener(t *testing.T) {
	t.Parallel()
	s := startScripted(t, oracle.Ours, "[eventlistener:stdout]\ncommand={{.Self}} echo\nevents=PROCESS_LOG\nbuffer_size=100\n"+
		"result_handler=supervisor_stdout:event_handler\nstartsecs=0\n"+
		says("read go; printf 'one\ntwo\n'; read go; printf three; read go; echo grün >&2; exec cat", "stdout_events_enabled=true", "stderr_events_enabled=true"))
	s.until("stdout", "RUNNING")
	s.until("p", "RUNNING")
	s.call("sendProcessStdin", "p", "go\n")
	s.wait("the second line", func() bool { return strings.Contains(s.Stdout(), "p stdout | two\np stdout | \n") })
	s.call("sendProcessStdin", "p", "go\n")
	s.wait("what has no newline", func() bool { return strings.Contains(s.Stdout(), "p stdout | three\n") })
	s.call("sendProcessStdin", "p", "go\n")
	s.wait("the last line", func() bool { return strings.Contains(s.Stdout(), "p stderr | grün\np stderr | \n") })
	var got []string
	for line := range strings.Lines(s.Stdout()) {
		if strings.HasPrefix(line, "p ") {
			got = append(got, strings.TrimSuffix(line, "\n"))
		}
	}
	if got, want := strings.Join(got, ", "), "p stdout | one, p stdout | two, p stdout | , p stdout | three, p stderr | grün, p stderr | "; got != want {
		t.Errorf("printed %s, want %s", got, want)
	}
}

// echo is a listener that answers each event with its payload.
func echo([]string) int {
	return listen(func(text string) string {
		_, payload, _ := strings.Cut(text, "\n")
		return payload
	})
}

// A handler that neither daemon can have is refused in the same words.
func TestUnknownResultHandler(t *testing.T) {
	t.Parallel()
	for _, kind := range oracle.Kinds(t) {
		t.Run(kind.String(), func(t *testing.T) {
			dir := t.TempDir()
			config := "[supervisord]\nlogfile=" + dir + "/log\npidfile=" + dir + "/pid\n" +
				"[eventlistener:l]\ncommand=/bin/cat\nevents=EVENT\nresult_handler=no.such.package:handler\n"
			if err := os.WriteFile(dir+"/c.conf", []byte(config), 0o644); err != nil {
				t.Fatal(err)
			}
			out := oracle.Exec(t, kind, "supervisord", dir, "-n", "-c", dir+"/c.conf")
			const want = "Error: no.such.package:handler cannot be resolved within [eventlistener:l]\n"
			if out.Exit != 2 || !strings.HasPrefix(out.Stderr, want) {
				t.Errorf("got %+v, want %q and exit 2", out, want)
			}
		})
	}
}

// The reconciler's events reach the listener that names them and no other.
func TestReconcileEvents(t *testing.T) {
	t.Parallel()
	s := startScripted(t, oracle.Ours, rec("all", "EVENT", "")+rec("rec", "RECONCILE,"+remote, "")+
		"[include]\nfiles={{.Dir}}/conf.d/*.ini\n[reconcile]\nsettle=50ms\nrescan=1s\n")
	s.until("all", "RUNNING")
	s.until("rec", "RUNNING")
	s.Write("conf.d/a.ini", "[program:a]\ncommand=/bin/cat\nstartsecs=0\n")
	s.until("a", "RUNNING")
	s.seen("rec", "RECONCILE_APPLIED", 1)
	s.call("sendRemoteCommEvent", "end", "")
	s.seen("all", remote, 1)
	for _, ev := range s.events("all") {
		if strings.HasPrefix(ev.name, "RECONCILE") {
			t.Errorf("a subscription to EVENT got %s %q", ev.name, ev.payload)
		}
	}
	for _, ev := range s.events("rec") {
		if ev.name == "RECONCILE_APPLIED" && !strings.Contains(ev.payload, "a") {
			t.Errorf("the event does not name the group: %q", ev.payload)
		}
	}
}
