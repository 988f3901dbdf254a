package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"supervisord/rpc/client"
)

const (
	upgradeInterval = 20 * time.Millisecond // between two looks whether it is done
	upgradePatience = time.Minute
)

// upgrade has the daemon go on as another program in the same process, and waits for that.
//
// Source: ours.
func (c *call) upgrade(ctx context.Context) error {
	var path string
	switch {
	case len(c.words) == 0:
	case len(c.words) == 2 && c.words[0] == "--binary":
		path = c.words[1]
	case len(c.words) == 1 && strings.HasPrefix(c.words[0], "--binary="):
		path = strings.TrimPrefix(c.words[0], "--binary=")
	default:
		return c.usage(exitUsage, "upgrade takes no argument except --binary PATH")
	}
	if path != "" {
		var err error
		if path, err = filepath.Abs(path); err != nil {
			return err
		}
	}
	before, err := c.Reexec(ctx, path)
	var fault *client.Fault
	switch {
	case client.HasCode(err, client.FaultFailed) && errors.As(err, &fault):
		c.fail(exitFailed)
		c.say("ERROR: not upgraded, nothing was done: %s", strings.TrimPrefix(fault.Text, "FAILED: "))
		return nil
	case err != nil:
		return c.needsReconcile(err)
	}
	ctx, cancel := context.WithTimeout(ctx, upgradePatience)
	defer cancel()
	ticker := time.NewTicker(upgradeInterval)
	defer ticker.Stop()
	for {
		p, err := c.Program(ctx)
		switch {
		case err == nil && p.Upgrades > before:
			return c.upgraded(p)
		case err == nil && p.Error != "":
			c.fail(exitFailed)
			if c.json {
				return c.emit(p)
			}
			c.say("ERROR: upgrade abandoned, nothing was stopped: %s", p.Error)
			return nil
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return plainError("the upgrade has begun, and its outcome is unknown: see maintail")
		case err != nil && unavailable(err) == "":
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// upgraded says that it is done.
func (c *call) upgraded(p client.Program) error {
	if c.json {
		return c.emit(p)
	}
	c.say("upgraded supervisord (pid %d) from build %s to %s, which is %s", p.PID, p.From, p.Build, p.Binary)
	return nil
}
