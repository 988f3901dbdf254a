package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"supervisord/rpc/client"
)

// pause keeps automatic updates away from groups and processes, or lists what is paused.
//
// Source: ours.
func (c *call) pause(ctx context.Context) error {
	reason, err := c.optionText("--reason")
	if err != nil {
		return err
	}
	length, err := c.option("--for")
	if err != nil {
		return err
	}
	switch {
	case len(c.words) == 0 && length == "" && reason == "":
		return c.intents(ctx, "paused")
	case len(c.words) == 0:
		return c.usage(exitUsage, "pause needs the name of a group or a process")
	case length == "":
		return c.usage(exitUsage, "pause needs a time, such as --for 2h")
	}
	d, ok := parseLength(length)
	if !ok {
		return c.usage(exitUsage, "%s is not a time from 1s to 366d, such as 30m, 2h or 3d", length)
	}
	return c.saidOf(func(name string) (client.Said, error) { return c.Pause(ctx, name, d, reason) },
		func(s client.Said) string { return s.String() })
}

// parseLength reads a time: what Go has for it, days, or a bare number of seconds.
func parseLength(text string) (d time.Duration, ok bool) {
	number, unit := text, time.Second
	if days, is := strings.CutSuffix(text, "d"); is {
		number, unit = days, 24*time.Hour
	}
	if n, err := strconv.ParseFloat(number, 64); err == nil && n > 0 && n <= 366*24*60*60 {
		d = time.Duration(n * float64(unit))
	} else if d, err = time.ParseDuration(text); err != nil {
		return 0, false
	}
	return d, d >= time.Second && d <= 366*24*time.Hour
}

// optionText is option for a text in one line: a word of the command line and, in the
// interactive shell, which knows no quotes, all to the end of the line.
func (c *call) optionText(name string) (text string, err error) {
	if c.given == nil {
		for i, word := range c.words {
			if word == name || strings.HasPrefix(word, name+"=") {
				c.words = append(c.words[:i:i], strings.Join(c.words[i:], " "))
				if rest, separate := strings.CutPrefix(c.words[i], name+" "); separate {
					c.words[i] = name + "=" + rest
				}
				break
			}
		}
	}
	text, err = c.option(name)
	return strings.Join(strings.Fields(text), " "), err
}

func (c *call) resume(ctx context.Context) error {
	return c.saidOf(func(name string) (client.Said, error) { return c.Resume(ctx, name) }, func(client.Said) string { return "resumed" })
}

func (c *call) disable(ctx context.Context) error {
	if len(c.words) == 0 {
		return c.intents(ctx, "disabled")
	}
	return c.saidOf(func(name string) (client.Said, error) { return c.Disable(ctx, name) }, func(client.Said) string { return "disabled" })
}

func (c *call) enable(ctx context.Context) error {
	return c.saidOf(func(name string) (client.Said, error) { return c.Enable(ctx, name) }, func(client.Said) string { return "enabled" })
}

// saidOf says something of each name, and shows what came of it.
func (c *call) saidOf(say func(name string) (client.Said, error), done func(client.Said) string) error {
	if len(c.words) == 0 {
		return c.usage(exitUsage, "%s needs the name of a group or a process", c.command.name)
	}
	list := []client.Said{}
	for _, name := range c.words {
		s, err := say(name)
		switch {
		case client.HasCode(err, client.FaultBadName), client.HasCode(err, client.FaultFailed):
			_, text, _ := strings.Cut(faultText(err), ": ") // without the name of the fault
			c.say("%s: ERROR (%s)", name, text)
			c.fail(exitFailed)
			continue
		case err != nil:
			return c.needsReconcile(err)
		}
		if list = append(list, s); c.json {
			continue
		}
		text := done(s)
		if !s.Changed {
			text = "is already " + text
			if c.command.name == "resume" {
				text = "is not paused"
			}
		}
		c.say("%s: %s", name, text)
		if !s.Kept {
			c.say("warning: this is not stored: the state directory cannot be written, or does not answer: a restart of the daemon forgets it")
		}
	}
	if c.json {
		return c.emit(list)
	}
	return nil
}

// intents lists what is of a kind.
func (c *call) intents(ctx context.Context, kind string) error {
	all, err := c.Intents(ctx)
	if err != nil {
		return c.needsReconcile(err)
	}
	list := slices.DeleteFunc(all, func(i client.KnownIntent) bool { return i.Kind != kind })
	if c.json {
		return c.emit(append([]client.KnownIntent{}, list...))
	}
	if len(list) == 0 {
		c.say("nothing is %s", kind)
	}
	for _, i := range list {
		c.say("%s: %s", nameOfIntent(i.Intent), i.String())
		if !i.Known {
			c.say("    nothing has this name now")
		}
	}
	return nil
}

// nameOfIntent is the group, or the process as it is named in full.
func nameOfIntent(i client.Intent) string {
	if i.Name == "" {
		return i.Group
	}
	return i.Group + ":" + i.Name
}

// intentsOf is what people want of a process. It is empty where the server cannot say.
func intentsOf(all []client.KnownIntent, group, name string) (list []client.Intent) {
	for i := range all {
		if all[i].Covers(group, name) {
			list = append(list, all[i].Intent)
		}
	}
	return list
}

// knownIntents asks a server that may be an earlier version.
func (c *call) knownIntents(ctx context.Context) ([]client.KnownIntent, error) {
	all, err := c.Intents(ctx)
	if client.HasCode(err, client.FaultUnknownMethod) {
		return nil, nil
	}
	return all, err
}
