package depend

import (
	"slices"
	"strings"

	"supervisord/runtime/state"
	"supervisord/spec"
)

// Process is what counts of a process that others need.
type Process struct {
	State state.Process
	// Forked: there is a process while the state is STARTING.
	Forked bool
	// Waiting: it is to be started itself, when what it needs is there.
	Waiting bool
	// Done: it has ended as expected since it was defined as it is.
	Done bool
	// Disabled: nobody but a person starts it.
	Disabled bool
	// ByPerson: that is since a person has disabled it.
	ByPerson bool
}

// is reports whether a condition is fulfilled.
func (p Process) is(c spec.Condition) bool {
	switch {
	case c&spec.UntilRunning != 0 && p.State == state.Running,
		c&spec.UntilStarted != 0 && (p.State == state.Starting && p.Forked || p.State == state.Running || p.State == state.Exited),
		c&spec.UntilExited != 0 && p.State == state.Exited,
		c&spec.UntilDone != 0 && p.Done,
		c&spec.UntilFatal != 0 && p.State == state.Fatal:
		return true
	}
	return false
}

// rests reports whether nothing of it runs or is about to.
func (p Process) rests() bool { return p.State.InStopped() && !p.Waiting }

// word is why it is not there.
func (p Process) word() string {
	if p.ByPerson && p.State == state.Stopped {
		return "disabled"
	}
	return p.State.String()
}

// dispensable reports whether an optional one is not waited for.
func (p Process) dispensable() bool {
	return p.rests() && (p.Disabled || p.State == state.Fatal || p.State == state.Exited)
}

// Wait is one need that is not fulfilled.
type Wait struct {
	spec.Need
	// Process is the first that it is not fulfilled for, and How what that is; neither
	// means anything if nothing has the name.
	Process spec.Namespec
	How     Process
}

// Stuck reports whether nobody but a person, or another definition, can change it.
func (w Wait) Stuck() bool { return len(w.Targets) == 0 || w.How.rests() }

// Waits lists the needs that are not fulfilled. look is asked for the processes that they
// name.
func Waits(needs []spec.Need, look func(spec.Namespec) Process) (list []Wait) {
	for _, need := range needs {
		wait := Wait{Need: need}
		unmet := len(need.Targets) == 0 && !need.Optional
		for _, name := range need.Targets {
			p := look(name)
			if p.is(need.Until) || need.Optional && p.dispensable() {
				continue
			}
			if !unmet || p.rests() && !wait.How.rests() { // what is stuck is told of first
				wait.Process, wait.How = name, p
			}
			unmet = true
		}
		if unmet {
			list = append(list, wait)
		}
	}
	return list
}

// Within leaves of needs what is among some processes.
func Within(needs []spec.Need, among map[spec.Namespec]bool) (list []spec.Need) {
	for _, need := range needs {
		need.Targets = slices.DeleteFunc(slices.Clone(need.Targets), func(name spec.Namespec) bool { return !among[name] })
		if len(need.Targets) > 0 {
			list = append(list, need)
		}
	}
	return list
}

// Stuck reports whether waiting is in vain as things are.
func Stuck(list []Wait) bool { return slices.ContainsFunc(list, Wait.Stuck) }

// Text is what is waited for, for people: "db, migrate:done (FATAL)".
func Text(list []Wait) string {
	words := make([]string, len(list))
	for i, w := range list {
		w.Optional = false
		words[i] = w.String()
		switch {
		case len(w.Targets) == 0:
			words[i] += " (not defined)"
		case !w.Stuck():
		case w.Process.String() == w.Name:
			words[i] += " (" + w.How.word() + ")"
		default:
			words[i] += " (" + w.Process.String() + " is " + w.How.word() + ")"
		}
	}
	return strings.Join(words, ", ")
}
