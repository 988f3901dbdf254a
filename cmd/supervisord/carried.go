package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"supervisord/cmd/internal/early"
	"supervisord/cmd/internal/host"
	"supervisord/reconcile"
	"supervisord/rpc"
	"supervisord/runtime"
	"supervisord/runtime/exact"
	"supervisord/runtime/logfile"
	"supervisord/runtime/moment"
	"supervisord/spec"
)

// carriedVersion is the version of the form of carried, and carriedSince the oldest
// version that can read what this one writes.
const (
	carriedVersion = 2 // 1 was in JSON
	carriedSince   = 2
)

// carried is what one program leaves to the one that is executed in its place, in the
// same process: all that the daemon knows. Descriptors are in it by their numbers, which
// they keep. The reader ignores what it does not know, and for what is missing uses what
// the files say.
type carried struct {
	lasting
	momentary

	// Not written down.
	file       *os.File // that has the lasting part; nil before it was written
	supervisor *runtime.Handover
	calm       func()       // ends the hurry of the hand-over
	decoded    <-chan error // has the outcome of reading the lasting part; nil where that is done
}

// lasting is what stands still once the reconciler does. It is written down while
// supervision goes on, and the program to come is tried on it.
type lasting struct {
	Version int `json:"version"`
	Since   int `json:"readable_since"`

	Form        *runtime.Saved    `json:"form,omitempty"`        // what is saved of nothing; not in form 1
	Definitions []*spec.Group     `json:"definitions,omitempty"` // of the groups that are active
	Reconciler  *reconcile.Memory `json:"reconciler"`
	Inherited   []int             `json:"inherited"` // what the daemon was started with, from 3 up

	// What the daemon went by, which an upgrade does not change.
	Daemon exact.Raw           `json:"daemon"` // a spec.Daemon
	Listen []spec.Server       `json:"listen"`
	RPC    []spec.RPCInterface `json:"rpc"`
	Path   string              `json:"path"`
	Given  *string             `json:"given"` // what the main file says, where it can be read only once
	State  string              `json:"statedir"`
	Socket string              `json:"socket"`

	Restarts int      `json:"restarts"`
	Upgrades upgrades `json:"upgrades"`
}

// momentary is all else, which is written down while nobody supervises.
type momentary struct {
	Lasting int `json:"lasting,omitempty"` // the file that has the lasting part; in form 1 it is in the same

	Supervisor      *runtime.Saved `json:"supervisor,omitempty"` // without those of the definitions
	SupervisorFiles []int          `json:"supervisor_files,omitempty"`
	Servers         *rpc.Handover  `json:"servers"`
	ServerFiles     []int          `json:"server_files"`
	Lock            int            `json:"lock,omitempty"`            // the daemon's; 0 for none
	ServiceSockets  []int          `json:"service_sockets,omitempty"` // that the service manager opened
	Pollers         []int          `json:"pollers,omitempty"`         // to be closed, see pollers
	Signals         []string       `json:"signals"`                   // that came, and were not acted on
	Paused          moment.Present `json:"paused"`                    // when supervision stopped
}

// upgrades is the outcome of the daemon's upgrades.
type upgrades struct {
	Count int    `json:"count"` // those that were carried out
	From  string `json:"from"`  // the build before the last of them
	By    string `json:"by"`
	Error string `json:"error"` // why the last that was begun was given up; "" if it was not
}

// from is what the supervisor continues from, nil for nothing.
func (c *carried) from() *runtime.Handover {
	if c == nil {
		return nil
	}
	return c.supervisor
}

// servers are what the servers continue from, nil for nothing.
func (c *carried) servers() *rpc.Handover {
	if c == nil {
		return nil
	}
	return c.Servers
}

// files are the numbers of all descriptors that go with it.
func (c *carried) files() []int {
	all := append([]int(nil), c.SupervisorFiles...)
	all = append(all, c.ServerFiles...)
	all = append(all, c.ServiceSockets...)
	all = append(all, c.Pollers...)
	if c.Lock != 0 {
		all = append(all, c.Lock)
	}
	return append(all, c.Inherited...)
}

// inMemory writes v down in a file that exists in memory only.
func inMemory(v any) (*os.File, error) {
	text, err := exact.Marshal(v)
	if err != nil {
		return nil, err
	}
	f, err := memoryFile("supervisord-upgrade")
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(text); err == nil {
		_, err = f.Seek(0, io.SeekStart) // for a program that has it as its standard input
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// readCarried reads what a program has left that has executed this one. The lasting part is
// read meanwhile, see decode. Nothing is taken over yet.
func readCarried(f *os.File) (*carried, error) {
	c := new(carried)
	text, err := readWhole(f)
	if err == nil {
		err = exact.Unmarshal(text, &c.momentary)
	}
	if err == nil && c.Lasting != 0 {
		c.file = openFile(c.Lasting)
		text, err = readWhole(c.file)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read what the previous program left: %w", err)
	case c.Supervisor == nil || c.Servers == nil:
		return nil, errIncomplete
	}
	decoded := make(chan error, 1)
	go func() { decoded <- c.lasting.read(text) }()
	c.decoded = decoded
	return c, nil
}

// decode returns when the lasting part has been read, and what was wrong with it.
func (c *carried) decode() error {
	err := <-c.decoded
	c.decoded = nil
	return err
}

// apart has the next life share nothing with the one before, of the same program: what is
// lasting is as it was written down.
func (c *carried) apart() {
	text, err := readWhole(c.file)
	var own lasting
	if err == nil && own.read(text) == nil { // it is in memory, and was read by the trial
		c.lasting = own
	}
	c.drop()
}

// closePollers closes the further descriptors of pollers. It is safe on nil.
func (c *carried) closePollers() {
	if c == nil {
		return
	}
	for _, fd := range c.Pollers {
		_ = unix.Close(fd)
	}
	c.Pollers = nil
}

// drop lets go of what was made ready, for nobody. It is safe on nil.
func (c *carried) drop() {
	if c != nil {
		c.closePollers()
		c.file.Close() // which says so where there is none
	}
}

var errIncomplete = errors.New("what the previous program left is incomplete")

// read reads a lasting part, and whether this program understands it.
func (l *lasting) read(text []byte) error {
	err := exact.Unmarshal(text, l)
	switch {
	case l.Version > carriedVersion && l.Since > carriedVersion: // which may be why it cannot be read
		return fmt.Errorf("what the previous program left is of version %d, and this one understands at most %d", l.Version, carriedVersion)
	case err != nil:
		return fmt.Errorf("cannot read what the previous program left: %w", err)
	case l.Version < 1 || l.Reconciler == nil || l.Daemon == nil:
		return errIncomplete
	}
	return nil
}

// duplicate is the same open file under another number.
func duplicate(f *os.File) (again *os.File, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	failed := raw.Control(func(fd uintptr) {
		var n int
		if n, err = furtherNumber(int(fd)); err == nil {
			again = os.NewFile(uintptr(n), f.Name())
		}
	})
	return again, cmp.Or(failed, err)
}

// furtherNumber is another descriptor of the same open file, which no child gets.
func furtherNumber(fd int) (int, error) {
	return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
}

// readWhole reads a file whose size is known, in one piece and wherever it was read last.
func readWhole(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	text := make([]byte, info.Size())
	_, err = io.ReadFull(io.NewSectionReader(f, 0, info.Size()), text)
	return text, err
}

// take makes files of the descriptors, and has the daemon be the one that c is of.
func (c *carried) take(d *daemon) error {
	disown(c.Pollers)
	ofSupervisor, ofServers := openFiles(c.SupervisorFiles), openFiles(c.ServerFiles)
	err := c.decode()
	if err == nil {
		err = c.give(d)
	}
	if err != nil {
		return err
	}
	logfile.SetInherited(c.Inherited)
	c.Supervisor.Define(c.Definitions)
	if c.supervisor, err = c.Supervisor.Handover(ofSupervisor); err != nil {
		return err
	}
	return c.Servers.Take(ofServers)
}

func openFiles(fds []int) []*os.File {
	files := make([]*os.File, 0, len(fds))
	for _, fd := range fds {
		files = append(files, openFile(fd))
	}
	return files
}

// openFile is a file of a descriptor that no child gets, see launch.CloseOnExecAll.
func openFile(fd int) *os.File {
	return os.NewFile(uintptr(fd), "handed over")
}

// numbers are those of the files' descriptors.
func numbers(files []*os.File) ([]int, error) {
	fds := make([]int, 0, len(files))
	for _, f := range files {
		fd, err := number(f)
		if err != nil {
			return nil, err
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

func number(f *os.File) (n int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = raw.Control(func(fd uintptr) { n = int(fd) })
	return n, err
}

// start is the configuration with which the daemon goes on: the groups as the files say
// by now, itself as before.
func (c *lasting) start(d *daemon) (*reconcile.Start, error) {
	start, err := reconcile.Resume(d.machine(), d.path, d.statedir, d.options(), c.Reconciler)
	if err != nil {
		return nil, err
	}
	cfg := start.Config
	if cfg.Daemon, err = c.own(cfg.Daemon); err != nil {
		return nil, err
	}
	cfg.Servers, cfg.RPC = c.Listen, c.RPC
	return start, nil
}

// own is what the daemon is by itself, as before. What an earlier version did not know is as
// the files say by now.
func (c *lasting) own(files spec.Daemon) (spec.Daemon, error) {
	own := files
	own.User, own.Environment = nil, nil // else what they refer to would be written to
	err := exact.Unmarshal(c.Daemon, &own)
	return own, err
}

// give has the daemon be the one that c is of.
func (c *lasting) give(d *daemon) (err error) {
	d.path, d.statedir, d.socket, d.restarts, d.upgrades = c.Path, c.State, c.Socket, c.Restarts, c.Upgrades
	if c.Given != nil {
		d.given, err = host.Give(c.Path, []byte(*c.Given))
	}
	return err
}

// execute has this process go on as another program. It returns only if it cannot. late is
// asked at the very end for the signals that have come meanwhile.
func (c *carried) execute(binary string, argv []string, late func() []string, variables ...string) error {
	syscall.ForkLock.Lock() // no child gets what is handed over
	defer syscall.ForkLock.Unlock()
	kept := c.files()
	if c.file != nil {
		var err error
		if c.Lasting, err = number(c.file); err != nil {
			return err
		}
		kept = append(kept, c.Lasting)
	}
	defer func() { setDescriptors(kept, unix.FD_CLOEXEC) }()
	setDescriptors(kept, 0)
	for {
		f, err := inMemory(&c.momentary)
		if err != nil {
			return err
		}
		ours, err := number(f)
		if err != nil {
			f.Close()
			return err
		}
		setDescriptors([]int{ours}, 0)
		came := late()
		if len(came) == 0 {
			env := append(os.Environ(), variables...)
			env = append(env, fmt.Sprintf("%s=%d", early.Variable, ours))
			onMainThread(func() {
				err = &os.PathError{Op: "exec", Path: binary, Err: execute(binary, argv, env)}
			})
		}
		f.Close()
		if err != nil {
			return err
		}
		c.Signals = append(c.Signals, came...)
	}
}

// setDescriptors sets the flags of open descriptors.
func setDescriptors(fds []int, flags int) {
	for _, fd := range fds {
		unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags)
	}
}
