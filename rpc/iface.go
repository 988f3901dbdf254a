package rpc

import (
	"context"
	"time"

	"supervisord/runtime"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// Processes is what rpc asks of the process table. *runtime.Supervisor is the
// real one. Every method may be called from any goroutine; each answers from
// one turn of the supervisor's loop. A context that ends ends the wait, never
// the operation. Refusals are *runtime.Error.
type Processes interface {
	// Attend says that a request begins, for a while after which the output of processes
	// gives way to others; it never blocks.
	Attend()
	// Mood is the daemon's state; it never blocks.
	Mood() state.Mood
	// Info is one process. BadName when there is none.
	Info(ctx context.Context, group, process string) (runtime.Info, error)
	// Snapshot is every active process, by group name, then process name; it is
	// read from the newest published state and never waits for an operation.
	Snapshot(ctx context.Context) ([]runtime.Info, error)

	// Count is how many processes are in each state. The loop itself answers, so that it
	// also says that it is not stuck.
	Count(ctx context.Context) (state.Counts, error)

	// Start, Stop and Signal act on what sel names. For a single process the
	// outcome is the error and the results are nil; for a group or all it is one
	// result per process that the request applied to, in the order in which they
	// finished. With wait the call returns when each process has settled
	// (contract/rpc.md section 4).
	Start(ctx context.Context, sel runtime.Select, wait bool) ([]runtime.Result, error)
	Stop(ctx context.Context, sel runtime.Select, wait bool) ([]runtime.Result, error)
	Signal(ctx context.Context, sel runtime.Select, sig int) ([]runtime.Result, error)
	// Reset forgets what went wrong with what sel names, and that it was given up.
	Reset(ctx context.Context, sel runtime.Select) ([]runtime.Result, error)
	// ClearLogs empties both logs of what sel names; for all, in start order.
	ClearLogs(ctx context.Context, sel runtime.Select) ([]runtime.Result, error)
	// WriteStdin queues data for the process's standard input.
	WriteStdin(ctx context.Context, group, process string, data []byte) error
	// Emit sends a REMOTE_COMMUNICATION event. It works during shutdown too.
	Emit(ctx context.Context, typ, data string) error

	// Changed is closed when something of what Snapshot gives may have changed since the
	// call, but for the time.
	Changed() <-chan struct{}

	// Shutdown and Restart ask for an orderly stop; they return without waiting for it.
	// Restart is refused, with fault CANT_REREAD, unless all that the next life needs has
	// been had.
	Shutdown(ctx context.Context) error
	Restart(ctx context.Context) error
}

// Config is what rpc asks of the desired state. The reconciler is the real one.
type Config interface {
	// Reread reads every file again and says how the groups differ from the
	// active ones, by name, each list in the order of contract/reconcile.md
	// section 3. It starts and stops nothing. The error is the first mistake in
	// Supervisor's words (fault CANT_REREAD).
	Reread(ctx context.Context) (added, changed, removed []string, err error)
	// AddGroup activates a group of the desired state; RemoveGroup takes away an
	// active group none of whose processes runs. Refusals are *runtime.Error.
	AddGroup(ctx context.Context, name string) error
	RemoveGroup(ctx context.Context, name string) error
	// Desired is the configuration as last read without a mistake.
	Desired() *spec.Config
	// Active reports whether a group of that name is active.
	Active(name string) bool
	// ConfigFiles are the files that the configuration is taken from, as last
	// looked at. It never waits for a disk.
	ConfigFiles() []ConfigFile
	// Progress is how far the files are in force. It waits for nobody.
	Progress() Progress
	// Told is another as soon as anything that reconcile.* tells is another, but for what is
	// active. It waits for nobody.
	Told() uint64
	// Answers returns when who decides about all this does; one that is stuck never does.
	Answers(ctx context.Context) error
	// Prints are the fingerprints of what is active and of what is desired, and the revision
	// that is in force, "" for none.
	Prints() (applied, desired, revision string)
	// Changed is closed when something of that, or of what reconcile.* tells, may have
	// changed since the call.
	Changed() <-chan struct{}
}

// Progress is how far the configuration files are in force.
type Progress struct {
	Phase       string // one of Phases
	Reason      string // "" when synced
	Since       time.Time
	Generation  int // of the last update that did something
	Held        int // changes that wait for a person
	Deferred    int // groups of which a pause or a closed window holds the change
	Autoupdate  bool
	LastSuccess time.Time // when the last update that was applied began; zero for never
	Reverts     int64     // how often content that failed was taken back, in this life
	Paused      int       // groups and processes that no automatic update touches
	Disabled    int       // and that nothing but a person starts
	Verifying   bool      // all is applied, and is pending only until it has proved itself
}

// Phases are those that the reconciler may be in.
var Phases = []string{"synced", "pending", "applying", "held", "invalid"}

// ConfigFile is one configuration file.
type ConfigFile struct {
	Path     string
	State    string // one of FileStates
	Reason   string // what is wrong with it; "" where nothing is
	Warnings int    // how many there are about it
}

// FileStates are the states that a configuration file may be in. What is invalid
// cannot be used, and what is rejected has not run as it must, and what is pinned a
// person took back: what it said before is in force, or nothing.
var FileStates = []string{"applied", fileInvalid, "pending", "held", "rejected", "pinned", "ignored"}

const fileInvalid = "invalid"

// MainLog is what rpc asks of the daemon's own log.
type MainLog interface {
	// Path is the file that is written to now, "" when there is none (syslog).
	Path() string
	// Clear empties the log.
	Clear() error
}
