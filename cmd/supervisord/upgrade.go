package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"supervisord/cmd/internal/build"
	"supervisord/reconcile"
	"supervisord/rpc"
	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/runtime/exact"
	"supervisord/runtime/hang"
	"supervisord/runtime/launch"
	"supervisord/runtime/logfile"
	"supervisord/runtime/moment"
	"supervisord/runtime/state"
)

// How long the parts of an upgrade may take. Only restPatience may pass while an update is
// under way, and then nothing has been done yet.
const (
	restPatience  = 10 * time.Second
	trialPatience = 20 * time.Second
	// How long the supervisor has to come to rest: launches under way, logs on their disks.
	// Meanwhile nothing is started, and in the end no output is read. It is rehearsed while
	// clients are answered, and then they are not.
	rehearsalPatience = 3 * time.Second
	quietPatience     = 2 * time.Second
	// diskPatience is for what a look was at when the life that it was for ended. Nobody may
	// supervise meanwhile.
	diskPatience = 200 * time.Millisecond
)

// hurry is called when nobody is to supervise for a while, and calm when somebody does again.
// Meanwhile memory is collected only once four times as much as was in use has been taken.
func hurry() (calm func()) {
	before := debug.SetGCPercent(400)
	return func() { debug.SetGCPercent(before) }
}

// trial is a program's answer to whether it can continue in the daemon's place.
type trial struct {
	Upgrade int    `json:"upgrade"` // the version of what it understands
	Build   string `json:"build"`
	Error   string `json:"error"` // why it cannot; "" if it can
}

// tryUpgrade answers that, for what stands on standard input. It changes nothing.
func (d *daemon) tryUpgrade() int {
	answer := trial{Upgrade: carriedVersion, Build: build.Name()}
	if err := d.couldGoOn(); err != nil {
		answer.Error = report(err)
	}
	if json.NewEncoder(os.Stdout).Encode(answer) != nil {
		return 1
	}
	return 0
}

func (d *daemon) couldGoOn() error {
	var c lasting
	text, err := readWhole(os.Stdin)
	if err == nil {
		err = c.read(text)
	}
	if err == nil && c.Form != nil { // an earlier version says it only once it goes on
		err = c.Form.Check()
	}
	if err != nil {
		return err
	}
	if err := c.give(d); err != nil {
		return err
	}
	start, err := c.start(d)
	if err == nil {
		err = start.Broken
	}
	if err != nil {
		return err
	}
	if err := rpc.CheckCertificates(start.Config.Servers); err != nil {
		return err
	}
	next := &prepared{start: start, options: logOptions(start.Config)}
	if err := d.openLog(next, &prepared{}); err != nil {
		return err
	}
	next.log.Close()
	next.removeLog()
	return nil
}

func refused(format string, args ...any) error { return &notReadyError{fmt.Sprintf(format, args...)} }

// chooseBinary is the program to go on as: path, or the file that this one was started
// from. Nobody but root and the daemon's own user may be able to change it.
func chooseBinary(path string) (string, error) {
	if path == "" {
		var err error
		if path, err = os.Executable(); err != nil { // where a package manager has put another one since, as a rule
			return "", refused("cannot tell which file supervisord was started from: %v", err)
		}
	}
	if !filepath.IsAbs(path) {
		return "", refused("the path of the program must be absolute: %s", path)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", refused("cannot use the program: %v", err)
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return "", refused("%s is not a program", path)
	}
	check := reconcile.NewPermissionCheck()
	check.Own = uint32(os.Geteuid())
	if problem := check.Problem(path); problem != "" {
		return "", refused("%s is not executed, since other users could change it: %s", path, problem)
	}
	return path, nil
}

// prepareUpgrade checks whether another program can continue in this one's place, and then
// has that done, which the caller does not wait for. A *notReadyError says why not.
func (d *daemon) prepareUpgrade(ctx context.Context, l *life, path, caller string) (tried trial, err error) {
	d.preparing.Lock()
	defer d.preparing.Unlock()
	switch {
	case l.supervisor.Mood() != state.MoodRunning || d.next != nil:
		return trial{}, refused("supervisord is stopping or restarting")
	case d.upgrading:
		return trial{}, refused("an upgrade is under way")
	}
	if err := disksAnswer(); err != nil {
		return trial{}, err
	}
	binary, err := chooseBinary(path)
	if err != nil {
		return trial{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, restPatience)
	defer cancel()
	ordersGoOn, err := l.server.HoldOrders(ctx)
	if err != nil {
		return trial{}, refused("%v", err)
	}
	memory, reconcilerGoesOn, err := l.reconciler.HandOver(ctx)
	if err != nil {
		ordersGoOn()
		return trial{}, refused("%v", err)
	}
	goOn := func() {
		reconcilerGoesOn()
		ordersGoOn()
	}
	c, err := d.carry(ctx, l, memory, caller)
	if err == nil {
		tried, err = askProgram(binary, c)
	}
	if err == nil {
		err = rehearse(l)
	}
	if err != nil {
		c.drop()
		goOn()
		return trial{}, err
	}
	d.upgrading, d.upgrades.Error = true, "" // whoever asks what became of it is not told of the one before
	l.logger.Warn(fmt.Sprintf("upgrade to %s (build %s) requested by %s", binary, tried.Build, caller))
	go func() { // ends with this program, or with the attempt
		if err := d.handOver(l, c, binary); err != nil {
			c.drop()
			goOn()
			d.giveUpUpgrade(l, err)
		}
	}()
	return tried, nil
}

// rehearse refuses while something hangs that an upgrade would have to wait for, as the log of
// a program does on a disk that does not answer. Clients are answered meanwhile.
func rehearse(l *life) error {
	ctx, cancel := context.WithTimeout(context.Background(), rehearsalPatience)
	defer cancel()
	err := l.supervisor.Rehearse(ctx)
	if own := (*runtime.Error)(nil); err == nil || errors.As(err, &own) {
		return err
	}
	return refused("%v", err)
}

// disksAnswer refuses while a thread waits for a disk that hangs: the kernel executes no
// program before every other thread of this one has ended.
func disksAnswer() error {
	if !hang.AllReturn(diskPatience) {
		return refused("a disk does not answer, and no other program can be executed before it does")
	}
	return nil
}

// giveUpUpgrade notes that everything goes on as before.
func (d *daemon) giveUpUpgrade(l *life, err error) {
	l.logger.Error("upgrade abandoned, nothing was stopped: " + err.Error())
	d.preparing.Lock()
	defer d.preparing.Unlock()
	d.upgrading, d.upgrades.Error = false, err.Error()
	for _, name := range d.later {
		d.caught.resend(name)
	}
	d.later = nil
}

// deferSignal reports whether a signal is acted on after the upgrade that is under way.
func (d *daemon) deferSignal(name string) bool {
	d.preparing.Lock()
	defer d.preparing.Unlock()
	if d.upgrading {
		d.later = append(d.later, name)
	}
	return d.upgrading
}

// deferred takes the signals that were to be acted on after the upgrade.
func (d *daemon) deferred() []string {
	d.preparing.Lock()
	defer d.preparing.Unlock()
	names := d.later
	d.later = nil
	return names
}

// carry is what a program would be left, as far as that does not change any more.
func (d *daemon) carry(ctx context.Context, l *life, memory *reconcile.Memory, caller string) (*carried, error) {
	own, err := exact.Marshal(&l.cfg.Daemon)
	if err != nil {
		return nil, err
	}
	definitions, err := l.supervisor.Definitions(ctx)
	if err != nil {
		return nil, err
	}
	c := &carried{lasting: lasting{
		Version: carriedVersion, Since: carriedSince, Form: runtime.Form(),
		Definitions: definitions, Reconciler: memory, Inherited: logfile.Inherited(),
		Daemon: own, Listen: l.cfg.Servers, RPC: l.cfg.RPC, Path: d.path, State: d.statedir, Socket: d.socket,
		Restarts: d.restarts, Upgrades: upgrades{Count: d.upgrades.Count + 1, From: build.Name(), By: caller},
	}}
	if d.given != nil {
		text := string(d.given.Content())
		c.Given = &text
	}
	if c.file, err = inMemory(&c.lasting); err != nil {
		return nil, err
	}
	c.Pollers = pollers()
	return c, nil
}

// askProgram tries a program on what it would be left.
func askProgram(binary string, c *carried) (trial, error) {
	input, err := duplicate(c.file)
	if err != nil {
		return trial{}, err
	}
	stderr, firstSaid, err := listen()
	if err != nil {
		input.Close()
		return trial{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), trialPatience)
	defer cancel()
	argv := append([]string{binary}, os.Args[1:]...)
	output, status, err := launch.RunOn(ctx, input, stderr, append(argv, "--check-upgrade")...)
	said := firstSaid()
	var answer trial
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return trial{}, refused("%s has not answered within %v", binary, trialPatience)
	case err != nil:
		return trial{}, refused("%s cannot be run: %v", binary, err)
	case status != 0:
		return trial{}, refused("%s is not a supervisord that can replace this one: exit status %d%s", binary, status, inQuotes(said))
	case json.Unmarshal(output, &answer) != nil || answer.Upgrade < 1:
		return trial{}, refused("%s is not a supervisord that can replace this one", binary)
	case answer.Upgrade < carriedSince:
		return trial{}, refused("%s (build %s) cannot replace this one: it is older, and does not understand what this one would leave to it", binary, answer.Build)
	case answer.Error != "":
		return trial{}, refused("%s (build %s) cannot replace this one: %s", binary, answer.Build, answer.Error)
	}
	return answer, nil
}

// listen makes a pipe for what a program writes to its standard error, of which whoever
// starts the program closes w. first, which is to be called once it has ended, is the first
// line of that.
func listen() (w *os.File, first func() string, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	line := make(chan string, 1)
	go func() { // ends with the pipe
		defer r.Close()
		text, _ := io.ReadAll(io.LimitReader(r, 1<<10))
		_, _ = io.Copy(io.Discard, r) // so that it need not wait for us
		said, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
		line <- said
	}()
	return w, func() string {
		_ = r.SetReadDeadline(time.Now().Add(time.Second)) // a child of its own may hold the pipe open
		return <-line
	}, nil
}

// handOver brings everything to rest, the servers first, and then has the life end. On an
// error everything works as before.
func (d *daemon) handOver(l *life, c *carried, binary string) (err error) {
	servers := l.server.HandOver(context.Background())
	ctx, cancel := context.WithTimeout(context.Background(), quietPatience)
	defer cancel()
	c.calm = hurry()
	defer func() {
		if err != nil {
			c.calm()
		}
	}()
	c.Paused, _ = moment.Now()
	supervisor, err := l.supervisor.HandOver(ctx)
	if err != nil {
		l.server.GoOn(servers)
		return err
	}
	c.Servers, c.supervisor = servers, supervisor
	d.handed <- handedLife{c, binary, l}
	return nil
}

// handedLife is a life that has ended, for another program to continue with.
type handedLife struct {
	*carried
	binary string
	l      *life
}

// goOnAs executes the program. It returns only if that fails, with what the next life is
// to begin from, which is then this program's.
func (d *daemon) goOnAs(h handedLife) *carried {
	c := h.carried
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE) // what comes in between would kill
	c.Signals = d.deferred()
	select {
	case <-h.l.leaving: // one that came when the supervisor took no more
		c.Signals = append(c.Signals, "SIGTERM")
	default:
	}
	saved := c.supervisor.Save()
	err := saved.Check()
	if err == nil {
		c.Supervisor = saved.Without(c.Definitions)
		c.SupervisorFiles, err = numbers(c.supervisor.Files())
	}
	if err == nil {
		c.ServerFiles, err = numbers(c.Servers.Files())
	}
	given, givenErr := d.inherits.Files()
	if err == nil {
		err = givenErr
	}
	if err == nil {
		c.ServiceSockets, err = numbers(given)
	}
	if lock := d.current.lock; err == nil && lock != nil {
		c.Lock, err = number(lock.File())
	}
	d.printer.flush(time.Second) // what event listeners print
	closeLog(d.current.log)
	if err == nil {
		err = disksAnswer()
	}
	if err == nil {
		d.manager.reloading() // until the next life is ready, of whichever program
		err = c.execute(h.binary, os.Args, d.untilNow, d.manager.handOn())
	}
	for _, f := range given {
		f.Close()
	}
	d.caught.restore()
	d.caught.again()
	c.apart()
	c.Upgrades = d.upgradesSoFar()
	c.Upgrades.Error = err.Error()
	d.note(levelError, "upgrade abandoned, nothing was stopped: "+err.Error())
	return c
}

// untilNow are the signals that have come and were not acted on. If there are none, one
// that comes from now on ends this process, as it would end a program that was just
// executed.
func (d *daemon) untilNow() []string {
	d.caught.restore = defaultSignals(syscall.SIGTERM, syscall.SIGQUIT)
	signal.Stop(d.caught.exit) // and not Reset, which drops one that is on its way to the channel
	names := make(chan []string)
	d.surrender <- names
	came := <-names
	if len(came) > 0 {
		signal.Notify(d.caught.exit, syscall.SIGTERM, syscall.SIGQUIT)
		d.caught.restore()
	}
	return came
}

// goOnFrom makes the life ready that begins from what another left, of this program or of
// one before.
func (d *daemon) goOnFrom(c *carried) error {
	start, err := c.start(d)
	if err != nil {
		return err
	}
	next, none := &prepared{start: start, options: logOptions(start.Config)}, &prepared{}
	if err := d.openLog(next, none); err != nil {
		return err
	}
	if d.current != nil { // this program's own
		next.lock = d.current.lock
	} else {
		d.takeOver(c, next)
	}
	held, err := c.Servers.ResumeSockets()
	if err != nil {
		return err
	}
	if next.sockets, err = rpc.OpenSockets(start.Config.Servers, rpc.SocketOptions{Held: held, Given: d.inherits}); err != nil {
		return err
	}
	if err := held.Close(); err != nil {
		d.note(levelWarn, "cannot close a socket: "+err.Error())
	}
	d.resumed = c
	d.preparing.Lock()
	d.current, d.upgrading, d.upgrades = next, false, c.Upgrades
	d.preparing.Unlock()
	d.logNotes(next.log.Logger())
	for _, name := range c.Signals {
		d.caught.resend(name)
	}
	return nil
}

// takeOver takes the lock and the service manager's sockets over from the program before.
func (d *daemon) takeOver(c *carried, next *prepared) {
	var err error
	var held *os.File
	spare := -1 // the lock is held as long as a descriptor is left, whatever the disk answers
	if c.Lock != 0 {
		held = openFile(c.Lock)
		spare, _ = furtherNumber(c.Lock)
	}
	if next.lock, err = next.start.TakeLock(-1, 0, held); err != nil {
		d.note(levelWarn, "the lock of the previous program is held, but not looked after: "+err.Error())
	} else {
		syscall.Close(spare)
	}
	var given []rpc.Given
	for _, fd := range c.ServiceSockets {
		given = append(given, rpc.Given{FD: fd, Name: fmt.Sprintf("descriptor %d", fd)})
	}
	var troubles []error
	d.inherits, troubles = rpc.TakeGiven(given, next.start.Config.Servers)
	for _, err := range troubles {
		d.note(levelWarn, err.Error())
	}
}

// runUpgraded is the daemon's life from where an earlier program left it.
func (d *daemon) runUpgraded(from *os.File) int {
	calm := hurry()
	unmarked := launch.CloseOnExecAll()
	c, err := readCarried(from)
	from.Close()
	if err == nil {
		err = c.take(d)
	}
	if err != nil {
		return d.fail(err)
	}
	if unmarked != nil { // nothing was started yet
		setDescriptors(c.files(), unix.FD_CLOEXEC)
	}
	c.calm = calm
	c.file.Close() // which says so where there is none, in form 1
	launch.ReserveThreads(reservedThreads)
	d.begin()
	return d.lead(d.goOnFrom(c))
}

// reexec is reconcile.reexec.
func (d *daemon) reexec(l *life) rpc.Reexec {
	refuse := func(ctx context.Context, reason string) error {
		l.logger.Warn("upgrade requested by " + rpc.Caller(ctx) + " refused, nothing was done: " + reason)
		return &runtime.Error{Kind: runtime.Failed, Detail: reason}
	}
	return rpc.Reexec{
		Refuse: refuse,
		Begin: func(ctx context.Context, path string) (xmlrpc.Struct, error) {
			tried, err := d.prepareUpgrade(ctx, l, path, rpc.Caller(ctx))
			var refusal *notReadyError
			if errors.As(err, &refusal) {
				return nil, refuse(ctx, refusal.reason)
			}
			if err != nil {
				return nil, err
			}
			return xmlrpc.Struct{
				{Name: "pid", Value: os.Getpid()},
				{Name: "from", Value: build.Name()},
				{Name: "to", Value: tried.Build},
				{Name: "upgrades", Value: d.upgradesSoFar().Count},
			}, nil
		},
		State: func() xmlrpc.Struct {
			binary, _ := os.Executable()
			u := d.upgradesSoFar()
			return xmlrpc.Struct{
				{Name: "pid", Value: os.Getpid()},
				{Name: "build", Value: build.Name()},
				{Name: "binary", Value: binary},
				{Name: "upgrades", Value: u.Count},
				{Name: "from", Value: u.From},
				{Name: "by", Value: u.By},
				{Name: "error", Value: u.Error},
			}
		},
	}
}

func (d *daemon) upgradesSoFar() upgrades {
	d.preparing.Lock()
	defer d.preparing.Unlock()
	return d.upgrades
}

// sayUpgraded says that the daemon goes on.
func (l *life) sayUpgraded(c *carried) {
	if c.Upgrades.Error == "" {
		l.logger.Info(fmt.Sprintf("supervisord was upgraded with pid %d, from build %s to %s: supervision paused for %v",
			os.Getpid(), c.Upgrades.From, build.Name(), time.Since(c.Paused.Time()).Round(100*time.Microsecond)))
	}
}
