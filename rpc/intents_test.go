package rpc

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"supervisord/rpc/xmlrpc"
)

// notesPauses takes no notice but of the reasons of pauses.
type notesPauses struct {
	Persons
	reasons []string
}

func (n *notesPauses) Pause(_ context.Context, _ string, _ time.Duration, reason string) (xmlrpc.Struct, error) {
	n.reasons = append(n.reasons, reason)
	return nil, nil
}

// TestReasonOfAPause: it is one line of text, since it goes to events, logs and terminals.
func TestReasonOfAPause(t *testing.T) {
	var noted notesPauses
	methods := IntentNamespace(&noted).Methods
	pause := methods[slices.IndexFunc(methods, func(m Method) bool { return m.Name == "pause" })]
	for _, bad := range []string{"a\nresult:ok", "a\r", "a\tb", "\x1b[2J", "\x00", "\x7f", "\u009b2J", "\u202e", "\xff", strings.Repeat("é", 251)} {
		_, err := pause.Func(t.Context(), Args{"web", int64(60), bad})
		if fault, is := err.(*xmlrpc.Fault); !is || fault.Code != xmlrpc.BadArguments || !strings.Contains(fault.Text, "the reason") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	good := []string{"", "heap dump", "Größe: 3 < 4 & \"x\"", strings.Repeat("é", 250)}
	for _, reason := range good {
		if _, err := pause.Func(t.Context(), Args{"web", int64(60), reason}); err != nil {
			t.Errorf("%q: %v", reason, err)
		}
	}
	if !slices.Equal(noted.reasons, good) {
		t.Errorf("noted %q", noted.reasons)
	}
}
