package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"supervisord/cmd/internal/host"
	"supervisord/reconcile"
	"supervisord/rpc"
	"supervisord/runtime"
	"supervisord/runtime/event"
	"supervisord/runtime/hang"
	"supervisord/runtime/launch"
	"supervisord/runtime/trust"
	"supervisord/spec"
)

// daemon is the process, over all its restarts.
type daemon struct {
	argv0 string
	flags flags
	path  string      // the main file; "" with --watch
	given *host.Given // what it says, where it can be read only once; else nil
	// statedir and socket are the default ones of the user who started the daemon,
	// whoever it becomes.
	statedir string
	socket   string
	ready    *os.File // where to say that the daemon is up; nil in the foreground
	cache    *spec.Cache
	manager  *manager
	inherits *rpc.GivenSockets // the sockets that the daemon was started with

	serials   event.Serials // events are numbered over restarts
	notes     []note        // for the log, from before it was open
	restarts  int
	status    int                // to exit with, as the last life has ended
	caught    *caught            // signals, over all lives
	lives     chan *life         // each when it can take signals, and nil when it has ended
	printer   *printer           // of standard output, over all lives
	handed    chan handedLife    // capacity one: the life that another program is to continue with
	resumed   *carried           // what the life to come continues from; nil for nothing
	surrender chan chan []string // asks takeSignals for the signals that it has not acted on

	preparing   sync.Mutex   // held while a life is made ready; guards the following
	upgrading   bool         // an upgrade was begun
	upgrades    upgrades     // what became of them
	later       []string     // signals that wait for the end of the upgrade
	current     *prepared    // the life that runs; changed between two lives only
	next        *prepared    // the one after the restart that was asked for
	restartedBy atomic.Value // string: who asked for it
}

// run is the daemon's life; it returns the exit status.
func (d *daemon) run() int {
	start, err := d.start()
	if err != nil {
		return d.fail(err)
	}
	if d.ready == nil {
		if text := leftOut(start); text != "" {
			fmt.Fprintln(os.Stderr, text)
		}
		if !start.Config.Daemon.NoDaemon {
			if d.given == nil && d.path != "" {
				if d.given, err = host.GivenByDescriptor(d.path); err != nil {
					return d.fail(err)
				}
			}
			return background(d.argv0, d.given, d.manager)
		}
	}
	launch.CloseOnExecAll() // not sooner: whoever becomes the daemon keeps what this one was started with
	d.begin()
	return d.lead(d.first(start))
}

// begin makes what there is over all lives.
func (d *daemon) begin() {
	d.caught, d.printer, d.lives = catch(), newPrinter(os.Stdout), make(chan *life)
	d.handed, d.surrender = make(chan handedLife, 1), make(chan chan []string)
	go d.takeSignals() // ends with the process
	if d.manager.Watchdog > 0 {
		go d.manager.watch() // ends with the process
	}
}

// lead leads one life after the other; err is why the first cannot begin. It returns the
// exit status.
func (d *daemon) lead(err error) int {
	for {
		if err == nil {
			err = d.live()
		}
		switch {
		case errors.Is(err, runtime.ErrRestart):
			d.restarts++
			err = d.again()
		case errors.Is(err, runtime.ErrHandedOver):
			err = d.goOnFrom(d.goOnAs(<-d.handed))
		case err != nil:
			return d.fail(err)
		default:
			if d.next != nil {
				d.next.discard(d.current)
			}
			closeLog(d.current.log)
			return d.status
		}
	}
}

// start reads the configuration for a life, which has one host name from its first look
// to its last. From then on a file of a relative path is known by its whole path, under
// which the daemon finds it whatever its directory is.
// Differs: the original loses it (contract/reconcile.md section 7).
func (d *daemon) start() (*reconcile.Start, error) {
	h := d.machine()
	start, err := reconcile.Startup(h, d.path, d.statedir, d.options())
	if err != nil || d.path == "" || filepath.IsAbs(d.path) {
		return start, err
	}
	d.path = filepath.Join(h.Getwd(), d.path)
	return reconcile.Startup(h, d.path, d.statedir, d.options())
}

// machine is where the configuration is read, for one life.
func (d *daemon) machine() spec.Host {
	h := host.NewWithNSS(launch.Run)
	if d.given != nil {
		return d.given.On(h)
	}
	return h
}

// fail says why there is no life, or no further one, and returns the exit status.
// After a restart nobody may be reading standard error, so the log says it too.
func (d *daemon) fail(err error) int {
	printErrors(os.Stderr, d.argv0, err)
	d.manager.say("supervisord cannot continue: " + report(err))
	if d.current == nil || d.current.log == nil {
		return 2
	}
	if d.restarts > 0 {
		d.current.log.Logger().Log(context.Background(), levelCritical, "cannot restart: "+report(err))
	}
	closeLog(d.current.log)
	return 2
}

// options are how the configuration is loaded, now and whenever it is read
// again.
func (d *daemon) options() spec.Options {
	return spec.Options{
		Cache: d.cache, Override: d.flags.override, Watch: d.flags.watch, WatchSocket: d.socket,
		Resolve: func(key, reference string) bool {
			_, known := event.LookupHandler(reference)
			return known && key == "result_handler"
		},
	}
}

// reservedThreads are made at the start, since Go cannot live through having none to give.
// With those that never rest there are sixteen threads, however many programs.
const reservedThreads = 8

// become takes on the daemon's own limits and user. Limits are raised first,
// since an ordinary user could not.
//
// Source: contract/config.md section 10; differences.md section 3, row 22.
func (d *daemon) become(start *reconcile.Start) error {
	cfg := &start.Config.Daemon
	if d.restarts == 0 {
		launch.ReserveThreads(reservedThreads)
		if err := d.raise(filesLimit, cfg.MinFDs, launch.RaiseFiles); err != nil {
			return err
		}
		if err := d.raise(processesLimit, cfg.MinProcs, launch.RaiseProcs); err != nil {
			return err
		}
	}
	user := cfg.User
	if err := cannotBecome(user); err != nil {
		return err
	}
	switch {
	case user != nil && user.UID == os.Getuid():
		d.note(levelInfo, fmt.Sprintf("Set uid to user %d succeeded", user.UID))
	case user != nil:
		if err := d.makeSocketDir(user.UID, user.GID); err != nil {
			return err
		}
		if hang.LeftBehind() > 0 {
			// Every thread must become that user, and Go would wait for those in the
			// kernel for ever, with all others stopped.
			return &spec.Error{Section: "supervisord", Key: "user", Text: "cannot become user " + user.Name + ": a disk does not answer",
				Hint: "supervisord can start when the directories of its files and its statedir answer"}
		}
		if err := launch.DropPrivileges(user.UID, user.GID, user.Groups); err != nil {
			return err
		}
		d.note(levelInfo, fmt.Sprintf("Set uid to user %d succeeded", user.UID))
	case os.Getuid() == 0 && len(d.flags.watch) == 0: // else there is no file that could say so
		d.note(levelCritical, rootWarning)
	}
	return nil
}

// cannotBecome is why the daemon cannot become a user, nil if it can; no user is the one
// that it is.
func cannotBecome(user *spec.Account) error {
	if user == nil || user.UID == os.Getuid() || os.Getuid() == 0 {
		return nil
	}
	return &spec.Error{
		Section: "supervisord", Key: "user", Text: launch.ErrDropPrivilege.Error(),
		Hint: "only root can become user " + user.Name,
	}
}

const rootWarning = "Supervisor is running as root.  Privileges were not dropped because no user is specified in the config file.  If you intend to run as root, you can set user=root in the config file to avoid this message."

// raise raises one limit. The text is Supervisor's, with the number that is
// really in force.
func (d *daemon) raise(limit string, min int, raise func(int) (bool, uint64, uint64, error)) error {
	raised, soft, _, err := raise(min)
	switch {
	case err == nil && raised:
		d.note(levelInfo, fmt.Sprintf("Increased %s limit to %d", limit, min))
	case err != nil && limit == filesLimit:
		return fmt.Errorf(tooFewFiles, min, soft)
	case err != nil:
		return fmt.Errorf(tooFewProcesses, min, soft)
	}
	return nil
}

const (
	filesLimit     = "RLIMIT_NOFILE"
	processesLimit = "RLIMIT_NPROC"

	tooFewFiles = `The minimum number of file descriptors required to run this process is %d as per the "minfds" command-line argument or config file setting. ` +
		`The current environment will only allow you to open %d file descriptors.  Either raise the number of usable file descriptors in your environment (see README.rst) or lower the minfds setting in the config file to allow the process to start.`
	tooFewProcesses = `The minimum number of available processes required to run this program is %d as per the "minprocs" command-line argument or config file setting. ` +
		`The current environment will only allow you to open %d processes.  Either raise the number of usable processes in your environment (see README.rst) or lower the minprocs setting in the config file to allow the program to start.`
)

// announce says, for a daemon without a configuration file, where it can be
// talked to.
func (d *daemon) announce(cfg *spec.Config) {
	if len(d.flags.watch) == 0 {
		return
	}
	for _, s := range cfg.Servers {
		if s.Network == "unix" {
			fmt.Printf("watching %s\nsocket   %s\ntalk to it with: supervisorctl -s unix://%s status\n", strings.Join(d.flags.watch, " "), s.Path, s.Path)
		}
	}
}

// makeSocketDir makes the private directory of the default socket for the user
// whom the daemon becomes.
func (d *daemon) makeSocketDir(uid, gid int) error {
	if len(d.flags.watch) == 0 || d.flags.socket != "" {
		return nil
	}
	return makePrivate(filepath.Dir(d.socket), uid, gid)
}

// whichSocket is the socket of a daemon without a configuration file: the one that
// --socket names or, of the usual ones, the first that can be made. A directory that
// another user has made in place of ours is reported, and ends the search.
// It is "" with a configuration file.
func (f *flags) whichSocket() (string, error) {
	usual := host.DefaultSockets()
	switch {
	case len(f.watch) == 0:
		return "", nil
	case f.socket != "":
		return f.socket, nil
	case f.action == actionCheck:
		return usual[0], nil // it makes nothing
	}
	var first error
	for _, socket := range usual {
		dir := filepath.Dir(socket)
		err := makePrivate(dir, os.Geteuid(), -1)
		if err == nil {
			if err = unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK, unix.AT_EACCESS); err == nil {
				return socket, nil
			}
			err = &fs.PathError{Op: "write to directory", Path: dir, Err: err}
		}
		if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.EROFS) {
			return "", err
		}
		if first == nil {
			first = err
		}
	}
	return "", hintedError{fmt.Errorf("no directory for the socket: %w", first), "name a socket with --socket PATH"}
}

// makePrivate makes a directory that nobody but that user can write to, or finds
// that it is one: under /tmp another user may have made it first. One of our own is
// handed over; what a third has made, or has a hand in, is not taken, since we do not
// know what is in it.
func makePrivate(dir string, uid, gid int) error {
	if info, err := os.Lstat(dir); err == nil && info.IsDir() && info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("cannot use the directory %s for the socket: other users can write to it", dir)
	}
	err := trust.Mkdir(trust.Dir{Path: dir, UID: uid}, gid)
	if refused := (*trust.Refused)(nil); errors.As(err, &refused) {
		return fmt.Errorf("cannot use the directory %s for the socket: %w", dir, refused)
	}
	return err
}
