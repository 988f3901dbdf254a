package runtime

import (
	"context"
	"errors"
	"strconv"
	"syscall"
	"time"

	"supervisord/runtime/capture"
	"supervisord/runtime/launch"
	"supervisord/runtime/logfile"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
)

const (
	// firstSweep and lastSweep are the shortest and longest pause between two
	// looks at whether a process group is empty.
	firstSweep = 5 * time.Millisecond
	lastSweep  = 200 * time.Millisecond
	// firstReport and reportStops are when, and then how often, the log says that
	// a request waits for a stop.
	firstReport = 100 * time.Millisecond
	reportStops = 2 * time.Second
)

// process is one slot of the table. It belongs to the loop.
type process struct {
	def     *spec.Process // what its next start will follow
	group   *group
	machine proc.Machine
	rank    int // index among the group's processes, which is the listener's index in its pool

	out     [2]output       // by capture.Channel
	changed <-chan struct{} // closed when the last change of their logs' settings is made; nil for none
	stdin   *capture.Stdin
	socket  *launch.Socket // FastCGI: what its next start is given
	held    *launch.Socket // FastCGI: kept open over restarts, until it stops; nil for none
	closing int            // FastCGI: sockets that were let go and may not be closed yet

	// Of the present run, that is one launch and what came of it.
	run     uint64
	kin     kin  // everything that belongs to it; the zero value when nothing runs
	hold    hold // on a process that is not our child; nil for one that is
	pipes   launch.Pipes
	began   uint64         // when it began, in ticks after boot; 0 where that cannot be known
	starts  int64          // launches that made a process
	streams int            // streams that have not finished
	dying   *proc.Exit     // reaped, while its output is read
	died    time.Time      // when
	owed    syscall.Signal // to its group, asked for while dying; 0 for none
	sweep   time.Time      // when to look again who is left of it
	pause   time.Duration

	former     kin  // who is left of the run before, while the machine says that somebody is
	sweepFirst bool // the launch that waits in line must end them first
	ending     bool // they are being ended, and no new run waits for it

	abandon    time.Time // at shutdown: when to stop waiting for its launch
	nextReport time.Time // when to log that a request waits for its stop
	waiters    []waiter
	removed    bool
	again      bool // to be started when it has stopped, as a listener that did not answer
	// userStopped: the last that was asked for was a stop, by a client.
	userStopped bool

	due   time.Time // its place in the heap of deadlines
	place int       // -1 when it has none
	moved bool      // in touched already
}

// output is one captured stream of a process slot.
type output struct {
	log    *logfile.Writer // never nil; it may keep nothing
	path   string          // of its file, "" for none
	auto   string          // the AUTO log that was made for it, "" for none
	stream *capture.Stream // of the present run, nil between runs
	opened bool            // the present run has log open
}

// close ends a run's use of the log, once its stream has come back from a log
// that is stuck. The receiver is a copy.
func (o output) close() {
	if o.stream != nil {
		<-o.stream.Ended()
	}
	if o.opened {
		o.log.Close()
	}
}

// name is the namespec that the log and clients use for requests.
func (p *process) name() string {
	return spec.Namespec{Group: p.group.def.Name, Process: p.def.Name}.String()
}

// alive reports whether there is a process that may be signalled: a number that
// was reaped may be somebody else's by now.
func (p *process) alive() bool {
	return p.machine.PID != 0 && p.dying == nil && !p.machine.Sweeping
}

// deadline is when the loop must look at the process again.
func (p *process) deadline() (at time.Time, ok bool) {
	first := func(t time.Time) {
		if !t.IsZero() && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	if t, any := p.machine.Deadline(); any && p.dying == nil {
		first(t)
	}
	first(p.sweep)
	first(p.abandon)
	first(p.nextReport)
	return at, ok
}

// overdue does what is due for a process.
func (s *Supervisor) overdue(p *process, now time.Time) {
	if !p.abandon.IsZero() && !now.Before(p.abandon) {
		p.abandon = time.Time{}
		if p.machine.Launching {
			p.run++ // what comes of the launch after all is ended on arrival
			s.step(p, proc.Input{Kind: proc.LaunchFailed, Text: "launch abandoned at shutdown"})
		}
	}
	if !p.sweep.IsZero() && !now.Before(p.sweep) {
		s.lookAtLeft(p)
	}
	if !p.nextReport.IsZero() && !now.Before(p.nextReport) {
		s.reportStop(p, now)
	}
	if at, ok := p.machine.Deadline(); ok && p.dying == nil && !now.Before(at) {
		s.step(p, proc.Input{Kind: proc.Tick})
	}
}

// step gives the machine an input and does what it says. Refused is for the
// caller, who asks only what the state allows; it needs no action.
func (s *Supervisor) step(p *process, in proc.Input) {
	failure := ""
	for _, e := range p.machine.Step(time.Now(), in) {
		switch e.Kind {
		case proc.Log:
			s.log.Log(context.Background(), e.Level, e.Text)
		case proc.Emit:
			s.emitState(p, e)
		case proc.Launch:
			s.enqueue(p, e)
		case proc.Kill:
			if err := s.kill(p, e); err != nil {
				failure = err.Error()
			}
		}
	}
	if failure != "" {
		s.step(p, proc.Input{Kind: proc.KillFailed, Text: failure})
	}
	if p.held != nil && p.idle() {
		s.keep(p, nil)
	}
	if p.machine.State == state.Stopped {
		s.endFormer(p)
	}
	s.touch(p)
}

// kill sends a signal. A process that has gone already is no failure: its exit
// is on the way.
func (s *Supervisor) kill(p *process, e proc.Effect) error {
	sig := syscall.Signal(e.Signal)
	var err error
	switch {
	case p.machine.Sweeping:
		s.sweepWith(p, sig)
		return nil
	case p.kin.group == 0:
		return nil
	case p.dying != nil:
		// Its number may be another group's by now: who is left is signalled once it
		// is known.
		if e.Group {
			p.owed = sig
		}
		return nil
	case p.hold != nil:
		err = signalHeld(s.opt.kernel, p.hold, p.kin.group, sig, e.Group)
	case e.Group:
		err = s.opt.kernel.SignalGroup(e.PID, sig)
	default:
		err = s.opt.kernel.Signal(e.PID, sig)
	}
	if e.Group && p.kin.cgroup != "" {
		all, k := p.kin, s.opt.kernel
		s.aside(func() func() {
			failed := all.beyond(k, sig)
			return func() {
				if failed != nil {
					s.log.Warn(p.def.Name + ": cannot signal its cgroup: " + failed.Error())
				}
			}
		})
	}
	if errors.Is(err, syscall.ESRCH) {
		s.log.Debug("unable to signal " + p.def.Name + " (pid " + itoa(e.PID) +
			"), it probably just exited on its own: [Errno 3] No such process")
		return nil
	}
	return err
}

// died begins the end of a process: its output is read first.
func (s *Supervisor) died(p *process, e launch.Exit) { s.dies(p, e.PID, exitOf(e.Status)) }

func (s *Supervisor) dies(p *process, pid int, exit proc.Exit) {
	delete(s.byPID, pid)
	p.dying, p.died = &exit, time.Now()
	for _, o := range p.out {
		if o.stream != nil {
			o.stream.Finish()
		}
	}
	if p.streams == 0 {
		s.drained(p)
	}
	s.schedule(p)
}

func exitOf(status syscall.WaitStatus) proc.Exit {
	e := proc.Exit{Code: -1, How: launch.Describe(status)}
	if status.Exited() {
		e.Code = status.ExitStatus()
	}
	return e
}

// drained goes on with an exit when the output is read: who of the process's
// group is left is looked up outside the loop, if anybody is.
func (s *Supervisor) drained(p *process) {
	left := p.kin
	if left.cgroup == "" && s.opt.kernel.SignalGroup(left.group, 0) == syscall.ESRCH {
		s.ended(p, left, 0)
		return
	}
	s.aside(func() func() {
		survivors := left.look(s.opt.kernel)
		return func() { s.ended(p, left, survivors) }
	})
}

// aside does work that may take a while outside the loop; what it returns then
// runs in the loop.
func (s *Supervisor) aside(work func() func()) {
	go func() { s.post(work()) }() // ends with its work, or with the loop
}

// ended tells the machine of an exit, and of who is left.
func (s *Supervisor) ended(p *process, left kin, survivors int) {
	exit := *p.dying
	p.dying, p.former, p.kin = nil, left, kin{}
	defer func() { p.owed = 0 }()
	if p.hold != nil {
		p.hold.Close()
		p.hold = nil
	}
	s.closeStdin(p)
	for ch := range p.out {
		go p.out[ch].close() // ends with the stream's work
		p.out[ch].stream, p.out[ch].opened = nil, false
	}
	if p.group.pool != nil {
		s.listenerExited(p)
	}
	s.step(p, proc.Input{Kind: proc.Exited, Exit: exit, Ended: p.died, Survivors: survivors, Cgroup: left.cgroup != ""})
	if p.machine.Sweeping {
		if p.owed != 0 {
			s.sweepWith(p, p.owed)
		}
		p.pause = firstSweep
		p.sweep = time.Now().Add(p.pause)
		s.schedule(p)
	} else if survivors == 0 || !p.machine.Rules.Whole() {
		s.tellEnded(p, left.group)
	} // else when those that are left have ended, too
}

// keep keeps a socket that was acquired, in place of the one before.
func (s *Supervisor) keep(p *process, socket *launch.Socket) {
	if p.held != nil {
		s.release(p, p.held)
	}
	p.held = socket
}

// socketPatience is how long a stop waits for a socket to be closed, whose path
// may be on a disk that hangs.
const socketPatience = 5 * time.Second

// release lets go of a socket that was acquired for p. Who waits for the stop of
// p is answered when it is closed.
func (s *Supervisor) release(p *process, socket *launch.Socket) {
	closed := socket.Release()
	select {
	case <-closed:
		return // others hold it
	default:
	}
	p.closing++
	s.aside(func() func() {
		select {
		case <-closed:
		case <-time.After(socketPatience):
		}
		return func() {
			p.closing--
			s.touch(p)
		}
	})
}

func (s *Supervisor) closeStdin(p *process) {
	if p.stdin != nil {
		p.stdin.Close()
		p.stdin = nil
	}
}

// touch has the process looked at when the turn ends, and the next snapshot
// made anew.
func (s *Supervisor) touch(p *process) {
	s.snapshot.Store(nil)
	if !p.moved {
		p.moved = true
		s.touched = append(s.touched, p)
	}
}

// heard is a fact that a stream found out.
func (s *Supervisor) heard(p *process, f capture.Fact) {
	switch f.Kind {
	case capture.FactLog:
		s.emitLog(p, f.Channel, f.Data)
	case capture.FactComm:
		s.emitComm(p, f.Channel, f.Data)
	case capture.FactOutput:
		s.listenerOutput(p, f.Data)
	case capture.FactClosed:
		s.log.Debug("'" + p.def.Name + "' closed its " + f.Channel.String())
	case capture.FactFailed:
		s.log.Error("reading " + f.Channel.String() + " of '" + p.def.Name + "' failed: " + string(f.Data))
	case capture.FactDone:
		p.streams--
		if p.streams == 0 && p.dying != nil {
			s.drained(p)
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
