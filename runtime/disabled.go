package runtime

import (
	"context"

	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// SetDisabled says which processes a person has disabled, all of those of a group where
// Process is "": nothing but a person starts them, one by one, and nobody waits for them
// where that is optional. They need not be there. One that is disabled by this counts as
// stopped by a person, but is not stopped: that is Stop's. A process that is no longer
// disabled is started if it has autostart and has not ended by itself, once its dependencies
// are satisfied.
func (s *Supervisor) SetDisabled(ctx context.Context, names map[spec.Namespec]bool) error {
	return s.ask(ctx, func() {
		s.disabled = names
		s.order.changed = true
		s.tableChanged()
		for _, g := range s.ordered() {
			for _, p := range g.byPriority() {
				switch is := s.isDisabled(p.namespec()); {
				case is && !p.disabled:
					s.disable(p)
				case p.disabled && !is:
					s.enable(p)
				}
			}
		}
	})
}

// isDisabled reports whether a process of that name is.
func (s *Supervisor) isDisabled(name spec.Namespec) bool {
	return s.disabled[name] || s.disabled[spec.Namespec{Group: name.Group}]
}

// disable has p count as stopped by a person. That it was given up is forgotten: nobody is
// to wait for it, nor to be told of it.
func (s *Supervisor) disable(p *process) {
	s.stayDown(p)
	p.disabled, p.userStopped, p.wasRunning = true, true, false
	if p.machine.State == state.Fatal {
		s.step(p, proc.Input{Kind: proc.Reset})
	}
	s.touch(p)
}

// enable starts p if it has autostart: after its stop, where one is under way. What has ended
// by itself was not kept from starting, and stays as it is.
func (s *Supervisor) enable(p *process) {
	p.disabled, p.wasRunning = false, false
	switch {
	case !s.begun || !p.def.Autostart || p.machine.State == state.Exited:
	case p.idle():
		s.start(p)
	case p.machine.State == state.Stopping, p.order.stopAfter != nil:
		p.userStopped, p.restartWhenStopped, p.restarting = false, true, true
	}
	s.touch(p)
}

// leftAlone reports whether p is disabled, and nobody has started it since.
func (p *process) leftAlone() bool { return p.disabled && p.userStopped }
