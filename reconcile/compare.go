package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"supervisord/spec"
)

// The actions an update is made of.
//
// Source: reconciler.md, What counts as a change.
const (
	Add      = "add"      // a group appears; its autostart processes are started
	Remove   = "remove"   // a group goes; its processes are stopped first
	Restart  = "restart"  // a process is stopped and started, or started afresh
	Inplace  = "inplace"  // the new definition is in force, nothing is stopped or started
	Numprocs = "numprocs" // a process appears in a group that stays, or goes from it
)

// Action is one thing an update does, or would do.
type Action struct {
	Action  string   `json:"action"`
	Group   string   `json:"group"`
	Process string   `json:"process,omitempty"` // "" when it is about the group as a whole
	Changes []Change `json:"changes,omitempty"`
	Reason  string   `json:"reason"`
	// File is where the new definition stands, or the old one stood.
	File string `json:"file,omitempty"`
}

// Change is one key whose value differs. Values of environment keys are never
// in it.
type Change struct {
	Key string `json:"key"`
	Old string `json:"old"`
	New string `json:"new"`
}

// String is the action in one line for the log, without the reason.
func (a *Action) String() string {
	name := a.Group
	if a.Process != "" {
		name += ":" + a.Process
	}
	return a.Action + " " + name
}

// processChange is what is done to one process of a group that stays.
type processChange struct {
	action  *Action // nil when nothing differs
	stop    bool    // must be down before the definitions are swapped
	start   bool    // is to be started afterwards
	counted bool    // Supervisor's update says "stopped" of such a group
}

// compareProcess decides about a process that both definitions have. live is how
// it is; pending that an earlier update stopped it and did not start it again; afresh
// that what has failed is to be tried again.
//
// A process that a person stopped stays stopped unless a person asks for the
// update; what ended by itself is started afresh once its definition differs, if
// it is one that starts by itself.
func compareProcess(group string, old, new *spec.Process, live Process, pending, afresh, explicit bool) processChange {
	fields := spec.Compare(*old, *new)
	afresh = afresh && live.Failed && !live.UserStopped && new.Autostart
	if len(fields) == 0 && !pending && !afresh {
		return processChange{}
	}
	f := processChange{stop: slices.ContainsFunc(fields, func(f spec.Field) bool { return f.Restart })}
	f.counted = f.stop
	wanted := new.Autostart
	var reason string
	switch {
	case pending && len(fields) == 0:
		f.start, reason = true, "it was stopped for a change that was not made"
	case pending:
		f.start, reason = true, "it was stopped to be restarted"
	case afresh:
		f.stop = f.stop || live.Running
		f.start, reason = true, "it is "+live.State+" after an automatic update, and an update was requested: it is started again"
	case live.Running && !live.UserStopped:
		f.start, reason = f.stop, "a running child keeps what it was started with"
	case live.UserStopped && live.Disabled:
		reason = "it is disabled; the definition counts from its next start"
	case live.UserStopped && explicit && wanted:
		f.start, reason = true, "it was stopped by a person, and an update was requested"
	case live.UserStopped:
		reason = "it was stopped by a person and stays so"
	case wanted:
		f.start, reason = true, "it is "+live.State+" and is started again"
	default:
		reason = "it is not running; the definition counts from its next start"
	}
	a := &Action{Action: Inplace, Group: group, Process: new.Name, Changes: changes(fields), File: new.Origin.File}
	switch {
	case f.start:
		a.Action = Restart
	case live.Running && !f.stop:
		reason = "in force at once"
	}
	a.Reason = because(fields, reason)
	f.action = a
	return f
}

// goBack is the decision where the group is put back as it was: what ran then is started
// if it does not run, and nothing else, so that work which was done is not done again. What
// has ended as expected with a definition that differs in place alone has done its work.
func (f *processChange) goBack(live Process, ran bool) {
	f.start = ran && !live.UserStopped && (f.stop || !live.Running && (live.Failed || live.State == "STOPPED"))
	switch {
	case f.start:
		f.action.Action = Restart
		f.action.Reason = "what ran before is put back in force"
	case f.stop && live.Running:
		f.action.Action = Restart
		f.action.Reason = "what ran before is put back in force: this process did not run then, and is stopped"
	default:
		f.action.Action = Inplace
		f.action.Reason = "what was there before is put back in force"
	}
}

// because names the keys that differ, then what follows from it.
func because(fields []spec.Field, reason string) string {
	if len(fields) == 0 {
		return reason
	}
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.Key
	}
	verb := " differs: "
	if len(keys) > 1 {
		verb = " differ: "
	}
	return strings.Join(keys, ", ") + verb + reason
}

func changes(fields []spec.Field) []Change {
	list := make([]Change, len(fields))
	for i, f := range fields {
		list[i] = Change{f.Key, f.Old, f.New}
	}
	return list
}

// groupFields is what differs between two definitions of a group beside their
// processes. replace is set when the one cannot become the other in place: a
// listener's output is a protocol, and no other child speaks it.
func groupFields(old, new *spec.Group) (fields []spec.Field, replace bool) {
	for _, f := range spec.CompareGroups(*old, *new) {
		switch f.Key {
		case "programs": // members that come and go are actions of their own
			continue
		case "type":
			replace = old.Kind == spec.KindListener || new.Kind == spec.KindListener
		}
		fields = append(fields, f)
	}
	if a, b := common(old, new), common(new, old); !slices.Equal(a, b) {
		fields = append(fields, spec.Field{Key: "programs", Old: strings.Join(a, ","), New: strings.Join(b, ",")})
	}
	return fields, replace
}

// common lists the processes of g that h has too, in g's order.
func common(g, h *spec.Group) []string {
	var names []string
	for i := range g.Processes {
		if find(h, g.Processes[i].Name) != nil {
			names = append(names, g.Processes[i].Name)
		}
	}
	return names
}

// find is the process of that name, or nil.
func find(g *spec.Group, name string) *spec.Process {
	for i := range g.Processes {
		if g.Processes[i].Name == name {
			return &g.Processes[i]
		}
	}
	return nil
}

// origin is the file of a group's own section.
func origin(g *spec.Group) string { return g.Origin.File }

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	if strings.HasSuffix(one, "s") {
		one += "e"
	}
	return fmt.Sprintf("%d %ss", n, one)
}
