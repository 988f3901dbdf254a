package runtime

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/runtime/launch"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// fakeKernel is an operating system without processes: it hands out pids, and
// what "runs" under them ends when a test, or a signal, says so.
type fakeKernel struct {
	mu           sync.Mutex
	pids         int
	names        map[int]string
	started      []string
	exits        []launch.Exit
	signals      []string
	members      map[int]int  // how many, by process group
	listed       []int        // the members of every group, instead; nil for none
	strays       []int        // those who left any group
	subreaper    []bool       // what was asked for
	cgroups      *fakeCgroups // nil where there are none
	others       map[int]bool // groups whose number has gone to somebody else
	notices      chan os.Signal
	hold         chan struct{} // what "stuck" waits for
	oomKills     int           // by the out-of-memory killer
	oomElsewhere bool          // the processes' counter is another
	oomHangs     chan struct{} // what a look at their count waits for; nil for nothing
	looks        chan struct{} // what a look at a group waits for; nil for nothing
	pidfds       []*fakePidFD  // of processes that are no children of ours

	// fails is asked before each start, by the process's name.
	fails func(name string) error
	// run is what the command of a probe comes to.
	run func(context.Context, launch.Command) ([]byte, int, error)
	// ignores says which signals a process does not die of.
	ignores func(name string, sig syscall.Signal) bool
}

func newFakeKernel() *fakeKernel {
	return &fakeKernel{pids: 100, names: make(map[int]string), members: make(map[int]int), notices: make(chan os.Signal, 1), hold: make(chan struct{})}
}

func (k *fakeKernel) Start(c launch.Command) (*launch.Child, error) {
	switch c.Name {
	case "stuck", "stuck too":
		<-k.hold
	case "slow":
		time.Sleep(overtakeAfter * 3 / 5)
	}
	if !c.Announce(launch.Pipes{}) {
		return nil, &launch.Error{Stage: launch.StageFork, Err: launch.ErrCalledOff, Name: c.Name}
	}
	if c.Name == "stuck in exec" {
		<-k.hold
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fails != nil {
		if err := k.fails(c.Name); err != nil {
			return nil, err
		}
	}
	k.pids++
	pid := k.pids
	k.names[pid] = c.Name
	k.started = append(k.started, c.Name)
	c.Forked()
	if c.Name == "late to return" {
		k.mu.Unlock()
		<-k.hold
		k.mu.Lock()
	}
	return &launch.Child{PID: pid}, nil
}

func (k *fakeKernel) Reap(int) []launch.Exit {
	k.mu.Lock()
	defer k.mu.Unlock()
	exits := k.exits
	k.exits = nil
	return exits
}

// Stranger: 4300 is the pid of what the daemon has run for itself.
func (k *fakeKernel) Stranger(pid int) bool { return pid != 4300 }

func (k *fakeKernel) Signal(pid int, sig syscall.Signal) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	name, lives := k.names[pid]
	if !lives {
		return syscall.ESRCH
	}
	k.signals = append(k.signals, name+" "+sig.String())
	if sig != 0 && (k.ignores == nil || !k.ignores(name, sig)) {
		k.end(pid, syscall.WaitStatus(sig))
	}
	return nil
}

func (k *fakeKernel) SignalGroup(pgid int, sig syscall.Signal) error {
	if sig == 0 {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.members[pgid] == 0 {
			return syscall.ESRCH
		}
		return nil
	}
	err := k.Signal(pgid, sig)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == syscall.ESRCH && k.members[pgid] > 0 { // its leader has ended
		k.signals = append(k.signals, "group "+sig.String())
		return nil
	}
	return err
}

func (k *fakeKernel) GroupMembers(pgid int) []int {
	if k.looks != nil {
		<-k.looks
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.others[pgid] {
		return []int{pgid}
	}
	if k.listed != nil {
		return slices.Clone(k.listed)
	}
	return make([]int, k.members[pgid])
}

// group sets the members of every group.
func (k *fakeKernel) group(pgid int, pids ...int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.listed, k.members[pgid] = append([]int{}, pids...), len(pids)
}

// Strays lists those who left a group, as a test says.
func (k *fakeKernel) Strays(pgid int, variable string) []launch.Identity {
	k.mu.Lock()
	defer k.mu.Unlock()
	var list []launch.Identity
	for _, pid := range k.strays {
		if _, lives := k.names[pid]; lives {
			list = append(list, launch.Identity{PID: pid, StartTime: uint64(pid)})
		}
	}
	return list
}

// LostStrays lists those of a run that had a variable, as a test says.
func (k *fakeKernel) LostStrays(pgid int, variable string, uid int) []launch.Identity {
	return k.Strays(pgid, variable)
}

func (k *fakeKernel) SetSubreaper(on bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.subreaper = append(k.subreaper, on)
	return nil
}

// StartTime is a process's number, so that each has another.
func (k *fakeKernel) StartTime(pid int) (uint64, error) {
	if k.others[pid] {
		return uint64(pid) + 1, nil
	}
	return uint64(pid), nil
}

func (k *fakeKernel) Cgroups() (cgroups, error) {
	if k.cgroups == nil {
		return nil, errors.New("read-only file system")
	}
	return k.cgroups, nil
}

// OpenPidFD takes hold of a process that runs, and is no child of ours.
func (k *fakeKernel) OpenPidFD(id launch.Identity) (pidFD, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, lives := k.names[id.PID]; !lives || id.StartTime != uint64(id.PID) {
		return nil, syscall.ESRCH
	}
	h := &fakePidFD{k, id.PID, make(chan struct{}), make(chan struct{})}
	k.pidfds = append(k.pidfds, h)
	return h, nil
}

// ResumePidFD has nothing to go on with.
func (k *fakeKernel) ResumePidFD(*os.File) pidFD { return nil }

// Reopen opens nothing, as where the pipes are gone.
func (k *fakeKernel) Reopen(int, launch.Pipes) (stdout, stderr *os.File) { return nil, nil }

// FollowOOM gives every process the counter of one cgroup; ClaimOOM has counted as often as
// a test says.
func (k *fakeKernel) FollowOOM(pid int) string {
	if k.oomElsewhere {
		return "another cgroup"
	}
	return "the cgroup"
}
func (k *fakeKernel) UnfollowOOM(string) {}
func (k *fakeKernel) LookAtOOM()         {}
func (k *fakeKernel) SaveOOM() map[string]int64 {
	return map[string]int64{"the cgroup": 7}
}
func (k *fakeKernel) ResumeOOM(string, int64) {}

// ListenNotify makes no socket: who says something is the test.
func (k *fakeKernel) ListenNotify() (*os.File, string, error) { return nil, "@notify", nil }
func (k *fakeKernel) Descends(pid, leader int) bool           { return pid == leader }
func (k *fakeKernel) Run(ctx context.Context, c launch.Command) ([]byte, int, error) {
	k.mu.Lock()
	run := k.run
	k.mu.Unlock()
	return run(ctx, c)
}
func (k *fakeKernel) ClaimOOM(counter string) bool {
	if k.oomHangs != nil {
		<-k.oomHangs
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.oomKills == 0 || counter != "the cgroup" {
		return false
	}
	k.oomKills--
	return true
}

// fakePidFD refers to what runs under a number.
type fakePidFD struct {
	k             *fakeKernel
	pid           int
	ended, closed chan struct{}
}

func (h *fakePidFD) Signal(sig syscall.Signal) error { return h.k.Signal(h.pid, sig) }
func (h *fakePidFD) Close() error                    { close(h.closed); return nil }
func (h *fakePidFD) Save() *os.File                  { return nil }
func (h *fakePidFD) Wait() error {
	select {
	case <-h.ended:
		return nil
	case <-h.closed:
		return os.ErrClosed
	}
}

// orphan has a process end that was not started by us, and was given to us.
func (k *fakeKernel) orphan(pid int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.names[pid] = "orphan"
	k.end(pid, 0)
}

// end has a process end; k.mu is held.
func (k *fakeKernel) end(pid int, status syscall.WaitStatus) {
	delete(k.names, pid)
	for i, h := range k.pidfds {
		if h.pid == pid {
			close(h.ended)
			k.pidfds = slices.Delete(k.pidfds, i, i+1)
			return // it was not ours to reap
		}
	}
	k.exits = append(k.exits, launch.Exit{PID: pid, Status: status})
	select {
	case k.notices <- syscall.SIGCHLD:
	default:
	}
}

// begun lists the names of the processes that were started.
func (k *fakeKernel) begun() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.started)
}

// sent lists the signals that were sent.
func (k *fakeKernel) sent() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.signals)
}

// deafTo makes processes live through a signal; no name means all of them.
func (k *fakeKernel) deafTo(sig syscall.Signal, names ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ignores = func(name string, s syscall.Signal) bool {
		return s == sig && (len(names) == 0 || slices.Contains(names, name))
	}
}

// leave sets how many processes a group has besides its leader.
func (k *fakeKernel) leave(pgid, n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.members[pgid] = n
}

// exit has the process of that name exit with a status.
func (k *fakeKernel) exit(name string, code int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for pid, n := range k.names {
		if n == name {
			k.end(pid, syscall.WaitStatus(code<<8))
		}
	}
}

// bench is a supervisor on a fake kernel in a bubble of fake time.
type bench struct {
	t      *testing.T
	kernel *fakeKernel
	sup    *Supervisor
	log    *bytes.Buffer
	ended  chan error
	epoch  time.Time
	mu     sync.Mutex
}

// Write takes the activity log, which two goroutines write.
func (b *bench) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(p)
}

func (b *bench) lines() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.String()
}

// What a test changes of the kernel and the options before there is a supervisor.
var (
	prepareKernel  func(*fakeKernel)
	prepareOptions func(*Options)
)

// inBubble runs f against a supervisor with the given groups.
func inBubble(t *testing.T, f func(*bench), groups ...*spec.Group) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, kernel: newFakeKernel(), log: new(bytes.Buffer), ended: make(chan error, 1), epoch: time.Now()}
		plain := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
		options := Options{
			Logger: slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{ReplaceAttr: plain})),
			kernel: b.kernel, children: b.kernel.notices,
		}
		if prepareKernel != nil {
			prepareKernel(b.kernel)
		}
		if prepareOptions != nil {
			prepareOptions(&options)
		}
		b.sup = New(options)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() { b.ended <- b.sup.Run(ctx) }()
		for _, g := range groups {
			if err := b.sup.SetGroup(ctx, nil, g, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.sup.Begin(ctx); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f(b)
		cancel()
		b.kernel.deafTo(0)
		if err := <-b.ended; err != nil && err != ErrRestart {
			t.Errorf("Run ended with %v", err)
		}
		if left := b.kernel.names; len(left) != 0 {
			t.Errorf("left running: %v", left)
		}
	})
}

// after lets time pass and everything happen that it brings.
func (b *bench) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (b *bench) info(name string) Info {
	b.t.Helper()
	group, process, both := strings.Cut(name, ":")
	if !both {
		process = group
	}
	i, err := b.sup.Info(context.Background(), group, process)
	if err != nil {
		b.t.Fatal(err)
	}
	return i
}

// expect checks the state of a process.
func (b *bench) expect(name string, want state.Process) {
	b.t.Helper()
	if got := b.info(name).State; got != want {
		b.t.Errorf("after %v: %s is %v, want %v", time.Since(b.epoch), name, got, want)
	}
}

// one names a single process of a group that has its name.
func one(name string) Select { return Select{Group: name, Process: name} }

// program is a group of one process with Supervisor's defaults, changed by edit.
func program(name string, edit func(*spec.Process)) *spec.Group {
	p := spec.Process{
		Name: name, Priority: 999, Command: "/bin/true", Umask: -1, Autostart: true,
		StartSecs: 1, StartRetries: 3, ExitCodes: []int{0}, StopSignal: int(syscall.SIGTERM), StopWaitSecs: 10,
		Stdout: spec.Output{Kind: spec.OutputNone}, Stderr: spec.Output{Kind: spec.OutputNone},
	}
	if edit != nil {
		edit(&p)
	}
	return &spec.Group{Name: name, Priority: p.Priority, Processes: []spec.Process{p}}
}
