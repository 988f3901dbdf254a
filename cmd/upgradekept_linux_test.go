package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// surroundingsOf are what a process was given by who started it, a line each, without what
// is its own: its pid is written PID, and its program's name NAME.
func surroundingsOf(t testing.TB, pid int, name string) string {
	t.Helper()
	proc := func(file string) string {
		t.Helper()
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var b strings.Builder
	stat := proc("stat")
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	for i, what := range map[int]string{2: "process group", 3: "session", 16: "niceness"} {
		value := fields[i]
		if value == strconv.Itoa(pid) {
			value = "PID"
		}
		fmt.Fprintln(&b, what, value)
	}
	for line := range strings.Lines(proc("status")) {
		switch key, _, _ := strings.Cut(line, ":"); key {
		case "Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "SigCgt", "NoNewPrivs", "Cpus_allowed", "CapEff", "CapBnd", "CapAmb":
			b.WriteString(line)
		}
	}
	b.WriteString(proc("limits") + "OOM score " + proc("oom_score_adj"))
	b.WriteString(regexp.MustCompile(`\.\d+\.NAME`).ReplaceAllString(strings.ReplaceAll(proc("cgroup"), name, "NAME"), ".N.NAME")) // of which each start has its own
	for _, link := range []string{"cwd", "root"} {
		target, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, link))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, link, target)
	}
	fds := descriptors(t, pid)
	slices.Sort(fds)
	fmt.Fprintln(&b, "descriptors", fds)
	lines := strings.SplitAfter(b.String(), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// TestUpgradeKeepsSurroundings: what runs has its pid, group, niceness, umask, limits and
// cgroup over an upgrade, and what is started after one gets the same as what was started
// before. The daemon itself was begun carelessly, so that there is something to lose.
func TestUpgradeKeepsSurroundings(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	config := oracle.Prelude
	kinds := map[string]string{"plain": "", "masked": "umask=0\n", "elsewhere": "directory=/\n"}
	if cgroupsHere(t) {
		kinds["cgroup"] = "killmode=cgroup\n"
	}
	for kind, options := range kinds {
		for name, auto := range map[string]bool{"early-" + kind: true, "later-" + kind: false} {
			config += fmt.Sprintf("[program:%s]\ncommand=/bin/sh -c 'echo up; read never'\nstartsecs=0\nautostart=%t\nstdout_logfile={{.Dir}}/%[1]s.up\n%[3]s", name, auto, options)
		}
	}
	in := oracle.Surroundings{Through: []string{"/bin/sh", "-c", `umask 027; exec "$@"`, "sh", self, "ill-begun"}}
	s := &eventRun{oracle.StartIn(t, oracle.Ours, t.TempDir(), config, in), t}
	up := func(name string, times int) { // with its libraries read, and their descriptors closed
		t.Helper()
		s.wait(name+" to be up", func() bool { return strings.Count(s.Read(name+".up"), "up\n") == times })
	}
	early, pids := make(map[string]string), make(map[string]int)
	for kind := range kinds {
		up("early-"+kind, 1)
		pids[kind] = s.pid("early-" + kind)
		early[kind] = surroundingsOf(t, pids[kind], "early-"+kind)
	}
	if !strings.Contains(early["plain"], "niceness 5\n") || !strings.Contains(early["plain"], "Umask:\t0027\n") || !strings.Contains(early["masked"], "Umask:\t0000\n") {
		t.Fatalf("the programs have nothing of their own:\n%s", early["plain"])
	}
	for i, binary := range []string{oracle.Other(t), oracle.Command(t, oracle.Ours, "supervisord")} {
		if out := s.Ctl(oracle.Ours, "upgrade", "--binary", binary); out.Exit != 0 {
			t.Fatal(out)
		}
		for kind, before := range early {
			if pid := s.pid("early-" + kind); pid != pids[kind] {
				t.Errorf("upgrade %d: %s was %d and is %d", i, kind, pids[kind], pid)
			}
			if now := surroundingsOf(t, pids[kind], "early-"+kind); now != before {
				t.Errorf("upgrade %d: %s had\n%s\nand has\n%s", i, kind, before, now)
			}
			s.call("startProcess", "later-"+kind)
			up("later-"+kind, i+1)
			if later := surroundingsOf(t, s.pid("later-"+kind), "later-"+kind); later != before {
				t.Errorf("upgrade %d: %s that was started before it has\n%s\nand after it\n%s", i, kind, before, later)
			}
			s.call("stopProcess", "later-"+kind)
		}
	}
}

// TestUpgradeThereAndBack goes from one build to another and back. The daemon says each time
// which it is, no program changes, and none loses a line.
func TestUpgradeThereAndBack(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+counts+`[program:down]
command=/bin/sleep 1000
autostart=false
startsecs=0
`), t}
	s.until("count", "RUNNING")
	state := func() (build, binary string) {
		t.Helper()
		answer, err := s.Call("reconcile.getProgram")
		if err != nil {
			t.Fatal(err)
		}
		all := answer.(map[string]any)
		build, _ = all["build"].(string)
		binary, _ = all["binary"].(string)
		return build, binary
	}
	first, firstBinary := state()
	other, err := filepath.EvalSymlinks(oracle.Other(t))
	must(t, err)
	if first == oracle.OtherCommit || firstBinary == other {
		t.Fatalf("it is the other build from the beginning: %s, %s", first, firstBinary)
	}
	before := s.pids()
	for i, to := range []struct{ build, binary string }{
		{oracle.OtherCommit, other}, {first, firstBinary}, {oracle.OtherCommit, other}, {first, firstBinary},
	} {
		if out := s.Ctl(oracle.Ours, "upgrade", "--binary", to.binary); out.Exit != 0 {
			t.Fatalf("upgrade %d: %v", i, out)
		}
		if build, binary := state(); build != to.build || binary != to.binary {
			t.Errorf("upgrade %d: it is build %s of %s and should be %s of %s", i, build, binary, to.build, to.binary)
		}
		if now := s.pids(); !slices.Equal(now, before) {
			t.Fatalf("upgrade %d: the processes were %v and are %v", i, before, now)
		}
		s.call("startProcess", "down")
		s.call("stopProcess", "down")
	}
	written := len(countedIn(s.Read("count.0")))
	s.wait("more lines", func() bool { return len(countedIn(s.Read("count.0"))) > written+10 })
	s.call("stopProcess", "count")
	contiguous(t, "log", countedIn(s.Read("count.0")), 0)
}
