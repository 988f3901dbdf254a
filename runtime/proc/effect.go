package proc

import (
	"log/slog"

	"supervisord/runtime/state"
)

// Effect is one thing to do for a process.
type Effect struct {
	Kind EffectKind

	// Launch: the process group of the run before, whose members are to be ended
	// first; 0 for none.
	OrphanGroup int

	// Kill: send Signal to PID, or to its process group.
	Signal int
	Group  bool

	// Emit: a PROCESS_STATE event. Tries belongs to STARTING and BACKOFF, PID to
	// RUNNING, STOPPING, STOPPED and EXITED, Expected and Exit to EXITED.
	From, To state.Process
	Tries    int
	PID      int
	Expected bool
	Exit     Exit

	// Log: one line of the activity log.
	Level slog.Level
	Text  string
}

// EffectKind says which effect it is.
type EffectKind int

// The effects.
const (
	Launch EffectKind = iota + 1
	// Cancel: call off the launch that is under way, if that can still be done.
	Cancel
	Kill
	Emit
	Log
	// Left: the process has ended by itself and, as its rules say, nothing starts it
	// again. Machine.Status is how.
	Left
	// Refused means that the input means nothing in this state; nothing changed.
	Refused
)

// The levels of the activity log that a machine writes at, as slog levels.
const (
	critical = slog.Level(12)
	warn     = slog.LevelWarn
	info     = slog.LevelInfo
	debug    = slog.LevelDebug
)
