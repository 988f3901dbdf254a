package spec

import (
	"strings"
	"time"
)

// defaultReconcile is [reconcile] where the files say nothing.
//
// Source: reconciler.md, Configuration.
func defaultReconcile() Reconcile {
	return Reconcile{
		Autoupdate:     true,
		Settle:         300 * time.Millisecond,
		SettleRemovals: 3 * time.Second,
		Rescan:         10 * time.Second,
		MaxRemovals:    Removals{N: 50, Percent: true},
		Permissions:    "warn",
	}
}

// reconcile reads [reconcile].
func (b *builder) reconcile(r *reader) Reconcile {
	c := defaultReconcile()
	c.Autoupdate = get(r, "autoupdate", c.Autoupdate, asBool)
	c.Settle = get(r, "settle", c.Settle, asDuration)
	c.SettleRemovals = get(r, "settle_removals", c.SettleRemovals, asDuration)
	c.Rescan = get(r, "rescan", c.Rescan, asDuration)
	c.Strict = get(r, "on_invalid", "isolate", oneOf("on_invalid", "isolate", "strict")) == "strict"
	r.census.note(aspects("max_removals", asRemovals, c.MaxRemovals))
	if e := r.section.find("max_removals"); e != nil {
		// A percentage is no place for expansion: 50% means what it says.
		c.MaxRemovals = convert(r, e, strings.ReplaceAll(e.text, "%%", "%"), c.MaxRemovals, asRemovals)
	}
	c.Permissions = get(r, "permissions", c.Permissions, oneOf("permissions", "warn", "enforce", "ignore"))
	c.StateDir = b.file(r, "statedir")
	return c
}
