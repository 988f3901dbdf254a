package main

import (
	"context"
	"slices"

	"supervisord/rpc/client"
	"supervisord/rpc/planned"
)

// update makes the active groups what the files say: as one transaction of the
// server where it has one, else step by step.
//
// Source: contract/reconcile.md section 5.
func (c *call) update(ctx context.Context) error {
	plan, err := c.option("--plan")
	if err != nil {
		return err
	}
	names := c.words
	if slices.Contains(names, "all") {
		names = nil
	}
	if plan != "" {
		return c.updateByPlan(ctx, plan, names)
	}
	var changes *client.Changes
	if len(names) > 0 {
		known, found, err := c.existing(ctx, names)
		if err != nil || len(known) == 0 {
			return c.shuttingDown(err)
		}
		names, changes = known, &found
	}
	outcome, err := c.Apply(ctx, names)
	switch {
	case client.HasCode(err, client.FaultUnknownMethod):
		return c.updateFromClient(ctx, names, changes)
	case err != nil:
		return c.shuttingDown(err)
	}
	return c.updated(outcome)
}

// updateByPlan does what a plan says that diff has shown, or nothing if files or processes
// have changed since: the server sees to that as it begins.
func (c *call) updateByPlan(ctx context.Context, plan string, names []string) error {
	outcome, err := c.ApplyPlan(ctx, plan, names)
	switch {
	case client.HasCode(err, client.FaultConflict):
		c.say("ERROR: not updated, nothing was done: files or processes have changed since plan %s was made: see diff", plan)
		c.fail(exitMoved)
		return nil
	case client.HasCode(err, client.FaultUnknownMethod):
		return c.needsReconcile(err)
	case err != nil:
		return c.shuttingDown(err)
	}
	return c.updated(outcome)
}

// revert takes files back to what they were.
func (c *call) revert(ctx context.Context) error {
	if len(c.words) != 1 {
		return c.usage(exitUsage, "one file, name or number of an update is needed")
	}
	outcome, err := c.Revert(ctx, c.words[0])
	if err != nil {
		return c.refused(err, exitFailed)
	}
	return c.updated(outcome)
}

// unpin has files count again that revert has taken back.
func (c *call) unpin(ctx context.Context) error {
	if len(c.words) != 1 {
		return c.usage(exitUsage, "one file or name is needed")
	}
	if err := c.Unpin(ctx, c.words[0]); err != nil {
		return c.refused(err, exitFailed)
	}
	c.say("%s: unpinned", c.words[0])
	return nil
}

// updated shows what came of an update.
func (c *call) updated(outcome client.Update) error {
	if !outcome.OK {
		c.fail(exitFailed)
	}
	if c.json {
		outcome.Actions = redact(outcome.Actions)
		return c.emit(outcome)
	}
	for _, line := range outcome.Lines {
		c.say("%s", line)
	}
	return nil
}

// shuttingDown says the one fault that update foresees, and hands back any
// other error.
func (c *call) shuttingDown(err error) error {
	if client.HasCode(err, client.FaultShutdown) {
		c.say("ERROR: already shutting down")
		c.fail(exitFailed)
		return nil
	}
	return err
}

// rejectedGroups are those of files that have failed, which an update by name tries again;
// none where the server does not know of such.
func (c *call) rejectedGroups(ctx context.Context) (groups []string) {
	files, err := c.Files(ctx)
	for _, f := range files {
		if err == nil && f.State == "rejected" {
			groups = append(groups, f.Programs...)
		}
	}
	return groups
}

// existing has the files read, keeps the names that are groups in them or
// active, and says which are not.
func (c *call) existing(ctx context.Context, names []string) (known []string, changes client.Changes, err error) {
	if changes, err = c.Reread(ctx); err != nil {
		return nil, changes, err
	}
	infos, err := c.AllProcessInfo(ctx)
	if err != nil {
		return nil, changes, err
	}
	groups := slices.Concat(changes.Added, changes.Removed, c.rejectedGroups(ctx))
	for _, info := range infos {
		groups = append(groups, info.Group)
	}
	for _, name := range names {
		if slices.Contains(groups, name) {
			known = append(known, name)
			continue
		}
		c.say("ERROR: no such group: %s", name)
		c.unknown = append(c.unknown, unknownName{name, true})
		c.fail(exitFailed)
	}
	return known, changes, nil
}

// updateFromClient is update against Supervisor's own server: this client goes
// through the changes group by group, and the first unforeseen fault ends it.
func (c *call) updateFromClient(ctx context.Context, names []string, changes *client.Changes) error {
	if changes == nil {
		found, err := c.Reread(ctx)
		if err != nil {
			return c.shuttingDown(err)
		}
		changes = &found
	}
	u := clientUpdate{call: c}
	err := u.all(ctx, names, *changes)
	if c.json && err == nil {
		return c.emit(client.Update{OK: !u.failed, Lines: u.lines, Actions: []planned.Action{}})
	}
	return err
}

// clientUpdate is one update that this client carries out.
type clientUpdate struct {
	*call
	lines  []string // what has been said
	failed bool
}

func (u *clientUpdate) line(text string) {
	u.lines = append(u.lines, text)
	if !u.json {
		u.say("%s", text)
	}
}

// all removes, changes and adds, of the groups named or of all for no names.
func (u *clientUpdate) all(ctx context.Context, names []string, changes client.Changes) error {
	for _, step := range []struct {
		groups []string
		do     func(context.Context, string) error
	}{{changes.Removed, u.remove}, {changes.Changed, u.replace}, {changes.Added, u.add}} {
		for _, group := range step.groups {
			if len(names) > 0 && !slices.Contains(names, group) {
				continue
			}
			if err := step.do(ctx, group); err != nil {
				return err
			}
		}
	}
	return nil
}

func (u *clientUpdate) remove(ctx context.Context, group string) error {
	results, err := u.StopGroup(ctx, group)
	if err != nil {
		return err
	}
	u.line(group + ": stopped")
	if slices.ContainsFunc(results, func(r client.Result) bool { return r.Status == client.FaultFailed }) {
		u.line(group + ": has problems; not removing")
		u.failed = true
		u.fail(exitFailed)
		return nil
	}
	if err := u.RemoveGroup(ctx, group); err != nil {
		return err
	}
	u.line(group + ": removed process group")
	return nil
}

func (u *clientUpdate) replace(ctx context.Context, group string) error {
	if _, err := u.StopGroup(ctx, group); err != nil {
		return err
	}
	u.line(group + ": stopped")
	if err := u.RemoveGroup(ctx, group); err != nil {
		return err
	}
	if err := u.AddGroup(ctx, group); err != nil {
		return err
	}
	u.line(group + ": updated process group")
	return nil
}

func (u *clientUpdate) add(ctx context.Context, group string) error {
	if err := u.AddGroup(ctx, group); err != nil {
		return err
	}
	u.line(group + ": added process group")
	return nil
}
