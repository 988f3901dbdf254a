//go:build amd64 || arm64 || riscv64

package cmd

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// soaked is a daemon with programs beside those of the model: clerks, whose logs are
// kept or cut, on a small disk or on one that can hang, a program that crashes all
// the time, and two listeners, one of which is hung now and then.
const soaked = `[unix_http_server]
file={{.Sock}}

[supervisord]
logfile={{.Dir}}/supervisord.log
pidfile={{.Dir}}/supervisord.pid
childlogdir={{.Dir}}
minfds=4096
survivors=%s

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{{.Sock}}

[include]
files=conf.d/*.ini extra/*.ini far/*.ini

[reconcile]
statedir={{.Dir}}/state
settle=500ms
settle_removals=100ms
rescan=1s
max_removals=100%%

[program:crashing]
command=/bin/sh -c "sleep 3; kill -9 $$"
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE

[eventlistener:rec]
command={{.Self}} record {{.Dir}}/rec.events
events=PROCESS_STATE
buffer_size=10000
startsecs=0
stopwaitsecs=2
stdout_logfile=NONE
stderr_logfile=NONE

[eventlistener:hung]
command={{.Self}} record {{.Dir}}/hung.events
events=PROCESS_STATE,TICK_5
startsecs=0
stopwaitsecs=2
stdout_logfile=NONE
stderr_logfile=NONE
`

// soakedClerk is a clerk, its name, the directory of its log and its maxbytes and backups.
const soakedClerk = `
[program:%[1]s]
command=/usr/bin/perl {{.Dir}}/clerk {{.Dir}}/runs 400
startsecs=0
stopwaitsecs=5
stdout_logfile={{.Dir}}/%[2]s/%[1]s.log
stdout_logfile_maxbytes=%[3]s
stderr_logfile=NONE
`

// clerks are those of a soak.
var clerks = []struct {
	name, dir, maxbytes string
	rule                rule
}{
	{"plain", "clerks", "0", rule{}},
	{"moved", "clerks", "0", rule{}},
	{"rotated", "clerks", "50KB\nstdout_logfile_backups=100000", rule{}},
	{"cut", "clerks", "20KB\nstdout_logfile_backups=2", rule{cut: true}},
	{"small", "small", "100KB\nstdout_logfile_backups=2", rule{cut: true, dropped: true}},
	{"stuck", "stuck", "0", rule{}},
}

// smallDisk is the size of the disk that is full now and then.
const smallDisk = 1 << 20

// moves are what may happen in a soak. How often one comes is up to its weight. Each
// says what it did, "" for nothing.
var moves = []struct {
	weight int
	do     func(*soak) string
}{
	{8, (*soak).edits},
	{3, (*soak).crashOfAClerk},
	{2, (*soak).stopByHand},
	{2, (*soak).moveWithUSR2},
	{2, (*soak).moveAlone},
	{2, (*soak).fullDisk},
	{2, (*soak).stuckLog},
	{2, (*soak).storm},
	{2, (*soak).hungListener},
	{2, (*soak).stepOfTheClock},
	{3, (*soak).upgrade},
	{3, (*soak).kill},
	{1, (*soak).abort},
	{1, (*soak).hangUp},
	{2, (*soak).end},
}

// TestSoak has all happen to a daemon that can happen to one: what TestModel does to its
// files, and the moves above, some at a time. Then it puts the machine right, and sees
// that the daemon puts itself right: files equal processes, each slot has one, the log
// of each clerk has each line once, and the daemon has not grown. All the time no slot
// has two processes, the daemon answers, and SIGTERM ends it.
//
// SOAK sets how long it goes on, as 3m, and is longer where that did not bring five upgrades
// and ten kills; RECONCILE_SEED has the same moves made again. A failure is told with all
// moves so far.
func TestSoak(t *testing.T) {
	t.Parallel()
	if !mayMount(t) || !installed(t, "perl") {
		return
	}
	s, length := startSoak(t), lasting(t, "SOAK", 6*time.Second)
	for begun := time.Now(); time.Since(begun) < length; {
		s.round(nil)
	}
	if length >= 3*time.Minute {
		for s.count["upgrade"] < 5 {
			s.round((*soak).upgrade)
		}
		for s.count["kill"] < 10 {
			s.round((*soak).kill)
		}
	}
	s.finish()
}

// soak is a daemon in a soak, and what happens to it.
type soak struct {
	*modelRun
	adopts bool // survivors=adopt
	ledger *ledger
	rules  map[string]rule // of the log of each clerk
	stuck  *disk
	begun  time.Time
	count  map[string]int // of moves, by their first word

	over func() // ends what goes on beside it

	// of one round:
	renewed bool           // no process of the model need have its pid
	full    bool           // the small disk is
	hangs   bool           // the disk of the stuck log does
	storms  sync.WaitGroup // of clients
	stopped []int          // listeners that stand still
	starts  []*start       // that wait for a disk

	mu       sync.Mutex
	down     bool // the daemon is not there, or begins or ends
	answers  []time.Duration
	refusals []string // of a daemon that is there
}

// start is one that was asked for while the disk of its log hangs: it is answered once the disk
// answers, as with the original no process begins without its log.
type start struct {
	answer  chan error
	excused bool // it need not come to be: the daemon went, or it was asked to stop
}

func startSoak(t *testing.T) *soak {
	t.Helper()
	dir := t.TempDir()
	m, files := newModel(t, dir, 60)
	s := &soak{modelRun: m, adopts: m.r.IntN(2) == 0, count: make(map[string]int)}
	s.ledger = newLedger(t, dir)
	mode := "stop"
	if s.adopts {
		mode = "adopt"
	}
	t.Logf("survivors=%s", mode)
	config := fmt.Sprintf(soaked, mode)
	s.rules = make(map[string]rule)
	m.besides = []string{"crashing", "rec", "hung"}
	for _, c := range clerks {
		config += fmt.Sprintf(soakedClerk, c.name, c.dir, c.maxbytes)
		m.besides, s.rules[c.name] = append(m.besides, c.name), c.rule
	}
	files["clerks/.keep"], files["small/.keep"] = "", ""
	writeFiles(t, dir, files)

	ownMounts(t)
	m.far, s.stuck = newDisk(t, filepath.Join(dir, "far")), newDisk(t, filepath.Join(dir, "stuck"))
	small := filepath.Join(dir, "small")
	if err := syscall.Mount("none", small, "tmpfs", 0, fmt.Sprintf("size=%d", smallDisk)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(small, syscall.MNT_DETACH) })
	m.fixture = &fixture{t, oracle.StartIn(t, oracle.Ours, dir, config,
		oracle.Surroundings{Through: []string{"/usr/bin/env", "GOTRACEBACK=all"}})} // so that a crash shows all goroutines
	t.Cleanup(s.answer) // before the daemon is stopped
	s.begun = time.Now()
	s.beside()
	s.settled("the start")
	return s
}

// answer has all disks answer.
func (s *soak) answer() {
	s.far.answer()
	s.stuck.answer()
}

// beside begins what goes on all the time.
func (s *soak) beside() {
	s.t.Helper()
	done := make(chan struct{})
	var both sync.WaitGroup
	var looks int
	var doubles []string
	both.Go(func() { looks, doubles = watchSlots(s.Daemon, done) })
	both.Go(func() {
		for client, again := s.ClientWithin(oracle.Deadline), time.NewTicker(200*time.Millisecond); ; {
			select {
			case <-done:
				again.Stop()
				return
			case <-again.C:
			}
			s.mu.Lock()
			away := s.down
			s.mu.Unlock()
			asked := time.Now()
			_, err := client.Call("supervisor.getAllProcessInfo")
			s.mu.Lock()
			switch {
			case away || s.down:
			case err != nil:
				s.refusals = append(s.refusals, err.Error())
			default:
				s.answers = append(s.answers, time.Since(asked))
			}
			s.mu.Unlock()
		}
	})
	s.over = sync.OnceFunc(func() {
		close(done)
		both.Wait()
		s.t.Logf("%d looks at all processes", looks)
		for _, double := range doubles {
			s.t.Errorf("two processes at once: %s", double)
		}
	})
	s.t.Cleanup(s.over)
}

// note writes to the transcript.
func (s *soak) note(what string) {
	s.t.Logf("%6.1fs %s", time.Since(s.begun).Seconds(), what)
}

// round makes some moves, and then one that is wanted, puts the machine right and waits
// until all has settled.
func (s *soak) round(wanted func(*soak) string) {
	s.t.Helper()
	before := s.processes()
	s.renewed = false
	s.begin(s.number + 1)
	total := 0
	for _, m := range moves {
		total += m.weight
	}
	edited := false
	var did []string
	do := func(move func(*soak) string) {
		if what := move(s); what != "" {
			s.note(what)
			did = append(did, what)
			word, _, _ := strings.Cut(what, ":")
			s.count[word]++
		}
	}
	for range 1 + s.r.IntN(5) {
		n, i := s.r.IntN(total), 0
		for ; n >= moves[i].weight; i++ {
			n -= moves[i].weight
		}
		if i == 0 && edited {
			continue // the model knows of one batch at a time
		}
		edited = edited || i == 0
		do(moves[i].do)
	}
	if wanted != nil {
		do(wanted)
	}
	s.restore()
	what := strings.Join(did, "; ")
	after := s.settled(what)
	for key, was := range before {
		now, ok := after[key]
		if ok && !s.renewed && !s.fresh[programOf(key)] && was.pid != now.pid {
			s.t.Errorf("%s: %s had pid %d and has %d", what, key, was.pid, now.pid)
		}
	}
	if s.t.Failed() {
		s.failed(what)
	}
	if s.r.IntN(10) == 0 {
		s.forget()
	}
}

func (s *soak) failed(what string) {
	log := wholeLog(s.t, s.Dir)
	s.t.Fatalf("after %s; end of the log:\n%s", what, log[max(0, len(log)-16<<10):])
}

// restore puts the machine right.
func (s *soak) restore() {
	s.t.Helper()
	s.answer()
	s.hangs = false
	if s.full {
		s.full = false
		if err := os.Remove(filepath.Join(s.Dir, "small", "ballast")); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, pid := range s.stopped {
		syscall.Kill(pid, syscall.SIGCONT)
	}
	s.stopped = nil
	for _, asked := range s.starts {
		if err := <-asked.answer; err != nil && !asked.excused && !strings.Contains(err.Error(), "ask again") { // by an upgrade that was refused
			s.t.Errorf("a start that waited for a disk: %v", err)
		}
	}
	s.starts = nil
	s.storms.Wait()
}

// settled waits until all is as the model says and the ledger, and sees what the daemon
// has become.
func (s *soak) settled(what string) map[string]seen {
	s.t.Helper()
	processes := s.agrees(what)
	var wrong []string
	lines := 0
	if !oracle.Eventually(oracle.Deadline, func() bool {
		wrong = s.oneEach()
		lines = 0
		for _, c := range clerks {
			n, list := s.ledger.audit(s.t, c.name, s.logOf(c.name, c.dir)+"*", s.rules[c.name])
			lines += n
			for _, w := range list {
				wrong = append(wrong, c.name+": "+w)
			}
		}
		return len(wrong) == 0
	}) {
		s.t.Errorf("%s", strings.Join(wrong, "; "))
		s.failed(what)
	}
	files := len(descriptors(s.t, s.PID()))
	threads, kilobytes := held(s.t, s.PID())
	s.note(fmt.Sprintf("settled: %d processes, %d lines, %d descriptors, %d threads, %d KiB", len(processes), lines, files, threads, kilobytes))
	if files > 6*len(processes)+100 || threads > 100 || kilobytes > 128<<10 {
		s.t.Errorf("too much: %d descriptors, %d threads, %d KiB", files, threads, kilobytes)
	}
	return processes
}

// oneEach is which slots do not have the one process that the daemon knows.
func (s *soak) oneEach() (wrong []string) {
	known, there := s.processes(), slots(s.Daemon)
	for at, p := range known {
		if pids := there[at]; p.pid != 0 && !slices.Equal(pids, []int{p.pid}) && !strings.HasPrefix(at, "crashing:") {
			wrong = append(wrong, fmt.Sprintf("%s runs as %v, the daemon says %d", at, pids, p.pid))
		}
		if group, _, _ := strings.Cut(at, ":"); p.state != "RUNNING" && slices.Contains(s.besides, group) && group != "crashing" {
			wrong = append(wrong, at+" is "+p.state)
		}
	}
	for at, pids := range there {
		if _, ok := known[at]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s runs as %v", at, pids))
		}
	}
	return wrong
}

// logOf is the path of a clerk's log, where the test finds it.
func (s *soak) logOf(name, dir string) string {
	if dir == "stuck" {
		return filepath.Join(s.stuck.under, name+".log")
	}
	return filepath.Join(s.Dir, dir, name+".log")
}

// finish ends the daemon and looks at what is left.
func (s *soak) finish() {
	s.t.Helper()
	s.over()
	s.abort()
	s.settled("the last crash")
	s.note(s.end())
	s.settled("the last start")
	s.Stop()
	for _, c := range clerks {
		_, wrong := s.ledger.audit(s.t, c.name, s.logOf(c.name, c.dir)+"*", s.rules[c.name])
		for _, w := range wrong {
			s.t.Errorf("%s: %s", c.name, w)
		}
	}
	s.t.Logf("%v", s.count)
	for _, text := range s.refusals {
		s.t.Errorf("getAllProcessInfo: %s", text)
	}
	if n := len(s.answers); n > 0 {
		worst := slices.Max(s.answers)
		s.t.Logf("getAllProcessInfo: %d answers, p50 %v, p99 %v, slowest %v", n, percentile(s.answers, 50), percentile(s.answers, 99), worst)
		if worst > size(20*time.Second, time.Second) {
			s.t.Errorf("an answer took %v", worst)
		}
	}
}

// edits is a batch of the model. What cannot be started while the directory of its log
// is away is FATAL, so all runs before.
func (s *soak) edits() string {
	s.processesAre(s.programs, "before edits")
	return "edits: " + strings.Join(s.batch(), ", ")
}

// clerk is one of them, by chance, and its process; 0 for none.
func (s *soak) clerk() (name string, pid int) {
	name = clerks[s.r.IntN(len(clerks))].name
	if pids := slots(s.Daemon)[name+":"+name]; len(pids) == 1 {
		pid = pids[0]
	}
	return name, pid
}

// excuseStarts notes that what was asked to start need not do so any more.
func (s *soak) excuseStarts() {
	for _, asked := range s.starts {
		asked.excused = true
	}
}

// mayLose notes that output of a clerk whose log hangs may be lost.
func (s *soak) mayLose(name string) {
	for _, c := range clerks {
		if c.dir == "stuck" && s.hangs && (name == "" || name == c.name) {
			s.rules[c.name] = rule{dropped: true}
		}
	}
}

func (s *soak) crashOfAClerk() string {
	name, pid := s.clerk()
	if pid == 0 {
		return ""
	}
	s.mayLose(name)
	syscall.Kill(pid, syscall.SIGKILL)
	return "crash: of " + name
}

func (s *soak) stopByHand() string {
	name, _ := s.clerk()
	s.mayLose(name)
	s.excuseStarts()
	call := func(method string, wait bool) error {
		_, err := s.Daemon.Call(method, name, wait)
		if err != nil && (strings.Contains(err.Error(), "NOT_RUNNING") || strings.Contains(err.Error(), "ALREADY_STARTED")) {
			return nil
		}
		return err
	}
	if err := call("supervisor.stopProcess", true); err != nil {
		s.t.Errorf("stop of %s: %v", name, err)
	}
	if s.hangs && name == "stuck" {
		asked := &start{answer: make(chan error, 1)}
		s.starts = append(s.starts, asked)
		go func() { asked.answer <- call("supervisor.startProcess", false) }()
	} else if err := call("supervisor.startProcess", false); err != nil {
		s.t.Errorf("start of %s: %v", name, err)
	}
	return "stop: and start of " + name
}

// move renames a log, as logrotate does.
func (s *soak) move(name string) string {
	log := s.logOf(name, "clerks")
	err := os.Rename(log, fmt.Sprintf("%s.moved%d", log, s.number*100+s.count["moved"]))
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	s.count["moved"]++
	return name
}

func (s *soak) moveWithUSR2() string {
	name := s.move([]string{"plain", "moved"}[s.r.IntN(2)])
	s.Signal(syscall.SIGUSR2)
	return "rotation: of " + name + " with USR2"
}

func (s *soak) moveAlone() string {
	return "rotation: of " + s.move("moved") + " without a word"
}

func (s *soak) fullDisk() string {
	if s.full {
		return ""
	}
	s.full = true
	ballast, err := os.Create(filepath.Join(s.Dir, "small", "ballast"))
	if err != nil && !os.IsExist(err) {
		s.t.Fatal(err)
	}
	defer ballast.Close()
	if _, err := ballast.Write(make([]byte, smallDisk)); err == nil {
		s.t.Error("the small disk is not full")
	}
	return "full: disk"
}

func (s *soak) stuckLog() string {
	if s.hangs {
		return ""
	}
	s.hangs = true
	s.stuck.hang()
	return "stuck: log"
}

// storm is many clients at once, some of which never finish.
func (s *soak) storm() string {
	methods := []string{"supervisor.getAllProcessInfo", "supervisor.getState", "reconcile.getState", "reconcile.getFiles", "reconcile.diff"}
	n := 10 + s.r.IntN(40)
	for i := range n {
		s.storms.Go(func() {
			client := s.ClientWithin(10 * time.Second)
			for range 5 {
				if method := methods[i%len(methods)]; method == "reconcile.diff" {
					client.Call(method, []any{})
				} else {
					client.Call(method)
				}
			}
		})
		s.storms.Go(func() {
			conn, err := net.Dial("unix", s.Sock)
			if err != nil {
				return // there is no daemon
			}
			defer conn.Close()
			io.WriteString(conn, "POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n<methodCall>"[:10+i])
			conn.SetReadDeadline(time.Now().Add(time.Second))
			io.Copy(io.Discard, conn)
		})
	}
	return fmt.Sprintf("storm: of %d clients", n)
}

func (s *soak) hungListener() string {
	for _, pid := range slots(s.Daemon)["hung:hung"] {
		if syscall.Kill(pid, syscall.SIGSTOP) == nil {
			s.stopped = append(s.stopped, pid)
		}
	}
	return "listener: hangs"
}

func (s *soak) stepOfTheClock() string {
	by := int32(s.r.IntN(200_000) - 100_000)
	if s.r.IntN(2) == 0 {
		by = int32(s.r.IntN(20) - 10)
	}
	if !stepClock(s.t, s.PID(), by) {
		return ""
	}
	return fmt.Sprintf("clock: %d s ahead", by)
}

// reborn is of a daemon that begins anew: what was stopped by a person runs again.
func (s *soak) reborn() {
	for name, p := range s.programs {
		if p.stopped {
			p.stopped, s.fresh[name] = false, true
		}
	}
}

// away is while there is no daemon, or only half of one.
func (s *soak) away(is bool) {
	s.excuseStarts()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = is
}

// dies ends the daemon in no order and starts it again, at once or once more.
func (s *soak) dies(sig syscall.Signal) {
	s.t.Helper()
	s.away(true)
	defer s.away(false)
	s.mayLose("")
	for range 1 + s.r.IntN(2) {
		time.Sleep(time.Duration(s.r.Int64N(int64(300 * time.Millisecond)))) // which is the moment, not a wait for one
		s.Signal(sig)
		oracle.WaitFor(s.t, "its death", func() bool { return s.PID() == 0 })
		s.ledger.orphaned(slots(s.Daemon))
		s.BeginAgain()
	}
	s.reborn()
	s.renewed = s.renewed || !s.adopts
	s.Answers()
}

func (s *soak) kill() string {
	s.dies(syscall.SIGKILL)
	return "kill: of the daemon"
}

// abort has the daemon crash, as by a fault of its own, and counts its goroutines.
func (s *soak) abort() string {
	s.dies(syscall.SIGABRT)
	files, _ := filepath.Glob(filepath.Join(s.Dir, "state", "*", "last-crash.log"))
	goroutines := 0
	for _, file := range files {
		text, _ := os.ReadFile(file)
		goroutines = strings.Count(string(text), "\ngoroutine ")
	}
	if limit := 4*len(s.names) + 200; goroutines > limit {
		s.t.Errorf("%d goroutines", goroutines)
	}
	return fmt.Sprintf("abort: of the daemon with %d goroutines", goroutines)
}

func (s *soak) upgrade() string {
	out := s.Ctl(oracle.Ours, "upgrade")
	switch {
	case out.Exit == 0 && strings.Contains(out.Stdout, "upgraded supervisord"):
		return "upgrade: done"
	case out.Exit == 1 && strings.HasPrefix(out.Stdout, "ERROR: ") && (s.hangs || strings.Contains(out.Stdout, "a disk does not answer")):
		return "upgrade refused: " + strings.TrimSpace(out.Stdout)
	}
	s.failed(fmt.Sprintf("an upgrade, which answered %v", out))
	return ""
}

func (s *soak) hangUp() string {
	s.away(true)
	defer s.away(false)
	s.mayLose("")
	count := func(text string) int { return strings.Count(wholeLog(s.t, s.Dir), text) }
	const begun, refused = "supervisord started with pid", "restart refused, nothing was stopped"
	lives, refusals := count(begun), count(refused)
	s.Signal(syscall.SIGHUP)
	oracle.WaitFor(s.t, "another life", func() bool { return count(begun) > lives || count(refused) > refusals })
	if count(begun) == lives {
		return "restart: by SIGHUP, which is refused"
	}
	s.reborn()
	s.renewed = true
	s.Answers()
	return "restart: by SIGHUP"
}

// mostTime is what SIGTERM takes at most: the longest stopwaitsecs of those who do not
// end at once, and what is allowed beyond that.
const mostTime = 5*time.Second + beyond

func (s *soak) end() string {
	s.away(true)
	defer s.away(false)
	s.mayLose("")
	begun := time.Now()
	s.Signal(syscall.SIGTERM)
	if !oracle.Eventually(oracle.Deadline, func() bool { return s.PID() == 0 }) {
		s.failed("SIGTERM, which did not end it")
	}
	took := time.Since(begun)
	if limit := size(6*mostTime, mostTime); took > limit {
		s.t.Errorf("it took %v to end", took)
	}
	s.BeginAgain()
	s.reborn()
	s.renewed = true
	s.Answers()
	return fmt.Sprintf("end: by SIGTERM in %v", took.Round(time.Millisecond))
}
