package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// killed is a configuration for a daemon that will be killed.
const killed = `[unix_http_server]
file={{.Sock}}

[supervisord]
logfile={{.Dir}}/supervisord.log
pidfile={{.Dir}}/supervisord.pid
childlogdir={{.Dir}}
survivors=%s

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{{.Sock}}

[reconcile]
statedir={{.Dir}}/state
settle=50ms

[include]
files=conf.d/*.ini
`

// surviving is one with two programs. low is stubborn, and the higher priority is
// that of high.
const surviving = killed + `
[program:low]
command=/bin/sh -c "trap '' TERM; while :; do sleep 0.1; done" low
priority=1
stopwaitsecs=1
killasgroup=true

[program:high]
command=/bin/sh -c "sleep 1000 & wait" high
priority=2
stopasgroup=true
`

// copies are the processes below a daemon, dead ones too, whose command line ends
// in a word, their own children left out.
func copies(d *oracle.Daemon, word string) (pids []int) {
	return copiesAmong(d.Descendants(), word)
}

// copiesAmong does the same with the processes at hand: to look for them all is dear.
func copiesAmong(all []int, word string) (pids []int) {
	for _, pid := range all {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		leader, _ := syscall.Getpgid(pid)
		if leader == pid && strings.HasSuffix(string(data), "\x00"+word+"\x00") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// survived starts a daemon, waits until its two programs run, kills it and starts
// it again.
func survived(t *testing.T, mode string) (d *oracle.Daemon, before map[string]int) {
	t.Helper()
	oracle.Require(t)
	d = oracle.StartDaemon(t, oracle.Ours, t.TempDir(), fmt.Sprintf(surviving, mode))
	untilRunning(t, d, "low", "high")
	before = runningPIDs(t, d)
	d.Kill()
	return d, before
}

func untilRunning(t *testing.T, d *oracle.Daemon, names ...string) {
	t.Helper()
	for _, name := range names {
		oracle.WaitFor(t, name, func() bool { return d.State(name) == "RUNNING" })
	}
}

// Survivors are ended before there are new ones, in the order of a shutdown.
func TestSurvivorsAreStopped(t *testing.T) {
	t.Parallel()
	d, before := survived(t, "stop")
	d.Again()
	untilRunning(t, d, "low", "high")
	for _, name := range []string{"low", "high"} {
		if got := copies(d, name); len(got) != 1 || got[0] == before[name] {
			t.Errorf("%s runs as %v, before as %d", name, got, before[name])
		}
	}
	want := []string{"stopping high", "stopping low", "killing 'low'"} // only then are there new ones
	_, log, _ := strings.Cut(d.Log(), "supervisord started with pid")
	_, log, _ = strings.Cut(log, "supervisord started with pid")
	if got := regexp.MustCompile(`(stopping|killing|spawned:) '?\w+'?`).FindAllString(log, -1); len(got) != 5 || !slices.Equal(got[:3], want) {
		t.Errorf("got %q\nwant %q\n%s", got, want, log)
	}
	d.Stop()
	if left, _ := filepath.Glob(filepath.Join(d.Dir, "state/*/running*")); len(left) > 0 {
		t.Errorf("after a shutdown there still is %v", left)
	}
}

// Adopted processes keep their pids, and are processes like others.
func TestSurvivorsAreAdopted(t *testing.T) {
	t.Parallel()
	d, before := survived(t, "adopt")
	d.Again()
	untilRunning(t, d, "low", "high")
	if after := runningPIDs(t, d); !equalPIDs(before, after) {
		t.Fatalf("got %v, want %v", after, before)
	}
	info, err := d.Call("supervisor.getProcessInfo", "low")
	if err != nil {
		t.Fatal(err)
	}
	began, err := os.Stat(fmt.Sprintf("/proc/%d", before["low"]))
	if err != nil {
		t.Fatal(err)
	}
	if start := info.(map[string]any)["start"].(int); start > int(began.ModTime().Unix())+1 {
		t.Errorf("it began at %d, not as late as %d", began.ModTime().Unix(), start)
	}
	for _, name := range []string{"low", "high"} {
		if n := strings.Count(d.Log(), "adopted: '"+name+"' with pid"); n != 1 {
			t.Errorf("%s was adopted %d times", name, n)
		}
	}

	// It survives once more, is signalled, and its end is seen and not understood.
	d.Kill()
	d.Again()
	untilRunning(t, d, "high")
	if _, err := d.Call("supervisor.signalProcess", "high", "KILL"); err != nil {
		t.Fatal(err)
	}
	oracle.WaitFor(t, "high again", func() bool { pid := runningPIDs(t, d)["high"]; return pid != 0 && pid != before["high"] })
	if want := "exited: high (exit status not known; not expected)"; !strings.Contains(d.Log(), want) {
		t.Errorf("no %q in\n%s", want, d.Log())
	}
	if got := copies(d, "high"); len(got) != 1 {
		t.Errorf("high runs as %v", got)
	}

	begun := time.Now()
	if _, err := d.Call("supervisor.stopProcess", "low"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < time.Second || took > 9*time.Second { // less than without the key
		t.Errorf("the stop took %v, with a stopwaitsecs of 1 s", took)
	}
	if got := copies(d, "low"); len(got) != 0 {
		t.Errorf("low still runs as %v", got)
	}
}

// What was changed while nobody was there is stopped and started anew, what was
// removed is stopped.
func TestAdoptionOfWhatChanged(t *testing.T) {
	t.Parallel()
	oracle.Require(t)
	dir := t.TempDir()
	d := oracle.StartDaemon(t, oracle.Ours, dir, fmt.Sprintf(surviving, "adopt"))
	for _, name := range []string{"same", "changed", "patient", "gone"} {
		d.Write("conf.d/"+name+".ini", "[program:"+name+"]\ncommand=/bin/sh -c \"sleep 1000; :\" "+name+"\nstopasgroup=true\n")
	}
	oracle.WaitFor(t, "all", func() bool { return len(runningPIDs(t, d)) == 6 })
	before := runningPIDs(t, d)
	d.Kill()
	d.Write("conf.d/changed.ini", "[program:changed]\ncommand=/bin/sh -c \"sleep 2000; :\" changed\nstopasgroup=true\n")
	d.Write("conf.d/patient.ini", "[program:patient]\ncommand=/bin/sh -c \"sleep 1000; :\" patient\nstopasgroup=true\nstopwaitsecs=60\n")
	os.Remove(filepath.Join(d.Dir, "conf.d/gone.ini"))
	d.Again()
	untilRunning(t, d, "low", "high", "same", "changed", "patient")
	after := runningPIDs(t, d)
	for _, name := range []string{"low", "high", "same", "patient"} {
		if after[name] != before[name] {
			t.Errorf("%s has pid %d, had %d", name, after[name], before[name])
		}
	}
	if after["changed"] == before["changed"] || len(copies(d, "changed")) != 1 {
		t.Errorf("changed runs as %v, before as %d", copies(d, "changed"), before["changed"])
	}
	if got := copies(d, "gone"); len(got) != 0 {
		t.Errorf("gone runs as %v", got)
	}
}

// Supervisor's way: they are left alone, and there are new ones beside them.
func TestSurvivorsAreIgnored(t *testing.T) {
	t.Parallel()
	d, before := survived(t, "ignore")
	d.Again()
	untilRunning(t, d, "low", "high")
	for _, name := range []string{"low", "high"} {
		got := copies(d, name)
		if len(got) != 2 || !slices.Contains(got, before[name]) {
			t.Errorf("%s runs as %v, before as %d", name, got, before[name])
		}
		syscall.Kill(-before[name], syscall.SIGKILL)
	}
}

// A process that has the number of one of ours, but began at another time, is
// never touched.
func TestReusedPidIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"stop", "adopt"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			d, before := survived(t, mode)
			tables, _ := filepath.Glob(filepath.Join(d.Dir, "state/*/running.json"))
			if len(tables) != 1 {
				t.Fatalf("tables: %v", tables)
			}
			text, err := os.ReadFile(tables[0])
			if err != nil {
				t.Fatal(err)
			}
			text = regexp.MustCompile(`"start":(\d+)`).ReplaceAll(text, []byte(`"start":1$1`))
			if err := os.WriteFile(tables[0], text, 0o600); err != nil {
				t.Fatal(err)
			}
			d.Again()
			untilRunning(t, d, "low", "high")
			for _, name := range []string{"low", "high"} {
				if got := copies(d, name); len(got) != 2 || !slices.Contains(got, before[name]) {
					t.Errorf("%s runs as %v, before as %d", name, got, before[name])
				}
				syscall.Kill(-before[name], syscall.SIGKILL)
			}
			if strings.Contains(d.Log(), "an earlier supervisord") {
				t.Errorf("something was recognised:\n%s", d.Log())
			}
		})
	}
}

// A daemon that is killed at any step of an update leaves nothing that a start
// does not put right: each program runs once, as the files say.
func TestKilledDuringUpdate(t *testing.T) {
	t.Parallel()
	const n = 6
	oracle.Require(t)
	d := oracle.StartDaemon(t, oracle.Ours, t.TempDir(), fmt.Sprintf(killed, "stop"))
	version := 0
	write := func() {
		version++
		for i := range n {
			// One is new each time, and one is gone.
			if i == version%n {
				os.Remove(filepath.Join(d.Dir, fmt.Sprintf("conf.d/p%d.ini", i)))
				continue
			}
			d.Write(fmt.Sprintf("conf.d/p%d.ini", i), fmt.Sprintf(
				"[program:p%d]\ncommand=/bin/sh -c \"trap '' TERM; while :; do sleep 0.1; done\" v%d p%d\nstopwaitsecs=1\nkillasgroup=true\npriority=%d\n",
				i, version, i, 10+i%2))
		}
	}
	wrong := func() string {
		ours := runningPIDs(t, d) // and not what the daemon before has left
		all := d.Descendants()
		for i := range n {
			want := 1
			if i == version%n {
				want = 0
			}
			got := copiesAmong(all, fmt.Sprintf("p%d", i))
			if len(got) != want {
				return fmt.Sprintf("p%d runs as %v, want %d", i, got, want)
			}
			if want == 1 && got[0] != ours[fmt.Sprintf("p%d", i)] {
				return fmt.Sprintf("p%d runs as %d, which is not the daemon's", i, got[0])
			}
			if want == 1 && !strings.Contains(commandLine(t, got[0]), fmt.Sprintf(" v%d ", version)) {
				return fmt.Sprintf("p%d runs %s, want version %d", i, commandLine(t, got[0]), version)
			}
		}
		return ""
	}
	settled := func(step string) {
		t.Helper()
		reason := ""
		if !oracle.Eventually(oracle.Deadline, func() bool { reason = wrong(); return reason == "" }) {
			t.Fatalf("after a death %s: %s\n%s", step, reason, d.Log())
		}
	}
	write()
	settled("never")
	for _, step := range []struct {
		what string
		line string // of the log, which the update must have written
		more int    // how often since the files changed
	}{
		{"before anything", "", 0},
		{"as soon as it begins", "restart p", 1},
		{"when the first is killed", "killing 'p", 1},
		{"between stop and start", "stopped: p", 1},
		{"when the first is started", "spawned: 'p", 1},
		{"when half are started", "spawned: 'p", 3},
	} {
		before := strings.Count(d.Log(), step.line)
		write()
		if step.more > 0 {
			oracle.WaitFor(t, step.line, func() bool { return strings.Count(d.Log(), step.line) >= before+step.more })
		}
		d.Kill()
		d.Again()
		settled(step.what)
	}
}

// What an adopted process writes is kept as before.
func TestAdoptedOutput(t *testing.T) {
	t.Parallel()
	oracle.Require(t)
	d := oracle.StartDaemon(t, oracle.Ours, t.TempDir(), fmt.Sprintf(surviving, "adopt")+`
[program:talker]
command=/bin/sh -c "trap '' PIPE; while :; do echo said; sleep 0.05; done" talker
stdout_logfile={{.Dir}}/talker.log
redirect_stderr=true
stopasgroup=true
`)
	said := func() int { return strings.Count(d.Read("talker.log"), "said\n") }
	oracle.WaitFor(t, "some words", func() bool { return said() > 3 })
	pid := runningPIDs(t, d)["talker"]
	d.Kill()
	d.Again()
	before := said()
	oracle.WaitFor(t, "more words", func() bool { return said() > before+5 })
	if now := runningPIDs(t, d)["talker"]; now != pid {
		t.Errorf("it has pid %d, had %d", now, pid)
	}
	if _, err := d.Call("supervisor.stopProcess", "talker"); err != nil {
		t.Error(err)
	}
}
