package client

import (
	"cmp"
	"context"

	"supervisord/rpc/planned"
)

// Directory is a watched directory and what it is after symbolic links.
type Directory struct {
	Path    string `json:"path"`
	Real    string `json:"real"`    // "" where it is not there
	Awaited bool   `json:"awaited"` // it is not there and ought to be
}

// ReconcileState is how far the processes agree with the files.
//
// Source: reconciler.md, Seeing it.
type ReconcileState struct {
	Phase       string      `json:"phase"` // synced, pending, applying, held or invalid
	Generation  int         `json:"generation"`
	Desired     string      `json:"desired"` // SHA-256 in hex
	Applied     string      `json:"applied"`
	Reason      string      `json:"reason"`
	Since       int         `json:"since"` // seconds since the epoch
	Autoupdate  bool        `json:"autoupdate"`
	Directories []Directory `json:"directories"`
	Deferred    bool        `json:"deferred"` // a pause or a closed window holds all that is held
	Rejected    []string    `json:"rejected"` // files whose content has not run; empty from servers of earlier versions
	// The following are empty from servers of earlier versions.
	Revision  string `json:"revision"`           // that is in force, "" for none
	Attempted string `json:"attempted_revision"` // as the files were read last, "" for none
	Outcome   string `json:"outcome"`            // of that: success, failure or pending; "" while it is under way
	// StateDirError is why the state directory cannot be written, "" if it can.
	StateDirError string `json:"statedir_error"`
}

// Update is the outcome of an update.
type Update struct {
	OK         bool             `json:"ok"`
	Generation int              `json:"generation"`
	Result     string           `json:"result"`
	Actions    []planned.Action `json:"actions"`
	Lines      []string         `json:"lines"` // what Supervisor's client would print
}

// File is a watched file or directory.
type File struct {
	Path     string   `json:"path"`
	State    string   `json:"state"` // applied, invalid, pending, held or ignored
	Programs []string `json:"programs"`
	Changed  int      `json:"changed"` // seconds since the epoch
	Reason   string   `json:"reason"`
	Warnings []string `json:"warnings"` // about what is accepted, each with its place
}

// HistoryEntry is one update of the history.
type HistoryEntry struct {
	Generation int      `json:"generation"`
	Time       int      `json:"time"`    // seconds since the epoch
	Trigger    string   `json:"trigger"` // start, watch, rescan, update, reload, verify or revert
	Caller     string   `json:"caller"`  // a uid or an address, "" for none
	Actions    []string `json:"actions"`
	Reasons    []string `json:"reasons"` // of each action; empty from servers of earlier versions
	Result     string   `json:"result"`
	DurationMS int      `json:"duration_ms"`
	Reason     string   `json:"reason,omitempty"`   // of a revert: what has failed
	Revision   string   `json:"revision,omitempty"` // of the files that it went by
}

// ReconcileState asks whether the processes match the files.
func (c *Client) ReconcileState(ctx context.Context) (ReconcileState, error) {
	return callAs(ctx, c, reconcileState, "reconcile.getState")
}

func reconcileState(v any) (ReconcileState, error) {
	f := structOf(v)
	s := ReconcileState{
		Phase: f.string("phase"), Generation: f.int("generation"),
		Desired: f.string("desired"), Applied: f.string("applied"),
		Reason: f.string("reason"), Since: f.int("since"), Autoupdate: f.bool("autoupdate"),
		Directories: list(f, "directories", func(v any) (Directory, error) {
			f := structOf(v)
			d := Directory{Path: f.string("path"), Real: f.string("real"), Awaited: optional[bool](f, "awaited")}
			return d, f.err
		}),
	}
	s.Deferred = optional[bool](f, "deferred")
	s.Revision, s.Attempted, s.Outcome = optional[string](f, "revision"), optional[string](f, "attempted_revision"), optional[string](f, "outcome")
	s.StateDirError = optional[string](f, "statedir_error")
	if f.err == nil && f.members["rejected"] != nil {
		s.Rejected = list(f, "rejected", asString)
	}
	return s, f.err
}

// Diff asks what an update of these groups, or of all if names is empty,
// would do.
func (c *Client) Diff(ctx context.Context, names []string) ([]planned.Action, error) {
	return callAs(ctx, c, func(v any) ([]planned.Action, error) { return listOf(v, action) },
		"reconcile.diff", array(names))
}

// Plan is what an update would do.
type Plan struct {
	ID      string           `json:"plan"` // "" from a server that does not name plans
	Actions []planned.Action `json:"actions"`
	Reach   planned.Reach    `json:"reach"`
}

// Plan asks what an update of these groups, or of all for none, would do; with a tree that
// is not "", with that in place of the server's files.
func (c *Client) Plan(ctx context.Context, names []string, tree string) (Plan, error) {
	params := []any{array(names)}
	if tree != "" {
		params = append(params, tree)
	}
	return callAs(ctx, c, plan, "reconcile.plan", params...)
}

func plan(v any) (Plan, error) {
	f := structOf(v)
	p := Plan{ID: f.string("plan"), Actions: list(f, "actions", action)}
	r := structOf(f.members["reach"])
	p.Reach = planned.Reach{
		Restarted: list(r, "restarted", asString), Ended: list(r, "ended", asString), Started: list(r, "started", asString),
		Following: list(r, "following", link), Dependents: list(r, "dependents", link),
		WaitSeconds: r.int("wait_seconds"), Removals: r.int("removals"), Held: r.string("held"),
	}
	return p, cmp.Or(f.err, r.err)
}

func link(v any) (planned.Link, error) {
	f := structOf(v)
	l := planned.Link{Process: f.string("process"), Of: f.string("of")}
	return l, f.err
}

// ApplyPlan is Apply if that is the plan of this ID, which Plan gave for the same names. Fault
// FaultConflict if it is another one by now; then nothing is done.
func (c *Client) ApplyPlan(ctx context.Context, id string, names []string) (Update, error) {
	return callAs(ctx, c, update, "reconcile.applyPlan", id, array(names))
}

func action(v any) (planned.Action, error) {
	f := structOf(v)
	a := planned.Action{
		Action: f.string("action"), Group: f.string("group"), Process: f.string("process"),
		Reason: f.string("reason"), File: f.string("file"),
		Changes: list(f, "changes", keyChange),
	}
	return a, f.err
}

func keyChange(v any) (planned.Change, error) {
	f := structOf(v)
	k := planned.Change{Key: f.string("key"), Old: f.string("old"), New: f.string("new")}
	return k, f.err
}

// Apply updates these groups, or all if names is empty, as one transaction of
// the server. Fault FaultUnknownMethod from a server that is not this
// supervisord.
func (c *Client) Apply(ctx context.Context, names []string) (Update, error) {
	return callAs(ctx, c, update, "reconcile.apply", array(names))
}

// Revert takes a file back to what it was before its last change, by its path or the name
// of a group from it, or all to what they were in an update, by its number. Fault
// FaultUnknownMethod from a server that is not this supervisord, or an earlier one.
func (c *Client) Revert(ctx context.Context, target string) (Update, error) {
	return callAs(ctx, c, update, "reconcile.revert", target)
}

// Unpin has a file count again that was taken back.
func (c *Client) Unpin(ctx context.Context, target string) error {
	return c.done(ctx, "reconcile.unpin", target)
}

func update(v any) (Update, error) {
	f := structOf(v)
	u := Update{
		OK: f.bool("ok"), Generation: f.int("generation"), Result: f.string("result"),
		Lines: list(f, "lines", asString), Actions: list(f, "actions", action),
	}
	return u, f.err
}

// Files asks for every watched file and directory.
func (c *Client) Files(ctx context.Context) ([]File, error) {
	return callAs(ctx, c, func(v any) ([]File, error) { return listOf(v, file) }, "reconcile.getFiles")
}

func file(v any) (File, error) {
	f := structOf(v)
	info := File{
		Path: f.string("path"), State: f.string("state"), Programs: list(f, "programs", asString),
		Changed: f.int("changed"), Reason: f.string("reason"), Warnings: []string{},
	}
	if f.err == nil && f.members["warnings"] != nil { // servers of earlier versions have none
		info.Warnings = list(f, "warnings", asString)
	}
	return info, f.err
}

// History asks for the last updates, at most limit.
func (c *Client) History(ctx context.Context, limit int) ([]HistoryEntry, error) {
	return callAs(ctx, c, func(v any) ([]HistoryEntry, error) { return listOf(v, historyEntry) }, "reconcile.getHistory", limit)
}

func historyEntry(v any) (HistoryEntry, error) {
	f := structOf(v)
	p := HistoryEntry{
		Generation: f.int("generation"), Time: f.int("time"), Trigger: f.string("trigger"),
		Caller: f.string("caller"), Actions: list(f, "actions", asString),
		Result: f.string("result"), DurationMS: f.int("duration_ms"), Reasons: []string{}, Reason: optional[string](f, "reason"),
		Revision: optional[string](f, "revision"),
	}
	if f.err == nil && f.members["reasons"] != nil {
		p.Reasons = list(f, "reasons", asString)
	}
	return p, f.err
}

// SetAutoupdate turns automatic updates on or off for as long as the daemon
// runs.
func (c *Client) SetAutoupdate(ctx context.Context, on bool) error {
	return c.done(ctx, "reconcile.setAutoupdate", on)
}

// array is names as a parameter, an empty array for none.
func array(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// Program is which program a supervisord is, and the outcome of its last upgrade.
type Program struct {
	PID      int    `json:"pid"`
	Build    string `json:"build"`  // names it
	Binary   string `json:"binary"` // its file
	Upgrades int    `json:"upgrades"`
	From     string `json:"from"`  // the build before the last upgrade; "" before the first
	By       string `json:"by"`    // who asked for that
	Error    string `json:"error"` // why the last that was begun was given up; "" if it was not
}

// Program asks which program the daemon runs.
func (c *Client) Program(ctx context.Context) (Program, error) {
	return callAs(ctx, c, func(v any) (Program, error) {
		f := structOf(v)
		p := Program{
			PID: f.int("pid"), Build: f.string("build"), Binary: f.string("binary"),
			Upgrades: f.int("upgrades"), From: f.string("from"), By: f.string("by"), Error: f.string("error"),
		}
		return p, f.err
	}, "reconcile.getProgram")
}

// Reexec makes the daemon continue as the program in a file, "" for the one that it was
// started from. It returns once that program has been tested, before it is executed, with
// the number of earlier upgrades.
func (c *Client) Reexec(ctx context.Context, path string) (upgrades int, err error) {
	var params []any
	if path != "" {
		params = append(params, path)
	}
	return callAs(ctx, c, func(v any) (int, error) {
		f := structOf(v)
		return f.int("upgrades"), f.err
	}, "reconcile.reexec", params...)
}
