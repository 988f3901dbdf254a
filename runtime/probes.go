package runtime

import (
	"cmp"
	"context"
	"errors"
	"os"
	"time"

	"supervisord/runtime/hang"
	"supervisord/runtime/launch"
	"supervisord/runtime/probe"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// The two things that one finds out about a process.
const (
	isReady = iota
	isHealthy
)

// looking is a probe active for one run of a process.
type looking struct {
	watch *probe.Watch
	asked asked
}

// asked is what a probe at work was told; another definition begins another one.
type asked struct {
	run      uint64
	probe    spec.Probe
	interval time.Duration
	timeout  time.Duration
}

// looks is what is to be found out about a process as it is now; the zero value of one is
// nothing.
func (p *process) looks() (want [2]asked) {
	m, of := &p.machine, &p.def.Probes
	starting := m.State == state.Starting && !m.Launching && !m.Late
	if m.Leaving || p.pendingExit != nil || !starting && m.State != state.Running {
		return want
	}
	if starting && !m.Ready && of.Ready != (spec.Probe{}) && !of.Ready.Told() {
		want[isReady] = asked{p.run, of.Ready, of.ReadyEvery(), of.Patience()}
	}
	if of.Health != (spec.Probe{}) {
		want[isHealthy] = asked{p.run, of.Health, of.HealthEvery(), of.Patience()}
	}
	return want
}

// look has the probes of a process at work that are to be, and no other.
func (s *Supervisor) look(p *process) {
	s.seek(p)
	var want [2]asked
	if s.probing {
		want = p.looks()
	}
	for what := range want {
		now := &p.looking[what]
		if now.asked == want[what] {
			continue
		}
		if now.watch != nil {
			s.unwatch(p, now.watch)
		}
		*now = looking{asked: want[what]}
		if want[what] != (asked{}) {
			now.watch = s.watch(p, what, want[what])
		}
	}
}

// watch begins to look at a process.
func (s *Supervisor) watch(p *process, what int, a asked) *probe.Watch {
	return probe.Start(probe.Options{
		Name: p.name(), Look: s.subject(p).Of(a.probe, a.timeout),
		Interval: a.interval, Once: what == isReady,
		Post: func(w *probe.Watch, err error) {
			if what == isReady && err != nil {
				return // it is to be expected, and the time for it is limited
			}
			s.post(func() {
				if p.looking[what].watch == w {
					s.found(p, what, err)
				}
			})
		},
	})
}

// unwatch ends the looks at a process. A handover waits for the one that is under way, and
// so does the end of what starts its command.
func (s *Supervisor) unwatch(p *process, w *probe.Watch) {
	w.Stop()
	end := s.lookedAt.begin("a probe of " + p.def.Name)
	s.inFlight.Go(func() { // ends with the look
		<-w.Ended()
		end()
	})
}

// found takes what a probe has found out.
func (s *Supervisor) found(p *process, what int, err error) {
	in := proc.Input{Kind: proc.BecameReady}
	switch {
	case what == isHealthy && err == nil:
		in.Kind = proc.Healthy
	case what == isHealthy:
		in.Kind, in.Text = proc.Unhealthy, err.Error()
	}
	s.step(p, in)
}

// lookAtAll has all probes at work, or none.
func (s *Supervisor) lookAtAll(on bool) {
	s.probing = on
	for _, g := range s.groups {
		for _, p := range g.procs {
			s.look(p)
		}
	}
}

// subject is a process as probes see it: by its definition of now.
func (s *Supervisor) subject(p *process) probe.Subject {
	def, group := p.def, p.group.def.Name
	return probe.Subject{
		UID: userOf(def), Disks: s.disks,
		Exec: func(ctx context.Context, command string) (int, error) { return s.runProbe(ctx, def, group, command) },
	}
}

// probed is what is known of a process, for clients; nil where nobody asks.
func (p *process) probed() *ProbeInfo {
	m, of := &p.machine, &p.def.Probes
	if of.Ready == (spec.Probe{}) && of.Health == (spec.Probe{}) && of.Watchdog == 0 || m.PID == 0 && m.State != state.Starting {
		return nil
	}
	info := &ProbeInfo{Asked: of.Ready != (spec.Probe{}), Ready: m.Ready && !m.Reloading && !m.Leaving, Status: m.StatusText, Reloading: m.Reloading, Leaving: m.Leaving}
	if of.Health != (spec.Probe{}) || of.Watchdog > 0 {
		health, complaint := m.Found()
		info.Health, info.Complaint = cmp.Or(health.String(), "unknown"), complaint
	}
	return info
}

// userOf is the number of the user that a process runs as.
func userOf(def *spec.Process) int {
	if def.User != nil {
		return def.User.UID
	}
	return os.Geteuid()
}

// runProbe runs the command of a probe, as the program's user, in its directory and its
// environment. What it writes is in the activity log at level debug.
func (s *Supervisor) runProbe(ctx context.Context, def *spec.Process, group, command string) (int, error) {
	as := *def
	as.Command = command
	// A disk that hangs is asked once, not by each look: neither for the command, nor for
	// the directory that it is started in.
	c, err := s.askForCommand(ctx, &as, group)
	if err == nil && c.Dir != "" {
		_, err = hang.Ask(ctx, s.disks, c.Dir, func() (os.FileInfo, error) { return os.Stat(c.Dir) })
	}
	if err != nil {
		return 0, err
	}
	output, status, err := s.opt.kernel.Run(ctx, c)
	if len(output) > 0 {
		s.log.Debug("'" + def.Name + "' probe output:\n" + string(output))
	}
	var failed *launch.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	return status, err
}
