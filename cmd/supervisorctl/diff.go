package main

import (
	"context"
	"os"
	"slices"
	"strings"

	"supervisord/cmd/internal/planned"
	"supervisord/rpc/client"
)

// exitDiffFailed is diff's exit status when it cannot say; 1 means that there
// is a difference.
const exitDiffFailed = 2

// diff prints what update would do, and why.
//
// Source: reconciler.md, Seeing it.
func (c *call) diff(ctx context.Context) error {
	names := c.words
	if slices.Contains(names, "all") {
		names = nil
	}
	differences, err := c.Diff(ctx, names)
	if client.HasCode(err, client.FaultBadName) || client.HasCode(err, client.FaultCantReread) {
		for line := range strings.SplitSeq(faultText(err), "\n") { // one for each mistake
			c.say("ERROR: %s", line)
		}
		c.fail(exitDiffFailed)
		return nil
	}
	if err != nil {
		return c.needsReconcile(err)
	}
	if len(differences) > 0 {
		c.fail(exitFailed)
	}
	if c.json {
		return c.emit(redact(differences))
	}
	if len(differences) == 0 {
		c.say(nothingChanged)
	}
	actions := toPlanned(differences)
	for _, a := range planned.Together(actions) {
		c.say("%s", c.paint(colourOf[a.Action], a.Head())+strings.TrimPrefix(a.String(), a.Head()))
	}
	if len(actions) > 0 {
		c.say("%s", planned.Summary(actions))
	}
	c.sayTrouble(ctx)
	return nil
}

// colourOf is the colour of an action, as a parameter of a colour sequence.
var colourOf = map[string]string{"remove": "31", "add": "32", "restart": "33", "inplace": "36", "numprocs": "36"}

// paint colours a text for a terminal that shows colours to somebody who wants them.
func (c *call) paint(colour, text string) string {
	if colour == "" || !c.onTerminal || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return text
	}
	return "\x1b[" + colour + "m" + text + colourOff
}

// toPlanned is actions of the server as they are put in words.
func toPlanned(actions []client.Action) []planned.Action {
	list := make([]planned.Action, len(actions))
	for i, a := range actions {
		list[i] = planned.Action{Action: a.Action, Group: a.Group, Process: a.Process, Reason: a.Reason, File: a.File}
		for _, k := range a.Changes {
			list[i].Changes = append(list[i].Changes, planned.Change(k))
		}
	}
	return list
}

// redact takes the values of private keys away. The server leaves them out; this holds
// even where it does not.
func redact(actions []client.Action) []client.Action {
	for _, a := range actions {
		for i, k := range a.Changes {
			a.Changes[i] = client.KeyChange(planned.Change(k).Shown())
		}
	}
	return actions
}
