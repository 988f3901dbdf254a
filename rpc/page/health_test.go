package page

import (
	"testing"

	"supervisord/runtime/state"
)

// TestHealth: the one line says what is so, with a colour that fits it.
func TestHealth(t *testing.T) {
	rows := func(n int, name string, level Level) []Row {
		list := make([]Row, n)
		for i := range list {
			list[i] = Row{State: name, Level: level}
		}
		return list
	}
	and := func(lists ...[]Row) (all []Row) {
		for _, list := range lists {
			all = append(all, list...)
		}
		return all
	}
	synced := Reconcile{Phase: "synced", Autoupdate: true}
	for _, tc := range []struct {
		name  string
		rows  []Row
		files Reconcile
		mood  state.Mood
		level Level
		text  string
		also  string // of the files
	}{
		{"nothing", nil, synced, state.MoodRunning, Idle, "No programs to manage", ""},
		{"all run", rows(12, "running", Good), synced, state.MoodRunning, Good, "All is well: 12 processes running", ""},
		{"one has done its work", and(rows(11, "running", Good), rows(1, "exited", Idle)), synced, state.MoodRunning, Good, "All is well: 11 of 12 processes running · 1 ended as expected", ""},
		{"all have done their work", rows(2, "exited", Idle), synced, state.MoodRunning, Good, "All is well: 0 of 2 processes running · 2 ended as expected", ""},
		{"some are stopped", and(rows(10, "running", Good), rows(2, "stopped", Idle)), synced, state.MoodRunning, Good, "All is well: 10 of 12 processes running · 2 stopped", ""},
		{"all are stopped", rows(12, "stopped", Idle), synced, state.MoodRunning, Idle, "None of 12 processes running · 12 stopped", ""},
		{"one is not ready, and others wait for it", and(rows(1, "starting", Busy), rows(11, "stopped", Busy)), synced, state.MoodRunning, Busy, "Starting: 12 of 12 not ready yet · None of 12 running", ""},
		{"some start, some stop", and(rows(9, "running", Good), rows(2, "starting", Busy), rows(1, "stopping", Busy)), synced, state.MoodRunning, Busy, "Starting: 2 of 12 not ready yet · 1 process stopping · 9 of 12 running", ""},
		{"one has failed, and one starts", and(rows(1, "fatal", Bad), rows(1, "starting", Busy)), synced, state.MoodRunning, Bad, "1 process down that should not be · Starting: 1 of 2 not ready yet · None of 2 running", ""},
		{"a file is invalid", rows(12, "running", Good), Reconcile{Phase: "invalid", Invalid: 1, Autoupdate: true}, state.MoodRunning, Bad, "A configuration file cannot be used · 12 running", "A configuration file cannot be used"},
		{"an update is held while one starts", rows(1, "starting", Busy), Reconcile{Phase: "held", Autoupdate: true}, state.MoodRunning, Warn, "Starting: 1 of 1 not ready yet · An update is held · None of 1 running", "An update is held"},
		{"frozen", rows(1, "running", Good), Reconcile{Phase: "synced"}, state.MoodRunning, Good, "All is well: 1 process running", "Automatic updates are off"},
		{"paused", rows(1, "running", Good), Reconcile{Phase: "synced", Autoupdate: true, Paused: 2}, state.MoodRunning, Good, "All is well: 1 process running", "2 paused"},
		{"what is applied is verified", rows(1, "running", Good), Reconcile{Phase: "pending", Verifying: true, Autoupdate: true}, state.MoodRunning, Good, "All is well: 1 process running", "An update is applied, and is being verified"},
		{"the daemon ends", rows(2, "running", Good), Reconcile{}, state.MoodShutdown, Busy, "The daemon is shutting down · 2 running", ""},
	} {
		if h := HealthOf(tc.rows, tc.files, tc.mood); h.Level != tc.level || h.Text != tc.text || h.Files != tc.also {
			t.Errorf("%s: %s %q %q, want %s %q %q", tc.name, h.Level, h.Text, h.Files, tc.level, tc.text, tc.also)
		}
	}
}
