package launch

import (
	"os"
	goruntime "runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Command says what to start. The zero value of a field is not always its
// neutral value: see Umask, UID and GID.
type Command struct {
	// Name is the process's name, for the names of its pipes in errors.
	Name string
	// Path is the file to execute, as Resolve returned it.
	Path string
	// Args are the words of the command line, Args[0] as written.
	Args []string
	// Env is the whole environment, KEY=value.
	Env []string

	// Dir is the working directory to change to, after the user was changed,
	// if HasDir. An empty Dir with HasDir fails, as chdir("") does.
	Dir    string
	HasDir bool

	// Umask is set in the child; -1 leaves the daemon's.
	Umask int

	// SetUser asks for the child to run as UID and GID with the supplementary
	// Groups; GID need not be among them. A GID of -1 leaves the daemon's. A
	// UID equal to the daemon's own, or -1, changes nothing at all, not even
	// the groups, as in Supervisor.
	SetUser  bool
	UID, GID int
	Groups   []int

	// RedirectStderr gives the child its standard output as standard error.
	RedirectStderr bool
	// Socket, if not nil, becomes the child's standard input, and there is no
	// pipe for it. It stays the caller's to close.
	Socket *os.File

	// ReadyFD is the descriptor, above 2, under which the child gets the write end of a
	// pipe of its own, by which it says that it is ready; 0 for none.
	ReadyFD int

	// Cgroup is the directory of the cgroup (version 2) in which the child
	// begins its life; "" leaves it in the daemon's. Linux only.
	Cgroup string

	// Announce, if not nil, is called once the pipes are there and before the
	// fork, with their numbers: by them Find finds a child whose pid was never
	// told, because the daemon was killed. The fork waits for it. If it returns
	// false the start is called off: there is no fork, and the error is ErrCalledOff.
	Announce func(Pipes) bool
	// Forked, if not nil, is called as soon as the fork is done, whether or not the program
	// could be executed, before Start has done what is left to do. It must not wait for
	// anything. A Start that fails before that does not call it.
	Forked func()
}

// Pipes are the numbers (inodes) of a child's three pipes, 0 where there is
// none. No other pipe of this boot has them while these are open.
type Pipes [3]uint64

// Child is a process that has executed its program. Its files are our ends of
// its pipes: non-blocking, closed on exec, and the caller's to close.
type Child struct {
	PID int // also the id of its process group
	// Stdin is nil with a Socket, Stderr is nil with RedirectStderr.
	Stdin, Stdout, Stderr *os.File
	Ready                 *os.File // of Command.ReadyFD, nil without it
}

// Launcher starts processes. Make one with New.
type Launcher struct {
	forker   forker
	preloads chan struct{} // holds a token per preload under way
}

const (
	// maxPreloads is how many starts may read from the disk at once, so that a
	// thousand of them do not occupy a thousand threads.
	maxPreloads = 4
	// preloadPatience is how long a start waits for its turn. Then some mount
	// does not answer, and those who are not concerned do not wait for it.
	preloadPatience = 100 * time.Millisecond
)

// New returns a Launcher. It makes no thread before the first Start. The umask
// and the working directory that children inherit are those that the daemon
// has at that time; it must not change them while the Launcher is in use.
func New() *Launcher {
	l := &Launcher{preloads: make(chan struct{}, maxPreloads)}
	l.forker.init()
	return l
}

// Close ends the Launcher's threads, once the starts under way have ended.
// Children are left alone. Start must not be called afterwards.
func (l *Launcher) Close() { l.forker.close() }

// Start starts c in a process group of its own, with descriptors 0, 1 and 2, that of
// ReadyFD, and no other, default signal dispositions and no signal blocked. It returns
// when the program has been executed, so that a signal sent from then on is
// the program's to handle. The error is always an *Error.
//
// It may be called from any number of goroutines, but not from one that must
// not wait. The package comment says what holds between Start and Reap.
//
// Source: contract/process.md section 4.
func (l *Launcher) Start(c Command) (*Child, error) {
	l.preload(&c)
	p, err := openPipes(&c)
	if err != nil {
		return nil, &Error{Stage: StagePipes, Err: err, Name: c.Name}
	}
	if c.Announce != nil && !c.Announce(p.numbers()) {
		p.close()
		return nil, &Error{Stage: StageFork, Err: ErrCalledOff, Name: c.Name}
	}
	pid, err := l.forker.start(&c, p.given())
	goruntime.KeepAlive(c.Socket)
	p.closeChildEnds()
	if err != nil {
		p.closeOurEnds()
		return nil, err
	}
	return p.handOver(pid, c.Name), nil
}

// preload reads what the child will need from the file system, so that a mount
// which does not answer delays this goroutine and not the fork. Its errors do not
// matter: the child meets them again and reports them.
func (l *Launcher) preload(c *Command) {
	select {
	case l.preloads <- struct{}{}:
		defer func() { <-l.preloads }()
	case <-time.After(preloadPatience):
	}
	var st syscall.Stat_t
	if c.HasDir {
		_ = syscall.Stat(c.Dir, &st)
	}
	path := c.Path
	if c.HasDir && !strings.HasPrefix(path, "/") {
		path = c.Dir + "/" + path
	}
	if syscall.Stat(path, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return
	}
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	var head [256]byte // what the kernel reads to see what kind of file it is
	_, _ = syscall.Pread(fd, head[:], 0)
	_ = syscall.Close(fd)
}

// spawn starts c with these descriptors, of which a fourth is that of ReadyFD, by try, and returns its pid. place, if not nil,
// adds to the attributes what only this system has.
func spawn(c *Command, files []int, try tryFunc, place func(*syscall.SysProcAttr)) (int, error) {
	attr := attributes(c, files)
	if place != nil {
		place(attr.Sys)
	}
	return execute(c, attr, try)
}

// attributes are what c asks of the fork.
func attributes(c *Command, files []int) *syscall.ProcAttr {
	attr := &syscall.ProcAttr{
		Env:   c.Env,
		Files: []uintptr{uintptr(files[0]), uintptr(files[1]), uintptr(files[2])},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	}
	if c.ReadyFD > 0 {
		for len(attr.Files) < c.ReadyFD {
			attr.Files = append(attr.Files, ^uintptr(0)) // closed
		}
		attr.Files = append(attr.Files, uintptr(files[3]))
	}
	if c.HasDir {
		attr.Dir = c.Dir
	}
	if c.otherUser() {
		attr.Sys.Credential = credential(c)
	}
	return attr
}

// otherUser reports whether the child is to run as another user than the daemon.
func (c *Command) otherUser() bool { return c.SetUser && c.UID >= 0 && c.UID != syscall.Getuid() }

func credential(c *Command) *syscall.Credential {
	gid := c.GID
	if gid < 0 {
		gid = syscall.Getgid()
	}
	var groups []uint32
	for _, g := range withPrimary(gid, c.Groups) {
		groups = append(groups, uint32(g))
	}
	return &syscall.Credential{Uid: uint32(c.UID), Gid: uint32(gid), Groups: groups}
}

// fileName names one of our pipe ends in errors.
func fileName(process string, fd int) string {
	return process + " descriptor " + strconv.Itoa(fd)
}
