package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"supervisord/spec"
)

// waves divides a step into those that are carried out one after another, each when what the
// one before has started is ready: of the processes of a program that are to be started
// anew, so many at a time as its rollout says. All else is done with the first. The
// definitions in between are the new one, with the old one of each process whose turn is
// still to come. One wave is the step itself.
func waves(s *Step) []Step {
	if s.Old == nil || s.New == nil || s.Replace {
		return []Step{*s}
	}
	turns, last := make(map[string]int), 0
	left := make(map[string]int) // processes of a program for the wave that is being filled
	at := make(map[string]int)
	for _, name := range s.Start {
		p := find(s.New, name)
		if find(s.Old, name) == nil {
			continue
		}
		program := p.Origin.Section
		if n := p.Rollout.Of(processesOf(s.New, program)); left[program] == 0 {
			if _, begun := at[program]; begun {
				at[program]++
			} else {
				at[program] = 0
			}
			left[program] = n
		}
		left[program]--
		turns[name], last = at[program], max(last, at[program])
	}
	if last == 0 {
		return []Step{*s}
	}
	list := make([]Step, last+1)
	old := s.Old
	for turn := range list {
		w := *s
		w.Old, w.New = old, s.New
		if turn < last {
			w.New = between(s, func(name string) bool { return turns[name] > turn })
		}
		of := func(name string) bool { return turns[name] != turn }
		w.Stop = slices.DeleteFunc(slices.Clone(s.Stop), of)
		w.Start = slices.DeleteFunc(slices.Clone(s.Start), of)
		list[turn], old = w, w.New
	}
	return list
}

// processesOf is how many processes a program has in a group.
func processesOf(g *spec.Group, program string) (n int) {
	for i := range g.Processes {
		if g.Processes[i].Origin.Section == program {
			n++
		}
	}
	return n
}

// between is the new definition, in which some processes are as they were.
func between(s *Step, asBefore func(name string) bool) *spec.Group {
	g := *s.New
	g.Processes = slices.Clone(g.Processes)
	for i := range g.Processes {
		if name := g.Processes[i].Name; asBefore(name) {
			g.Processes[i] = *find(s.Old, name)
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

// roll carries out a step of more than one wave. It stops at the first process that does not
// come up, and the others stay as they were. Newer content ends the wait, and the rest is
// planned again.
func (e *execution) roll(ctx context.Context, o *Outcome, list []Step) {
	o.Begun = true
	up := settled(o.Step)
	for i := range list {
		if o.Err = e.await(ctx, o.Step.Group, up); o.Err != nil {
			if left := startsOf(list[i:]); !e.overtaken() {
				o.Err = fmt.Errorf("rollout of group %s stopped, %s not restarted: %w", o.Step.Group, strings.Join(left, ", "), o.Err)
			}
			return
		}
		e.leaveStopped(&list[i])
		wave := Outcome{Step: &list[i]}
		e.whole(ctx, &wave)
		o.Stopped, o.Started = append(o.Stopped, wave.Stopped...), append(o.Started, wave.Started...)
		if o.Err = wave.Err; o.Err != nil {
			return
		}
		up = list[i].Start
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

func startsOf(list []Step) (names []string) {
	for i := range list {
		names = append(names, list[i].Start...)
	}
	return names
}

// await waits until processes have come up. What newer content has ended is a conflict: it
// is planned again.
func (e *execution) await(ctx context.Context, group string, names []string) error {
	waiting, stop := context.WithCancelCause(ctx)
	defer stop(nil)
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
