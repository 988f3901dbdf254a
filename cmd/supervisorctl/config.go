package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"supervisord/rpc/client"
)

// avail lists every configured process.
func (c *call) avail(ctx context.Context) error {
	infos, err := c.AllConfigInfo(ctx)
	if client.HasCode(err, client.FaultShutdown) {
		c.say("ERROR: supervisor shutting down")
		c.fail(exitFailed)
		return nil
	}
	if err != nil {
		return err
	}
	if c.json {
		fields := []map[string]any{}
		for _, info := range infos {
			fields = append(fields, info.Fields)
		}
		return c.emit(fields)
	}
	var b strings.Builder
	for _, info := range infos {
		used, start := "avail", "manual"
		if info.InUse {
			used = "in use"
		}
		if info.Autostart {
			start = "auto"
		}
		fmt.Fprintf(&b, "%-32s %-9s %-9s %d:%d\n", display(info.Group, info.Name), used, start,
			info.GroupPriority, info.Priority)
	}
	_, err = fmt.Fprint(c.out, b.String())
	return err
}

// nothingChanged is the line for files that agree with what is active.
const nothingChanged = "No config updates to processes"

// reread has the daemon read its files, and prints what differs.
func (c *call) reread(ctx context.Context) error {
	changes, err := c.Reread(ctx)
	switch {
	case client.HasCode(err, client.FaultShutdown):
		c.say("ERROR: supervisor shutting down")
		c.fail(exitFailed)
		return nil
	case client.HasCode(err, client.FaultCantReread):
		c.say("ERROR: %s", faultText(err))
		c.fail(exitFailed)
		return nil
	case err != nil:
		return err
	}
	type line struct{ group, what string }
	var lines []line
	for _, l := range []struct {
		groups []string
		what   string
	}{{changes.Added, "available"}, {changes.Changed, "changed"}, {changes.Removed, "disappeared"}} {
		for _, group := range l.groups {
			lines = append(lines, line{group, l.what})
		}
	}
	if len(lines) == 0 {
		c.say(nothingChanged)
	}
	slices.SortStableFunc(lines, func(a, b line) int { return strings.Compare(a.group, b.group) })
	for _, l := range lines {
		c.say("%s: %s", l.group, l.what)
	}
	return nil
}

// add activates groups of the configuration as last read.
func (c *call) add(ctx context.Context) error {
	for _, group := range c.words {
		err := c.AddGroup(ctx, group)
		switch {
		case err == nil:
			c.say("%s: added process group", group)
		case client.HasCode(err, client.FaultShutdown):
			c.say("ERROR: shutting down")
			c.fail(exitFailed)
		case client.HasCode(err, client.FaultAlreadyAdded):
			c.say("ERROR: process group already active")
		case client.HasCode(err, client.FaultBadName):
			c.say("ERROR: no such process/group: %s", group)
			c.unknown = append(c.unknown, unknownName{group, true})
			c.fail(exitFailed)
		default:
			return err
		}
	}
	return nil
}

// remove takes away groups that have stopped.
func (c *call) remove(ctx context.Context) error {
	for _, group := range c.words {
		err := c.RemoveGroup(ctx, group)
		switch {
		case err == nil:
			c.say("%s: removed process group", group)
		case client.HasCode(err, client.FaultStillRunning):
			c.say("ERROR: process/group still running: %s", group)
			c.fail(exitFailed)
		case client.HasCode(err, client.FaultBadName):
			c.say("ERROR: no such process/group: %s", group)
			c.unknown = append(c.unknown, unknownName{group, true})
			c.fail(exitFailed)
		default:
			return err
		}
	}
	return nil
}
