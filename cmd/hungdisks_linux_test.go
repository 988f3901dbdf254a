//go:build amd64 || arm64 || riscv64

package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// disks are the directories that hang in these tests, each a disk of its own, and
// what the daemon has there.
var disks = map[string]string{
	"include": "files of programs",
	"logs":    "the activity log, the logs of children, AUTO logs",
	"state":   "the state directory",
	"program": "an executable, and the directory in which it runs",
}

// onDisks is a configuration that uses them all, beside programs that use none. The
// two that do not stop when they are asked to are two stages of the shutdown.
const onDisks = `[unix_http_server]
file={{.Sock}}

[supervisord]
logfile={{.Dir}}/logs/supervisord.log
pidfile={{.Dir}}/supervisord.pid
childlogdir={{.Dir}}/logs

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{{.Sock}}

[reconcile]
statedir={{.Dir}}/state
settle=100ms
rescan=1s

[include]
files=include/*.ini sound/*.ini

[program:plain]
command=/bin/sleep 1000
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE

[program:sound]
command={{.Self}} counting
stdout_logfile={{.Dir}}/sound.log
stdout_logfile_maxbytes=0
stderr_logfile=NONE

[program:slow]
command={{.Self}} counting
stdout_logfile={{.Dir}}/logs/slow.log
stdout_logfile_maxbytes=0
stderr_logfile=NONE

[program:auto]
command={{.Self}} counting

[program:distant]
command={{.Dir}}/program/run
directory={{.Dir}}/program
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE

[program:first]
command=/bin/sh -c "trap '' TERM; touch {{.Dir}}/first; exec sleep 1000"
priority=1
stopwaitsecs=1
stdout_logfile=NONE
stderr_logfile=NONE

[program:last]
command=/bin/sh -c "trap '' TERM; touch {{.Dir}}/last; exec sleep 1000"
stopwaitsecs=2
stdout_logfile=NONE
stderr_logfile=NONE

[eventlistener:rec]
command={{.Self}} record {{.Dir}}/rec.events
events=PROCESS_STATE
buffer_size=100
stdout_logfile=NONE
stderr_logfile=NONE
`

// The time that an end takes at most: what the two stages above are given, and
// what is allowed beyond that.
const (
	stages = 3 * time.Second
	beyond = 5 * time.Second
)

// onHungDisks is a daemon on these disks.
type onHungDisks struct {
	*eventRun
	disks map[string]*disk
	hung  []string // those that the test is about
}

// mounted makes the disks in a directory.
func mounted(t *testing.T, dir string) map[string]*disk {
	t.Helper()
	ownMounts(t)
	all := make(map[string]*disk)
	for name := range disks {
		all[name] = newDisk(t, filepath.Join(dir, name))
	}
	all["include"].write("a.ini", sleeper("a", 1000))
	all["program"].write("run", "#!/bin/sh\nexec sleep 1000\n")
	if err := os.Mkdir(filepath.Join(dir, "sound"), 0o755); err != nil {
		t.Fatal(err)
	}
	// So the test reads the activity log, as far as it is on the disk, without waiting.
	if err := os.Symlink("logs.under/supervisord.log", filepath.Join(dir, "supervisord.log")); err != nil {
		t.Fatal(err)
	}
	oracle.Command(t, oracle.Ours, "supervisorctl") // is built before anything is timed
	return all
}

// startOnDisks starts a daemon; all that it has on the disks is in use when this
// returns.
func startOnDisks(t *testing.T, hung []string) *onHungDisks {
	t.Helper()
	dir := t.TempDir()
	s := &onHungDisks{disks: mounted(t, dir), hung: hung}
	s.eventRun = &eventRun{oracle.StartDaemon(t, oracle.Ours, dir, onDisks), t}
	t.Cleanup(s.answer) // before the daemon is stopped
	for _, name := range []string{"plain", "sound", "slow", "auto", "distant", "first", "last", "rec", "a"} {
		s.until(name, "RUNNING")
	}
	s.wait("both to ignore TERM", func() bool { return exists(s.Dir, "first") && exists(s.Dir, "last") })
	s.wait("logs, history and activity log", func() bool {
		return s.disks["logs"].read("slow.log") != "" && s.Log() != "" && s.stored("start")
	})
	return s
}

func exists(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return err == nil
}

// stored reports whether a word is in the history on the disk.
func (s *onHungDisks) stored(word string) bool {
	files, _ := filepath.Glob(filepath.Join(s.disks["state"].under, "*", "history.json"))
	if len(files) != 1 {
		return false
	}
	text, _ := os.ReadFile(files[0])
	return strings.Contains(string(text), word)
}

func (s *onHungDisks) hang() {
	for _, name := range s.hung {
		s.disks[name].hang()
	}
}

func (s *onHungDisks) answer() {
	for _, name := range s.hung {
		s.disks[name].answer()
	}
}

// hangs reports whether a disk is one of those that the test is about.
func (s *onHungDisks) hangs(name string) bool {
	return slices.Contains(s.hung, name)
}

// eachDisk runs a test for each disk and for all of them; in an ordinary run for the
// disk of the state directory and for all.
func eachDisk(t *testing.T, test func(t *testing.T, hung []string)) {
	t.Parallel()
	if !mayMount(t) {
		return
	}
	var all []string
	for name := range disks {
		all = append(all, name)
		if !fullSize && name != "state" {
			continue
		}
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, []string{name}) })
	}
	t.Run("all", func(t *testing.T) { t.Parallel(); test(t, all) })
}

// TestHungDisks: whatever disk hangs, supervision, clients and everything that is on
// other disks go on, and when it answers again nothing was lost.
func TestHungDisks(t *testing.T) {
	eachDisk(t, func(t *testing.T, hung []string) {
		s := startOnDisks(t, hung)
		steady := s.pids("sound", "slow", "auto", "first", "last", "a")
		s.hang()

		// Supervision goes on.
		events := len(s.events("rec"))
		for i := range 3 {
			s.restarted("plain")
			s.wait("the events of that", func() bool { return len(s.events("rec")) >= events+3*(i+1) })
		}
		s.call("stopProcess", "plain")
		s.call("startProcess", "plain")
		if err := syscall.Kill(s.pid("distant"), syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		before := len(s.Read("sound.log"))
		s.wait("the log of another child to grow", func() bool { return len(s.Read("sound.log")) > before+1000 })
		s.answersAtOnce()

		// So do changes of files elsewhere; those on the disk wait for it.
		s.disks["include"].write("b.ini", sleeper("b", 1000))
		s.disks["include"].write("a.ini", sleeper("a", 1000, "stopwaitsecs=9"))
		s.Write("sound/c.ini", sleeper("c", 1000, "startsecs=0"))
		s.until("c", "RUNNING")
		s.crowd()
		s.answersAtOnce()
		s.restarted("plain")

		s.answer()
		s.until("b", "RUNNING")
		s.until("distant", "RUNNING")
		s.wait("nothing to be held", func() bool {
			state, err := s.Call("reconcile.getState")
			return err == nil && state.(map[string]any)["phase"] == "synced"
		})
		s.wait("the history to be stored", func() bool { return s.stored(`"group":"c"`) && s.stored(`"group":"b"`) })
		s.wait("the activity log to tell all of it", func() bool {
			log := s.Log()
			return strings.Contains(log, "reconcile: add c (") && strings.Contains(log, "reconcile: add b (")
		})
		for name, pid := range steady {
			if now := s.pid(name); now != pid {
				t.Errorf("%s has pid %d, had %d", name, now, pid)
			}
		}
		s.whole("sound.log", func() string { return s.Read("sound.log") })
		s.whole("slow.log", func() string { return s.disks["logs"].read("slow.log") })
		s.whole("the AUTO log", func() string {
			files, _ := filepath.Glob(filepath.Join(s.disks["logs"].under, "auto-stdout*"))
			if len(files) != 1 {
				return ""
			}
			text, _ := os.ReadFile(files[0])
			return string(text)
		})
	})
}

// pids are those of programs.
func (s *onHungDisks) pids(names ...string) map[string]int {
	s.t.Helper()
	pids := make(map[string]int)
	for _, name := range names {
		pids[name] = s.pid(name)
	}
	return pids
}

// restarted kills a program and waits until it runs again.
func (s *onHungDisks) restarted(name string) {
	s.t.Helper()
	was := s.pid(name)
	if err := syscall.Kill(was, syscall.SIGKILL); err != nil {
		s.t.Error(err)
	}
	s.wait(name+" to run again", func() bool { now := s.pid(name); return now != 0 && now != was })
}

// answersAtOnce asks for the status, which waits for no disk. On a busy machine that may take
// long, so it is held against a question that has nothing to do with files, and which may
// not take long either.
func (s *onHungDisks) answersAtOnce() {
	s.t.Helper()
	var longest, reference time.Duration
	for range 5 {
		begun := time.Now()
		s.Ctl(oracle.Ours, "pid")
		usual := time.Since(begun)
		reference = max(reference, usual)
		begun = time.Now()
		out := s.Ctl(oracle.Ours, "status")
		longest = max(longest, time.Since(begun)-size(usual, 0))
		if !strings.Contains(out.Stdout, "plain ") {
			s.t.Errorf("status: %v", out)
		}
	}
	s.t.Logf("status: %v at most beyond pid, which took %v at most", longest, reference)
	if reference > 10*time.Second {
		s.t.Errorf("pid took %v", reference)
	}
	if longest > size(10*time.Second, 100*time.Millisecond) {
		s.t.Errorf("status took %v", longest)
	}
}

// crowd is fifty clients at once. None is refused: each has its answer, if only that the
// disk gives none.
func (s *onHungDisks) crowd() {
	s.t.Helper()
	asks := []struct {
		method string
		params []any
		may    bool // be told that the disk of the logs does not answer
	}{
		{"supervisor.reloadConfig", nil, false},
		{"reconcile.apply", []any{[]any{}}, false},
		{"reconcile.diff", []any{[]any{}}, false},
		{"supervisor.getAllProcessInfo", nil, false},
		{"supervisor.tailProcessStdoutLog", []any{"slow", 0, 1000}, s.hangs("logs")},
		{"supervisor.readLog", []any{-1000, 0}, s.hangs("logs")},
		{"reconcile.getFiles", nil, false},
		{"supervisor.tailProcessStdoutLog", []any{"sound", 0, 1000}, false},
	}
	var clients sync.WaitGroup
	for i := range 50 {
		ask := asks[i%len(asks)]
		clients.Go(func() {
			_, err := s.ClientWithin(time.Minute).Call(ask.method, ask.params...)
			if err != nil && !(ask.may && strings.HasSuffix(err.Error(), s.Dir+"/logs does not answer")) {
				s.t.Errorf("%s: %v", ask.method, err)
			}
		})
	}
	clients.Wait()
}

// whole sees that the log of a program that counts has every number.
func (s *onHungDisks) whole(what string, read func() string) {
	s.t.Helper()
	before := len(read())
	s.wait(what+" to grow", func() bool { return len(read()) > before })
	text := read()
	lines := strings.Split(text[:strings.LastIndexByte(text, '\n')], "\n")
	for i, line := range lines {
		if line != strconv.Itoa(i) {
			s.t.Errorf("line %d of %s is %q", i, what, line)
			return
		}
	}
}

// TestEndOnHungDisks: whatever disk hangs, SIGTERM ends the daemon when its
// children have had their time; so does a second one, no sooner.
func TestEndOnHungDisks(t *testing.T) {
	t.Parallel()
	for _, signals := range []int{1, 2} {
		t.Run(fmt.Sprintf("signals %d", signals), func(t *testing.T) {
			eachDisk(t, func(t *testing.T, hung []string) {
				s := startOnDisks(t, hung)
				s.hang()
				// Everything has met the disk when this is over.
				s.disks["include"].write("b.ini", sleeper("b", 1000))
				s.Write("sound/c.ini", sleeper("c", 1000, "startsecs=0"))
				s.until("c", "RUNNING")
				if err := syscall.Kill(s.pid("distant"), syscall.SIGKILL); err != nil {
					t.Error(err)
				}
				s.restarted("plain")

				pids := s.pids("first", "last")
				s.ends(signals, stages)
				for name, pid := range pids {
					if running(pid) {
						t.Errorf("%s lives on", name)
					}
				}
				s.answer()
			})
		})
	}
}

// running reports whether a process is there and has not ended.
func running(pid int) bool {
	if pid <= 0 {
		return false
	}
	_, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil
}

// TestStartOnHungDisks: a daemon that is started while a disk hangs ends when it is
// told to, at whatever moment of its start.
func TestStartOnHungDisks(t *testing.T) {
	eachDisk(t, func(t *testing.T, hung []string) {
		dir := t.TempDir()
		s := &onHungDisks{disks: mounted(t, dir), hung: hung}
		s.hang()
		for _, after := range []time.Duration{0, time.Second, 3 * time.Second, 6 * time.Second} {
			s.eventRun = &eventRun{oracle.BeginDaemon(t, oracle.Ours, dir, onDisks), t}
			t.Cleanup(s.answer) // before the daemon is stopped
			time.Sleep(after)   // which is the moment, not a wait for one
			if after > 0 {
				s.hearsSignals()
			}
			s.ends(1, 0)
		}
	})
}

// TestRunOnHungDisks: a daemon that is started while a disk hangs runs what it can,
// and the rest when the disk answers.
func TestRunOnHungDisks(t *testing.T) {
	eachDisk(t, func(t *testing.T, hung []string) {
		if slices.Contains(hung, "logs") {
			return // it has nowhere to say anything
		}
		dir := t.TempDir()
		s := &onHungDisks{disks: mounted(t, dir), hung: hung}
		s.hang()
		s.eventRun = &eventRun{oracle.BeginDaemon(t, oracle.Ours, dir, onDisks), t}
		t.Cleanup(s.answer)
		s.wait("an answer", func() bool { _, err := s.Call("supervisor.getState"); return err == nil })
		for _, name := range []string{"plain", "sound", "slow", "auto", "first", "last", "rec"} {
			s.until(name, "RUNNING")
		}
		s.wait("both to ignore TERM", func() bool { return exists(s.Dir, "first") && exists(s.Dir, "last") })
		s.answersAtOnce()
		s.answer()
		s.until("a", "RUNNING")
		s.until("distant", "RUNNING")
		s.hang()
		s.ends(1, stages)
	})
}

// hearsSignals sees that the main thread, to which the kernel gives a signal before it
// looks at any other, waits for no disk.
func (s *onHungDisks) hearsSignals() {
	s.t.Helper()
	s.wait("the main thread to be idle", func() bool {
		at, err := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", s.PID()))
		if err != nil {
			s.t.Fatal(err)
		}
		return strings.Contains(string(at), "futex")
	})
}

// TestLinkToHungDisk: a link in a directory of programs to a disk that hangs holds the
// file of that name alone, and leaves it out, with a warning, where nothing is known of it
// yet; all beside it goes on. It is read again when the disk answers.
func TestLinkToHungDisk(t *testing.T) {
	t.Parallel()
	if !mayMount(t) {
		return
	}
	ownMounts(t)
	dir := t.TempDir()
	d := newDisk(t, filepath.Join(dir, "disk"))
	defer d.answer()
	d.write("x.ini", sleeper("x", 1000))
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "conf.d"), 0o755), os.Symlink("../disk/x.ini", filepath.Join(dir, "conf.d", "x.ini"))); err != nil {
		t.Fatal(err)
	}
	const config = oracle.Prelude + `
[include]
files=conf.d/*.ini

[reconcile]
settle=100ms
rescan=1s
statedir={{.Dir}}/state

[program:plain]
command=/bin/sleep 1000
`
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, dir, config), t}
	t.Cleanup(d.answer) // before the daemon is stopped
	s.until("x", "RUNNING")
	x := s.pid("x")
	d.hang()
	s.Write("conf.d/a.ini", sleeper("a", 1000))
	s.until("a", "RUNNING")
	d.write("x.ini", sleeper("x", 2000))
	s.Write("conf.d/b.ini", sleeper("b", 1000))
	s.until("b", "RUNNING")
	if files := s.Ctl(oracle.Ours, "files").Stdout; strings.Count(files, "held") != 1 || !strings.Contains(files, "x.ini does not answer") {
		t.Errorf("files:\n%s", files)
	}
	if now := s.pid("x"); now != x {
		t.Errorf("x has pid %d, had %d", now, x)
	}
	d.answer()
	s.wait("x to be read", func() bool { now := s.pid("x"); return now != 0 && now != x })

	d.hang()
	s.Signal(syscall.SIGTERM)
	s.wait("the end", func() bool { return s.PID() == 0 })
	s = &eventRun{oracle.BeginDaemon(t, oracle.Ours, dir, config), t}
	t.Cleanup(d.answer)
	s.until("b", "RUNNING")
	if n := strings.Count(s.Log(), "Could not read included file \""+s.Dir+"/conf.d/x.ini\": "); n != 1 {
		t.Errorf("told %d times of x.ini:\n%s", n, s.Log())
	}
	d.answer()
	s.until("x", "RUNNING")
}

// ends sends so many signals and sees that the daemon ends in time.
func (s *onHungDisks) ends(signals int, atLeast time.Duration) {
	t := s.t
	t.Helper()
	begun := time.Now()
	s.Signal(syscall.SIGTERM)
	if signals == 2 {
		s.wait("the shutdown to begin", func() bool { return strings.Contains(s.Stdout(), "indicating exit request") })
		s.Signal(syscall.SIGTERM)
	}
	if !oracle.Eventually(oracle.Deadline, func() bool { return s.PID() == 0 }) {
		t.Fatalf("it lives on; output:\n%s", s.Stdout())
	}
	took := time.Since(begun)
	t.Logf("it took %v", took)
	limit := stages + beyond
	if signals == 2 {
		limit = stages + 2*time.Second // the disks are given up at once
	}
	switch output := s.Stdout(); {
	case took < atLeast:
		t.Errorf("it took %v: a child was not given its stopwaitsecs", took)
	case took > size(4*limit, limit):
		t.Errorf("it took %v, should take %v at most; output:\n%s", took, limit, output[max(0, len(output)-logShown):])
	}
}

// counting is a child that writes numbers, one a line, a hundred a second.
func counting([]string) int {
	for i := 0; ; i++ {
		if _, err := fmt.Println(i); err != nil {
			return 1
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func init() { roles["counting"] = counting }

// TestUserOnHungDisks: a daemon of root's that is to become another user while the disk of
// its state directory or of an include directory hangs says that it cannot, and ends,
// rather than wait deaf until the disk answers.
func TestUserOnHungDisks(t *testing.T) {
	t.Parallel()
	if !mayMount(t) {
		return
	}
	owner, _, _ := nobody(t)
	name, _, _ := strings.Cut(owner, ":")
	for _, hung := range []string{"state", "include"} {
		t.Run(hung, func(t *testing.T) {
			t.Parallel()
			ownMounts(t)
			dir := t.TempDir()
			d := newDisk(t, filepath.Join(dir, hung))
			d.hang()
			config := strings.Replace(oracle.Prelude, "[supervisord]", "[supervisord]\nuser="+name, 1) + `
[include]
files={{.Dir}}/include/*.ini

[reconcile]
statedir={{.Dir}}/state
`
			s := &eventRun{oracle.BeginDaemon(t, oracle.Ours, dir, config), t}
			t.Cleanup(d.answer) // before the daemon is stopped
			s.wait("the end", func() bool { return s.PID() == 0 })
			if want := "cannot become user " + name + ": a disk does not answer"; !strings.Contains(s.Stderr(), want) {
				t.Errorf("%q is missing in\n%s", want, s.Stderr())
			}
		})
	}
}
