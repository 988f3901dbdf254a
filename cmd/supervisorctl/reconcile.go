package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"supervisord/rpc/client"
)

// needsReconcile says that the server is not one of ours, and hands back any
// other error.
func (c *call) needsReconcile(err error) error {
	if !client.HasCode(err, client.FaultUnknownMethod) {
		return err
	}
	c.say("ERROR: the server at %s has no %s: it is Supervisor itself, or an older supervisord", c.settings.url, c.command.name)
	c.fail(exitNoNamespace)
	if c.command.failure != 0 {
		c.fail(c.command.failure)
	}
	return nil
}

// refused says that the server will not do what was asked for, a line for each mistake, and
// hands back what is no refusal.
func (c *call) refused(err error, status int) error {
	for _, code := range []client.Code{client.FaultBadName, client.FaultCantReread, client.FaultFailed} {
		if client.HasCode(err, code) {
			for line := range strings.SplitSeq(faultText(err), "\n") {
				c.say("ERROR: %s", line)
			}
			c.fail(status)
			return nil
		}
	}
	return c.needsReconcile(err)
}

// troubledFiles asks which files cannot be used, and which wait before what they say,
// or their absence, counts. It says nothing of a server that cannot tell, nor waits long
// for one that is busy: the answer is only good to know.
func (s *session) troubledFiles(ctx context.Context) (invalid, pending int) {
	ctx, cancel := context.WithTimeout(ctx, asideLimit)
	defer cancel()
	c, err := s.connect()
	if err != nil {
		return 0, 0
	}
	files, _ := c.Files(ctx)
	directories := directoriesOf(files)
	for _, f := range files {
		switch {
		case f.State == "invalid":
			invalid++
		case f.State == "pending" && !directories[f.Path] && f.Reason != "" && len(f.Programs) > 0:
			pending++
		}
	}
	return invalid, pending
}

// directoriesOf are the paths that other files are in.
func directoriesOf(files []client.File) map[string]bool {
	directories := map[string]bool{}
	for _, f := range files {
		directories[filepath.Dir(f.Path)] = true
	}
	return directories
}

// asideLimit is how long a question may take whose answer nobody asked for.
const asideLimit = 2 * time.Second

// mistakes is every mistake of files that cannot be used, FILE:LINE: [section] key:
// what, or else why the server cannot read them; none where err is another error, or the
// server is not one that can say.
func (s *session) mistakes(ctx context.Context, err error) []string {
	if !client.HasCode(err, client.FaultCantReread) {
		return nil
	}
	c, unreachable := s.connect()
	if unreachable != nil {
		return nil
	}
	_, wrong := c.Diff(ctx, nil)
	switch {
	case client.HasCode(wrong, client.FaultCantReread):
		err = wrong
	case wrong != nil:
		return nil
	}
	return strings.Split(faultText(err), "\n")
}

// files prints each watched file and directory, and its state.
func (c *call) files(ctx context.Context) error {
	files, err := c.Files(ctx)
	if err != nil {
		return c.needsReconcile(err)
	}
	if c.json {
		return c.emit(files)
	}
	c.columns(fileRows(files))
	return nil
}

// fileStates is what is wrong with a file, the worst first; then come those with
// nothing wrong.
var fileStates = []string{"invalid", "rejected", "held", "pinned", "pending", "ignored"}

// fileRows is a table of files: problems first, then what is in force but has
// warnings, then the rest, directories last.
func fileRows(files []client.File) []tableRow {
	directories := directoriesOf(files)
	rank := func(f client.File) int {
		at := slices.Index(fileStates, f.State)
		switch {
		case at >= 0:
			return at
		case f.Reason != "" || len(f.Warnings) > 0:
			return len(fileStates)
		case !directories[f.Path]:
			return len(fileStates) + 1
		}
		return len(fileStates) + 2
	}
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b client.File) int { return rank(a) - rank(b) })
	rows := []tableRow{{cells: []string{"FILE", "STATE", "CHANGED", "PROGRAMS"}}}
	for _, f := range files {
		most := mostNames
		if directories[f.Path] {
			most = 0
		}
		rows = append(rows, tableRow{[]string{f.Path, fileState(f), formatTime(f.Changed), someOf(f.Programs, most)}, fileNotes(f)})
	}
	return rows
}

// fileState is the state of a file, and how many warnings there are about it.
func fileState(f client.File) string {
	switch n := len(f.Warnings); n {
	case 0:
		return f.State
	case 1:
		return f.State + ", 1 warning"
	default:
		return fmt.Sprintf("%s, %d warnings", f.State, n)
	}
}

// fileNotes are what stands below a file: why it is not in force, then warnings. The
// file's path stands above them, so that its name is enough.
func fileNotes(f client.File) []string {
	const most = 5
	notes := below(strings.ReplaceAll(f.Reason, f.Path+":", filepath.Base(f.Path)+":"))
	for i, w := range f.Warnings {
		if i == most {
			return append(notes, fmt.Sprintf("and %d more: supervisord --check", len(f.Warnings)-most))
		}
		notes = append(notes, "warning: "+strings.ReplaceAll(w, f.Path+":", filepath.Base(f.Path)+":"))
	}
	return notes
}

// mostNames is how many names of programs are shown of a file.
const mostNames = 8

// someOf is a list of at most most names.
func someOf(names []string, most int) string {
	switch rest := len(names) - most; {
	case rest <= 0:
		return strings.Join(names, ",")
	case len(names) == 1:
		return "1 program"
	case most == 0:
		return fmt.Sprintf("%d programs", rest)
	default:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ","), rest)
	}
}

// history prints the last updates, the newest as the server gives it first.
func (c *call) history(ctx context.Context) error {
	limit := 10
	if len(c.words) > 0 && c.words[0] == "show" {
		return c.showGeneration(ctx)
	}
	if len(c.words) > 1 {
		return c.usage(exitUsage, "too many arguments")
	}
	if len(c.words) == 1 {
		var ok bool
		if limit, ok = pythonInt(c.words[0]); !ok || limit < 1 {
			return c.usage(exitUsage, "%s is not a number of updates", c.words[0])
		}
	}
	past, err := c.History(ctx, limit)
	if err != nil {
		return c.needsReconcile(err)
	}
	if c.json {
		return c.emit(past)
	}
	rows := historyRows(past)
	if c.onTerminal && len(rows) > 0 {
		header := tableRow{cells: []string{"UPDATE", "TIME", "TRIGGER", "RESULT", "TOOK", "ACTIONS"}}
		rows = slices.Insert(rows, 0, header)
	}
	c.columns(rows)
	return nil
}

// historyRows is a table of updates. A reason stands below its update; one that
// failed again in the same way is counted with it.
func historyRows(past []client.HistoryEntry) []tableRow {
	var rows []tableRow
	for i := 0; i < len(past); {
		p := past[i]
		result, reason := outcome(p)
		reason = cmp.Or(reason, p.Reason)
		again := 1
		for reason != "" && i+again < len(past) && sameFailure(p, past[i+again]) {
			again++
		}
		if again > 1 {
			reason = fmt.Sprintf("%s (%d times since %s)", reason, again, formatTime(past[i+again-1].Time))
		}
		trigger := p.Trigger
		if p.Caller != "" {
			trigger += " by " + p.Caller
		}
		var actions []string
		for _, a := range p.Actions {
			actions = append(actions, sentence(a))
		}
		rows = append(rows, tableRow{[]string{
			fmt.Sprint(p.Generation), formatTime(p.Time), trigger, result,
			(time.Duration(p.DurationMS) * time.Millisecond).String(), strings.Join(actions, "; "),
		}, append(append(below(reason), revisionNote(p.Revision)...), becauses(p)...)})
		i += again
	}
	return rows
}

// becauses are the reasons for what an update did, each with the names that it is about.
func becauses(p client.HistoryEntry) (notes []string) {
	const most = 5
	about := make(map[string][]string)
	var reasons []string
	for i, reason := range p.Reasons {
		if i >= len(p.Actions) {
			break
		}
		if about[reason] == nil {
			reasons = append(reasons, reason)
		}
		_, name, _ := strings.Cut(p.Actions[i], " ")
		if group, process, ok := strings.Cut(name, ":"); ok {
			name = display(group, process)
		}
		about[reason] = append(about[reason], name)
	}
	for i, reason := range reasons {
		if i == most {
			return append(notes, fmt.Sprintf("and %d more reasons: history -o json", len(reasons)-most))
		}
		notes = append(notes, someOf(about[reason], most)+": "+reason)
	}
	return notes
}

// below is what stands below a row, "" for nothing.
func below(note string) []string {
	if note == "" {
		return nil
	}
	return []string{note}
}

// outcome separates the result of an update from the reason for it. An update that
// failed and did something was applied in part.
func outcome(p client.HistoryEntry) (result, reason string) {
	result, reason, _ = strings.Cut(p.Result, ": ")
	if result == "failed" && len(p.Actions) > 0 {
		result = "partly applied"
	}
	return result, reason
}

// sameFailure reports whether two updates did the same and failed for the same reason.
func sameFailure(a, b client.HistoryEntry) bool {
	return a.Result == b.Result && a.Trigger == b.Trigger && a.Caller == b.Caller && slices.Equal(a.Actions, b.Actions)
}

// sentence is an action of the history, "add web", in words, with the name of a process
// as status has it.
func sentence(action string) string {
	verb, name, _ := strings.Cut(action, " ")
	if group, process, ok := strings.Cut(name, ":"); ok {
		name = display(group, process)
	}
	switch verb {
	case "inplace":
		return "change " + name + " while it runs"
	case "numprocs":
		return "change the number of processes of " + name
	}
	return verb + " " + name
}

// autoupdate shows or sets whether changed files are applied by themselves.
func (c *call) autoupdate(ctx context.Context) error {
	on := c.argument == "on"
	var err error
	switch c.argument {
	case "":
		var state client.ReconcileState
		state, err = c.ReconcileState(ctx)
		on = state.Autoupdate
	case "on", "off":
		err = c.SetAutoupdate(ctx, on)
	default:
		return c.usage(exitUsage, "autoupdate is on or off, not %s", c.argument)
	}
	switch {
	case err != nil:
		return c.needsReconcile(err)
	case c.json:
		return c.emit(map[string]bool{"autoupdate": on})
	case on:
		c.say("autoupdate is on")
	default:
		c.say("autoupdate is off")
	}
	return nil
}

// tableRow is a row of a table, and what is to be said below it.
type tableRow struct {
	cells []string
	notes []string
}

// columns prints rows with each column as wide as its widest cell; an empty
// cell in the middle is a dash, so that every row has the same fields.
func (c *call) columns(rows []tableRow) {
	var widths []int
	for _, row := range rows {
		widths = slices.Grow(widths, len(row.cells))[:len(row.cells)]
		for i, cell := range row.cells {
			widths[i] = max(widths[i], len([]rune(cell)), 1)
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row.cells {
			if cell == "" && i < len(row.cells)-1 {
				cell = "-"
			}
			fmt.Fprintf(&b, "%-*s  ", widths[i], cell)
		}
		c.say("%s", strings.TrimRight(b.String(), " "))
		for _, note := range row.notes {
			c.say("    %s", note)
		}
	}
}

// formatTime is a time of the server's clock for people, "-" for never.
func formatTime(seconds int) string {
	if seconds == 0 {
		return "-"
	}
	return time.Unix(int64(seconds), 0).Format("2006-01-02 15:04:05")
}
