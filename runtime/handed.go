package runtime

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"

	"supervisord/runtime/capture"
	"supervisord/runtime/event"
	"supervisord/runtime/launch"
	"supervisord/runtime/logfile"
	"supervisord/runtime/moment"
	"supervisord/runtime/proc"
	"supervisord/spec"
)

// Handover is the state from which another Supervisor continues: the definition of every
// active group, the state of every process, its pipes and what was read from them but
// not processed yet, the events not yet delivered, and every deadline. It is plain data
// and open descriptors, and belongs to one goroutine.
//
// New consumes it. Until then it can be saved and made again any number of times.
type Handover struct {
	data  Saved
	files []*os.File
}

// handoverVersion is the version of the form of a Handover, and readableSince the oldest
// version whose readers understand what this one writes.
const (
	handoverVersion = 1
	readableSince   = 1
)

// Saved is everything of a Handover but its descriptors, in the form in which exact
// writes it down. Readers pass over fields that they do not know, and have the zero value
// for those that are not there.
type Saved struct {
	Version       int            `json:"version"`
	ReadableSince int            `json:"readable_since"`
	Files         int            `json:"files"`   // how many descriptors go with it
	Present       moment.Present `json:"present"` // by which all moments go

	Begun      bool           `json:"begun"`
	Subreaper  bool           `json:"subreaper,omitempty"`
	Serials    int64          `json:"serials"`
	CgroupName string         `json:"cgroup_name"`
	AutoMark   string         `json:"auto_mark"`
	Launches   int            `json:"launches"`
	Ticked     *moment.Moment `json:"ticked,omitempty"`
	Sockets    []handedSocket `json:"sockets,omitempty"`
	Groups     []handedGroup  `json:"groups"` // in the order of their activation
	Waiting    []slotName     `json:"waiting,omitempty"`
	HeldAuto   *handedAuto    `json:"held_auto,omitempty"`

	OOMCounts map[string]int64 `json:"oom_counts,omitempty"` // see launch.OOMKills.SaveOOM
}

// fileNumber refers to one of Handover.Files, counted from 1; 0 is none.
type fileNumber int

// handedSocket is a FastCGI socket. Processes refer to it by its number, from 1.
type handedSocket struct {
	Saved launch.SavedSocket `json:"saved"`
	File  fileNumber         `json:"file,omitempty"`
}

// handedGroup is a group in force.
type handedGroup struct {
	Name      string          `json:"name,omitempty"` // where the definition was left out, see Without
	Def       *spec.Group     `json:"definition,omitempty"`
	Pool      *event.Saved    `json:"pool,omitempty"`
	Processes []handedProcess `json:"processes"` // in the order of the definition
}

// handedProcess is one slot of the table.
type handedProcess struct {
	Machine    proc.Saved      `json:"machine"`
	Out        [2]handedOutput `json:"out"`           // by channel
	Says       [2]fileNumber   `json:"says,omitzero"` // its socket, and its pipe
	Stdin      fileNumber      `json:"stdin,omitempty"`
	StdinQueue []byte          `json:"stdin_queue,omitempty"`
	Socket     int             `json:"socket,omitempty"`
	HeldSocket int             `json:"held_socket,omitempty"`

	Descendants *handedDescendants `json:"descendants,omitempty"`
	PidFD       fileNumber         `json:"pidfd,omitempty"`
	Pipes       launch.Pipes       `json:"pipes"`
	Began       uint64             `json:"began,omitempty"`
	Starts      int64              `json:"starts,omitempty"`
	LastEnd     *End               `json:"last_end,omitempty"`
	Ends        EndCounts          `json:"ends"`
	Runs        []handedRun        `json:"runs,omitempty"`
	Killed      bool               `json:"killed,omitempty"`
	OOM         string             `json:"oom,omitempty"` // which of Saved.OOMCounts
	PendingExit *proc.Exit         `json:"pending_exit,omitempty"`
	ExitedAt    *moment.Moment     `json:"exited_at,omitempty"`
	GroupSignal int                `json:"group_signal,omitempty"`

	Orphans         *handedDescendants `json:"orphans,omitempty"`
	EndOrphansFirst bool               `json:"end_orphans_first,omitempty"`
	EndingOrphans   bool               `json:"ending_orphans,omitempty"`
	OrphansUntil    *moment.Moment     `json:"orphans_until,omitempty"`

	RestartWhenStopped bool         `json:"restart_when_stopped,omitempty"`
	Restarting         bool         `json:"restarting,omitempty"`
	UserStopped        bool         `json:"user_stopped,omitempty"`
	Disabled           bool         `json:"disabled,omitempty"`
	WasRunning         bool         `json:"was_running,omitempty"`
	Order              *handedOrder `json:"order,omitempty"`
}

// handedOrder is what a process keeps of an order; see inOrder. nil stands for any that it
// keeps nothing of.
type handedOrder struct {
	Within    *[]slotName `json:"within,omitempty"` // nil waits for all
	StopAfter *[]slotName `json:"stop_after,omitempty"`
	Done      bool        `json:"done,omitempty"`
	Ran       bool        `json:"ran,omitempty"`
}

// handedOutput is one captured stream, and its log.
type handedOutput struct {
	Auto   string         `json:"auto,omitempty"`
	Log    handedLog      `json:"log"`
	Opened bool           `json:"opened,omitempty"`
	Stream *capture.Saved `json:"stream,omitempty"` // nil for one that is closed
	Pipe   fileNumber     `json:"pipe,omitempty"`   // of Stream
}

// handedLog is a log.
type handedLog struct {
	Saved logfile.Saved `json:"saved"`
	File  fileNumber    `json:"file,omitempty"`
}

// handedDescendants are those of a run; see descendants.
type handedDescendants struct {
	PGID       int            `json:"pgid"`
	Cgroup     string         `json:"cgroup,omitempty"`
	Variable   string         `json:"variable,omitempty"`
	Lost       bool           `json:"lost,omitempty"`
	User       int            `json:"user,omitempty"`
	StartTimes map[int]uint64 `json:"start_times,omitempty"`
}

// handedAuto is the AUTO log that is kept open.
type handedAuto struct {
	Slot    slotName `json:"slot"`
	Channel int      `json:"channel"`
}

// Files are the descriptors that belong to the Handover, in the order in which
// Saved refers to them. They still belong to the Handover. Get their numbers with
// SyscallConn; Fd would make them blocking.
func (h *Handover) Files() []*os.File { return h.files }

// Form is what is saved of nothing: whoever understands it understands what this version
// saves.
func Form() *Saved { return &Saved{Version: handoverVersion, ReadableSince: readableSince} }

// Save is everything except the descriptors. It belongs to the Handover.
func (h *Handover) Save() *Saved { return &h.data }

// Without is the same without those of the definitions that are known. They are the greater
// part of it, and do not change while nobody asks for it: so they can be written down before.
func (d *Saved) Without(known []*spec.Group) *Saved {
	knows := make(map[*spec.Group]bool, len(known))
	for _, g := range known {
		knows[g] = true
	}
	rest := *d
	rest.Groups = slices.Clone(d.Groups)
	for i := range rest.Groups {
		if g := &rest.Groups[i]; knows[g.Def] {
			g.Name, g.Def = g.Def.Name, nil
		}
	}
	return &rest
}

// Define puts the definitions back that Without left out.
func (d *Saved) Define(known []*spec.Group) {
	byName := make(map[string]*spec.Group, len(known))
	for _, g := range known {
		byName[g.Name] = g
	}
	for i := range d.Groups {
		if g := &d.Groups[i]; g.Def == nil {
			g.Def = byName[g.Name]
		}
	}
}

// Check reports what Handover would refuse whatever the files are.
func (d *Saved) Check() error {
	if err := d.check(); err != nil {
		return fmt.Errorf("cannot take over: %w", err)
	}
	return nil
}

// Handover makes a Handover of what was saved of one and of its files, in their order; it
// may replace elements of files. It checks everything first: on an error nothing is used,
// and the files still belong to the caller. A newer format is refused unless it says that
// this version understands it. The Handover shares what d refers to.
func (d *Saved) Handover(files []*os.File) (*Handover, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	if len(files) != d.Files {
		return nil, fmt.Errorf("cannot take over: there are %d files, and there should be %d", len(files), d.Files)
	}
	for _, n := range d.waitedFor() {
		var err error
		if files[n-1], err = nonBlocking(files[n-1]); err != nil {
			return nil, fmt.Errorf("cannot take over: file %d: %w", n, err)
		}
	}
	return &Handover{data: *d, files: files}, nil
}

// Close discards the Handover and closes its descriptors: children that write get
// SIGPIPE. It is only for callers that cannot continue from it, which does not
// happen normally.
func (h *Handover) Close() {
	for _, f := range h.files {
		f.Close()
	}
	h.files = nil
}

// file is the file of a number, nil for none.
func (h *Handover) file(n fileNumber) *os.File {
	if n == 0 {
		return nil
	}
	return h.files[n-1]
}

// numbers calls use with every number of a file; waits says that somebody will wait until
// it can be read or written.
func (d *Saved) numbers(use func(n fileNumber, waits bool)) {
	for i := range d.Sockets {
		use(d.Sockets[i].File, false)
	}
	for i := range d.Groups {
		for j := range d.Groups[i].Processes {
			p := &d.Groups[i].Processes[j]
			use(p.Stdin, true)
			use(p.PidFD, true)
			use(p.Says[onSocket], true)
			use(p.Says[onPipe], true)
			for ch := range p.Out {
				use(p.Out[ch].Pipe, true)
				use(p.Out[ch].Log.File, p.Out[ch].Log.Saved.File == logfile.FileID{}) // a pipe or a terminal
			}
		}
	}
}

// waitedFor are the files for which somebody will wait.
func (d *Saved) waitedFor() (list []fileNumber) {
	d.numbers(func(n fileNumber, waits bool) {
		if n != 0 && waits {
			list = append(list, n)
		}
	})
	return list
}

// nonBlocking is f if one can wait for it without a thread, or does not have to, and
// otherwise another in its place: an image that was just executed may have made it of a
// descriptor that blocks.
func nonBlocking(f *os.File) (*os.File, error) {
	if err := f.SetDeadline(time.Time{}); err == nil {
		return f, nil
	}
	info, err := f.Stat()
	if err != nil || info.Mode().IsRegular() || info.Mode()&fs.ModeDevice != 0 {
		return f, err
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	again := -1
	failed := conn.Control(func(fd uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if again, err = syscall.Dup(int(fd)); err == nil {
			syscall.CloseOnExec(again)
			err = syscall.SetNonblock(again, true)
		}
	})
	if err = firstError(failed, err); err != nil {
		if again >= 0 {
			syscall.Close(again)
		}
		return nil, err
	}
	f.Close()
	return os.NewFile(uintptr(again), f.Name()), nil
}
