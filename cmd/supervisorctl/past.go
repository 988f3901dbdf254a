package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"supervisord/rpc/client"
	"supervisord/rpc/planned"
)

// showGeneration prints one update of the history, with what it changed in the files.
func (c *call) showGeneration(ctx context.Context) error {
	if len(c.words) != 2 {
		return c.usage(exitUsage, "the number of one update is needed: see history")
	}
	number, ok := generationNumber(c.words[1])
	if !ok {
		return c.usage(exitUsage, "%s is not the number of an update: see history", c.words[1])
	}
	g, err := c.Generation(ctx, number)
	if err != nil {
		return c.refused(err, exitFailed)
	}
	for _, e := range g.Entries {
		redact(e.Actions)
	}
	hideSecrets(g.Files)
	if c.json {
		return c.emit(g)
	}
	c.say("generation %d", g.Generation)
	for i := range g.Entries {
		c.sayEntry(&g.Entries[i])
	}
	if g.Forgotten != "" {
		c.say("files: not known any more: %s", g.Forgotten)
		return nil
	}
	c.sayFiles(g.Files, "no file has other content in force since")
	return nil
}

// sayEntry prints an entry of the history with all that it did.
func (c *call) sayEntry(e *client.GenerationEntry) {
	result, why := outcome(client.HistoryEntry{Result: e.Result, Actions: make([]string, len(e.Actions))})
	by := ""
	if e.Caller != "" {
		by = " by " + e.Caller
	}
	c.say("%s  %s%s: %s in %s", formatTime(e.Time), e.Trigger, by, result, time.Duration(e.DurationMS)*time.Millisecond)
	if why = cmp.Or(why, e.Reason); why != "" {
		c.say("    because %s", why)
	}
	for _, note := range revisionNote(e.Revision) {
		c.say("    %s", note)
	}
	for _, a := range planned.Together(e.Actions) {
		c.say("    %s", c.paint(colourOf[a.Action], a.Head()))
		for _, change := range a.Changes {
			c.say("        %s", change)
		}
	}
}

// sayFiles prints how files differ, or that none does.
func (c *call) sayFiles(files []client.FileDiff, none string) {
	if len(files) == 0 {
		c.say("%s", none)
	}
	for _, f := range files {
		c.say("%s: %s", f.Path, c.paint(colourOf[actionLike[f.Change]], f.Change))
		if len(f.Sections) == 0 {
			c.say("    only comments, or the order")
		}
		for _, s := range f.Sections {
			c.say("    [%s] %s", s.Section, c.paint(colourOf[actionLike[s.Change]], s.Change))
			for _, k := range s.Keys {
				c.say("        %s", planned.Change(k))
			}
		}
	}
}

// actionLike is the action whose colour a change of a file has.
var actionLike = map[string]string{"added": "add", "removed": "remove", "changed": "restart"}

// diffGenerations prints how the files in force differ between two updates.
func (c *call) diffGenerations(ctx context.Context, from, to int) error {
	files, err := c.DiffGenerations(ctx, from, to)
	if err != nil {
		return c.refused(err, exitDiffFailed)
	}
	if len(files) > 0 {
		c.fail(exitFailed)
	}
	hideSecrets(files)
	if c.json {
		return c.emit(files)
	}
	c.sayFiles(files, fmt.Sprintf("the files in force are the same in generations %d and %d", from, to))
	return nil
}

// twoGenerations are the numbers of two updates, if that is what the words are.
func twoGenerations(words []string) (from, to int, ok bool) {
	if len(words) != 2 {
		return 0, 0, false
	}
	from, first := generationNumber(words[0])
	to, second := generationNumber(words[1])
	return from, to, first && second
}

// generationNumber is a word that is nothing but digits.
func generationNumber(word string) (number int, ok bool) {
	if strings.Trim(word, "0123456789") != "" {
		return 0, false
	}
	return pythonInt(word)
}

// hideSecrets leaves out the values of secret keys. The server does so too; this holds even if
// one does not.
func hideSecrets(files []client.FileDiff) {
	for _, f := range files {
		for _, s := range f.Sections {
			for i, k := range s.Keys {
				s.Keys[i] = k.Shown()
			}
		}
	}
}

// completeHistory offers what shows one update, then the numbers of the last.
func completeHistory(c *call, ctx context.Context) []string {
	switch {
	case len(c.words) == 0:
		return []string{"show"}
	case len(c.words) > 1 || c.words[0] != "show":
		return nil
	}
	const most = 20
	past, _ := c.History(ctx, most) // without a server there is nothing to offer
	seen := make(map[int]bool)
	var numbers []string
	for _, p := range past {
		if !seen[p.Generation] {
			seen[p.Generation], numbers = true, append(numbers, fmt.Sprint(p.Generation))
		}
	}
	return numbers
}
