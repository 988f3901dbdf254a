package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"supervisord/rpc/client"
	"supervisord/rpc/planned"
)

// exitDiffFailed is diff's exit status when it cannot say; 1 means that there
// is a difference.
const exitDiffFailed = 2

// diff prints what update would do, and why.
//
// Source: reconciler.md, Seeing it.
func (c *call) diff(ctx context.Context) error {
	tree, err := c.option("--tree")
	if err != nil {
		return err
	}
	if tree != "" {
		if tree, err = filepath.Abs(tree); err != nil {
			return err
		}
	}
	if from, to, ok := twoGenerations(c.words); ok && tree == "" {
		return c.diffGenerations(ctx, from, to)
	}
	names := c.words
	if slices.Contains(names, "all") {
		names = nil
	}
	p, err := c.Plan(ctx, names, tree)
	if client.HasCode(err, client.FaultUnknownMethod) && tree == "" { // of an earlier version
		p = client.Plan{}
		p.Actions, err = c.Diff(ctx, names)
	}
	if err != nil {
		return c.refused(err, exitDiffFailed)
	}
	actions := p.Actions
	if len(actions) > 0 {
		c.fail(exitFailed)
	}
	intents, err := c.knownIntents(ctx)
	if err != nil {
		return err
	}
	paused := func(a planned.Action) []client.Intent {
		return slices.DeleteFunc(intentsOf(intents, a.Group, a.Process), func(i client.Intent) bool { return i.Kind != "paused" })
	}
	if c.json {
		list := make([]actionOfPlan, len(actions))
		for i, d := range redact(actions) {
			list[i] = actionOfPlan{Action: d, Plan: p.ID}
			if by := paused(d); len(by) > 0 {
				list[i].Paused = &by[0]
			}
		}
		return c.emit(list)
	}
	if len(actions) == 0 {
		c.say(nothingChanged)
	}
	for _, a := range planned.Together(actions) {
		c.say("%s", c.paint(colourOf[a.Action], a.Head())+strings.TrimPrefix(a.String(), a.Head()))
	}
	if len(actions) > 0 {
		c.say("%s", planned.Summary(actions))
	}
	if p.ID != "" && len(actions) > 0 {
		c.say("%s", p.Reach)
	}
	if p.ID != "" {
		c.say("plan %s", p.ID)
	}
	told := make(map[client.Intent]bool)
	for _, d := range actions {
		for _, i := range paused(d) {
			if !told[i] {
				told[i] = true
				c.say("%s is %s: until then only update does this", nameOfIntent(i), i.String())
			}
		}
	}
	if tree == "" {
		c.sayRejected(ctx, names)
	}
	c.sayTrouble(ctx)
	return nil
}

// sayRejected tells of the files of some groups, all for none, whose content was rejected:
// an update by name tries it again, and no other.
func (c *call) sayRejected(ctx context.Context, names []string) {
	files, _ := c.Files(ctx) // a server that cannot tell has none
	for _, f := range files {
		if f.State == "rejected" && (len(names) == 0 || slices.ContainsFunc(f.Programs, func(p string) bool { return slices.Contains(names, p) })) {
			c.say("%s is rejected: %s", f.Path, f.Reason)
		}
	}
}

// actionOfPlan is an action as JSON, with the plan that it is part of: what diff prints as
// JSON has always been a list.
type actionOfPlan struct {
	planned.Action
	Plan   string         `json:"plan,omitempty"`
	Paused *client.Intent `json:"paused,omitempty"` // because of which only a person's update does it
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

// redact takes the values of private keys away. The server leaves them out; this holds
// even where it does not.
func redact(actions []planned.Action) []planned.Action {
	for _, a := range actions {
		for i, k := range a.Changes {
			a.Changes[i] = k.Shown()
		}
	}
	return actions
}
