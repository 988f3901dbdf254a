package main

import (
	"encoding/json"
	"slices"
	"strings"
)

// parseOutput takes "-o json", or "-o dot" of an action that knows it, out of the call's words. With it, whatever the
// command says goes to standard error, so that standard output is JSON or
// empty.
func (c *call) parseOutput() error {
	for i, word := range c.words {
		format, ok := strings.CutPrefix(word, "-o")
		if !ok {
			continue
		}
		end := i + 1
		if format == "" && end < len(c.words) {
			format = c.words[end]
			end++
		}
		switch {
		case format == "dot" && c.command.dot:
			c.dot = true
		case format == "json":
			c.json, c.out = true, c.errs
		case c.command.dot:
			return c.usage(exitUsage, "-o accepts json and dot")
		default:
			return c.usage(exitUsage, "-o accepts json")
		}
		c.words = slices.Delete(c.words, i, end)
		c.argument = strings.Join(c.words, " ")
		return nil
	}
	return nil
}

// emit writes v as indented JSON to standard output.
func (c *call) emit(v any) error {
	e := json.NewEncoder(c.data)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
