package cmd

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"supervisord/cmd/internal/oracle"
	"supervisord/runtime/needs"
)

// TestSurvivorsOfAnotherTime: a daemon in a time namespace whose clock is a day ahead knows
// what one outside it has left running, and the other way round, so nothing runs twice.
func TestSurvivorsOfAnotherTime(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	if out, err := exec.Command("unshare", "--time", "--boottime", "86400", "--", "true").CombinedOutput(); err != nil {
		t.Skipf("this kernel or unshare(1) has no time namespaces: %v %s", err, out)
	}
	dir := t.TempDir()
	later := filepath.Join(dir, "later")
	s := &eventRun{oracle.StartIn(t, oracle.Ours, dir, oracle.Prelude+`
[program:p]
command=/bin/sh -c "sleep 1000; :" p
stopasgroup=true

[reconcile]
statedir={{.Dir}}/state
`, oracle.Surroundings{Through: []string{"/bin/sh", "-c", `[ ! -e ` + later + ` ] || exec unshare --time --boottime 86400 -- "$@"; exec "$@"`, "sh"}}), t}
	for _, in := range []bool{true, false} {
		s.until("p", "RUNNING")
		before := s.pid("p")
		s.Kill()
		if in {
			if err := os.WriteFile(later, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		} else if err := os.Remove(later); err != nil {
			t.Fatal(err)
		}
		s.Again()
		s.until("p", "RUNNING")
		if got := copies(s.Daemon, "p"); len(got) != 1 || got[0] == before {
			t.Errorf("in a time namespace: %v: p runs as %v, before as %d", in, got, before)
		}
	}
}
