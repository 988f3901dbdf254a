package spec

import "slices"

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
	return g.Name == h.Name &&
		g.Kind == h.Kind &&
		g.Priority == h.Priority &&
		g.Listener.Equal(h.Listener) &&
		slices.EqualFunc(g.Processes, h.Processes, func(p, q Process) bool { return p.Equal(&q) })
}

// Equal compares what listeners have beyond programs. Either may be nil.
func (l *Listener) Equal(m *Listener) bool {
	if l == nil || m == nil {
		return l == m
	}
	return slices.Equal(l.Events, m.Events) &&
		l.BufferSize == m.BufferSize &&
		l.ResultHandler == m.ResultHandler &&
		l.StallTimeout == m.StallTimeout
}

// Equal compares two processes in all but the place of their definition. The
// address of the daemon's own server is no part of a process that asks for it
// with AUTO.
func (p *Process) Equal(q *Process) bool {
	return p == q || p.Name == q.Name && p.sameAtExec(q) && p.sameInPlace(q)
}

// sameAtExec compares what a running child was given when it was started.
func (p *Process) sameAtExec(q *Process) bool {
	return p.Command == q.Command &&
		p.Directory == q.Directory &&
		p.HasDir == q.HasDir &&
		p.Umask == q.Umask &&
		p.User.Equal(q.User) &&
		p.Environment.Equal(q.Environment) &&
		p.sameServerURL(q) &&
		p.RedirectStderr == q.RedirectStderr &&
		p.Socket.Equal(q.Socket)
}

// sameInPlace compares what the daemon can change under a running child.
func (p *Process) sameInPlace(q *Process) bool {
	return p.Priority == q.Priority &&
		p.Autostart == q.Autostart &&
		p.Autorestart == q.Autorestart &&
		p.StartSecs == q.StartSecs &&
		p.StartRetries == q.StartRetries &&
		slices.Equal(p.ExitCodes, q.ExitCodes) &&
		p.StopSignal == q.StopSignal &&
		p.StopWaitSecs == q.StopWaitSecs &&
		p.StopAsGroup == q.StopAsGroup &&
		p.KillAsGroup == q.KillAsGroup &&
		p.KillMode == q.KillMode &&
		p.Stdout.Equal(q.Stdout) &&
		p.Stderr.Equal(q.Stderr)
}

func (p *Process) sameServerURL(q *Process) bool {
	if p.ServerURLAuto || q.ServerURLAuto {
		return p.ServerURLAuto == q.ServerURLAuto
	}
	return p.ServerURL == q.ServerURL
}

// Equal reports whether two outputs go to the same place under the same rules.
func (o Output) Equal(p Output) bool { return o == p }

// Equal compares two sockets. Either may be nil, which is no socket. The address
// stands for its parts, and the owner's numbers for the name.
func (s *Socket) Equal(t *Socket) bool {
	if s == nil || t == nil {
		return s == t
	}
	return s.URL == t.URL && s.Mode == t.Mode && s.Owner == t.Owner && s.Backlog == t.Backlog
}
