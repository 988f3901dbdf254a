package client

import (
	"context"

	"supervisord/rpc/planned"
)

// Generation is one update of the server's, as far as it remembers it.
type Generation struct {
	Generation int               `json:"generation"`
	Entries    []GenerationEntry `json:"entries"` // oldest first
	Files      []FileDiff        `json:"files"`   // whose content in force it changed
	// Forgotten is why the files are not known, "" where they are.
	Forgotten string `json:"forgotten,omitempty"`
}

// GenerationEntry is an entry of the history with the whole of its actions.
type GenerationEntry struct {
	Time       int              `json:"time"` // seconds since the epoch
	Trigger    string           `json:"trigger"`
	Caller     string           `json:"caller"`
	Actions    []planned.Action `json:"actions"`
	Result     string           `json:"result"`
	DurationMS int              `json:"duration_ms"`
	Reason     string           `json:"reason,omitempty"`
	Revision   string           `json:"revision,omitempty"`
}

// FileDiff is how a file differs between two updates.
type FileDiff struct {
	Path     string        `json:"path"`
	Change   string        `json:"change"`   // added, removed or changed
	Sections []SectionDiff `json:"sections"` // none where only comments or the order differ
}

// SectionDiff is how a section of a file differs.
type SectionDiff struct {
	Section string           `json:"section"`
	Change  string           `json:"change"` // added, removed or changed
	Keys    []planned.Change `json:"keys"`   // of a changed one, as they stand in the file
}

// Generation asks for one update, by its number. Fault FaultBadName where the server knows
// none of that number, FaultUnknownMethod from one that is not this supervisord, or an earlier
// one.
func (c *Client) Generation(ctx context.Context, number int) (Generation, error) {
	return callAs(ctx, c, func(v any) (Generation, error) {
		f := structOf(v)
		g := Generation{
			Generation: f.int("generation"), Entries: list(f, "entries", generationEntry),
			Files: list(f, "files", fileDiff), Forgotten: f.string("forgotten"),
		}
		return g, f.err
	}, "reconcile.getGeneration", number)
}

// DiffGenerations asks how the files in force after one update differ from those after
// another. Faults are as of Generation.
func (c *Client) DiffGenerations(ctx context.Context, from, to int) ([]FileDiff, error) {
	return callAs(ctx, c, func(v any) ([]FileDiff, error) { return listOf(v, fileDiff) }, "reconcile.diffGenerations", from, to)
}

func generationEntry(v any) (GenerationEntry, error) {
	f := structOf(v)
	e := GenerationEntry{
		Time: f.int("time"), Trigger: f.string("trigger"), Caller: f.string("caller"), Actions: list(f, "actions", action),
		Result: f.string("result"), DurationMS: f.int("duration_ms"), Reason: f.string("reason"), Revision: f.string("revision"),
	}
	return e, f.err
}

func fileDiff(v any) (FileDiff, error) {
	f := structOf(v)
	d := FileDiff{Path: f.string("path"), Change: f.string("change"), Sections: list(f, "sections", func(v any) (SectionDiff, error) {
		f := structOf(v)
		d := SectionDiff{Section: f.string("section"), Change: f.string("change"), Keys: list(f, "keys", keyChange)}
		return d, f.err
	})}
	return d, f.err
}
