package runtime

import (
	"errors"
	"fmt"

	"supervisord/runtime/state"
)

// check reports a version that is not understood, and what no Supervisor comes to. Nothing
// of it may reach the loop: a number that is wrong might be that of a stranger to be
// signalled.
func (d *Saved) check() error {
	switch {
	case d.Version < 1:
		return errors.New("it has no version")
	case d.Version > handoverVersion && (d.ReadableSince < 1 || d.ReadableSince > handoverVersion):
		return fmt.Errorf("it is of version %d, and this program understands at most %d", d.Version, handoverVersion)
	}
	c := checking{d: d, pids: make(map[int]bool), slots: make(map[slotName]*handedProcess), names: make(map[string]bool)}
	for i := range d.Groups {
		if err := c.group(&d.Groups[i]); err != nil {
			return err
		}
	}
	for _, s := range d.Sockets {
		if err := s.Saved.Check(); err != nil {
			return err
		}
		if s.File == 0 != (s.Saved.Holders == 0) {
			return fmt.Errorf("socket %s is held by %d, and has file %d", s.Saved.Options.URL, s.Saved.Holders, s.File)
		}
	}
	if d.Launches < 0 || d.Serials < 0 || d.Present < 0 {
		return errors.New("it has counted less than nothing")
	}
	if err := c.files(); err != nil {
		return err
	}
	return c.order()
}

// checking is what is known of a Handover so far.
type checking struct {
	d     *Saved
	pids  map[int]bool
	slots map[slotName]*handedProcess
	names map[string]bool // of groups
}

func (c *checking) group(g *handedGroup) error {
	if g.Def == nil || g.Def.Name == "" {
		return errors.New("a group has no name")
	}
	if c.names[g.Def.Name] {
		return fmt.Errorf("there are two groups %s", g.Def.Name)
	}
	c.names[g.Def.Name] = true
	wrong := func(err error) error { return fmt.Errorf("group %s: %w", g.Def.Name, err) }
	switch l := g.Def.Listener; {
	case len(g.Processes) != len(g.Def.Processes):
		return wrong(fmt.Errorf("there are %d processes, and by its definition %d", len(g.Processes), len(g.Def.Processes)))
	case (l != nil) != (g.Pool != nil), l != nil && len(g.Pool.Listeners) != len(g.Processes):
		return wrong(errors.New("its listeners are not those of its definition"))
	case l != nil:
		if err := g.Pool.Check(); err != nil {
			return wrong(err)
		}
	}
	for i := range g.Processes {
		slot := slotName{g.Def.Name, g.Def.Processes[i].Name}
		if slot.Process == "" || c.slots[slot] != nil {
			return wrong(fmt.Errorf("there are two processes %q, or it is no name", slot.Process))
		}
		c.slots[slot] = &g.Processes[i]
		if err := c.process(&g.Processes[i], g.Def.Processes[i].Socket != nil); err != nil {
			return wrong(fmt.Errorf("process %s: %w", slot.Process, err))
		}
	}
	return nil
}

func (c *checking) process(p *handedProcess, hasSocket bool) error {
	m := &p.Machine
	if err := m.Check(); err != nil {
		return err
	}
	lives := m.PID > 0 && !m.EndingGroup // or has ended, and its output is not read
	if m.PID > 0 {
		if c.pids[m.PID] || m.PID == 1 {
			return fmt.Errorf("its pid %d is another's", m.PID)
		}
		c.pids[m.PID] = true
	}
	orphans := 0
	switch {
	case m.EndingGroup:
		orphans = m.PID
	case m.OrphanGroup != 0:
		orphans = m.OrphanGroup
	}
	switch d, o := p.Descendants, p.Orphans; {
	case lives != (d != nil), d != nil && d.PGID != m.PID:
		return errors.New("its descendants are not those of its pid")
	case (orphans != 0) != (o != nil), o != nil && o.PGID != orphans && o.PGID != 0:
		return errors.New("those that outlived it are not of its group")
	case p.EndingOrphans && (m.OrphanGroup == 0 || p.OrphansUntil == nil), p.EndOrphansFirst && m.Launching && m.OrphanGroup == 0:
		return errors.New("it ends orphans that it does not have")
	case (p.PendingExit != nil) != (p.ExitedAt != nil), p.PendingExit != nil && !lives:
		return errors.New("it has ended in a way that there is not")
	case p.PidFD != 0 && !lives, p.Says != [2]fileNumber{} && !lives, p.Stdin != 0 && !lives, p.Stdin == 0 && len(p.StdinQueue) > 0:
		return errors.New("it has pipes, and does not live")
	case p.Starts < 0 || p.GroupSignal < 0:
		return errors.New("it has counted less than nothing")
	case p.Socket < 0 || p.Socket > len(c.d.Sockets), p.HeldSocket < 0 || p.HeldSocket > len(c.d.Sockets), hasSocket != (p.Socket != 0):
		return errors.New("its socket is not there")
	}
	for ch := range p.Out {
		if err := p.Out[ch].check(lives); err != nil {
			return fmt.Errorf("%v: %w", state.Channel(ch), err)
		}
	}
	return nil
}

func (o *handedOutput) check(lives bool) error {
	if err := o.Log.Saved.Check(); err != nil {
		return err
	}
	switch {
	case o.Opened && o.Log.Saved.Users == 0:
		return errors.New("its log is not open")
	case o.Log.File != 0 && o.Log.Saved.Users == 0 && !o.Log.Saved.Held:
		return errors.New("its log is open, for nobody")
	case (o.Stream != nil) != (o.Pipe != 0), o.Stream != nil && !lives:
		return errors.New("it has a pipe, and nobody who reads or writes it")
	case o.Stream != nil:
		return o.Stream.Check()
	}
	return nil
}

// files checks that each file is there, and has one use.
func (c *checking) files() (err error) {
	used := make(map[fileNumber]bool)
	c.d.numbers(func(n fileNumber, _ bool) {
		if n < 0 || int(n) > c.d.Files || n > 0 && used[n] {
			err = fmt.Errorf("file %d is not there, or has two uses", n)
		}
		used[n] = true
	})
	delete(used, 0)
	if err == nil && c.d.Files != len(used) {
		err = fmt.Errorf("there are %d files, and %d are used", c.d.Files, len(used))
	}
	return err
}

// order checks what refers to slots, and to sockets.
func (c *checking) order() error {
	if a := c.d.HeldAuto; a != nil && (c.slots[a.Slot] == nil || a.Channel < 0 || a.Channel > 1) {
		return errors.New("the AUTO log that is held is nobody's")
	}
	for _, slot := range c.d.Waiting {
		p := c.slots[slot]
		if p == nil || !p.Machine.Launching {
			return fmt.Errorf("%s:%s waits to be launched, and is not to be", slot.Group, slot.Process)
		}
		delete(c.slots, slot)
	}
	for slot, p := range c.slots {
		if p.Machine.Launching {
			return fmt.Errorf("%s:%s is to be launched, and does not wait for it", slot.Group, slot.Process)
		}
	}
	holders := make([]int, len(c.d.Sockets))
	for i := range c.d.Groups {
		for _, p := range c.d.Groups[i].Processes {
			if p.HeldSocket != 0 {
				holders[p.HeldSocket-1]++
			}
		}
	}
	for i, s := range c.d.Sockets {
		if s.Saved.Holders != holders[i] {
			return fmt.Errorf("socket %s is held by %d, and should be by %d", s.Saved.Options.URL, s.Saved.Holders, holders[i])
		}
	}
	return nil
}
