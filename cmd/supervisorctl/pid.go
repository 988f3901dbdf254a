package main

import (
	"context"
	"slices"

	"supervisord/rpc/client"
)

// pid prints process numbers: the daemon's, or those of named processes.
func (c *call) pid(ctx context.Context) error {
	if len(c.words) == 0 {
		pid, err := c.PID(ctx)
		if err != nil {
			return err
		}
		if c.json {
			return c.emit(map[string]int{"pid": pid})
		}
		c.say("%d", pid)
		return nil
	}
	var infos []client.ProcessInfo
	var err error
	if slices.Contains(c.words, "all") {
		if infos, err = c.AllProcessInfo(ctx); err != nil {
			return err
		}
		if !c.json {
			for _, info := range infos {
				c.say("%d", info.PID)
			}
			return nil
		}
		return c.emitPIDs(infos)
	}
	names, err := c.expand(ctx, c.words)
	if err != nil {
		return err
	}
	for _, name := range names {
		info, err := c.ProcessInfo(ctx, name)
		if client.HasCode(err, client.FaultBadName) {
			c.say("No such process %s", name)
			c.unknown = append(c.unknown, unknownName{text: name})
			c.fail(exitFailed)
			continue
		}
		if err != nil {
			return err
		}
		infos = append(infos, info)
		if !c.json {
			c.say("%d", info.PID)
		}
		if info.PID == 0 {
			c.fail(exitNotRunning)
		}
	}
	if c.json {
		return c.emitPIDs(infos)
	}
	return nil
}

func (c *call) emitPIDs(infos []client.ProcessInfo) error {
	type row struct {
		Group string `json:"group"`
		Name  string `json:"name"`
		PID   int    `json:"pid"`
	}
	rows := []row{}
	for _, info := range infos {
		rows = append(rows, row{info.Group, info.Name, info.PID})
	}
	return c.emit(rows)
}

// version prints the version of the daemon.
func (c *call) version(ctx context.Context) error {
	version, err := c.SupervisorVersion(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return c.emit(map[string]string{"version": version, "api": apiVersion})
	}
	c.say("%s", version)
	return nil
}
