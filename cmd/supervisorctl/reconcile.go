package main

import (
	"context"
	"fmt"
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
	c.say("ERROR: the server at %s does not know %s: it has no reconcile namespace", c.settings.url, c.command.name)
	c.fail(exitNoNamespace)
	if c.command.failure != 0 {
		c.fail(c.command.failure)
	}
	return nil
}

// invalidFiles asks which files cannot be used. It says nothing of a server that
// cannot tell, nor waits long for one that is busy: the answer is only good to
// know.
func (s *session) invalidFiles(ctx context.Context) []client.File {
	ctx, cancel := context.WithTimeout(ctx, asideLimit)
	defer cancel()
	c, err := s.connect()
	if err != nil {
		return nil
	}
	files, _ := c.Files(ctx)
	return slices.DeleteFunc(files, func(f client.File) bool { return f.State != "invalid" })
}

// asideLimit is how long a question may take whose answer nobody asked for.
const asideLimit = 2 * time.Second

// mistakes is every mistake of files that cannot be used, FILE:LINE: [section] key:
// what; none where err is another error, or the server is not one that can say.
func (s *session) mistakes(ctx context.Context, err error) []string {
	if !client.HasCode(err, client.FaultCantReread) {
		return nil
	}
	c, err := s.connect()
	if err != nil {
		return nil
	}
	if _, err = c.Diff(ctx, nil); !client.HasCode(err, client.FaultCantReread) {
		return nil
	}
	return strings.Split(faultText(err), "\n")
}

// files prints each watched file and directory, and what became of it.
func (c *call) files(ctx context.Context) error {
	files, err := c.Files(ctx)
	if err != nil {
		return c.needsReconcile(err)
	}
	if c.json {
		return c.emit(files)
	}
	rows := make([][]string, 0, len(files))
	for _, f := range files {
		rows = append(rows, []string{f.Path, f.State, formatTime(f.Changed), strings.Join(f.Programs, ","), f.Reason})
	}
	c.columns(rows)
	return nil
}

// history prints the last updates, the newest as the server gives it first.
func (c *call) history(ctx context.Context) error {
	limit := 10
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
	rows := make([][]string, 0, len(past))
	for _, p := range past {
		trigger := p.Trigger
		if p.Caller != "" {
			trigger += " by " + p.Caller
		}
		rows = append(rows, []string{
			fmt.Sprint(p.Generation), formatTime(p.Time), trigger, p.Result,
			(time.Duration(p.DurationMS) * time.Millisecond).String(), strings.Join(p.Actions, "; "),
		})
	}
	c.columns(rows)
	return nil
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

// columns prints rows with each column as wide as its widest cell; an empty
// cell in the middle is a dash, so that every row has the same fields.
func (c *call) columns(rows [][]string) {
	var widths []int
	for _, row := range rows {
		widths = slices.Grow(widths, len(row))[:len(row)]
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)), 1)
		}
	}
	for _, row := range rows {
		for i := range row[:len(row)-1] {
			if row[i] == "" {
				row[i] = "-"
			}
			row[i] = fmt.Sprintf("%-*s", widths[i], row[i])
		}
		c.say("%s", strings.TrimRight(strings.Join(row, "  "), " "))
	}
}

// formatTime is a time of the server's clock for people, "-" for never.
func formatTime(seconds int) string {
	if seconds == 0 {
		return "-"
	}
	return time.Unix(int64(seconds), 0).Format("2006-01-02 15:04:05")
}
