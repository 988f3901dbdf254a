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
	"supervisord/runtime/notify"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
)

const (
	// firstPoll and lastPoll are the shortest and longest time between two checks
	// whether a process group is empty.
	firstPoll = 5 * time.Millisecond
	lastPoll  = 200 * time.Millisecond
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

	out            [2]output       // by state.Channel
	changed        <-chan struct{} // closed when the last of changeLogs is done; nil for none
	stdin          *capture.Stdin
	socket         *launch.Socket // FastCGI: what its next start is given
	heldSocket     *launch.Socket // FastCGI: kept open over restarts, until it stops; nil for none
	closingSockets int            // FastCGI: released ones that may not be closed yet

	// Of the present run, that is one launch and what came of it.
	run         uint64
	launch      int            // its place among all launches
	ticket      *forkTicket    // of its launch
	calledOff   bool           // there will be no process
	looking     [2]looking     // isReady, isHealthy
	ears        [2]*notify.Ear // onSocket, onPipe; nil where it cannot say anything
	seeking     string         // what a line of its output is to match; "" for nothing
	descendants descendants    // the zero value when nothing runs
	pidfd       pidFD          // of a process that is not our child; nil for one that is
	pipes       launch.Pipes
	began       uint64         // start time, in clock ticks after boot; 0 where that cannot be known
	starts      int64          // launches that made a process
	ends        ends           // of all its runs
	runs        runs           // the last of them
	said        []string       // the last lines of the output of the last that ended
	streams     int            // streams and ears that have not finished, and a look at oom that has not
	oom         string         // the counter of out-of-memory kills in its cgroup, "" for none
	killed      bool           // we have sent it SIGKILL
	pendingExit *proc.Exit     // the leader was reaped, its output is still being read
	exitedAt    time.Time      // when it was reaped
	groupSignal syscall.Signal // to send to its group once pendingExit is dealt with; 0 for none

	orphans         descendants // those that outlived the run before; valid while EndingGroup or OrphanGroup says so
	endOrphansFirst bool        // the launch must end them first
	endingOrphans   bool        // they are being ended although no launch is queued
	orphansUntil    time.Time   // and may take until then
	orphansWait     bool        // a handover has interrupted it
	nextPoll        time.Time   // while EndingGroup: when to count them again
	pollInterval    time.Duration

	abandoned          bool      // the end of the daemon does not wait for it any more
	nextReport         time.Time // when to log that a request waits for its stop
	waiters            []waiter
	removed            bool
	restartWhenStopped bool // to be started when it has stopped, as a listener that did not answer
	// restarting: it is STOPPING since the daemon restarts it, even where a stop has come
	// since. Supervisor has no such stop, and a start is then what comes after it.
	restarting bool
	order      inOrder
	// userStopped: the last that was asked for was a stop, by a client.
	userStopped bool
	disabled    bool // see SetDisabled
	// wasRunning: a stop of several has stopped it while disabled, and a start of several is
	// to start it again: the two are a restart.
	wasRunning bool

	due       time.Time // its place in the heap of deadlines
	turn      int       // among those that are due at the same time
	heapIndex int       // -1 when it has none
	inTouched bool      // in touched already
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

// deadline is when the loop must look at the process again.
func (p *process) deadline() (at time.Time, ok bool) {
	first := func(t time.Time) {
		if !t.IsZero() && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	if t, any := p.machine.Deadline(); any && p.pendingExit == nil {
		first(t)
	}
	first(p.nextPoll)
	first(p.nextReport)
	return at, ok
}

// overdue does what is due for a process.
func (s *Supervisor) overdue(p *process, now time.Time) {
	if !p.nextPoll.IsZero() && !now.Before(p.nextPoll) {
		s.checkOrphans(p)
	}
	if !p.nextReport.IsZero() && !now.Before(p.nextReport) {
		s.reportStop(p, now)
	}
	if at, ok := p.machine.Deadline(); ok && p.pendingExit == nil && !now.Before(at) {
		s.step(p, proc.Input{Kind: proc.Tick})
	}
}

// step gives the machine an input and does what it says. Refused is for the
// caller, who asks only what the state allows; it needs no action.
func (s *Supervisor) step(p *process, in proc.Input) {
	failure, calledOff := "", false
	in.Shut = s.shut(p, in.Kind)
	was, now := p.machine.State, time.Now()
	effects := p.machine.Step(now, in)
	p.runs.follow(now, was, in, &p.machine)
	for _, e := range effects {
		switch e.Kind {
		case proc.Log:
			s.log.Log(context.Background(), e.Level, e.Text)
		case proc.Emit:
			s.emitState(p, e)
			s.noteOrder(p, e)
		case proc.Launch:
			s.enqueue(p, e)
		case proc.Cancel:
			calledOff = s.callOff(p)
		case proc.Kill:
			if err := s.kill(p, e); err != nil {
				failure = err.Error()
			}
		case proc.Left:
			s.left = append(s.left, ended{p.name(), p.machine.State, p.machine.Status(), p.def.OnExit})
		}
	}
	if failure != "" {
		s.step(p, proc.Input{Kind: proc.KillFailed, Text: failure})
	}
	if calledOff {
		s.step(p, proc.Input{Kind: proc.Cancelled})
	}
	s.noteWaiting(p)
	p.restarting = p.machine.State == state.Stopping && (p.restarting || p.machine.Renewing || p.restartWhenStopped)
	if p.heldSocket != nil && p.idle() {
		s.holdSocket(p, nil)
	}
	if p.machine.State == state.Stopped {
		s.endOrphans(p)
	}
	s.look(p)
	s.touch(p)
}

// kill sends a signal. It is no failure that the process has ended: its exit will
// be reaped.
func (s *Supervisor) kill(p *process, e proc.Effect) error {
	sig := syscall.Signal(e.Signal)
	p.killed = p.killed || sig == syscall.SIGKILL
	var err error
	switch {
	case p.machine.EndingGroup:
		s.signalOrphans(p, sig)
		return nil
	case p.descendants.pgid == 0:
		return nil
	case p.pendingExit != nil:
		// The leader was reaped, so the group's number may have been given out again:
		// finish signals the members that it finds.
		if e.Group {
			p.groupSignal = sig
		}
		return nil
	case p.pidfd != nil:
		err = signalPidFD(s.opt.kernel, p.pidfd, p.descendants.pgid, sig, e.Group)
	case e.Group:
		err = s.opt.kernel.SignalGroup(e.PID, sig)
	default:
		err = s.opt.kernel.Signal(e.PID, sig)
	}
	if e.Group && p.descendants.reachOutside() {
		all, k := p.descendants, s.opt.kernel
		s.offLoop("signalling what belongs to "+p.def.Name, func() func() {
			failed := all.signalOutsideGroup(k, sig)
			return func() {
				if failed != nil {
					s.log.Warn(p.def.Name + ": cannot signal all that belongs to it: " + failed.Error())
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

// reaped begins the end of a process: its output is read first.
func (s *Supervisor) reaped(p *process, e launch.Exit) { s.leaderExited(p, e.PID, exitOf(e.Status)) }

func (s *Supervisor) leaderExited(p *process, pid int, exit proc.Exit) {
	if s.byPID[pid] == p { // the pid of one that is not our child may be a new child's by now
		delete(s.byPID, pid)
	}
	p.pendingExit, p.exitedAt = &exit, time.Now()
	s.dying++
	s.look(p)
	s.finishStreams(p)
	s.schedule(p)
}

// finishStreams has the streams of a process that has ended read what is left.
func (s *Supervisor) finishStreams(p *process) {
	for _, o := range p.out {
		if o.stream != nil {
			o.stream.Finish()
		}
	}
	for _, ear := range p.ears {
		if ear != nil {
			ear.Finish()
		}
	}
	s.lookForOOM(p)
	if p.streams == 0 {
		s.outputDone(p)
	}
}

// oomPatience is how long an exit waits for the kernel's counters, which are always quick.
const oomPatience = time.Second

// lookForOOM finds out, outside the loop, whether a process that has died of a SIGKILL was
// killed by the OOM killer. Ours is known, and nobody else's shows in the count.
func (s *Supervisor) lookForOOM(p *process) {
	if p.pendingExit.Signal != int(syscall.SIGKILL) || p.killed || p.oom == "" {
		return
	}
	p.streams++
	run, counter, k := p.run, p.oom, s.opt.kernel
	s.offLoop("finding out why "+p.def.Name+" was killed", func() func() {
		claimed := make(chan bool, 1)
		go func() { claimed <- k.ClaimOOM(counter) }() // ends with its work
		oom := false
		select {
		case oom = <-claimed:
		case <-time.After(oomPatience):
		}
		return func() {
			if p.run != run || p.pendingExit == nil {
				return
			}
			p.pendingExit.OOM = oom
			s.streamDone(p)
		}
	})
}

// unfollowOOM lets go of a counter.
func (s *Supervisor) unfollowOOM(counter string) {
	if counter != "" {
		go s.opt.kernel.UnfollowOOM(counter) // ends with its work, for which it may wait for a reader of the counters
	}
}

// streamDone counts one stream less to be read.
func (s *Supervisor) streamDone(p *process) {
	p.streams--
	if p.streams == 0 && p.pendingExit != nil {
		s.outputDone(p)
	}
}

// LookAtOOMKills reads the kernel's counts of out-of-memory kills, so that kills of other
// processes are not taken for the cause of a later exit of ours. Call it every few seconds,
// from any goroutine.
func (s *Supervisor) LookAtOOMKills() { s.opt.kernel.LookAtOOM() }

func exitOf(status syscall.WaitStatus) proc.Exit {
	e := proc.Exit{Code: -1, How: launch.Describe(status)}
	switch {
	case status.Exited():
		e.Code = status.ExitStatus()
	case status.Signaled():
		e.Signal, e.Core = int(status.Signal()), status.CoreDump()
	}
	return e
}

// outputDone continues with an exit when the output is read: which descendants
// outlived the leader is looked up outside the loop, if any did.
func (s *Supervisor) outputDone(p *process) {
	left, run := p.descendants, p.run
	if !left.reachOutside() && s.opt.kernel.SignalGroup(left.pgid, 0) == syscall.ESRCH {
		s.finish(p, left, 0)
		return
	}
	s.offLoop("counting what "+p.def.Name+" has left", func() func() {
		orphans := left.count(s.opt.kernel)
		return func() {
			if p.run == run && p.pendingExit != nil { // it is not abandoned
				s.finish(p, left, orphans)
			}
		}
	})
}

// offLoop does work that may take a while outside the loop; what it returns then
// runs in the loop. A handover waits for both; doing says for what.
func (s *Supervisor) offLoop(doing string, work func() func()) {
	end := s.underway.begin(doing)
	go func() { // ends with its work, or with the loop
		then := work()
		s.post(func() {
			end()
			then()
		})
	}()
}

// onLogs does something that may wait for the disk of a log.
func (s *Supervisor) onLogs(p *process, work func()) {
	end := s.underway.begin("the logs of " + p.def.Name)
	s.closing.Go(func() {
		defer end()
		work()
	})
}

// finish tells the machine of an exit and of how many outlived it.
func (s *Supervisor) finish(p *process, left descendants, orphans int) {
	defer func() {
		s.dying--
		s.tellQuit()
	}()
	exit := *p.pendingExit
	p.ends.add(exit)
	s.unfollowOOM(p.oom)
	p.oom = ""
	p.pendingExit, p.orphans, p.descendants = nil, left, descendants{}
	defer func() { p.groupSignal = 0 }()
	if p.pidfd != nil {
		p.pidfd.Close()
		p.pidfd = nil
	}
	s.closeStdin(p)
	p.said = p.lastLines()
	for ch := range p.out {
		s.onLogs(p, p.out[ch].close) // ends with the stream's work
		p.out[ch].stream, p.out[ch].opened = nil, false
	}
	p.ears = [2]*notify.Ear{}
	if p.group.pool != nil {
		s.listenerExited(p)
	}
	if orphans > 0 && p.machine.State == state.Stopping {
		s.lookAgain(p.def.Name, left)
	}
	s.step(p, proc.Input{Kind: proc.Exited, Exit: exit, Ended: p.exitedAt, Orphans: orphans, Cgroup: left.cgroup != ""})
	if exit.OOM {
		s.log.Warn(p.def.Name + " (pid " + itoa(left.pgid) + ") was killed by the kernel, which was out of memory")
	}
	if p.machine.EndingGroup {
		if p.groupSignal != 0 {
			s.signalOrphans(p, p.groupSignal)
		}
		p.pollInterval = firstPoll
		p.nextPoll = time.Now().Add(p.pollInterval)
		s.schedule(p)
	} else if orphans == 0 || !p.machine.Rules.Whole() {
		s.reportEnded(p, left.pgid)
	} // else when the orphans have ended, too
}

// lookAgainAfter is how long what a stop has left running may take to end by itself: the sleep of
// a shell that was waiting for it.
const lookAgainAfter = time.Second

// lookAgain warns of what a stop has left running for longer than a moment.
func (s *Supervisor) lookAgain(name string, left descendants) {
	go func() { // ends after a moment, or with the loop
		select {
		case <-time.After(lookAgainAfter):
		case <-s.done:
			return
		}
		orphans := left.count(s.opt.kernel)
		s.post(func() {
			if orphans > 0 {
				s.log.Warn(proc.StillThere(name, orphans, left.cgroup != ""))
			}
		})
	}()
}

// holdSocket keeps a socket that was acquired, in place of the one before.
func (s *Supervisor) holdSocket(p *process, socket *launch.Socket) {
	if p.heldSocket != nil {
		s.releaseSocket(p, p.heldSocket)
	}
	p.heldSocket = socket
}

// socketPatience is how long a stop waits for a socket to be closed, whose path
// may be on a disk that hangs.
const socketPatience = 5 * time.Second

// releaseSocket releases a socket that was acquired for p. Who waits for the stop of
// p is answered when it is closed.
func (s *Supervisor) releaseSocket(p *process, socket *launch.Socket) {
	closed := socket.Release()
	select {
	case <-closed:
		return // others use it
	default:
	}
	p.closingSockets++
	s.offLoop("closing the socket of "+p.def.Name, func() func() {
		select {
		case <-closed:
		case <-time.After(socketPatience):
		}
		return func() {
			p.closingSockets--
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

// touch has the process examined when the turn ends, and the next snapshot rebuilt.
func (s *Supervisor) touch(p *process) {
	s.tableChanged()
	s.order.changed = true
	if !p.inTouched {
		p.inTouched = true
		s.touched = append(s.touched, p)
	}
}

// handleFact takes a fact that a stream found out.
func (s *Supervisor) handleFact(f fact) {
	if f.run != f.p.run {
		return // of a run that is over
	}
	p := f.p
	switch f.Kind {
	case capture.FactLog:
		s.emitLog(p, f.Channel, f.Data)
	case capture.FactComm:
		s.emitComm(p, f.Channel, f.Data)
	case capture.FactOutput:
		s.listenerOutput(p, f.Data)
	case capture.FactReady:
		s.step(p, proc.Input{Kind: proc.BecameReady})
	case capture.FactClosed:
		s.log.Debug("'" + p.def.Name + "' closed its " + f.Channel.String())
	case capture.FactFailed:
		s.log.Error("reading " + f.Channel.String() + " of '" + p.def.Name + "' failed: " + string(f.Data))
	case capture.FactDone:
		s.streamDone(p)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
