package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
	"supervisord/runtime/needs"
)

func init() { roles["count"] = count }

// count is a child that writes numbers, a line each, after so many milliseconds each.
func count(args []string) int {
	pause, err := strconv.Atoi(args[0])
	if err != nil {
		return 2
	}
	n := 0
	for range time.Tick(time.Duration(pause) * time.Millisecond) {
		if _, err := fmt.Println(n); err != nil {
			return 1
		}
		n++
	}
	return 0
}

// TestUpgrade executes the daemon anew again and again, while programs write, one crashes,
// a listener records, clients poll and one follows a log. No process changes, no line and
// no event is lost or doubled, and no client sees an error. UPGRADES and UPGRADED say how many
// times, and with how many programs.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	upgrades, programs := 5, 8
	if n, err := strconv.Atoi(os.Getenv("UPGRADES")); err == nil {
		upgrades = n
	}
	if n, err := strconv.Atoi(os.Getenv("UPGRADED")); err == nil {
		programs = n
	}
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+fmt.Sprintf(`
[program:count]
command={{.Self}} count %d
numprocs=%d
process_name=%%(process_num)d
startsecs=0
stdout_logfile={{.Dir}}/count.%%(process_num)d
stdout_logfile_maxbytes=0
[program:quiet]
command=/bin/sleep 1000
numprocs=%d
process_name=%%(process_num)d
startsecs=0
[program:crash]
command=/bin/false
startretries=1000000
startsecs=0
autorestart=true
[eventlistener:l]
command={{.Self}} record {{.Dir}}/l.events
buffer_size=100000
events=EVENT
`, max(5, programs/2), (programs+1)/2, programs/2)), t}
	s.until("l", "RUNNING")
	s.until("count:0", "RUNNING")
	s.seen("l", "SUPERVISOR_STATE_CHANGE_RUNNING", 1)
	s.wait("every process", func() bool { return !slices.Contains(s.pids(), 0) })
	before, files := s.pids(), len(descriptors(t, s.PID()))

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var clients sync.WaitGroup
	asked := make([]int, 2)
	for i, client := range []oracle.Client{s.KeptClient(), s.Client()} {
		clients.Go(func() {
			for ctx.Err() == nil {
				if err := client.Poll("supervisor.getAllProcessInfo"); err != nil {
					t.Errorf("client %d: %v", i, err)
					return
				}
				asked[i]++
			}
		})
	}
	clients.Go(func() { s.followCount(ctx) })

	for i := range upgrades {
		if out := s.Ctl(oracle.Ours, "upgrade"); out.Exit != 0 || !strings.Contains(out.Stdout, "upgraded supervisord (pid ") {
			t.Fatalf("upgrade %d: %v", i, out)
		}
		if now := s.pids(); !slices.Equal(now, before) {
			t.Fatalf("upgrade %d: the processes were %v and are %v", i, before, now)
		}
	}
	second := oracle.Exec(t, oracle.Ours, "supervisord", s.Dir, "-n", "-c", s.Dir+"/supervisord.conf")
	if want := fmt.Sprintf("another supervisord with the same configuration is running as pid %d", s.PID()); second.Exit != 2 || !strings.Contains(second.Stderr, want) {
		t.Errorf("a second daemon is not refused by the lock: %v", second)
	}
	written := len(countedIn(s.Read("count.0")))
	s.wait("more lines", func() bool { return len(countedIn(s.Read("count.0"))) > written+10 })
	stop()
	clients.Wait()
	if out := s.Ctl(oracle.Ours, "stop", "crash", "count:*"); out.Exit != 0 {
		t.Error(out)
	}
	for i := range (programs + 1) / 2 {
		contiguous(t, fmt.Sprintf("log %d", i), countedIn(s.Read(fmt.Sprintf("count.%d", i))), 0)
	}
	s.seen("l", "PROCESS_STATE_STOPPED", (programs+1)/2)
	var serials []int
	for _, e := range s.events("l") {
		n, err := strconv.Atoi(e.poolSerial)
		if err != nil {
			t.Fatal(err)
		}
		serials = append(serials, n)
	}
	contiguous(t, "events", serials, 0)
	if now := len(descriptors(t, s.PID())); now > files+4 { // connections come and go
		t.Errorf("%d descriptors have become %d", files, now)
	}
	log := s.Log()
	if strings.Contains(log, "overflowed") {
		t.Error("the listener lost events")
	}
	t.Logf("%d upgrades; asked %v times; supervision paused for %s", upgrades, asked, pauses(log))
}

// pids are those of all processes that stay, and of the daemon.
func (s *eventRun) pids() []int {
	s.t.Helper()
	all, err := s.Call("supervisor.getAllProcessInfo")
	if err != nil {
		s.t.Fatal(err)
	}
	pids := []int{s.PID()}
	for _, v := range all.([]any) {
		if p := v.(map[string]any); p["name"] != "crash" {
			pids = append(pids, p["pid"].(int))
		}
	}
	return pids
}

// followCount reads the log of one program as it grows.
func (s *eventRun) followCount(ctx context.Context) {
	req, err := http.NewRequestWithContext(ctx, "GET", "http://daemon/logtail/count:0", nil)
	if err != nil {
		s.t.Error(err)
		return
	}
	client := s.HTTPClient()
	client.Timeout = 0
	resp, err := client.Do(req)
	if err != nil {
		s.t.Error(err)
		return
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Scan() // perhaps not whole
	next := -1
	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		if err != nil || next >= 0 && n != next {
			s.t.Errorf("whoever follows the log reads %q where %d comes next", lines.Text(), next)
			return
		}
		next = n + 1
	}
	if ctx.Err() == nil {
		s.t.Errorf("the log that is followed ends: %v", lines.Err())
	}
}

// countedIn are the numbers of whole lines.
func countedIn(text string) []int {
	var all []int
	for line := range strings.Lines(text) {
		if strings.HasSuffix(line, "\n") {
			n, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				n = -1
			}
			all = append(all, n)
		}
	}
	return all
}

// contiguous fails the test unless the numbers are first and those that follow it.
func contiguous(t testing.TB, what string, numbers []int, first int) {
	t.Helper()
	if len(numbers) == 0 {
		t.Errorf("%s: there are none", what)
	}
	for i, n := range numbers {
		if n != first+i {
			t.Errorf("%s: %d stands where %d belongs", what, n, first+i)
			return
		}
	}
}

var pausedFor = regexp.MustCompile(`supervision paused for (\S+)`)

// pauses are the shortest, median, 99th percentile and longest of those in the log.
func pauses(log string) string {
	var all []time.Duration
	for _, m := range pausedFor.FindAllStringSubmatch(log, -1) {
		if d, err := time.ParseDuration(m[1]); err == nil {
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return "nothing"
	}
	slices.Sort(all)
	return fmt.Sprintf("min %v, p50 %v, p99 %v, max %v", all[0], all[len(all)/2], all[len(all)*99/100], all[len(all)-1])
}

// TestUpgradeOfAnotherUser executes a daemon anew that root has started and that has become
// another user: it stays that user, and loses nothing.
func TestUpgradeOfAnotherUser(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	owner, uid, _ := nobody(t)
	name, _, _ := strings.Cut(owner, ":")
	dir, bin := t.TempDir(), t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o777), os.Chmod(bin, 0o755))
	program := filepath.Join(bin, "supervisord") // that user need not reach where the tests have theirs
	content, err := os.ReadFile(oracle.Command(t, oracle.Ours, "supervisord"))
	must(t, err, os.WriteFile(program, content, 0o755))
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, dir, strings.Replace(oracle.Prelude, "[supervisord]", "[supervisord]\nuser="+name, 1)+`
[program:count]
command=/bin/sh -c 'n=0; while echo $n; do n=$((n+1)); sleep 0.01; done'
startsecs=0
stdout_logfile={{.Dir}}/count.0
stdout_logfile_maxbytes=0
`), t}
	s.until("count", "RUNNING")
	before := s.pids()
	for range 3 {
		if out := s.Ctl(oracle.Ours, "upgrade", "--binary", program); out.Exit != 0 {
			t.Fatal(out)
		}
		if now := s.pids(); !slices.Equal(now, before) {
			t.Fatalf("the processes were %v and are %v", before, now)
		}
	}
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", s.PID())); err != nil || exe != program {
		t.Errorf("it executes %s: %v", exe, err)
	}
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID())); err != nil || !strings.Contains(string(status), fmt.Sprintf("\nUid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", uid)) {
		t.Errorf("the daemon is %s, %v", status, err)
	}
	written := len(countedIn(s.Read("count.0")))
	s.wait("more lines", func() bool { return len(countedIn(s.Read("count.0"))) > written+10 })
	s.call("stopProcess", "count")
	contiguous(t, "log", countedIn(s.Read("count.0")), 0)
}

// TestUpgradeIsNoZombie: to whoever looks at the process while it executes another program it
// is never one that has ended. crun refuses to send a signal to such a one, and monitors
// raise an alarm.
func TestUpgradeIsNoZombie(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+counts), t}
	s.until("count", "RUNNING")
	stat := fmt.Sprintf("/proc/%d/stat", s.PID())
	done, looks := make(chan struct{}), 0
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			text, err := os.ReadFile(stat)
			_, state, _ := strings.Cut(string(text), ") ")
			if err != nil || strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X") {
				t.Errorf("after %d looks it is %.1s, %v", looks, state, err)
				return
			}
			looks++
		}
	})
	for range 5 {
		if out := s.Ctl(oracle.Ours, "upgrade"); out.Exit != 0 {
			t.Error(out)
		}
	}
	close(done)
	watching.Wait()
	t.Logf("%d looks", looks)
}

// counts is a program that counts into a log which never rotates.
const counts = `
[program:count]
command={{.Self}} count 5
startsecs=0
stdout_logfile={{.Dir}}/count.0
stdout_logfile_maxbytes=0
`

// TestUpgradeIsNotDone: what cannot go on in the daemon's place is refused before anything is
// done, and where it cannot be executed after all everything goes on as it was.
func TestUpgradeIsNotDone(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+counts+`[program:down]
command=/bin/sleep 1000
autostart=false
`), t}
	s.until("count", "RUNNING")
	before := s.pids()
	ours := oracle.Command(t, oracle.Ours, "supervisord")
	script := func(name, text string, mode os.FileMode) {
		t.Helper()
		s.Write(name, "#!/bin/sh\n"+text+"\n")
		if err := os.Chmod(s.Dir+"/"+name, mode); err != nil {
			t.Fatal(err)
		}
	}
	script("silent", "exit 0", 0o755)
	script("another", `echo '{}'`, 0o755)
	script("older", `echo '{"upgrade":1,"build":"x","error":"invalid character"}'`, 0o755)
	script("cannot", `echo '{"upgrade":2,"build":"x","error":"no such key"}'`, 0o755)
	script("open", "exec "+ours+` "$@"`, 0o777)
	script("plain", "exec "+ours+` "$@"`, 0o644)
	script("gone", "chmod 644 $0\nexec "+ours+` "$@"`, 0o755)
	for name, want := range map[string]string{
		"nowhere": "no such file or directory",
		"silent":  "is not a supervisord that can replace this one",
		"another": "is not a supervisord that can replace this one",
		"older":   "(build x) cannot replace this one: it is older, and does not understand what this one would leave to it",
		"cannot":  "(build x) cannot replace this one: no such key",
		"open":    "is not executed, since other users could change it: the file",
		"plain":   "is not a program",
		"gone":    "upgrade abandoned, nothing was stopped: exec",
	} {
		out := s.Ctl(oracle.Ours, "upgrade", "--binary", s.Dir+"/"+name)
		if out.Exit != 1 || !strings.HasPrefix(out.Stdout, "ERROR: ") || !strings.Contains(out.Stdout, want) {
			t.Errorf("%s: %v", name, out)
		}
		if log := s.Log(); !strings.Contains(log, want) {
			t.Errorf("%s: the log does not say %q:\n%s", name, want, log[max(0, len(log)-logShown):])
		}
		if now := s.pids(); !slices.Equal(now, before) {
			t.Fatalf("%s: the processes were %v and are %v", name, before, now)
		}
		if out := s.Ctl(oracle.Ours, "start", "down"); out.Exit != 0 {
			t.Errorf("%s: %v", name, out)
		}
		if out := s.Ctl(oracle.Ours, "stop", "down"); out.Exit != 0 {
			t.Errorf("%s: %v", name, out)
		}
	}
	for range 6 { // nobody is told of the one before
		must(t, os.Chmod(s.Dir+"/gone", 0o755))
		if out := s.Ctl(oracle.Ours, "upgrade", "--binary", s.Dir+"/gone"); out.Exit != 1 {
			t.Errorf("a program that is gone: %v", out)
		}
		if out := s.Ctl(oracle.Ours, "upgrade"); out.Exit != 0 {
			t.Errorf("after one that was gone: %v", out)
		}
	}
	// The log that is open works; the new program would have to open it again.
	must(t, os.Rename(s.Dir+"/supervisord.log", s.Dir+"/elsewhere"), os.Mkdir(s.Dir+"/supervisord.log", 0o755))
	if out := s.Ctl(oracle.Ours, "upgrade"); out.Exit != 1 || !strings.Contains(out.Stdout, "cannot open logfile") {
		t.Errorf("without a log: %v", out)
	}
	must(t, os.Remove(s.Dir+"/supervisord.log"), os.Rename(s.Dir+"/elsewhere", s.Dir+"/supervisord.log"))
	s.Write("supervisord.conf", "[supervisord") // the new program would not know what to do
	var fault *oracle.Fault
	if _, err := s.Call("reconcile.reexec"); !errors.As(err, &fault) || fault.Code != 30 || !strings.Contains(fault.Text, "supervisord.conf:1") {
		t.Errorf("with a broken main file: %v", err)
	}
	s.call("stopProcess", "count")
	contiguous(t, "log", countedIn(s.Read("count.0")), 0)
}

// TestUpgradeToWhatIsBroken: a program that is cut short, that hangs when it is tried or
// that fails is refused with the reason, what runs stays, and a sound one is still taken.
func TestUpgradeToWhatIsBroken(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+counts), t}
	s.until("count", "RUNNING")
	before := s.pids()
	ours := oracle.Command(t, oracle.Ours, "supervisord")
	content, err := os.ReadFile(ours)
	must(t, err)
	s.Write("half", string(content[:len(content)/2])) // by Write, so that no child of another test has it open
	s.Write("start", string(content[:100]))
	must(t, os.Chmod(s.Dir+"/half", 0o755), os.Chmod(s.Dir+"/start", 0o755))
	s.Write("hangs", "#!/bin/sh\nexec sleep 1000\n")
	s.Write("fails", "#!/bin/sh\necho 'it lacks a library' >&2\necho 'and more' >&2\nexit 1\n")
	s.Write("halts", "#!/bin/sh\nkill -KILL $$\n")
	for name, want := range map[string]string{
		"half":  " cannot be run: ",
		"start": " cannot be run: ",
		"hangs": " has not answered within ",
		"fails": ` is not a supervisord that can replace this one: exit status 1: "it lacks a library"`,
		"halts": "terminated by SIGKILL",
	} {
		out := s.Ctl(oracle.Ours, "upgrade", "--binary", s.Dir+"/"+name)
		if out.Exit != 1 || !strings.HasPrefix(out.Stdout, "ERROR: ") || !strings.Contains(out.Stdout, s.Dir+"/"+name) || !strings.Contains(out.Stdout, want) {
			t.Errorf("%s: %v", name, out)
		}
		if now := s.pids(); !slices.Equal(now, before) {
			t.Fatalf("%s: the processes were %v and are %v", name, before, now)
		}
	}
	if out := s.Ctl(oracle.Ours, "upgrade", "--binary", ours); out.Exit != 0 {
		t.Error(out)
	}
	if now := s.pids(); !slices.Equal(now, before) {
		t.Fatalf("the processes were %v and are %v", before, now)
	}
	s.call("stopProcess", "count")
	contiguous(t, "log", countedIn(s.Read("count.0")), 0)
}
