package runtime

import (
	"errors"
	"os"
	"regexp"
	"sync/atomic"
	"syscall"
	"time"

	"supervisord/runtime/capture"
	"supervisord/runtime/event"
	"supervisord/runtime/launch"
	"supervisord/runtime/logfile"
	"supervisord/runtime/probe"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
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
	orphans     *descendants    // of the run before, to be ended first; nil for none
	handing     <-chan struct{} // closed when a handover begins, and calls the launch off
	runName     string          // unlike that of any other run, for its cgroup
	warn        func(text string)
	beforeSpawn func(RunChange) // Options.BeforeSpawn; may be nil
	change      RunChange       // its argument
	forks       *atomic.Int32
	ticket      *forkTicket
	place       *placeInLine
	forkedAt    time.Time // before the fork, from when on it is counted in forks; zero for never
}

// forkTicket is taken once: by a launch that is about to fork, or by the loop, which
// calls it off. So nothing is spawned that was called off, however long the launch
// hangs before.
type forkTicket struct{ taken atomic.Bool }

func (t *forkTicket) take() bool { return t.taken.CompareAndSwap(false, true) }

// launched is what came of a launch.
type launched struct {
	task   launchTask
	child  *launch.Child // nil when there is none
	began  uint64        // its start time, in clock ticks after boot, unless it has ended already; 0 if unknown
	cgroup string        // the child's own, "" for none
	// variable is in the environment of the run, "" for none: see descendants.
	variable string
	pipes    launch.Pipes
	oom      string   // the counter of out-of-memory kills in its cgroup, "" for none
	socket   *os.File // on which it says how it is, nil for none
	// failure is the spawn error when there never was a process.
	failure string
	// execFailed is set when the child failed before or in exec: it is treated as a
	// process that exited with status 127. Its PID is known.
	execFailed *launch.Error
}

// launch makes one process. It may block for as long as the disk does.
func (t launchTask) launch() (r launched) {
	if t.orphans != nil {
		t.orphans.terminateAs(t.kernel, t.def, t.handing)
	}
	if ready := t.def.Probes.Ready; ready.Kind != "" {
		if err := (probe.Subject{UID: userOf(t.def)}).Forget(ready); err != nil {
			return launched{task: t, failure: "cannot remove the file of ready=" + ready.String() + ": " + err.Error()}
		}
	}
	command, err := commandOf(t.def, t.group, t.environ)
	if err != nil {
		return launched{task: t, failure: err.Error()}
	}
	var socket *os.File
	if t.def.Probes.Notifies() {
		var address string
		if socket, address, err = t.kernel.ListenNotify(); err != nil {
			return launched{task: t, failure: "cannot make a socket for NOTIFY_SOCKET: " + err.Error()}
		}
		command.Env = notifyEnvironment(command.Env, address, t.def.Probes.Watchdog)
		defer func() {
			if r.child == nil && socket != nil {
				socket.Close()
			}
		}()
	}
	command.ReadyFD = t.def.Probes.Ready.FD()
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
		t.place.waitTurn()
		if !t.ticket.take() {
			return false
		}
		t.forks.Add(1)
		t.forkedAt = time.Now()
		return true
	}
	command.Forked = t.place.pass
	child, err := t.kernel.Start(command)
	if err == nil {
		began, _ := t.kernel.StartTime(child.PID)
		return launched{task: t, child: child, began: began, cgroup: command.Cgroup, variable: variable, pipes: pipes, oom: t.kernel.FollowOOM(child.PID), socket: socket}
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
	s.unfollowOOM(r.oom)
	if _, reaped := s.earlyExit(r); !reaped { // else its pid may be another's
		r.task.kernel.Signal(r.child.PID, syscall.SIGKILL)
	}
	if all := (descendants{pgid: r.child.PID, cgroup: r.cgroup, variable: r.variable}); all.reachOutside() {
		go all.terminate(r.task.kernel, syscall.SIGKILL, time.Now(), nil) // ends when none is left
	}
	for _, f := range []*os.File{r.child.Stdin, r.child.Stdout, r.child.Stderr, r.child.Ready, r.socket} {
		if f != nil {
			f.Close()
		}
	}
	if r.task.socket != nil {
		release(r.task.socket)
	}
	go closeLogs(r.task.logs[:]) // ends with its work
}

// launchDone takes the result of a launch whose turn it is, or which is no longer queued.
func (s *Supervisor) launchDone(r launched) {
	p := r.task.p
	if !r.task.forkedAt.IsZero() {
		s.forks.Add(-1)
	}
	defer s.reportUnknownExits()
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
	p.oom, p.killed = r.oom, false
	e, dead := s.earlyExit(r)
	p.began = r.began
	if dead {
		delete(s.unknownExits, c.PID)
		p.began = 0 // perhaps that of another: its pid was free
	}
	s.holdSocket(p, r.task.socket)
	if c.Stdin != nil {
		p.stdin = capture.NewStdin(c.Stdin)
	}
	if p.group.pool != nil {
		s.listenerStarted(p)
	}
	s.captureOutput(p, c.Stdout, c.Stderr)
	s.hear(p, [2]*os.File{r.socket, c.Ready}, nil)
	s.step(p, proc.Input{Kind: proc.Launched, PID: c.PID})
	s.reportRunning(p)
	if dead {
		s.reaped(p, e)
	}
}

// captureOutput begins to read a process's output; a pipe that is not there is nil.
func (s *Supervisor) captureOutput(p *process, stdout, stderr *os.File) {
	for ch, pipe := range []*os.File{stdout, stderr} {
		if pipe == nil {
			continue
		}
		p.streams++
		p.out[ch].stream = capture.Start(pipe, state.Channel(ch), s.settings(p, state.Channel(ch)), s.postFacts(p))
	}
}

// postFacts is what a stream of the present run of p posts its facts with.
func (s *Supervisor) postFacts(p *process) func(capture.Fact) {
	run := p.run
	return func(f capture.Fact) {
		select {
		case s.facts <- fact{p, run, f}:
		case <-s.done:
		}
	}
}

// execFailed takes a child that failed before or in exec: Supervisor's users see a
// process that exited with status 127, and the reason in its stderr log.
func (s *Supervisor) execFailed(p *process, e *launch.Error) {
	p.descendants = descendants{} // there is nothing to signal, should a stop have been asked for
	s.step(p, proc.Input{Kind: proc.Launched, PID: e.PID})
	exit := proc.Exit{Code: 127, How: "exit status 127"}
	p.ends.add(exit)
	p.said = nil
	s.step(p, proc.Input{Kind: proc.Exited, Exit: exit})
}

// reportUnknownExits logs the exits that belong to no launch, once no fork is under
// way whose child they might be of.
func (s *Supervisor) reportUnknownExits() {
	defer s.tellQuit()
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
		Tail:       p.out[ch].path != "",
		Events:     out.EventsEnabled,
	}
	if line := p.readyLine(); line != "" {
		set.Ready, _ = regexp.Compile(line) // spec refuses it before
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
