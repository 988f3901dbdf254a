package main

import (
	"context"
	"slices"
	"strings"

	"supervisord/runtime/state"
)

// complete offers the words that may stand at the end of a line: actions for
// the first word, then what the action takes. head is what of the line stays. A word
// that a terminal would not show as it is, is not offered.
//
// Source: contract/supervisorctl.md section 5, completion.
func (s *session) complete(ctx context.Context, before string) (head string, words []string) {
	start := strings.LastIndexAny(before, " \t") + 1
	head, partial := before[:start], before[start:]
	done := strings.Fields(head)
	var candidates []string
	if len(done) == 0 {
		candidates = actions()
	} else if cmd := find(done[0]); cmd != nil && cmd.complete != nil {
		ctx, cancel := context.WithTimeout(ctx, asideLimit) // nothing but the answer would end the wait
		defer cancel()
		c := &call{session: s, command: cmd, words: done[1:], argument: partial}
		var err error
		if c.Client, err = s.connect(); err != nil {
			return head, nil
		}
		candidates = cmd.complete(c, ctx)
	}
	for _, word := range candidates {
		if strings.HasPrefix(word, partial) && showable(word) {
			words = append(words, word+" ")
		}
	}
	return head, words
}

// actions is the name of every command, sorted.
func actions() []string {
	var names []string
	for _, cmd := range commands() {
		names = append(names, cmd.name)
	}
	slices.Sort(names)
	return names
}

// completeWords offers fixed words.
func completeWords(words ...string) func(*call, context.Context) []string {
	return func(*call, context.Context) []string { return words }
}

// completeSignal offers the signals, then processes.
func completeSignal(c *call, ctx context.Context) []string {
	if len(c.words) > 0 {
		return completeProcesses(c, ctx)
	}
	var names []string
	for number := range 65 {
		if name, ok := strings.CutPrefix(state.SignalName(number), "SIG"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func completeHelp(*call, context.Context) []string { return actions() }

// completeGroups offers the groups that are active or configured.
func completeGroups(c *call, ctx context.Context) []string {
	if c.groups == nil {
		groups := []string{}
		active, _ := c.AllProcessInfo(ctx) // without a server there is nothing to offer
		for _, info := range active {
			groups = append(groups, info.Group)
		}
		configured, _ := c.AllConfigInfo(ctx)
		for _, info := range configured {
			groups = append(groups, info.Group)
		}
		slices.Sort(groups)
		c.groups = slices.Compact(groups)
	}
	return c.groups
}

// completeProcesses offers processes: the bare name where the group has the
// same and no colon was typed, else group:* and group:process.
func completeProcesses(c *call, ctx context.Context) []string {
	if c.processes == nil {
		c.processes, _ = c.AllProcessInfo(ctx)
	}
	names := []string{}
	for _, info := range c.processes {
		if info.Group == info.Name && !strings.Contains(c.argument, ":") {
			names = append(names, info.Name)
			continue
		}
		names = append(names, info.Group+":*", info.Group+":"+info.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// completeIntended offers groups, then processes.
func completeIntended(c *call, ctx context.Context) []string {
	words := append(completeGroups(c, ctx), completeProcesses(c, ctx)...)
	slices.Sort(words)
	return slices.Compact(words)
}
