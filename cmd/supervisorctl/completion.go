package main

import (
	"context"
	"fmt"
	"strings"

	"supervisord/cmd/internal/completion"
)

// The scripts ask this program itself, by "completion words": what was typed
// before the cursor's word, then that word with a dot before it, so that it is
// there even if it is empty.
var completionScripts = map[string]string{"bash": completion.Bash, "zsh": completion.Zsh, "fish": completion.Fish}

// completion prints a script that teaches a shell to complete our commands.
func (c *call) completion(ctx context.Context) error {
	if len(c.words) > 1 && c.words[0] == "words" {
		c.completeLine(ctx)
		return nil
	}
	script, ok := completionScripts[c.argument]
	if !ok {
		return c.usage(exitUsage, "completion requires the name of a shell")
	}
	_, err := fmt.Fprint(c.out, script)
	return err
}

// completeLine prints what may stand in place of the last word, a line each:
// options before the command, else what the interactive shell offers.
func (c *call) completeLine(ctx context.Context) {
	last := len(c.words) - 1
	current := strings.TrimPrefix(c.words[last], ".")
	if last == 1 && strings.HasPrefix(current, "-") {
		for _, name := range optionNames() {
			if strings.HasPrefix(name, current) {
				c.say("%s", name)
			}
		}
		return
	}
	line := strings.Join(c.words[1:last], " ")
	if line != "" {
		line += " "
	}
	_, words := c.complete(ctx, line+current)
	for _, word := range words {
		c.say("%s", strings.TrimSpace(word))
	}
}
