package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
	"supervisord/runtime/needs"
)

// TestSaidOnce: what is to be said is said once, and in the order in which it happens.
func TestSaidOnce(t *testing.T) {
	t.Parallel()
	d := oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+"\n[include]\nfiles=none.d/*.conf conf.d/*.conf\n[program:web]\ncommand=/bin/cat\n")
	if err := os.MkdirAll(filepath.Join(d.Dir, "conf.d", "directory.conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	untilRunning(t, d, "web")
	if out := d.Ctl(oracle.Ours, "reload"); out.Exit != 0 {
		t.Fatalf("reload: %+v", out)
	}
	oracle.WaitFor(t, "the next life", func() bool { return strings.Count(d.Log(), "supervisord started with pid") == 2 })
	untilRunning(t, d, "web")
	if out := d.Ctl(oracle.Ours, "shutdown"); out.Exit != 0 {
		t.Fatalf("shutdown: %+v", out)
	}
	oracle.WaitFor(t, "the end", func() bool { return d.PID() == 0 })
	log := d.Log()
	for text, want := range map[string]int{
		d.Dir + "/none.d/*.conf":         2, // once in each life
		d.Dir + "/conf.d/directory.conf": 1,
		"waiting for web to die":         2,
		"restart requested by":           1,
		"shutdown requested by":          1,
	} {
		got := 0
		for line := range strings.Lines(log) {
			if strings.Contains(line, text) {
				got++
			}
		}
		if got != want {
			t.Errorf("%d lines have %q, want %d, in\n%s", got, text, want, log)
		}
	}
	for _, asked := range []string{"restart requested by", "shutdown requested by"} {
		if _, after, _ := strings.Cut(log, asked); !strings.Contains(after, "waiting for web to die") {
			t.Errorf("what is done comes before %q in\n%s", asked, log)
		}
	}
}

// TestRootSearchSaidOnce: a daemon of root that looks for its configuration says so in
// the process that goes to the background, and not in both.
func TestRootSearchSaidOnce(t *testing.T) {
	needs.Root(t) // nobody else is told
	t.Parallel()
	d := oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude)
	d.Stop()
	out := oracle.Exec(t, oracle.Ours, "supervisord", d.Dir)
	t.Cleanup(func() { oracle.Exec(t, oracle.Ours, "supervisorctl", d.Dir, "-c", d.Config, "shutdown") })
	if n := strings.Count(out.Stderr, "Supervisord is running as root and it is searching"); n != 1 || out.Exit != 0 {
		t.Errorf("said %d times, exit status %d:\n%s", n, out.Exit, out.Stderr)
	}
}
