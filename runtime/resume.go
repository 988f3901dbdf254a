package runtime

import (
	"maps"
	"os"
	"syscall"
	"time"

	"supervisord/runtime/capture"
	"supervisord/runtime/event"
	"supervisord/runtime/launch"
	"supervisord/runtime/logfile"
	"supervisord/runtime/moment"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// save writes a process down at now.
func (p *process) save(w *writingDown, now time.Time) handedProcess {
	h := handedProcess{
		Machine: p.machine.Save(now), Pipes: p.pipes, Began: p.began, Starts: p.starts,
		LastEnd: p.ends.last, Ends: p.ends.counts, Runs: p.runs.save(), Killed: p.killed, OOM: p.oom,
		Socket: w.sockets[p.socket], HeldSocket: w.sockets[p.heldSocket],
		PendingExit: p.pendingExit, GroupSignal: int(p.groupSignal),
		EndingOrphans: p.endingOrphans, RestartWhenStopped: p.restartWhenStopped, Restarting: p.restarting, UserStopped: p.userStopped, Disabled: p.disabled, WasRunning: p.wasRunning,
		Order: p.order.save(),
	}
	for ch := range p.out {
		out := &p.out[ch]
		o := handedOutput{Auto: out.auto, Log: w.logs[ch], Opened: out.opened}
		if out.stream != nil {
			if saved, pipe := out.stream.Save(); pipe != nil {
				o.Stream, o.Pipe = &saved, w.add(pipe)
			}
		}
		h.Out[ch] = o
	}
	w.logs = w.logs[len(p.out):]
	if p.stdin != nil {
		queue, pipe := p.stdin.Save()
		h.Stdin, h.StdinQueue = w.add(pipe), queue
	}
	for on, ear := range p.ears {
		if ear != nil {
			h.Says[on] = w.add(ear.Paused())
		}
	}
	if p.pidfd != nil {
		h.PidFD = w.add(p.pidfd.Save())
	}
	if p.machine.PID != 0 && !p.machine.EndingGroup {
		h.Descendants = p.descendants.save()
	}
	if p.pendingExit != nil {
		h.ExitedAt = moment.Of(p.exitedAt, now)
	}
	if p.machine.EndingGroup || p.machine.OrphanGroup != 0 {
		h.Orphans, h.EndOrphansFirst = p.orphans.save(), p.machine.Launching && p.endOrphansFirst
	}
	if p.endingOrphans {
		h.OrphansUntil = moment.Of(p.orphansUntil, now)
	}
	return h
}

func (d *descendants) save() *handedDescendants {
	return &handedDescendants{d.pgid, d.cgroup, d.variable, d.lost, d.user, d.startTimes}
}

func (h *handedDescendants) resume() descendants {
	if h == nil {
		return descendants{}
	}
	return descendants{h.PGID, h.Cgroup, h.Variable, h.Lost, h.User, h.StartTimes}
}

// slot names the place of a process in the table.
func (p *process) slot() slotName { return slotName{p.group.def.Name, p.def.Name} }

// resume continues from a Handover, before the first turn.
func (s *Supervisor) resume(h *Handover) {
	d, now := &h.data, h.data.Present.Time()
	s.begun, s.subreaper = d.Begun, d.Subreaper
	s.cgroupName, s.autoMark, s.launches = d.CgroupName, d.AutoMark, d.Launches
	s.ticked = d.Ticked.AsShown()
	s.opt.Serials.Resume(d.Serials)
	sockets := make([]*launch.Socket, 1+len(d.Sockets))
	for i, from := range d.Sockets {
		sockets[i+1] = launch.NewSocket(from.Saved.Options, func(text string) { s.log.Info(text) })
		sockets[i+1].Resume(from.Saved, h.file(from.File))
	}
	for i := range d.Groups {
		from := &d.Groups[i]
		g := &group{def: from.Def, names: make(map[string]*process), sockets: make(map[string]*launch.Socket)}
		if from.Pool != nil {
			g.pool = event.Resume(s.poolOptions(g.def), from.Pool, now)
			s.pools = append(s.pools, g)
		}
		s.groups = append(s.groups, g)
		s.byName[g.def.Name] = g
		s.reaching += reaching(g.def)
		for rank := range from.Processes {
			handed, def := &from.Processes[rank], &g.def.Processes[rank]
			if def.Socket != nil {
				g.sockets[def.Socket.URL] = sockets[handed.Socket]
			}
			p := s.resumedProcess(h, handed, def, now)
			p.heldSocket = sockets[handed.HeldSocket]
			s.place(g, p, rank)
			if count, known := d.OOMCounts[handed.OOM]; known && p.pendingExit == nil {
				s.opt.kernel.ResumeOOM(handed.OOM, count)
				p.oom = handed.OOM
			}
			s.reconnect(h, handed, p, now)
			s.reportResumed(p)
		}
	}
	for _, g := range s.groups {
		for _, p := range g.procs {
			s.noteWaiting(p)
			if p.order.stopAfter != nil {
				s.order.ending = append(s.order.ending, p)
			}
		}
	}
	s.reorder()
	for _, slot := range d.Waiting {
		p := s.byName[slot.Group].process(slot.Process)
		s.line.waiting = append(s.line.waiting, queuedLaunch{p, p.run})
	}
	if hold := d.HeldAuto; hold != nil {
		s.heldAuto = heldAuto{s.byName[hold.Slot.Group].process(hold.Slot.Process), hold.Channel}
	}
	unfollowed := maps.Clone(s.byPID) // by a version that did not hand its counts over
	maps.DeleteFunc(unfollowed, func(_ int, p *process) bool { return p.oom != "" })
	go s.followOOM(unfollowed) // ends with its work
}

// followOOM has the counts of out-of-memory kills watched again that concern processes.
func (s *Supervisor) followOOM(processes map[int]*process) {
	for pid, p := range processes {
		counter := s.opt.kernel.FollowOOM(pid)
		s.post(func() {
			if s.byPID[pid] == p && p.pendingExit == nil {
				p.oom = counter
			} else {
				s.unfollowOOM(counter)
			}
		})
	}
}

// resumedProcess is the process of a slot, with its logs and without its pipes.
func (s *Supervisor) resumedProcess(h *Handover, from *handedProcess, def *spec.Process, now time.Time) *process {
	p := &process{
		def: def, machine: proc.Resume(from.Machine, now), heapIndex: -1, run: 1, ticket: new(forkTicket),
		descendants: from.Descendants.resume(), pipes: from.Pipes, began: from.Began, starts: from.Starts,
		ends: ends{from.LastEnd, from.Ends}, runs: resumeRuns(from.Runs), killed: from.Killed,
		pendingExit: from.PendingExit, exitedAt: from.ExitedAt.At(now), groupSignal: syscall.Signal(from.GroupSignal),
		orphans: from.Orphans.resume(), endOrphansFirst: from.EndOrphansFirst,
		endingOrphans: from.EndingOrphans, orphansUntil: from.OrphansUntil.At(now),
		restartWhenStopped: from.RestartWhenStopped, restarting: from.Restarting, userStopped: from.UserStopped, disabled: from.Disabled, wasRunning: from.WasRunning,
	}
	p.order = from.Order.resume(&p.machine)
	for ch := range p.out {
		o := &from.Out[ch]
		options := s.outputOptions(def, state.Channel(ch), o.Auto)
		p.out[ch] = output{log: logfile.New(options), path: options.Path, auto: o.Auto, opened: o.Opened}
		s.resumeLog(p, p.out[ch].log, o.Log.Saved, h.file(o.Log.File))
	}
	return p
}

// reconnect takes up the pipes of a process that is in its place, and what was under way
// for it.
func (s *Supervisor) reconnect(h *Handover, from *handedProcess, p *process, now time.Time) {
	for ch := range p.out {
		if o := &from.Out[ch]; o.Stream != nil {
			p.streams++
			p.out[ch].stream = capture.Resume(h.file(o.Pipe), state.Channel(ch), s.settings(p, state.Channel(ch)), *o.Stream, s.postFacts(p))
		}
	}
	s.hear(p, [2]*os.File{h.file(from.Says[onSocket]), h.file(from.Says[onPipe])}, nil)
	if from.Stdin != 0 {
		var drained func(bool)
		if p.group.pool != nil {
			drained = s.eventDrained(p)
		}
		p.stdin = capture.ResumeStdin(h.file(from.Stdin), from.StdinQueue, drained)
	}
	if pid := p.descendants.pgid; pid != 0 && p.pendingExit == nil {
		s.byPID[pid] = p
	}
	if from.PidFD != 0 {
		p.pidfd = s.opt.kernel.ResumePidFD(h.file(from.PidFD))
		if p.pendingExit == nil {
			s.awaitAdopted(p)
		}
	}
	switch {
	case p.pendingExit != nil:
		s.dying++
		s.finishStreams(p)
	case p.machine.EndingGroup:
		p.pollInterval, p.nextPoll = firstPoll, time.Now()
	case p.endingOrphans:
		s.goOnEndingOrphans(p, 0)
	}
}
