package spec

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Field is one key whose value differs between two definitions.
type Field struct {
	Key string // as in the file; a variable is "environment NAME"
	// Old and New are the values as a file would give them. What is not set is
	// empty. The values of variables are never shown: they are "set", "changed"
	// or empty.
	Old, New string
	// Restart is set when a running child was given the value at its start, so
	// that only a restart brings the new one into force.
	Restart bool
}

// Compare lists the keys in which two definitions of one process differ. It is
// empty exactly if they are Equal, the name aside.
//
// Source: reconciler.md, What counts as a change.
func Compare(old, new Process) []Field { return compare(processFields, &old, &new) }

// CompareGroups lists what differs between two groups of one name beside their
// processes. A change of kind makes it another group: everything in it is
// restarted.
func CompareGroups(old, new Group) []Field {
	list := compare(groupFields, &old, &new)
	if old.Kind == KindGroup && new.Kind == KindGroup {
		if was, is := members(&old), members(&new); was != is {
			list = append(list, Field{Key: "programs", Old: was, New: is})
		}
	}
	return list
}

func members(g *Group) string {
	names := make([]string, len(g.Processes))
	for i := range g.Processes {
		names[i] = g.Processes[i].Name
	}
	return strings.Join(names, ",")
}

// String is the kind of section that makes such a group.
func (k GroupKind) String() string {
	switch k {
	case KindGroup:
		return "group"
	case KindListener:
		return "eventlistener"
	case KindFastCGI:
		return "fcgi-program"
	}
	return "program"
}

// CompareDaemons lists the sections about the daemon itself that differ: [supervisord], those
// of servers and of RPC interfaces, by their names. The environment of [supervisord] is left
// out: what it means to a process is in the definition of that.
func CompareDaemons(old, new *Config) (sections []string) {
	was, is := old.Daemon, new.Daemon
	was.Environment, is.Environment = nil, nil
	if !reflect.DeepEqual(was, is) {
		sections = append(sections, "supervisord")
	}
	parts := func(c *Config) map[string]any {
		m := make(map[string]any)
		for _, s := range c.Servers {
			m[s.Section] = s
		}
		for _, r := range c.RPC {
			m["rpcinterface:"+r.Name] = r
		}
		return m
	}
	before, after := parts(old), parts(new)
	all := maps.Clone(before)
	maps.Copy(all, after)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !reflect.DeepEqual(before[name], after[name]) {
			sections = append(sections, name)
		}
	}
	return sections
}
