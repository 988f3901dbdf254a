package runtime

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"supervisord/runtime/capture"
	"supervisord/runtime/event"
	"supervisord/runtime/launch"
	"supervisord/runtime/logfile"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// A launch may delay those behind it in the queue for so long. Then the next one begins,
// but before it forks it waits for the one in front: a machine that is busy is slow with
// both, and processes still are forked and told of in their order. Where one is known to
// be stuck, the next ones do not wait.
const (
	overtakeAfter = 100 * time.Millisecond
	overtakeGrace = 400 * time.Millisecond
)

// launchTask is a copy of what a launch needs, since it runs outside the loop.
type launchTask struct {
	p           *process
	run         uint64
	def         *spec.Process
	group       string
	environ     []string
	logs        [2]*logfile.Writer
	socket      *launch.Socket
	kernel      kernel
	orphans     *descendants // of the run before, to be ended first; nil for none
	runName     string       // unlike that of any other run, for its cgroup
	warn        func(text string)
	beforeSpawn func(RunChange) // Options.BeforeSpawn; may be nil
	change      RunChange       // its argument
	forks       *atomic.Int32
	ticket      *forkTicket
	line        *placeInLine
	forkedAt    time.Time // before the fork, from when on it is counted in forks; zero for never
}

// forkTicket is taken once: by a launch that is about to fork, or by the loop, which
// calls it off. So nothing is spawned that was called off, however long the launch
// hangs before.
type forkTicket struct{ taken atomic.Bool }

func (t *forkTicket) take() bool { return t.taken.CompareAndSwap(false, true) }

// placeInLine is that of a launch that has begun.
type placeInLine struct {
	behind    *placeInLine  // which it overtakes if that takes too long; nil for none
	done      chan struct{} // closed when the loop has its result
	overtaken bool          // the loop's
}

// waitTurn waits for the one in front, but not for ever.
func (l *placeInLine) waitTurn() {
	if l.behind == nil {
		return
	}
	select {
	case <-l.behind.done:
	case <-time.After(overtakeGrace):
	}
}

// overtake lets the next launch begin, since the one under way takes long.
func (s *Supervisor) overtake() {
	line := s.inFront
	line.overtaken = true
	s.launching, s.overtakeAt, s.inFront = queuedLaunch{}, time.Time{}, nil
	if s.overtaken++; s.overtaken == 1 {
		s.inFront = line
	}
	s.advance()
}

// queuedLaunch is a launch in the queue. It is over when the process has come to another run.
type queuedLaunch struct {
	p   *process
	run uint64
}

func (q queuedLaunch) over() bool { return q.p == nil || q.p.run != q.run }

// launched is what came of a launch.
type launched struct {
	task   launchTask
	child  *launch.Child // nil when there is none
	cgroup string        // the child's own, "" for none
	// variable is in the environment of the run, "" for none: see descendants.
	variable string
	pipes    launch.Pipes
	// failure is the spawn error when there never was a process.
	failure string
	// execFailed is set when the child failed before or in exec: it is treated as a
	// process that exited with status 127. Its PID is known.
	execFailed *launch.Error
}

// enqueue puts a process into the queue of launches.
func (s *Supervisor) enqueue(p *process, e proc.Effect) {
	p.run++
	p.endOrphansFirst = e.OrphanGroup != 0
	p.ticket, p.calledOff = new(forkTicket), false
	s.launchQueue = append(s.launchQueue, queuedLaunch{p, p.run})
	s.advance()
}

// callOff calls off the launch of p unless its fork has begun, and reports whether
// it is called off.
func (s *Supervisor) callOff(p *process) bool {
	if p.machine.Launching && !p.calledOff && p.ticket.take() {
		p.calledOff = true
		p.run++ // its place in the queue is nobody's
		s.advance()
	}
	return p.calledOff
}

// advance begins the next launch unless one is under way, or all are held.
func (s *Supervisor) advance() {
	for !s.held && s.launching.over() && len(s.launchQueue) > 0 {
		next := s.launchQueue[0]
		s.launchQueue[0] = queuedLaunch{}
		s.launchQueue = s.launchQueue[1:]
		if next.over() {
			continue // called off meanwhile
		}
		p := next.p
		line := &placeInLine{done: make(chan struct{})}
		s.launching, s.overtakeAt = next, time.Now().Add(overtakeAfter)
		if front := s.inFront; front != nil && front.overtaken {
			line.behind = front
			s.overtakeAt = s.overtakeAt.Add(overtakeGrace)
		}
		s.inFront = line
		s.launches++
		t := launchTask{p: p, run: p.run, def: p.def, group: p.group.def.Name, environ: s.opt.Environ,
			logs: [2]*logfile.Writer{p.out[0].log, p.out[1].log}, socket: p.socket, kernel: s.opt.kernel,
			runName: s.cgroupName + "." + itoa(s.launches), warn: func(text string) { s.log.Warn(text) }, beforeSpawn: s.opt.BeforeSpawn,
			forks: &s.forks, ticket: p.ticket, line: line,
			change: RunChange{Group: p.group.def.Name, Name: p.def.Name, Def: p.def, GroupPriority: p.group.def.Priority}}
		if p.endOrphansFirst {
			orphans := p.orphans
			t.orphans = &orphans
		}
		s.inFlight.Go(func() { // the loop waits for its result until it ends itself
			r := t.launch()
			select {
			case s.results <- r:
			case <-s.done:
				s.discard(r, func(socket *launch.Socket) { socket.Release() })
			}
		})
	}
}

// launch makes one process. It may block for as long as the disk does.
func (t launchTask) launch() launched {
	if t.orphans != nil {
		t.orphans.terminateAs(t.kernel, t.def)
	}
	command, err := commandOf(t.def, t.group, t.environ)
	if err != nil {
		return launched{task: t, failure: err.Error()}
	}
	if err := t.openLogs(); err != nil {
		// Supervisor has one text for a log and for a pipe that cannot be opened.
		failed := &launch.Error{Stage: launch.StagePipes, Err: err, Name: t.def.Name}
		return launched{task: t, failure: failed.SpawnErr()}
	}
	if t.socket != nil {
		if command.Socket, err = t.socket.Acquire(); err != nil {
			closeLogs(t.logs[:])
			return launched{task: t, failure: "cannot create socket for '" + t.def.Name + "': " + err.Error()}
		}
	}
	command.Cgroup = t.makeCgroup()
	variable := ""
	if t.def.KillMode != spec.KillProcess && command.Cgroup == "" {
		variable = runVariable + "=" + t.runName
		command.Env = append(command.Env, variable)
	}
	var pipes launch.Pipes
	command.Announce = func(p launch.Pipes) bool {
		pipes = p
		if t.beforeSpawn != nil {
			t.change.Started, t.change.Cgroup, t.change.Pipes = time.Now(), command.Cgroup, p
			t.beforeSpawn(t.change)
		}
		if !t.ticket.take() {
			return false
		}
		t.forks.Add(1)
		t.forkedAt = time.Now()
		return true
	}
	t.line.waitTurn()
	child, err := t.kernel.Start(command)
	if err == nil {
		return launched{task: t, child: child, cgroup: command.Cgroup, variable: variable, pipes: pipes}
	}
	t.removeCgroup(command.Cgroup)
	defer closeLogs(t.logs[:])
	if t.socket != nil {
		<-t.socket.Release()
	}
	var failed *launch.Error
	if !errors.As(err, &failed) {
		return launched{task: t, failure: err.Error()}
	}
	if failed.InChild() {
		t.stderr().Write(failed.ChildMessage())
	}
	if text := failed.SpawnErr(); text != "" {
		return launched{task: t, failure: text}
	}
	return launched{task: t, execFailed: failed}
}

// openLogs opens both logs or none.
func (t launchTask) openLogs() error {
	for i, log := range t.logs {
		if err := log.Open(); err != nil {
			closeLogs(t.logs[:i])
			return err
		}
	}
	return nil
}

// stderr is the log that the child's standard error would have gone to.
func (t launchTask) stderr() *logfile.Writer {
	if t.def.RedirectStderr {
		return t.logs[state.Stdout]
	}
	return t.logs[state.Stderr]
}

// closeLogs ends the use of logs; it may block for as long as the disk does.
func closeLogs(logs []*logfile.Writer) {
	for _, log := range logs {
		log.Close()
	}
}

// earlyExit reports how the child of a launch ended, if it was reaped before the
// loop learned its pid. An exit from before the fork is that of an earlier process.
func (s *Supervisor) earlyExit(r launched) (exit launch.Exit, reaped bool) {
	e, known := s.unknownExits[r.child.PID]
	return e.Exit, known && !e.at.Before(r.task.forkedAt)
}

// discard kills a child whose launch was abandoned; release lets go of its
// socket. It may be called by the loop, and after its last turn.
func (s *Supervisor) discard(r launched, release func(*launch.Socket)) {
	if r.child == nil {
		return
	}
	if _, reaped := s.earlyExit(r); !reaped { // else its pid may be another's
		r.task.kernel.Signal(r.child.PID, syscall.SIGKILL)
	}
	if all := (descendants{pgid: r.child.PID, cgroup: r.cgroup, variable: r.variable}); all.reachOutside() {
		go all.terminate(r.task.kernel, syscall.SIGKILL, time.Now(), nil) // ends when none is left
	}
	for _, f := range []*os.File{r.child.Stdin, r.child.Stdout, r.child.Stderr} {
		if f != nil {
			f.Close()
		}
	}
	if r.task.socket != nil {
		release(r.task.socket)
	}
	go closeLogs(r.task.logs[:]) // ends with its work
}

// launchDone takes the result of a launch.
func (s *Supervisor) launchDone(r launched) {
	p := r.task.p
	close(r.task.line.done)
	if r.task.line.overtaken {
		s.overtaken--
	}
	if s.inFront == r.task.line {
		s.inFront = nil
	}
	if !r.task.forkedAt.IsZero() {
		s.forks.Add(-1)
	}
	if s.launching == (queuedLaunch{p, r.task.run}) {
		s.launching, s.overtakeAt = queuedLaunch{}, time.Time{}
	}
	defer s.reportUnknownExits()
	defer s.advance()
	if r.task.run != p.run || !p.machine.Launching {
		s.discard(r, func(socket *launch.Socket) { s.releaseSocket(p, socket) })
		return
	}
	if r.task.orphans != nil {
		s.reportEnded(p, r.task.orphans.pgid)
	}
	switch {
	case r.child != nil:
		s.started(p, r)
	case r.execFailed != nil:
		s.execFailed(p, r.execFailed)
	default:
		s.step(p, proc.Input{Kind: proc.LaunchFailed, Text: r.failure})
	}
	s.schedule(p)
}

// started connects a process that has begun.
func (s *Supervisor) started(p *process, r launched) {
	c := r.child
	s.byPID[c.PID] = p
	p.starts++
	p.descendants, p.pipes = descendants{pgid: c.PID, cgroup: r.cgroup, variable: r.variable}, r.pipes
	p.out[0].opened, p.out[1].opened = true, true
	e, dead := s.earlyExit(r)
	p.began = 0
	if dead {
		delete(s.unknownExits, c.PID)
	} else { // its pid is its own; /proc is no disk
		p.began, _ = s.opt.kernel.StartTime(c.PID)
	}
	s.holdSocket(p, r.task.socket)
	if c.Stdin != nil {
		p.stdin = capture.NewStdin(c.Stdin)
	}
	if p.group.pool != nil {
		s.listenerStarted(p)
	}
	s.captureOutput(p, c.Stdout, c.Stderr)
	s.step(p, proc.Input{Kind: proc.Launched, PID: c.PID})
	s.reportRunning(p)
	if dead {
		s.reaped(p, e)
	}
}

// captureOutput begins to read a process's output; a pipe that is not there is nil.
func (s *Supervisor) captureOutput(p *process, stdout, stderr *os.File) {
	run := p.run
	for ch, pipe := range []*os.File{stdout, stderr} {
		if pipe == nil {
			continue
		}
		p.streams++
		p.out[ch].stream = capture.Start(pipe, state.Channel(ch), s.settings(p, state.Channel(ch)), func(f capture.Fact) {
			select {
			case s.facts <- fact{p, run, f}:
			case <-s.done:
			}
		})
	}
}

// execFailed takes a child that failed before or in exec: Supervisor's users see a
// process that exited with status 127, and the reason in its stderr log.
func (s *Supervisor) execFailed(p *process, e *launch.Error) {
	p.descendants = descendants{} // there is nothing to signal, should a stop have been asked for
	s.step(p, proc.Input{Kind: proc.Launched, PID: e.PID})
	s.step(p, proc.Input{Kind: proc.Exited, Exit: proc.Exit{Code: 127, How: "exit status 127"}})
}

// reportUnknownExits logs the exits that belong to no launch, once no fork is under
// way whose child they might be of.
func (s *Supervisor) reportUnknownExits() {
	if s.forks.Load() > 0 {
		return
	}
	for pid, e := range s.unknownExits {
		delete(s.unknownExits, pid)
		s.logUnknownExit(e.Exit)
	}
}

// settings is how a process's stream is handled now.
func (s *Supervisor) settings(p *process, ch state.Channel) capture.Settings {
	out := &p.def.Stdout
	if ch == state.Stderr {
		out = &p.def.Stderr
	}
	set := capture.Settings{
		Log:        p.out[ch].log,
		CaptureMax: out.CaptureMaxBytes,
		Strip:      s.opt.StripANSI,
		Events:     out.EventsEnabled,
	}
	if p.group.pool != nil && ch == state.Stdout {
		set.Protocol, set.CaptureMax, set.Events = true, 0, false
	}
	if s.opt.EchoOutput {
		name, show := p.def.Name, event.Text
		if set.Protocol {
			show = event.Literal // as the original does, whatever they are
		}
		set.Echo = func(ch state.Channel, data []byte) {
			s.log.Debug("'" + name + "' " + ch.String() + " output:\n" + show(data))
		}
	}
	return set
}
