package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

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
	for _, d := range together(differences) {
		head, keys, _ := strings.Cut(describe(d), "\n")
		c.say("%s", strings.TrimSuffix(c.paint(colourOf[d.Action], head)+"\n"+keys, "\n"))
	}
	if len(differences) > 0 {
		c.say("%s", summary(differences))
	}
	c.sayTrouble(ctx)
	return nil
}

// actionWords is an action's name in words, and what a summary says of some
// number of them, in the order of an update. Any other action is its own name.
var actionWords = []struct{ action, words, count string }{
	{"remove", "remove", "%d to remove"},
	{"restart", "restart", "%d to restart"},
	{"inplace", "change while it runs", "%d to change while running"},
	{"numprocs", "change the number of processes", "%d to start or stop for another numprocs"},
	{"add", "add", "%d to add"},
}

// summary counts differences by what an update would do.
func summary(differences []client.Action) string {
	var counts []string
	for _, w := range actionWords {
		n := 0
		for _, d := range differences {
			if d.Action == w.action {
				n++
			}
		}
		if n > 0 {
			counts = append(counts, fmt.Sprintf(w.count, n))
		}
	}
	return "update: " + strings.Join(counts, ", ")
}

// mostTogether is how many names of processes with one difference are shown.
const mostTogether = 3

// together makes one difference of those of a group's processes that follow each other
// and are alike, as when a program with many of them changes.
func together(differences []client.Action) (all []client.Action) {
	for len(differences) > 0 {
		first, n := differences[0], 1
		for n < len(differences) && first.Process != "" && differences[n].Process != "" && alike(first, differences[n]) {
			n++
		}
		if n > 1 {
			var names []string
			for _, d := range differences[:n] {
				names = append(names, d.Process)
			}
			first.Process = someOf(names, mostTogether)
		}
		all, differences = append(all, first), differences[n:]
	}
	return all
}

// alike reports whether two differences are the same but for the process.
func alike(a, b client.Action) bool {
	return a.Action == b.Action && a.Group == b.Group && a.Reason == b.Reason && slices.Equal(a.Changes, b.Changes)
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

// inWords is what an action does.
func inWords(action string) string {
	for _, w := range actionWords {
		if w.action == action {
			return w.words
		}
	}
	return action
}

// describe is one difference: a line for it, and one for each key.
func describe(d client.Action) string {
	name := d.Group
	if d.Process != "" {
		name = display(d.Group, d.Process)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", name, inWords(d.Action))
	if d.Reason != "" {
		fmt.Fprintf(&b, " (%s)", d.Reason)
	}
	for _, k := range d.Changes {
		if k.Old == "" && k.New == "" || isSecret(k) {
			fmt.Fprintf(&b, "\n    %s: changed", k.Key)
			continue
		}
		fmt.Fprintf(&b, "\n    %s: %s -> %s", k.Key, k.Old, k.New)
	}
	return b.String()
}

// isSecret reports whether a key's values may be secrets. The server leaves them
// out; this holds even where it does not.
func isSecret(k client.KeyChange) bool { return strings.HasPrefix(k.Key, "environment") }

// redact takes the values of private keys away.
func redact(actions []client.Action) []client.Action {
	for _, a := range actions {
		for i, k := range a.Changes {
			if isSecret(k) {
				a.Changes[i] = client.KeyChange{Key: k.Key}
			}
		}
	}
	return actions
}
