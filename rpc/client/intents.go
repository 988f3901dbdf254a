package client

import (
	"context"
	"fmt"
	"time"
)

// Intent is what a person wants of a group or a process, whatever the files say.
type Intent struct {
	Kind   string `json:"kind"` // paused or disabled
	Group  string `json:"group"`
	Name   string `json:"name"` // "" for a whole group
	Since  int    `json:"since"`
	Until  int    `json:"until,omitempty"` // 0 for no end
	By     string `json:"by"`
	Reason string `json:"reason,omitempty"`
}

// KnownIntent is one, and whether anything has the name.
type KnownIntent struct {
	Intent
	Known bool `json:"known"`
}

// Said is the answer to a person who says what they want.
type Said struct {
	Intent
	Changed bool `json:"changed"` // false where it was so already
	Kept    bool `json:"kept"`    // it outlives the daemon
}

// Covers reports whether it is about that process.
func (i *Intent) Covers(group, name string) bool {
	return i.Group == group && (i.Name == "" || i.Name == name)
}

// String says who wants what and until when.
func (i *Intent) String() string {
	text := i.Kind + " by " + i.By
	if i.Until != 0 {
		text += " until " + time.Unix(int64(i.Until), 0).Format("2006-01-02 15:04")
	}
	if i.Reason != "" {
		text += ": " + i.Reason
	}
	return text
}

// Intents asks what is paused and disabled. Fault FaultUnknownMethod from a server that is not
// this supervisord, or an earlier one.
func (c *Client) Intents(ctx context.Context) ([]KnownIntent, error) {
	return callAs(ctx, c, func(v any) ([]KnownIntent, error) {
		return listOf(v, func(v any) (KnownIntent, error) {
			f := structOf(v)
			i := KnownIntent{intentOf(f), f.bool("known")}
			return i, f.err
		})
	}, "reconcile.getIntents")
}

// Pause has no automatic update touch a group or a process for so long; faults are as of
// Intents, and FaultBadName.
func (c *Client) Pause(ctx context.Context, name string, length time.Duration, reason string) (Said, error) {
	return c.say(ctx, "pause", name, int(length/time.Second), reason)
}

// Resume, Disable and Enable are those of the commands of these names.
func (c *Client) Resume(ctx context.Context, name string) (Said, error) {
	return c.say(ctx, "resume", name)
}

// Disable stops a group or a process, and has nothing but a person start it.
func (c *Client) Disable(ctx context.Context, name string) (Said, error) {
	return c.say(ctx, "disable", name)
}

// Enable ends that.
func (c *Client) Enable(ctx context.Context, name string) (Said, error) {
	return c.say(ctx, "enable", name)
}

func (c *Client) say(ctx context.Context, verb string, params ...any) (Said, error) {
	return callAs(ctx, c, func(v any) (Said, error) {
		f := structOf(v)
		s := Said{intentOf(f), f.bool("changed"), f.bool("kept")}
		return s, f.err
	}, fmt.Sprintf("reconcile.%s", verb), params...)
}

func intentOf(f *fields) Intent {
	return Intent{Kind: f.string("kind"), Group: f.string("group"), Name: f.string("name"), Since: f.int("since"), Until: f.int("until"),
		By: f.string("by"), Reason: f.string("reason")}
}
