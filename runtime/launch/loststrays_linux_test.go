package launch

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestLostStrays: whoever has the variable of a run is found, whosever child he is, if
// he is the user's of that run, and nobody else.
func TestLostStrays(t *testing.T) {
	const variable = "SUPERVISOR_RUN=lost.1"
	cmd := exec.Command("/bin/sh", "-c", `setsid sleep 60 >/dev/null 2>&1 & echo $!; SUPERVISOR_RUN=lost.12 setsid sleep 60 >/dev/null 2>&1 & echo $!`)
	cmd.Env = append(os.Environ(), variable)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for s := bufio.NewScanner(strings.NewReader(string(out))); s.Scan(); {
		pid, err := strconv.Atoi(s.Text())
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Kill(pid, syscall.SIGKILL)
		pids = append(pids, pid)
	}
	us := os.Getuid()
	for _, r := range []struct {
		what  string
		pgid  int
		value string
		uid   int
		want  bool
	}{
		{"the run", 0, variable, us, true},
		{"its group", pids[0], variable, us, false},
		{"another user", 0, variable, us + 1, false},
		{"another run", 0, "SUPERVISOR_RUN=lost", us, false},
	} {
		found := LostStrays(r.pgid, r.value, r.uid)
		if got := len(found) == 1 && found[0].PID == pids[0]; got != r.want || !r.want && len(found) > 0 {
			t.Errorf("%s: found %v of %v", r.what, found, pids)
		}
	}
	if found := Strays(0, variable); len(found) > 0 {
		t.Errorf("%v are our children", found)
	}
}
