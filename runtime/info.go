package runtime

import (
	"time"

	"supervisord/runtime/logfile"
	"supervisord/runtime/state"
)

// Info is what one process is at one moment. All values of one Snapshot are of
// the same moment.
type Info struct {
	Group, Name string
	State       state.Process
	PID         int       // 0 when there is none
	Start       time.Time // last attempt to spawn; zero for never
	Stop        time.Time // last exit; zero for never
	Now         time.Time
	Uptime      time.Duration // monotonic, since Start; meaningful while there is a PID
	SpawnErr    string
	ExitStatus  int    // 0 for none, -1 for death by signal
	StdoutLog   string // resolved path of the log, "" for none
	StderrLog   string
	Priority    int
	GroupPrio   int

	// Ours beyond Supervisor, never on its wire structs.
	Starts   int64 // how often it was spawned since its group was added
	Dropped  int64 // bytes of output that no log could take
	Listener *ListenerInfo

	up   time.Time          // Start, for measuring
	logs [2]*logfile.Writer // whose drops are counted when the Info is given out
}

// ListenerInfo is how an event listener is doing.
type ListenerInfo struct {
	State   state.Listener
	Waiting int       // events in its pool's buffer
	Dropped int64     // events its pool discarded
	Since   time.Time // when the event it is busy with was sent; zero when not busy
}

// Select names processes: all of them (zero value), one group's (Group alone),
// or one.
type Select struct{ Group, Process string }

// Result is what became of one process of a request for several.
type Result struct {
	Group, Name string
	Err         error // nil, or an *Error
}
