package runtime

import (
	"cmp"
	"container/heap"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"supervisord/runtime/capture"
	"supervisord/runtime/event"
	"supervisord/runtime/hang"
	"supervisord/runtime/launch"
	"supervisord/runtime/logfile"
	"supervisord/runtime/notice"
	"supervisord/runtime/notify"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// ErrRestart is what Run returns when the stop was asked for by Restart: the
// caller must start again with a new Supervisor.
var ErrRestart = errors.New("restart was asked for")

// Options configure a Supervisor. The zero value of each field is usable.
type Options struct {
	// Identifier is used in events and in the names of AUTO logs;
	// "supervisor".
	Identifier string
	// ChildLogDir is where AUTO logs are made; the system's temporary directory.
	ChildLogDir string
	// Environ is the environment that children start from, as KEY=value.
	Environ []string
	// Variables are more of the daemon's own for a child that is about to be started,
	// before those of its definition; nil is none. It is called from any goroutine and
	// must not block.
	Variables func() map[string]string
	// StripANSI removes escape sequences from all captured output.
	StripANSI bool
	// EchoOutput writes captured output to the activity log at its debug level.
	EchoOutput bool
	// Subreaper makes orphans of all programs ours, so that they are reaped; those
	// with a killmode are always given that, where the system can. Linux.
	Subreaper bool
	// Logger takes the activity log; nil discards it.
	Logger *slog.Logger
	// Serials continue the numbers of events over a restart; nil begins at 0.
	Serials *event.Serials
	// Print writes to the daemon's own standard output, for listeners whose
	// results go there. It is called from the loop and must not block; the data is
	// valid during the call. nil discards.
	Print func(data []byte)
	// OnChange is called for each process that starts or ends, and for each that
	// gets another definition. It is called from the loop and must not block. It
	// may be nil.
	OnChange func(RunChange)
	// Changed gets a value when processes may have changed, unless it is full: a
	// channel of capacity 1 says that something changed since its last value was
	// received. It may be nil.
	Changed chan<- struct{}
	// BeforeSpawn is called for each process that is about to start, on a goroutine
	// that may block; the fork waits for it. If the daemon is killed between the two,
	// the next one can find the process by its pipes. It may be nil.
	BeforeSpawn func(RunChange)

	// ExitWhen is when the supervisor shuts down by itself, in addition to on_exit of
	// single processes; the zero value is never.
	ExitWhen spec.ExitWhen
	// OnIdle is called, with ExitOnIdle, when every program has ended by itself and none
	// is about to be started; if nothing else is pending, the receiver calls EndIfIdle.
	// It is called from the loop and must not block.
	OnIdle func()
	// OnEnd is called when the supervisor begins to shut down by itself, with a Cause. It
	// is called from the loop and must not block.
	OnEnd func()
	// ShutdownTimeout is how long a shutdown may take; what runs is killed before that is
	// over. 0 sets no limit.
	ShutdownTimeout time.Duration

	// Hold delays every launch until it is closed: processes started meanwhile are
	// STARTING. nil delays nothing.
	Hold <-chan struct{}

	// From is the state that an earlier Supervisor handed over: its processes are there
	// from the beginning, and none is started, announced or logged again. New consumes
	// it. Identifier and ChildLogDir apply to later processes. nil begins with no
	// processes.
	From *Handover

	// kernel and children are replaced by tests; nil is the real machine.
	kernel   kernel
	children <-chan os.Signal
}

// kernel is what the supervisor asks of the operating system.
type kernel interface {
	Start(launch.Command) (*launch.Child, error)
	Reap(max int) []launch.Exit
	Stranger(pid int) bool
	Signal(pid int, sig syscall.Signal) error
	SignalGroup(pgid int, sig syscall.Signal) error
	GroupMembers(pgid int) []int
	Strays(pgid int, variable string) []launch.Identity
	LostStrays(pgid int, variable string, uid int) []launch.Identity
	SetSubreaper(on bool) error
	StartTime(pid int) (uint64, error)
	Cgroups() (cgroups, error)
	OpenPidFD(launch.Identity) (pidFD, error)
	ResumePidFD(*os.File) pidFD
	Reopen(pid int, pipes launch.Pipes) (stdout, stderr *os.File)
	FollowOOM(pid int) (counter string)
	UnfollowOOM(counter string)
	LookAtOOM()
	SaveOOM() map[string]int64
	ResumeOOM(counter string, count int64)
	Run(context.Context, launch.Command) (output []byte, status int, err error)
	ClaimOOM(counter string) bool
	ListenNotify() (socket *os.File, address string, err error)
	Descends(pid, leader int) bool
	Close() // when the last Start has ended
}

// Supervisor is the process table. Its methods may be called from any goroutine; they
// wait for Run to begin, and refuse with ShuttingDown once it has ended. Snapshot, Info
// and Active then use the last table.
type Supervisor struct {
	// Fixed after New.
	opt      Options
	log      *slog.Logger
	asks     chan func()
	facts    chan fact
	results  chan launched
	done     chan struct{} // closed when the loop has ended
	stopping chan struct{} // closed when an orderly end begins
	gaveUp   chan struct{} // closed when disks are given up on

	cgroupName string // prefix of the names of our cgroups, which no other daemon has
	autoMark   string // in the names of our AUTO logs, which no other daemon has

	mood       atomic.Int32
	cause      atomic.Pointer[Cause] // nil while there is none
	giveUpOnce sync.Once             // guards the closing of gaveUp
	logLooks   logLooks
	underway   underway
	lookedAt   underway                 // probes under way, which a rehearsal leaves alone
	disks      *hang.Disks              // through which clients' requests go
	forks      atomic.Int32             // begun, with a result that the loop has not taken yet
	snapshot   atomic.Pointer[snapshot] // nil when it would be out of date
	// tableNotice tells of the same.
	tableNotice notice.Notice

	// Everything below is owned by the loop.
	groups          []*group // in activation order
	pools           []*group // those of them that are pools of listeners
	byName          map[string]*group
	byPID           map[int]*process
	queue           deadlines
	line            launchLine
	inFlight        sync.WaitGroup // launches under way
	closing         sync.WaitGroup // closings, changes and removals of logs under way
	launches        int            // how many were begun, ever
	probing         bool           // processes are looked at
	held            bool           // Options.Hold is not closed yet
	unknownExits    map[int]unknownExit
	dying           int  // processes that have ended, of which output is still read
	quit            bool // a SIGCHLD came that was not logged yet
	heldAuto        heldAuto
	reaching        int                    // processes of the table with a killmode that reaches further than the process
	subreaper       bool                   // orphans come to us because we asked for it
	subreaperFailed bool                   // and it was said that we cannot
	ticked          time.Time              // when the ticks were last looked at
	disabled        map[spec.Namespec]bool // see SetDisabled
	begun           bool                   // Begin was called: groups that come now are started
	order           order
	shutdown        shutdown
	handing         handing
	handedOver      bool       // HandOver has been answered: this is the last turn
	touched         []*process // processes that changed in this turn
	left            []ended    // those of them that ended by themselves, and are left so
	idle            bool       // all were at the last look
}

// fact is one thing that a stream found out.
type fact struct {
	p   *process
	run uint64
	capture.Fact
}

// New makes a supervisor without groups, or with those of Options.From. Nothing is done
// before Run is called.
func New(o Options) *Supervisor {
	if o.Identifier == "" {
		o.Identifier = "supervisor"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.OnIdle == nil {
		o.OnIdle = func() {}
	}
	if o.OnEnd == nil {
		o.OnEnd = func() {}
	}
	if o.Print == nil {
		o.Print = func([]byte) {}
	}
	if o.Serials == nil {
		o.Serials = new(event.Serials)
	}
	if o.kernel == nil {
		o.kernel = machineKernel{launch.New(), new(launch.OOMKills), sync.OnceValues(machineCgroups)}
	}
	s := &Supervisor{
		opt:      o,
		log:      o.Logger,
		asks:     make(chan func()),
		facts:    make(chan fact, 64), // so that a stream seldom waits for its turn
		results:  make(chan launched),
		done:     make(chan struct{}),
		stopping: make(chan struct{}),
		gaveUp:   make(chan struct{}),

		cgroupName: strings.ToLower(rand.Text()[:10]),
		autoMark:   logfile.NewAutoMark(),
		disks:      hang.New(0, 0),

		byName:       make(map[string]*group),
		byPID:        make(map[int]*process),
		unknownExits: make(map[int]unknownExit),
		handing:      handing{begun: make(chan struct{})},
	}
	s.mood.Store(int32(state.MoodRunning))
	if o.From != nil {
		s.resume(o.From)
		s.opt.From = nil
	}
	return s
}

// Stopping is closed when a shutdown or a restart begins: from then on nothing is
// added, and nothing is spawned but by a fork that is under way.
func (s *Supervisor) Stopping() <-chan struct{} { return s.stopping }

// Attend says that a request of a client begins: for a tenth of a second, the output of processes
// gives way to those that follow (capture.Attend). It never blocks.
func (s *Supervisor) Attend() { capture.Attend() }

// Mood is the daemon's state. It never blocks.
func (s *Supervisor) Mood() state.Mood { return state.Mood(s.mood.Load()) }

// machineKernel is the real operating system.
type machineKernel struct {
	*launch.Launcher
	*launch.OOMKills
	cgroups func() (cgroups, error)
}

func (machineKernel) Reap(max int) []launch.Exit                 { return launch.Reap(max) }
func (machineKernel) Stranger(pid int) bool                      { return launch.Stranger(pid) }
func (machineKernel) Signal(pid int, sig syscall.Signal) error   { return launch.Signal(pid, sig) }
func (machineKernel) SignalGroup(pg int, s syscall.Signal) error { return launch.SignalGroup(pg, s) }
func (machineKernel) GroupMembers(pgid int) []int                { return launch.GroupMembers(pgid) }
func (machineKernel) SetSubreaper(on bool) error                 { return launch.SetSubreaper(on) }
func (machineKernel) StartTime(pid int) (uint64, error)          { return launch.StartTime(pid) }
func (k machineKernel) Cgroups() (cgroups, error)                { return k.cgroups() }

func (machineKernel) Strays(pgid int, variable string) []launch.Identity {
	return launch.Strays(pgid, variable)
}

func (machineKernel) LostStrays(pgid int, variable string, uid int) []launch.Identity {
	return launch.LostStrays(pgid, variable, uid)
}

func (machineKernel) Reopen(pid int, pipes launch.Pipes) (stdout, stderr *os.File) {
	return launch.Reopen(pid, pipes)
}

func (machineKernel) ListenNotify() (*os.File, string, error) { return notify.Listen() }
func (machineKernel) Descends(pid, leader int) bool           { return launch.Descends(pid, leader) }

func (machineKernel) ResumePidFD(f *os.File) pidFD { return launch.ResumePidFD(f) }

func (machineKernel) OpenPidFD(id launch.Identity) (pidFD, error) {
	p, err := launch.OpenPidFD(id)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// ask has the loop run f in one of its turns and waits for that.
func (s *Supervisor) ask(ctx context.Context, f func()) error {
	ran := make(chan struct{})
	select {
	case s.asks <- func() { f(); close(ran) }:
	case <-s.done:
		return s.gone()
	case <-ctx.Done():
		return ctx.Err()
	}
	<-ran // the loop runs what it took, also in its last turn
	return nil
}

// gone is the refusal when the loop has ended.
func (s *Supervisor) gone() error {
	if s.handedOver {
		return &Error{Kind: Upgrading}
	}
	return &Error{Kind: ShuttingDown}
}

// post has the loop run f without waiting for it. It is for goroutines that the
// loop started; it gives up when the loop has ended.
func (s *Supervisor) post(f func()) {
	select {
	case s.asks <- f:
	case <-s.done:
	}
}

// deadlines is a heap of processes by the time each wants to be looked at, and by the order
// of their launches where that is equal.
type deadlines []*process

func (d deadlines) Len() int { return len(d) }
func (d deadlines) Less(i, j int) bool {
	return cmp.Or(d[i].due.Compare(d[j].due), cmp.Compare(d[i].turn, d[j].turn)) < 0
}
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].heapIndex, d[j].heapIndex = i, j
}
func (d *deadlines) Push(x any) {
	p := x.(*process)
	p.heapIndex = len(*d)
	*d = append(*d, p)
}
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	p := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	p.heapIndex = -1
	return p
}

// schedule puts p where its next deadline belongs.
func (s *Supervisor) schedule(p *process) {
	due, ok := p.deadline()
	switch {
	case !ok && p.heapIndex >= 0:
		heap.Remove(&s.queue, p.heapIndex)
	case ok && p.heapIndex < 0:
		p.due, p.turn = due, p.launch
		heap.Push(&s.queue, p)
	case ok && !p.due.Equal(due):
		p.due, p.turn = due, p.launch
		heap.Fix(&s.queue, p.heapIndex)
	}
}
