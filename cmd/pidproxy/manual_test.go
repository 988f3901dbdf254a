package main

import (
	"strings"
	"testing"

	"supervisord/cmd/internal/mdoc"
)

func TestManualPage(t *testing.T) {
	_, text, _ := strings.Cut(usage, "\n\n")
	text, _, _ = strings.Cut(text, "\nUsage:")
	mdoc.Test(t, "../internal/pages", "pidproxy.1", map[string]string{"TEXT": mdoc.Escape(strings.ReplaceAll(text, ". ", ".\n"))})
}
