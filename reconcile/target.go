package reconcile

import (
	"context"
	"errors"

	"supervisord/spec"
)

// Target is the process table that a plan is carried out on. The daemon plugs
// the runtime in; tests a model. Every method may be called from any goroutine.
//
// Errors that match none of the sentinels below are passed on unchanged, so an
// implementation may return its own.
type Target interface {
	// Groups lists the active groups in the order in which they were activated,
	// all seen at one moment. It is nil when the target has ended.
	Groups() []Active

	// Changed is closed when what Groups says may have changed since the call.
	Changed() <-chan struct{}

	// SetGroup replaces the definition of one group, whole or not at all.
	//
	//   - old nil: new is activated (event PROCESS_GROUP_ADDED). A nil start
	//     starts what the autostart rule says; an empty one starts nothing.
	//   - new nil: old is taken away (event PROCESS_GROUP_REMOVED).
	//   - otherwise the definitions are swapped in place: processes of both keep
	//     their pid, state and history, those only in old vanish, those only in
	//     new appear, stopped. Then start is started, in its order.
	//
	// old is the very pointer that Groups gave. ErrConflict when the active
	// group is another one by now, is gone, or (old nil) is there already.
	// ErrStillRunning when a process that would vanish or change a key for which
	// it must be restarted has a pid or waits to be started again. It does not
	// wait for the started processes to come up.
	SetGroup(ctx context.Context, old, new *spec.Group, start []string) error

	// StopProcesses stops the named processes of a group together, each with its
	// own stopsignal and stopwaitsecs, and returns when all of them are down.
	// What is not running is no error, nor is a group or name that is gone. It
	// is not a person's stop: UserStopped stays as it was.
	StopProcesses(ctx context.Context, group string, names []string) error

	// SetDisabled says which processes a person has disabled, all of those of a group where
	// Process is "": nothing but a person starts them. One that is disabled by this counts as
	// stopped by a person, but is not stopped; one that is so no longer is started if it has
	// autostart.
	SetDisabled(ctx context.Context, names map[spec.Namespec]bool) error

	// AwaitRunning waits until each of the named processes of a group is RUNNING, has ended
	// as expected, or is not to run, by a person's word, or since it is gone. The error says
	// which one has failed and how, or is that of ctx.
	AwaitRunning(ctx context.Context, group string, names []string) error

	// LastOutput are the last lines that a process has written, or that had which ended
	// last where none runs; few, and none where that is not known. It waits for no disk.
	LastOutput(group, process string) []string
}

// Active is one active group.
type Active struct {
	// Group is the definition in force. It is never changed; a pointer that
	// differs means another definition was put in force.
	Group *spec.Group
	// Processes are those of Group.Processes, in any order.
	Processes []Process
}

// Process is what planning needs to know of one process.
type Process struct {
	Name string
	// State is Supervisor's name of the state: STOPPED, RUNNING, FATAL …
	State string
	// Running: STARTING, RUNNING, BACKOFF or STOPPING: there is something to
	// stop, or to wait for.
	Running bool
	// UserStopped: the last that was asked of the process was a person's stop.
	UserStopped bool
	// Disabled: a person has disabled it. UserStopped then says whether nobody has started
	// it since.
	Disabled bool
	// Failed: FATAL or BACKOFF, or EXITED with an exit code that is not expected.
	Failed bool
	// Waiting: its start is held back by what it depends on.
	Waiting bool
	// Crashed is how often it has left RUNNING unasked and unexpected since a start was
	// asked for.
	Crashed int
	// Ending: the target is about to end, and so is the process.
	Ending bool
	// Trouble is why it is not RUNNING, or not well, in a few words; "" where nothing is
	// known.
	Trouble string
}

// What a Target refuses. Test with errors.Is.
var (
	// ErrConflict: the group is not what the caller planned against. The plan is
	// made again.
	ErrConflict = errors.New("group changed meanwhile")
	// ErrStillRunning: a process that must be down first is not.
	ErrStillRunning = errors.New("still running")
)

// What the reconciler refuses by itself.
var (
	// ErrBadName: no such group, active or in the files.
	ErrBadName = errors.New("no such group")
	// ErrAlreadyAdded: the group is active.
	ErrAlreadyAdded = errors.New("group is already active")
	// ErrNotRunning: the reconciler has not been started, or has ended.
	ErrNotRunning = errors.New("the reconciler is not running")
)
