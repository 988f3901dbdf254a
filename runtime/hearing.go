package runtime

import (
	"os"
	"slices"
	"time"

	"supervisord/runtime/launch"
	"supervisord/runtime/notify"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec/value"
)

// What a process says of itself: on its socket, its pipe, or in a line of its output.

// The two files on which it says it.
const (
	onSocket = iota
	onPipe
)

// hear begins to hear a process on files of the present run, nil where there is none. after
// is closed once nothing else reads them; nil where nothing does.
func (s *Supervisor) hear(p *process, files [2]*os.File, after <-chan struct{}) {
	for on, f := range files {
		if f != nil {
			p.streams++
			p.ears[on] = notify.Hear(f, s.hearing(p, on, after))
		}
	}
}

// hearing is how one of the files is heard.
func (s *Supervisor) hearing(p *process, on int, after <-chan struct{}) notify.Options {
	run := p.run
	post := func(f func()) {
		s.post(func() {
			if p.run == run {
				f()
			}
		})
	}
	o := notify.Options{
		After: after,
		Post:  func(m notify.Message) { post(func() { s.heard(p, on, m) }) },
		Done:  func() { post(func() { s.streamDone(p) }) },
	}
	if on == onSocket {
		all, k, user := p.descendants, s.opt.kernel, userOf(p.def)
		o.Of = func(from notify.Sender) bool { return all.mayNotify(k, from, user) }
	}
	return o
}

// mayNotify reports whether a process may speak for the program, which was started as this
// user: the leader, and of its descendants those of that user or of root. What another
// user has it run, such as a session of sshd or a job of cron, may not.
func (d *descendants) mayNotify(o kernel, from notify.Sender, user int) bool {
	return from.PID == d.pgid || (from.UID == user || from.UID == 0) && d.has(o, from.PID)
}

// has reports whether a process is one of them, or the leader.
func (d *descendants) has(o kernel, pid int) bool {
	if o.Descends(pid, d.pgid) {
		return true
	}
	if d.cgroup == "" {
		return slices.ContainsFunc(d.strays(o), func(id launch.Identity) bool { return id.PID == pid })
	}
	c, err := o.Cgroups()
	if err != nil {
		return false
	}
	members, _ := c.Members(d.cgroup)
	return slices.Contains(members, pid)
}

// heard takes what a process has said.
func (s *Supervisor) heard(p *process, on int, m notify.Message) {
	if m.Stranger != 0 {
		s.log.Warn("a message to the NOTIFY_SOCKET of " + p.name() + " is ignored: process " + itoa(m.Stranger) +
			" is not part of that program, or has since ended")
		return
	}
	if on == onPipe {
		s.step(p, proc.Input{Kind: proc.BecameReady})
		return
	}
	in := proc.Input{Kind: proc.Notified, Notice: proc.ParseNotice(m.Text)}
	if in.Notice == (proc.Notice{Well: true}) && p.machine.Missed == "" {
		p.machine.Step(time.Now(), in) // as often as it likes, and nobody sees a difference
		s.schedule(p)
		return
	}
	s.step(p, in)
}

// seek has a process's output searched for the line that says that it is ready, as long as
// that is to be found out.
func (s *Supervisor) seek(p *process) {
	line := p.readyLine()
	if line == p.seeking {
		return
	}
	p.seeking = line
	for ch := range p.out {
		if stream := p.out[ch].stream; stream != nil {
			stream.Set(s.settings(p, state.Channel(ch)))
		}
	}
}

// readyLine is the expression that a line of the output matches when the process is ready,
// "" where nobody asks for one.
func (p *process) readyLine() string {
	m, ready := &p.machine, p.def.Probes.Ready
	if ready.Kind != value.ProbeLog || m.State != state.Starting || m.Ready || m.Late {
		return ""
	}
	return ready.Target
}

// stopClocks stops those of what is found out about processes, which go by what is seen and
// heard of them, or has them go on.
func (s *Supervisor) stopClocks(stop bool) {
	kind := proc.Sighted
	if stop {
		kind = proc.Blind
	}
	for _, g := range s.groups {
		for _, p := range g.procs {
			p.machine.Step(time.Now(), proc.Input{Kind: kind})
			s.schedule(p)
		}
	}
}

// hearNoMore ends what is heard of processes that the end of the daemon leaves.
func (s *Supervisor) hearNoMore() {
	for _, g := range s.groups {
		for _, p := range g.procs {
			for _, ear := range p.ears {
				if ear != nil {
					ear.Finish()
				}
			}
		}
	}
}
