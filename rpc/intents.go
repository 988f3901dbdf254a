package rpc

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"supervisord/rpc/xmlrpc"
)

// Persons is what rpc asks to note what people want of groups and processes. The methods may
// be called from any goroutine, and give up when ctx ends; an error is as that of Method.Func.
type Persons interface {
	Pause(ctx context.Context, name string, length time.Duration, reason string) (xmlrpc.Struct, error)
	Resume(ctx context.Context, name string) (xmlrpc.Struct, error)
	Disable(ctx context.Context, name string, wait bool) (xmlrpc.Struct, error)
	Enable(ctx context.Context, name string) (xmlrpc.Struct, error)
	Intents(ctx context.Context) ([]any, error)
}

// longestPause is how long a pause may be: who forgets it is to be reminded.
const longestPause = 366 * 24 * time.Hour

// longestReason is how many characters a reason may have: it stands in the log, in what is
// held and in lists, each time in one line.
const longestReason = 200

// reason is why somebody wants something, for people; "" where it is not given.
func (a Args) reason(i int) (string, error) {
	if i >= len(a) {
		return "", nil
	}
	text, err := a.Name(i)
	switch {
	case err != nil:
		return "", err
	case utf8.RuneCountInString(text) > longestReason, strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }):
		return "", faultWith(xmlrpc.Failed, fmt.Sprintf("a reason is one line of at most %d characters", longestReason))
	}
	return text, nil
}

// IntentNamespace has the methods for what people want of groups and processes whatever the
// files say, for Options.Extra.
func IntentNamespace(p Persons) Namespace {
	name := Param{Type: "string", Name: "name", Text: "a group, or a process as group:name"}
	said := Param{Type: "struct", Name: "result", Text: "kind, group, name, since, until, by, reason, changed (false where it was so already) and kept (it outlives the daemon)"}
	on := func(do func(context.Context, string) (xmlrpc.Struct, error)) func(context.Context, Args) (any, error) {
		return func(ctx context.Context, a Args) (any, error) {
			name, err := a.Name(0)
			if err != nil {
				return nil, err
			}
			return do(ctx, name)
		}
	}
	return Namespace{Name: "reconcile", Methods: []Method{
		{
			Name: "pause",
			Help: "Keeps automatic updates from touching a group or process for so many seconds, at most 366 days. It is still\n" +
				"restarted when it crashes, and what people ask for is done.",
			Params: []Param{name, {Type: "int", Name: "seconds", Text: "for how long"},
				{Type: "string", Name: "reason", Text: "why, for people: one line of at most 200 characters", Optional: true}},
			Returns: said,
			Done:    "%s paused",
			Waits:   true,
			Func: func(ctx context.Context, a Args) (any, error) {
				name, err := a.Name(0)
				if err != nil {
					return nil, err
				}
				seconds, err := a.Int(1)
				if err != nil {
					return nil, err
				}
				if seconds < 1 || seconds > int64(longestPause/time.Second) {
					return nil, badParameters
				}
				reason, err := a.reason(2)
				if err != nil {
					return nil, err
				}
				return p.Pause(ctx, name, time.Duration(seconds)*time.Second, reason)
			},
		}, {
			Name:    "resume",
			Help:    "Ends a pause; of a group, also those of its processes.",
			Params:  []Param{name},
			Returns: said,
			Done:    "%s resumed",
			Waits:   true,
			Func:    on(p.Resume),
		}, {
			Name:    "disable",
			Help:    "Stops a group or process; from then on only a request that names it starts it, also after the daemon restarts.",
			Params:  []Param{name, {Type: "boolean", Name: "wait", Text: "whether to wait until it has stopped; true if not given", Optional: true}},
			Returns: said,
			Waits:   true,
			Done:    "%s disabled",
			Func: func(ctx context.Context, a Args) (any, error) {
				name, err := a.Name(0)
				if err != nil {
					return nil, err
				}
				return p.Disable(ctx, name, a.Bool(1, true))
			},
		}, {
			Name:    "enable",
			Help:    "Undoes disable, for a group also that of its processes. What has autostart is started.",
			Params:  []Param{name},
			Returns: said,
			Done:    "%s enabled",
			Waits:   true,
			Func:    on(p.Enable),
		}, {
			Name: "getIntents",
			Help: "What people have paused and disabled. They apply to the name, whether or not it exists now.",
			Returns: Param{Type: "array", Name: "intents", Text: "structs with kind (paused or disabled), group, name (empty for a whole group), since, until\n" +
				"(0 for no end), by, reason and known (whether anything has the name)"},
			Func: func(ctx context.Context, _ Args) (any, error) { return p.Intents(ctx) },
		},
	}}
}
