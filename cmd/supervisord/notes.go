package main

import (
	"context"
	"log/slog"

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

// noteParse notes what reading the configuration brought up. Files that were set
// aside are the reconciler's to report.
func (d *daemon) noteParse(start *reconcile.Start) {
	cfg := start.Config
	for _, w := range cfg.Warnings {
		d.note(levelWarn, w)
	}
	for _, a := range cfg.Advice {
		d.note(levelWarn, a.Report())
	}
	if w := exposedLog(&cfg.Daemon); w != nil {
		d.note(levelWarn, w.Report())
	}
	for _, i := range cfg.Infos {
		d.note(levelInfo, i)
	}
}
