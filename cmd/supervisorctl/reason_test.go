package main

import (
	"slices"
	"strings"
	"testing"
)

// TestReasonIsAWord: a text is what the shell has given as one word, and at our own prompt all
// to the end of the line.
func TestReasonIsAWord(t *testing.T) {
	for _, row := range []struct {
		given  []string
		line   string
		reason string
		left   []string
	}{
		{given: []string{"web", "--for", "2h", "--reason=heap dump"}, reason: "heap dump", left: []string{"web", "--for", "2h"}},
		{given: []string{"web", "--reason", "see --ops db", "--for", "2h"}, reason: "see --ops db", left: []string{"web", "--for", "2h"}},
		{given: []string{"web", "--reason", "dump", "db"}, reason: "dump", left: []string{"web", "db"}},
		{given: []string{"web"}, left: []string{"web"}},
		{line: "web --for 2h --reason see --ops db", reason: "see --ops db", left: []string{"web", "--for", "2h"}},
		{line: "web --for 2h --reason=heap dump", reason: "heap dump", left: []string{"web", "--for", "2h"}},
		{line: "web", left: []string{"web"}},
	} {
		c := &call{session: &session{given: row.given}, words: slices.Clone(row.given)}
		if row.given == nil {
			c.words = strings.Fields(row.line)
		}
		reason, err := c.optionText("--reason")
		if err != nil || reason != row.reason || !slices.Equal(c.words, row.left) {
			t.Errorf("%q %q: %q, left %q, %v", row.given, row.line, reason, c.words, err)
		}
	}
}
