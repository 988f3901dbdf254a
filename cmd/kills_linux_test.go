//go:build amd64 || arm64 || riscv64

package cmd

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// killedOften is a daemon with as many clerks as sleepers, and a listener.
const killedOften = killed + `
[program:clerk]
command=/usr/bin/perl {{.Dir}}/clerk {{.Dir}}/runs 1000
process_name=%%(process_num)d
numprocs=%[2]d
startsecs=0
stdout_logfile={{.Dir}}/%%(process_num)d.log
stdout_logfile_maxbytes=200KB
stdout_logfile_backups=1000
stderr_logfile=NONE

[program:sleeper]
command=/bin/sleep 100000
process_name=%%(process_num)d
numprocs=%[2]d
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE

[eventlistener:rec]
command={{.Self}} record {{.Dir}}/rec.events
events=PROCESS_STATE
buffer_size=10000
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
`

// TestKills kills a daemon at random moments, those of its start among them, while clients
// ask, one follows a log and half of its programs write, and starts it again: no slot ever
// has two processes, each has one in the end, and nobody else is signalled, not even who
// has the number of a process that ended while no daemon was there. Of a log is lost what
// a kill must cost: see ledger.audit. KILLS=200 kills so often, with 300 programs;
// RECONCILE_SEED repeats what is up to chance.
func TestKills(t *testing.T) {
	t.Parallel()
	if !installed(t, "perl") {
		return
	}
	kills, programs := 10, 20
	if n, err := strconv.Atoi(os.Getenv("KILLS")); err == nil {
		kills, programs = n, 300
	}
	for _, mode := range []string{"stop", "adopt"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			k := startKilled(t, mode, programs)
			for range kills / 2 {
				k.kill()
			}
			k.settled()
			k.end()
		})
	}
}

// killsRun is a daemon that is killed.
type killsRun struct {
	*oracle.Daemon
	t      testing.TB
	r      *rand.Rand
	ledger *ledger
	others *strangers
	want   []string // its slots
	count  int      // of kills
	told   int      // of those that were not waited for
	over   func()   // ends what goes on beside it
}

func startKilled(t testing.TB, mode string, programs int) *killsRun {
	t.Helper()
	dir := t.TempDir()
	k := &killsRun{t: t, r: seeded(t), ledger: newLedger(t, dir), others: newStrangers(t, dir)}
	config := strings.Replace(fmt.Sprintf(killedOften, mode, programs/2), "[supervisord]", "[supervisord]\nminfds=5000", 1)
	k.Daemon = oracle.StartDaemon(t, oracle.Ours, dir, config)
	for i := range programs / 2 {
		k.want = append(k.want, fmt.Sprintf("clerk:%d", i), fmt.Sprintf("sleeper:%d", i))
	}
	k.want = append(k.want, "rec:rec")
	slices.Sort(k.want)

	done := make(chan struct{})
	var beside sync.WaitGroup
	var looks int
	var doubles []string
	beside.Go(func() { looks, doubles = watchSlots(k.Daemon, done) })
	for range 4 {
		beside.Go(func() { // a client that asks all the time, whether there is a daemon or not
			for c, again := k.KeptClient(), time.NewTicker(50*time.Millisecond); ; {
				select {
				case <-done:
					again.Stop()
					return
				case <-again.C:
					c.Call("supervisor.getAllProcessInfo")
				}
			}
		})
	}
	followed := int64(0)
	beside.Go(func() { followed = followLog(k.Daemon, "clerk:0", done) })
	k.over = sync.OnceFunc(func() {
		close(done)
		beside.Wait()
		t.Logf("%d looks at all processes, %d bytes of a log followed", looks, followed)
		if followed == 0 {
			t.Error("whoever follows a log reads nothing")
		}
		if len(doubles) > 0 {
			t.Errorf("two processes at once: %s", strings.Join(doubles, "; "))
		}
	})
	t.Cleanup(k.over) // before the daemon is stopped
	for range 3 {
		k.others.appear(0, "SUPERVISOR_GROUP_NAME=clerk", "SUPERVISOR_PROCESS_NAME=0")
	}
	k.settled()
	return k
}

// followLog follows the log of a process until done, of one daemon after the other, and
// returns how much it has read.
func followLog(d *oracle.Daemon, name string, done <-chan struct{}) (read int64) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // ends when it should
		<-done
		cancel()
	}()
	client := d.HTTPClient()
	client.Timeout = 0
	for again := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; <-again.C {
		req, err := http.NewRequestWithContext(ctx, "GET", "http://daemon/logtail/"+name, nil)
		if err != nil {
			panic(err) // the URL is ours
		}
		if resp, err := client.Do(req); err == nil {
			n, _ := io.Copy(io.Discard, resp.Body) // until the daemon is killed
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				read += n
			}
		}
	}
	return read
}

// kill kills the daemon, and starts it again.
func (k *killsRun) kill() {
	k.t.Helper()
	time.Sleep(time.Duration(k.r.Int64N(int64(time.Second)))) // which is the moment, not a wait for one
	k.count++
	k.Kill()
	left := slots(k.Daemon)
	k.ledger.orphaned(left)
	if k.count%5 == 0 && len(left) > 0 { // another process has the number of one of them
		at := slices.Sorted(maps.Keys(left))[k.r.IntN(len(left))]
		k.others.takeOver(left[at][0])
	}
	k.BeginAgain()
	if k.r.IntN(3) == 0 {
		k.told++
		return
	}
	k.Answers()
	k.settled()
}

// settled waits until each slot has a process that the daemon knows.
func (k *killsRun) settled() {
	k.t.Helper()
	var wrong []string
	if !oracle.Eventually(oracle.Deadline, func() bool {
		wrong = k.wrong()
		return len(wrong) == 0
	}) {
		log := k.Log()
		k.t.Fatalf("after %d kills: %s\nend of the log:\n%s", k.count, strings.Join(wrong, "; "), log[max(0, len(log)-logShown):])
	}
}

func (k *killsRun) wrong() (list []string) {
	all, err := k.Call("supervisor.getAllProcessInfo")
	if err != nil {
		return []string{err.Error()}
	}
	pids := make(map[string]int)
	for _, info := range all.([]any) {
		info := info.(map[string]any)
		if info["statename"] == "RUNNING" {
			pids[fmt.Sprintf("%s:%s", info["group"], info["name"])] = info["pid"].(int)
		}
	}
	runs := slots(k.Daemon)
	for _, at := range k.want {
		if len(runs[at]) != 1 || runs[at][0] != pids[at] {
			list = append(list, fmt.Sprintf("%s runs as %v, the daemon says %d", at, runs[at], pids[at]))
		}
	}
	for _, at := range slices.Sorted(maps.Keys(runs)) {
		if !slices.Contains(k.want, at) {
			list = append(list, fmt.Sprintf("%s runs as %v", at, runs[at]))
		}
	}
	return list
}

// end stops the daemon and looks at what is left.
func (k *killsRun) end() {
	k.t.Helper()
	k.over()
	k.Stop()
	lines := 0
	for i := range (len(k.want) - 1) / 2 {
		n, wrong := k.ledger.audit(k.t, strconv.Itoa(i), filepath.Join(k.Dir, fmt.Sprintf("%d.log*", i)), rule{})
		lines += n
		for _, w := range wrong {
			k.t.Errorf("clerk %d: %s", i, w)
		}
	}
	k.others.unharmed()
	events := parseRecord(k.t, k.Read("rec.events"))
	for i := range events[1:] {
		was, err1 := strconv.Atoi(events[i].poolSerial)
		is, err2 := strconv.Atoi(events[i+1].poolSerial)
		if err1 != nil || err2 != nil || is != was+1 && is != 0 {
			k.t.Errorf("event %s of the listener is followed by %s", events[i].poolSerial, events[i+1].poolSerial)
		}
	}
	k.t.Logf("%d kills, %d of them before the daemon was waited for, %d lines, %d events, %d strangers", k.count, k.told, lines, len(events), len(k.others.all))
}

// stranger is a program that is nobody's business: it notes every signal that it can
// get until its standard input ends. With a number as $ARGV[1] it is the process, and
// the process group, of that number, which must be free.
const stranger = `#!/usr/bin/perl
my ($notes, $pid) = @ARGV;
if ($pid) {
	my $number = pack('l', $pid);
	my $args = pack('Q4 Q4 P Q Q', 0, 0, 0, 0, 17, 0, 0, 0, $number, 1, 0); # struct clone_args; 17 is SIGCHLD
	my $child = syscall(435, $args, 88); # clone3
	die "clone3: $!" if $child < 0;
	if ($child) { waitpid($child, 0); exit }
}
setpgrp(0, 0);
open(my $out, '>>', $notes) or die $!;
for my $sig (qw(HUP INT QUIT TERM USR1 USR2 ALRM PIPE CONT TSTP ABRT WINCH IO)) {
	$SIG{$sig} = sub { syswrite($out, "$sig\n") };
}
syswrite($out, "here\n");
until (defined(sysread(STDIN, my $byte, 1))) {}
syswrite($out, "gone\n");
`

// strangers are such processes.
type strangers struct {
	t   testing.TB
	dir string
	all []hostage
}

type hostage struct {
	cmd   *exec.Cmd
	stdin io.Closer
	notes string
}

func newStrangers(t testing.TB, dir string) *strangers {
	t.Helper()
	writeFiles(t, dir, map[string]string{"stranger": stranger})
	return &strangers{t: t, dir: dir}
}

// appear starts one, as the process of that number unless it is 0. It reports whether
// that could be had.
func (s *strangers) appear(pid int, environ ...string) bool {
	s.t.Helper()
	h := hostage{notes: filepath.Join(s.dir, fmt.Sprintf("stranger.%d.%d", pid, len(s.all)))}
	h.cmd = exec.Command("/usr/bin/perl", filepath.Join(s.dir, "stranger"), h.notes, strconv.Itoa(pid))
	h.cmd.Env = append(os.Environ(), environ...)
	var err error
	if h.stdin, err = h.cmd.StdinPipe(); err != nil {
		s.t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { h.cmd.Wait(); close(ended) }()
	s.t.Cleanup(func() { h.stdin.Close(); <-ended })
	notes := func() string { text, _ := os.ReadFile(h.notes); return string(text) }
	oracle.WaitFor(s.t, "a stranger", func() bool {
		select {
		case <-ended:
			return true
		default:
			return notes() != ""
		}
	})
	if notes() == "" {
		return false // the number is taken, or the kernel gives none
	}
	s.all = append(s.all, h)
	return true
}

// takeOver kills a process that has no daemon, and has a stranger take its number.
func (s *strangers) takeOver(pid int) {
	s.t.Helper()
	p, err := os.FindProcess(pid)
	if err != nil || p.Kill() != nil {
		s.t.Logf("process %d has ended", pid)
		return
	}
	if !oracle.Eventually(10*time.Second, func() bool { _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); return err != nil }) {
		s.t.Logf("nobody reaps process %d", pid)
		return
	}
	if !s.appear(pid) {
		s.t.Logf("no stranger has become process %d", pid)
	}
}

// unharmed ends them all, and sees that nobody else has done that or signalled one.
func (s *strangers) unharmed() {
	s.t.Helper()
	for _, h := range s.all {
		h.stdin.Close()
		if !oracle.Eventually(oracle.Deadline/4, func() bool { text, _ := os.ReadFile(h.notes); return string(text) == "here\ngone\n" }) {
			text, _ := os.ReadFile(h.notes)
			s.t.Errorf("%s was signalled: %q", filepath.Base(h.notes), text)
		}
	}
}
