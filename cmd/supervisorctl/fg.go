package main

import (
	"context"
	"errors"
	"io"
	"sync"

	"supervisord/rpc/client"
	"supervisord/runtime/state"
)

// fg joins the terminal to a process: its output comes here, lines typed here
// go to its standard input, until Ctrl-C or the end of the input.
//
// Differs: the original does not end after that until the process writes
// something more.
func (c *call) fg(ctx context.Context) error {
	switch len(c.words) {
	case 0:
		c.say("ERROR: no process name supplied")
		c.say("%s", c.command.help)
		c.fail(exitFailed)
		return nil
	case 1:
	default:
		c.say("ERROR: too many process names supplied")
		c.fail(exitFailed)
		return nil
	}
	name := c.words[0]
	info, err := c.ProcessInfo(ctx, name)
	var fault *client.Fault
	switch {
	case client.HasCode(err, client.FaultBadName):
		c.say("ERROR: bad process name supplied")
		c.unknown = append(c.unknown, unknownName{text: name})
		c.fail(exitFailed)
		return nil
	case errors.As(err, &fault):
		c.say("ERROR: %s", pythonFault(fault))
		return nil
	case err != nil:
		return err
	case info.State != state.Running:
		c.say("ERROR: process not running")
		c.fail(exitFailed)
		return nil
	}
	c.say(pressCtrlC)
	ctx, stop := interruptible(ctx)
	var streams sync.WaitGroup
	for _, channel := range []string{"stdout", "stderr"} {
		streams.Go(func() { c.stream(ctx, logSource(name, channel)) }) // waited for below
	}
	err = c.sendInput(ctx, name)
	stop()
	streams.Wait()
	if errors.Is(err, io.EOF) || errors.Is(err, errInterrupted) {
		err = nil
	}
	if err == nil {
		c.say("Exiting foreground")
	}
	return err
}

// sendInput sends lines to a process until there are no more, io.EOF, or the
// process is gone.
func (c *call) sendInput(ctx context.Context, name string) error {
	for {
		line, err := c.stdin.Line(ctx, "")
		if err != nil {
			return err
		}
		err = c.SendStdin(ctx, name, line+"\n")
		if client.HasCode(err, client.FaultNotRunning) {
			c.say("Process got killed")
			return nil
		}
		if ctx.Err() != nil {
			return errInterrupted
		}
		if err != nil {
			return err
		}
	}
}
