package spec

// Changes says by name which groups differ between what is active and what is
// desired.
type Changes struct {
	Added   []string // in the order of the desired groups
	Changed []string // in the order of the desired groups
	Removed []string // in the order of the active groups
}

// Empty reports whether nothing differs.
func (c Changes) Empty() bool {
	return len(c.Added) == 0 && len(c.Changed) == 0 && len(c.Removed) == 0
}

// Diff compares the active groups with the desired ones.
//
// Source: contract/reconcile.md section 3.
func Diff(active, desired []Group) Changes {
	var c Changes
	running := make(map[string]*Group, len(active))
	for i := range active {
		running[active[i].Name] = &active[i]
	}
	wanted := make(map[string]bool, len(desired))
	for i := range desired {
		g := &desired[i]
		wanted[g.Name] = true
		switch old := running[g.Name]; {
		case old == nil:
			c.Added = append(c.Added, g.Name)
		case !old.Equal(g):
			c.Changed = append(c.Changed, g.Name)
		}
	}
	for _, g := range active {
		if !wanted[g.Name] {
			c.Removed = append(c.Removed, g.Name)
		}
	}
	return c
}

// Equal reports whether two groups are the same to an update: kind, name,
// priority, the processes in their order, and what listeners have beyond
// programs. Where in the files they stand does not matter.
//
// Source: contract/reconcile.md section 4.
//
// Differs: a change to AUTO log names and to the owner, mode or backlog of an
// fcgi socket is seen (section 8, rows 4 and 5).
func (g *Group) Equal(h *Group) bool {
	if g.Name != h.Name || len(g.Processes) != len(h.Processes) || !equal(groupFields, g, h) {
		return false
	}
	for i := range g.Processes { // in place: a process is large
		if !g.Processes[i].Equal(&h.Processes[i]) {
			return false
		}
	}
	return true
}

// Equal compares what listeners have beyond programs. Either may be nil.
func (l *Listener) Equal(m *Listener) bool {
	if l == nil || m == nil {
		return l == m
	}
	return equal(listenerFields, l, m)
}

// Equal compares two processes in all but the place of their definition. The
// address of the daemon's own server is no part of a process that asks for it
// with AUTO.
func (p *Process) Equal(q *Process) bool {
	return p == q || p.Name == q.Name && equal(processFields, p, q)
}
