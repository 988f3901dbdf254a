package main

import (
	"context"
	"fmt"
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
	for _, d := range differences {
		c.say("%s", describe(d))
	}
	return nil
}

// describe is one difference: a line for it, and one for each key.
func describe(d client.Action) string {
	name := d.Group
	if d.Process != "" {
		name = display(d.Group, d.Process)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", name, d.Action)
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
