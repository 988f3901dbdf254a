package main

import (
	"context"
	"strings"

	"supervisord/rpc/client"
)

// shutdown asks the daemon to end.
func (c *call) shutdown(ctx context.Context) error {
	yes, err := c.confirm(ctx, "Really shut the remote supervisord process down y/N? ")
	if err != nil || !yes {
		return err
	}
	switch err := c.Shutdown(ctx); {
	case client.HasCode(err, client.FaultShutdown):
		c.say("ERROR: already shutting down")
	case unreachable(err) != "":
		c.say("ERROR: %s %s (already shut down?)", c.settings.url, unreachable(err))
		c.advise(err)
		c.fail(exitFailed)
	case err != nil:
		return err
	default:
		c.say("Shut down")
	}
	return nil
}

// reload asks the daemon to stop everything and start again.
func (c *call) reload(ctx context.Context) error {
	yes, err := c.confirm(ctx, "Really restart the remote supervisord process y/N? ")
	if err != nil || !yes {
		return err
	}
	switch err := c.Restart(ctx); {
	case client.HasCode(err, client.FaultShutdown):
		c.say("ERROR: already shutting down")
		c.fail(exitFailed)
	case err != nil:
		return err
	default:
		c.say("Restarted supervisord")
	}
	return nil
}

// open talks to another server for the rest of the session. The status that it
// shows does not change the exit status.
func (c *call) open(ctx context.Context) error {
	url := strings.TrimSpace(c.argument)
	scheme, _, _ := strings.Cut(url, ":")
	if scheme == url || scheme != "http" && scheme != "https" && scheme != "unix" {
		c.say("ERROR: url must be http:// or unix://")
		c.hintURL(url)
		c.fail(exitFailed)
		return nil
	}
	c.settings.url = url
	c.disconnect()
	before := c.session.status
	shown := &call{session: c.session, command: find("status")}
	if err := shown.perform(ctx); err != nil {
		return err
	}
	c.session.status = before
	return nil
}
