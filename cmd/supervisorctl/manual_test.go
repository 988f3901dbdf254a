package main

import (
	"testing"

	"supervisord/cmd/internal/mdoc"
)

func TestManualPage(t *testing.T) {
	var supervisors, ours []string
	for _, cmd := range commands() {
		list := &supervisors
		if cmd.ours {
			list = &ours
		}
		*list = append(*list, cmd.help)
		if cmd.more != "" {
			*list = append(*list, cmd.more)
		}
	}
	mdoc.Test(t, "../internal/pages", "supervisorctl.1", map[string]string{
		"OPTIONS": mdoc.Options(usage), "ACTIONS": mdoc.Actions(supervisors), "OURS": mdoc.Actions(ours),
	})
}
