package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"supervisord/spec"
)

// turns says in which wave of a step each process is to be restarted: of the processes of
// a program so many at a time as its rollout says, each wave when what the one before has
// started is ready. All else is done with the first. last is the number of the last wave.
func turns(s *Step) (at map[string]int, last int) {
	if s.Old == nil || s.New == nil || s.Replace {
		return nil, 0
	}
	new, old, sizes := make(map[string]*spec.Process), make(map[string]bool), make(map[string]int)
	for i := range s.New.Processes {
		p := &s.New.Processes[i]
		new[p.Name] = p
		sizes[p.Origin.Section]++
	}
	for i := range s.Old.Processes {
		old[s.Old.Processes[i].Name] = true
	}
	at = make(map[string]int)
	taken := make(map[string]int) // how many of a program have a turn
	for _, name := range s.Start {
		p := new[name]
		if !old[name] {
			continue
		}
		program := p.Origin.Section
		turn := taken[program] / p.Rollout.Of(sizes[program])
		taken[program]++
		at[name], last = turn, max(last, turn)
	}
	return at, last
}

// isRolled reports whether a step is carried out by roll: in more than one wave, or in the
// last of those that an earlier update has begun.
func isRolled(s *Step) bool {
	_, last := turns(s)
	return last > 0 || s.Old != nil && s.New != nil && !s.Replace && len(s.Start) > 0 && len(settled(s)) > 0
}

// wave is the part of a step whose turn it is, where old is in force. The definition that it
// puts in force is the new one, with the old one of each process whose turn is still to
// come.
func wave(s *Step, old *spec.Group, at map[string]int, turn, last int) *Step {
	w := *s
	w.Old, w.New = old, s.New
	if turn < last {
		w.New = between(s, func(name string) bool { return at[name] > turn })
	}
	of := func(name string) bool { return at[name] != turn }
	w.Stop = slices.DeleteFunc(slices.Clone(s.Stop), of)
	w.Start = slices.DeleteFunc(slices.Clone(s.Start), of)
	return &w
}

// between is the new definition, in which some processes are as they were.
func between(s *Step, asBefore func(name string) bool) *spec.Group {
	old := make(map[string]*spec.Process, len(s.Old.Processes))
	for i := range s.Old.Processes {
		old[s.Old.Processes[i].Name] = &s.Old.Processes[i]
	}
	g := *s.New
	g.Processes = slices.Clone(g.Processes)
	for i := range g.Processes {
		if name := g.Processes[i].Name; asBefore(name) {
			g.Processes[i] = *old[name]
		}
	}
	return &g
}

// settled are the processes of programs that are rolled out which are in force already as
// they are wanted, from an earlier update that has come so far.
func settled(s *Step) (names []string) {
	rolled := make(map[string]bool)
	for _, name := range s.Start {
		rolled[find(s.New, name).Origin.Section] = true
	}
	for i := range s.New.Processes {
		p := &s.New.Processes[i]
		if old := find(s.Old, p.Name); rolled[p.Origin.Section] && p.Rollout != (spec.Rollout{}) && old != nil && old.Equal(p) && !slices.Contains(s.Start, p.Name) {
			names = append(names, p.Name)
		}
	}
	return names
}

// rolloutPatience is how long a rollout waits for a wave to come up, beyond what the
// programs' own time limits allow. Meanwhile nothing else is updated.
const rolloutPatience = 10 * time.Minute

// roll carries out a step of more than one wave. It stops at the first process that does not
// come up, and the others stay as they were. Newer content ends the wait, and the rest is
// planned again.
func (e *execution) roll(ctx context.Context, o *Outcome) {
	o.Begun = true
	at, last := turns(o.Step)
	up, old := settled(o.Step), o.Step.Old
	for turn := range last + 1 {
		w := wave(o.Step, old, at, turn, last)
		if o.Err = e.await(ctx, o.Step.Group, up); o.Err != nil {
			if !e.overtaken() {
				left := slices.DeleteFunc(slices.Clone(o.Step.Start), func(name string) bool { return at[name] < turn })
				o.Err = fmt.Errorf("rollout of group %s stopped, %s not restarted: %w", o.Step.Group, strings.Join(left, ", "), o.Err)
			}
			return
		}
		e.leaveStopped(w)
		did := Outcome{Step: w}
		e.whole(ctx, &did)
		o.Stopped, o.Started = append(o.Stopped, did.Stopped...), append(o.Started, did.Started...)
		if o.Err = did.Err; o.Err != nil {
			return
		}
		up, old = w.Start, w.New
		o.RolledOut = append(o.RolledOut, up...)
	}
	o.Started = o.Step.Start
}

// leaveStopped leaves down what a person has stopped since the rollout began.
func (e *execution) leaveStopped(s *Step) {
	for _, a := range e.target.Groups() {
		if a.Group.Name != s.Group {
			continue
		}
		for _, p := range a.Processes {
			if p.UserStopped && slices.Contains(s.Stop, p.Name) {
				s.Start = slices.DeleteFunc(s.Start, func(name string) bool { return name == p.Name })
			}
		}
	}
}

// await waits until processes have come up. What newer content has ended is a conflict: it
// is planned again.
func (e *execution) await(ctx context.Context, group string, names []string) error {
	waiting, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	limit := time.AfterFunc(rolloutPatience, func() { stop(errors.New("it was not RUNNING within " + rolloutPatience.String())) })
	defer limit.Stop()
	over := make(chan struct{})
	defer close(over)
	go func() { // ends with the wait
		select {
		case <-e.newer:
			stop(ErrConflict)
		case <-over:
		}
	}()
	err := e.target.AwaitRunning(waiting, group, names)
	if waiting.Err() != nil {
		return cmp.Or(context.Cause(waiting), err)
	}
	return err
}
