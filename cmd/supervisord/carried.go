package main

import (
	"encoding/json"
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
	"supervisord/runtime/exactjson"
	"supervisord/runtime/logfile"
	"supervisord/runtime/moment"
	"supervisord/spec"
)

// carriedVersion is the version of the form of carried, and carriedSince the oldest
// version that can read what this one writes.
const (
	carriedVersion = 1
	carriedSince   = 1
)

// carried is what one program leaves to the one that is executed in its place, in the
// same process: all that the daemon knows. Descriptors are in it by their numbers, which
// they keep. The reader ignores what it does not know, and for what is missing uses what
// the files say.
type carried struct {
	Version int `json:"version"`
	Since   int `json:"readable_since"`

	Supervisor      json.RawMessage   `json:"supervisor,omitempty"`
	SupervisorFiles []int             `json:"supervisor_files,omitempty"`
	Reconciler      *reconcile.Memory `json:"reconciler"`
	Servers         *rpc.Handover     `json:"servers"`
	ServerFiles     []int             `json:"server_files"`
	Lock            int               `json:"lock,omitempty"`            // the daemon's; 0 for none
	ServiceSockets  []int             `json:"service_sockets,omitempty"` // that the service manager opened
	Inherited       []int             `json:"inherited"`                 // what the daemon was started with, from 3 up

	// What the daemon went by, which an upgrade does not change.
	Daemon  json.RawMessage     `json:"daemon"`
	Listen  []spec.Server       `json:"listen"`
	RPC     []spec.RPCInterface `json:"rpc"`
	Path    string              `json:"path"`
	Given   *string             `json:"given"` // what the main file says, where it can be read only once
	State   string              `json:"statedir"`
	Socket  string              `json:"socket"`
	Signals []string            `json:"signals"` // that came, and were not acted on

	Restarts int            `json:"restarts"`
	Upgrades upgrades       `json:"upgrades"`
	Paused   moment.Present `json:"paused"` // when supervision stopped

	// Not written down.
	supervisor *runtime.Handover
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
	if c.Lock != 0 {
		all = append(all, c.Lock)
	}
	return append(all, c.Inherited...)
}

// write puts it into a file that exists in memory only.
func (c *carried) write() (*os.File, error) {
	text, err := exactjson.Marshal(c)
	if err != nil {
		return nil, err
	}
	f, err := memoryFile("supervisord-upgrade")
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(text); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// readCarried reads what write wrote, and whether this program understands it. Nothing is
// taken over yet.
func readCarried(r io.Reader) (*carried, error) {
	c := new(carried)
	text, err := io.ReadAll(r)
	if err == nil {
		err = exactjson.Unmarshal(text, c)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read what the previous program left: %w", err)
	}
	switch {
	case c.Version < 1 || c.Reconciler == nil || c.Servers == nil:
		return nil, errors.New("what the previous program left is incomplete")
	case c.Version > carriedVersion && c.Since > carriedVersion:
		return nil, fmt.Errorf("what the previous program left is of version %d, and this one understands at most %d", c.Version, carriedVersion)
	case len(c.Supervisor) == 0:
		return c, nil // in a trial
	}
	return c, runtime.CheckHandover(c.Supervisor)
}

// take makes files of the descriptors.
func (c *carried) take() (err error) {
	logfile.SetInherited(c.Inherited)
	if c.supervisor, err = runtime.ReadHandover(c.Supervisor, openFiles(c.SupervisorFiles)); err != nil {
		return err
	}
	return c.Servers.Take(openFiles(c.ServerFiles))
}

func openFiles(fds []int) []*os.File {
	var files []*os.File
	for _, fd := range fds {
		files = append(files, openFile(fd))
	}
	return files
}

func openFile(fd int) *os.File {
	unix.CloseOnExec(fd)
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
func (c *carried) start(d *daemon) (*reconcile.Start, error) {
	start, err := reconcile.Resume(d.machine(), d.path, d.statedir, d.options(), c.Reconciler)
	if err != nil {
		return nil, err
	}
	cfg := start.Config
	if err := exactjson.Unmarshal(c.Daemon, &cfg.Daemon); err != nil {
		return nil, err
	}
	cfg.Servers, cfg.RPC = c.Listen, c.RPC
	return start, nil
}

// give has the daemon be the one that c is of.
func (c *carried) give(d *daemon) (err error) {
	d.path, d.statedir, d.socket, d.restarts, d.upgrades = c.Path, c.State, c.Socket, c.Restarts, c.Upgrades
	if c.Given != nil {
		d.given, err = host.Give(c.Path, []byte(*c.Given))
	}
	return err
}

// execute has this process go on as another program. It returns only if it cannot.
func (c *carried) execute(binary string, argv []string, variables ...string) error {
	f, err := c.write()
	if err != nil {
		return err
	}
	defer f.Close()
	ours, err := number(f)
	if err != nil {
		return err
	}
	all := append(c.files(), ours)
	keep := func(flag int) {
		for _, fd := range all {
			unix.FcntlInt(uintptr(fd), unix.F_SETFD, flag) // it is open
		}
	}
	keep(0)
	defer keep(unix.FD_CLOEXEC)
	env := append(os.Environ(), variables...)
	env = append(env, fmt.Sprintf("%s=%d", early.Variable, ours))
	return &os.PathError{Op: "exec", Path: binary, Err: syscall.Exec(binary, argv, env)}
}
