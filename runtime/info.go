package runtime

import (
	"time"

	"supervisord/runtime/logfile"
	"supervisord/runtime/proc"
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
	LogBytes int64 // how long its logs are, without the backups
	// Where the process shows metrics itself; port 0 is nowhere, no path is /metrics.
	MetricsPort int
	MetricsPath string
	Listener    *ListenerInfo
	// Retry is which retry a process in BACKOFF waits for, 0 where none of the keys is used
	// that say when; RetryIn is how long still.
	Retry   int
	RetryIn time.Duration
	Waiting string // what its start waits for, "" for nothing
	// Disabled: a person has disabled it.
	Disabled bool
	Probed   *ProbeInfo // nil where there is nothing to find out
	LastEnd  *End       // how it ended last; nil for never
	Ends     EndCounts
	Runs     []Run // the last ones, the oldest first; never changed

	up      time.Time          // Start, for measuring
	retryAt time.Time          // when RetryIn is over
	logs    [2]*logfile.Writer // whose drops are counted when the Info is given out
}

// ProbeInfo is what probes have found out about a process that is STARTING or RUNNING, or
// it has said of itself.
type ProbeInfo struct {
	Asked     bool   // whether it is ready is asked
	Ready     bool   // it is, or was RUNNING before anybody asked, and has said nothing else since
	Reloading bool   // it has said that it is, and is not ready meanwhile
	Leaving   bool   // it has said that it ends by itself
	Status    string // what else it has said last, for people; "" for nothing
	Health    string // passing, failing or unknown; "" where nobody asks
	Complaint string // what the last look said that failed, "" after one that did not
}

// End is how a process ended.
type End struct {
	How    string // as the log has it: "exit status 3", "terminated by SIGKILL"
	Signal string // the name of the signal that ended it, "" for none
	Core   bool   // its memory was written to a file
	OOM    bool   // the kernel's out-of-memory killer has ended it, as far as that is known
}

// EndCounts are how often a process has ended in each way since its group was added.
type EndCounts struct {
	Status  int64 // with an exit status
	Signal  int64 // by a signal, other than the following
	Core    int64 // by one with which its memory was written to a file
	OOM     int64 // by the kernel's out-of-memory killer
	Unknown int64 // as the child of another
}

// ends is what the loop knows of the ends of one process.
type ends struct {
	last   *End // never changed once it is there
	counts EndCounts
}

func (e *ends) add(exit proc.Exit) {
	e.last = &End{How: exit.How, Core: exit.Core, OOM: exit.OOM}
	if exit.Signal != 0 {
		e.last.Signal = state.SignalName(exit.Signal)
	}
	switch {
	case exit == proc.ExitUnknown:
		e.counts.Unknown++
	case exit.Signal == 0:
		e.counts.Status++
	case exit.OOM:
		e.counts.OOM++
	case exit.Core:
		e.counts.Core++
	default:
		e.counts.Signal++
	}
}

// ListenerInfo is how an event listener is doing.
type ListenerInfo struct {
	State   state.Listener
	Waiting int       // events in its pool's buffer
	Dropped int64     // events its pool discarded
	Since   time.Time // when the event it is busy with was sent; zero when not busy
}

// Select names processes: all of them (zero value), one group's (only Group set),
// or one.
type Select struct{ Group, Process string }

// Result is the result for one process of a request for several.
type Result struct {
	Group, Name string
	Err         error // nil, or an *Error
}
