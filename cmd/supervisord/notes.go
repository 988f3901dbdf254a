package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"supervisord/reconcile"
	"supervisord/runtime/mainlog"
)

// The levels of the activity log.
const (
	levelCritical = mainlog.LevelCritical
	levelError    = mainlog.LevelError
	levelWarn     = mainlog.LevelWarn
	levelInfo     = mainlog.LevelInfo
)

// note is a line for the activity log from before it was open.
type note struct {
	level slog.Level
	text  string
}

func (d *daemon) note(level slog.Level, text string) { d.notes = append(d.notes, note{level, text}) }

// logNotes writes the collected lines: what is critical first, then warnings,
// then the rest.
//
// Source: contract/config.md section 10, step 5.
func (d *daemon) logNotes(log *slog.Logger) {
	ranks := []func(slog.Level) bool{
		func(l slog.Level) bool { return l > levelWarn },
		func(l slog.Level) bool { return l == levelWarn },
		func(l slog.Level) bool { return l < levelWarn },
	}
	for _, in := range ranks {
		for _, n := range d.notes {
			if in(n.level) {
				log.Log(context.Background(), n.level, n.text)
			}
		}
	}
	d.notes = nil
}

// leftOut is the message at a start about files that cannot be used; "" for
// nothing. The daemon begins all the same, and the log has every mistake.
func leftOut(start *reconcile.Start) string {
	var files []string
	for _, e := range start.Bad {
		if !slices.Contains(files, e.File) {
			files = append(files, e.File)
		}
	}
	switch len(files) {
	case 0:
		return ""
	case 1:
		return "1 included file is invalid; its previous content, if any, is in force (supervisorctl files): " + start.Bad[0].Report()
	}
	return fmt.Sprintf("%d included files are invalid; their previous content, if any, is in force (supervisorctl files); the first: %s",
		len(files), start.Bad[0].Report())
}

// noteParse notes what reading the configuration brought up. Files that were set
// aside, and sections that are in two files, are the reconciler's to report.
func (d *daemon) noteParse(start *reconcile.Start) {
	cfg := start.Config
	for _, w := range cfg.Warnings {
		d.note(levelWarn, w)
	}
	for _, a := range cfg.Advice {
		if !a.Logged && !a.Guess && a.Also == "" {
			d.note(levelWarn, a.Report())
		}
	}
	if w := exposedLog(&cfg.Daemon); w != nil {
		d.note(levelWarn, w.Report())
	}
	for _, i := range cfg.Infos {
		d.note(levelInfo, i)
	}
}
