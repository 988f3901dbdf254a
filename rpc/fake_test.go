package rpc

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/runtime/notice"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// fakeDaemon is a fake of the process table, the configuration and the main log.
// It keeps the rules of contract/process.md section 7, so that one table of
// calls fits it and the real daemon.
type fakeDaemon struct {
	attended    atomic.Int32
	mu          sync.Mutex
	mood        state.Mood
	procs       []*fakeProcess // in declaration order
	configFiles []ConfigFile
	progress    Progress
	told        uint64
	stuck       bool // who decides about the files
	config      *spec.Config
	active      map[string]bool
	reread      struct {
		added, changed, removed []string
		err                     error
	}
	mainLog  string
	clearErr error
	emitted  []string
	stdin    []string
	signals  []int
	said     []string // what people want of groups and processes
	snapErr  error
	notice   notice.Notice

	// hold makes every waiting operation wait until it is closed, or its context
	// ends; each says on waits that it does.
	hold  chan struct{}
	waits chan struct{}
}

// fakeProcess is one process of it.
type fakeProcess struct {
	runtime.Info
	refuse  *runtime.Error // what a start is refused with before anything else
	outcome runtime.Kind   // how a start that waits ends, if not well
	noStdin bool
}

// newFakeDaemon is the daemon that testdata/wire/world.conf describes, with its logs
// in dir; without a directory there are none.
func newFakeDaemon(t testing.TB, dir string) *fakeDaemon {
	t.Helper()
	w := &fakeDaemon{mood: state.MoodRunning, active: map[string]bool{}, waits: make(chan struct{}, 100)}
	start := time.Now().Add(-90 * time.Second)
	log := func(name, text string) string {
		if dir == "" {
			return ""
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	w.mainLog = log("main.log", "first line\nsecond line\n")
	add := func(group, name string, s state.Process, pid int, out, errs string) *fakeProcess {
		a := &fakeProcess{Info: runtime.Info{
			Group: group, Name: name, State: s, PID: pid, Priority: 999, GroupPrio: 999,
			StdoutLog: log(name+"-stdout.log", out), StderrLog: log(name+"-stderr.log", errs),
		}}
		if pid != 0 {
			a.Start = start
		}
		w.procs = append(w.procs, a)
		w.active[group] = true
		return a
	}
	add("badcmd", "badcmd", state.Stopped, 0, "", "").refuse =
		&runtime.Error{Kind: runtime.NoFile, Name: "badcmd", Detail: "can't find command '/nope'"}
	add("cat", "cat", state.Running, 101, "start\n", "")
	nolog := add("nolog", "nolog", state.Running, 102, "", "")
	nolog.StdoutLog, nolog.StderrLog = "", ""
	quick := add("quick", "quick", state.Stopped, 0, "", "")
	quick.outcome, quick.StderrLog = runtime.SpawnFailed, ""
	os.Remove(quick.StdoutLog)
	add("stopped", "stopped", state.Stopped, 0, "", "")
	add("two", "two_00", state.Running, 103, "out\n", "err\n")
	add("two", "two_01", state.Running, 104, "out\n", "err\n")
	w.config = fakeConfig(dir)
	return w
}

func (w *fakeDaemon) Attend() { w.attended.Add(1) }

func (w *fakeDaemon) Mood() state.Mood {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mood
}

// find is the processes of a selection, by priority.
func (w *fakeDaemon) find(sel runtime.Select) ([]*fakeProcess, error) {
	var found []*fakeProcess
	all := sel == runtime.Select{}
	for _, a := range w.procs {
		if all || a.Group == sel.Group && (sel.Process == "" || a.Name == sel.Process) {
			found = append(found, a)
		}
	}
	if len(found) == 0 && !all {
		return nil, &runtime.Error{Kind: runtime.BadName, Name: sel.Group}
	}
	slices.SortStableFunc(found, func(a, b *fakeProcess) int {
		return cmp.Or(cmp.Compare(a.GroupPrio, b.GroupPrio), cmp.Compare(a.Priority, b.Priority))
	})
	return found, nil
}

// do applies one step to one process, or to those of several that it fits.
func (w *fakeDaemon) do(sel runtime.Select, fits func(state.Process) bool, step func(*fakeProcess) error) ([]runtime.Result, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.notice.Tell()
	found, err := w.find(sel)
	if err != nil {
		return nil, err
	}
	if sel.Process != "" {
		return nil, step(found[0])
	}
	var all []runtime.Result
	for _, a := range found {
		if fits(a.State) {
			all = append(all, runtime.Result{Group: a.Group, Name: a.Name, Err: step(a)})
		}
	}
	return all, nil
}

// settle is where a waiting operation waits.
func (w *fakeDaemon) settle(ctx context.Context, wait bool) error {
	if !wait || w.hold == nil {
		return nil
	}
	w.waits <- struct{}{}
	select {
	case <-w.hold:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func refused(kind runtime.Kind, a *fakeProcess) error {
	return &runtime.Error{Kind: kind, Name: namespec(a.Group, a.Name)}
}

func (w *fakeDaemon) Start(ctx context.Context, sel runtime.Select, wait bool) ([]runtime.Result, error) {
	all, err := w.do(sel, func(s state.Process) bool { return !s.InRunning() }, func(a *fakeProcess) error {
		switch {
		case a.refuse != nil:
			return a.refuse
		case a.State.InRunning():
			return refused(runtime.AlreadyStarted, a)
		case a.State == state.Unknown:
			return refused(runtime.InUnknownState, a)
		case a.State == state.Stopping && wait:
			return refused(runtime.Abnormal, a)
		case a.outcome != 0 && wait:
			a.State, a.SpawnErr = state.Fatal, "Exited too quickly (process log may have details)"
			a.Start, a.Stop = time.Now(), time.Now()
			return refused(a.outcome, a)
		}
		a.State, a.PID, a.Start = state.Running, 200, time.Now()
		return nil
	})
	if held := w.settle(ctx, wait); held != nil {
		return nil, held
	}
	return all, err
}

func (w *fakeDaemon) Stop(ctx context.Context, sel runtime.Select, wait bool) ([]runtime.Result, error) {
	all, err := w.do(sel, state.Process.InRunning, func(a *fakeProcess) error {
		if !a.State.InRunning() {
			return refused(runtime.NotRunning, a)
		}
		a.State, a.PID, a.Stop, a.ExitStatus = state.Stopped, 0, time.Now(), -1
		return nil
	})
	if held := w.settle(ctx, wait); held != nil {
		return nil, held
	}
	return all, err
}

func (w *fakeDaemon) Signal(_ context.Context, sel runtime.Select, sig int) ([]runtime.Result, error) {
	return w.do(sel, state.Process.Signallable, func(a *fakeProcess) error {
		if !a.State.Signallable() {
			return refused(runtime.NotRunning, a)
		}
		w.signals = append(w.signals, sig)
		return nil
	})
}

func (w *fakeDaemon) Reset(_ context.Context, sel runtime.Select) ([]runtime.Result, error) {
	return w.do(sel, func(state.Process) bool { return true }, func(a *fakeProcess) error {
		if a.State == state.Fatal {
			a.State = state.Stopped
		}
		return nil
	})
}

func (w *fakeDaemon) ClearLogs(_ context.Context, sel runtime.Select) ([]runtime.Result, error) {
	return w.do(sel, func(state.Process) bool { return true }, func(a *fakeProcess) error {
		if w.clearErr != nil {
			return refused(runtime.Failed, a)
		}
		for _, path := range []string{a.StdoutLog, a.StderrLog} {
			if _, err := os.Stat(path); err == nil && os.Truncate(path, 0) != nil {
				return refused(runtime.Failed, a)
			}
		}
		return nil
	})
}

func (w *fakeDaemon) WriteStdin(_ context.Context, group, process string, data []byte) error {
	_, err := w.do(runtime.Select{Group: group, Process: process}, nil, func(a *fakeProcess) error {
		switch {
		case a.PID == 0 || a.State == state.Stopping:
			return refused(runtime.NotRunning, a)
		case a.noStdin:
			return refused(runtime.NoStdin, a)
		}
		w.stdin = append(w.stdin, string(data))
		return nil
	})
	return err
}

func (w *fakeDaemon) Emit(_ context.Context, typ, data string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.emitted = append(w.emitted, typ+"|"+data)
	return nil
}

func (w *fakeDaemon) Info(_ context.Context, group, process string) (runtime.Info, error) {
	var info runtime.Info
	if process == "" {
		return info, &runtime.Error{Kind: runtime.BadName, Name: group}
	}
	_, err := w.do(runtime.Select{Group: group, Process: process}, nil, func(a *fakeProcess) error {
		info = a.now()
		return nil
	})
	return info, err
}

func (a *fakeProcess) now() runtime.Info {
	info := a.Info
	info.Now = time.Now()
	info.Uptime = info.Now.Sub(info.Start)
	return info
}

func (w *fakeDaemon) Snapshot(context.Context) ([]runtime.Info, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]runtime.Info, len(w.procs))
	for i, a := range w.procs {
		all[i] = a.now()
	}
	return all, w.snapErr
}

func (w *fakeDaemon) Count(context.Context) (state.Counts, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return state.Counts{state.Running: len(w.procs)}, w.snapErr
}

func (w *fakeDaemon) Changed() <-chan struct{} { return w.notice.Next() }

func (w *fakeDaemon) become(mood state.Mood) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mood = mood
	return nil
}

func (w *fakeDaemon) Shutdown(context.Context) error { return w.become(state.MoodShutdown) }
func (w *fakeDaemon) Restart(context.Context) error  { return w.become(state.MoodRestarting) }

func (w *fakeDaemon) Reread(context.Context) (added, changed, removed []string, err error) {
	return w.reread.added, w.reread.changed, w.reread.removed, w.reread.err
}

func (w *fakeDaemon) AddGroup(_ context.Context, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.active[name]:
		return &runtime.Error{Kind: runtime.AlreadyAdded, Name: name}
	case name == "fcgi":
		return errors.New("cannot create the socket")
	case !slices.ContainsFunc(w.config.Groups, func(g spec.Group) bool { return g.Name == name }):
		return &runtime.Error{Kind: runtime.BadName, Name: name}
	}
	w.active[name] = true
	return nil
}

func (w *fakeDaemon) RemoveGroup(_ context.Context, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.active[name] {
		return &runtime.Error{Kind: runtime.BadName, Name: name}
	}
	found, _ := w.find(runtime.Select{Group: name})
	for _, a := range found {
		if !a.State.InStopped() {
			return &runtime.Error{Kind: runtime.StillRunning, Name: name}
		}
	}
	w.active[name] = false
	return nil
}

func (w *fakeDaemon) Desired() *spec.Config { return w.config }

func (w *fakeDaemon) ConfigFiles() []ConfigFile { return w.configFiles }

func (w *fakeDaemon) Prints() (applied, desired, revision string) { return "aa", "dd", "v1" }

func (w *fakeDaemon) Progress() Progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.progress
}

func (w *fakeDaemon) Told() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.told
}

func (w *fakeDaemon) Answers(ctx context.Context) error {
	if w.stuck {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (w *fakeDaemon) Active(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.active[name]
}

// mainLog is its log.
type mainLog struct{ *fakeDaemon }

func (l mainLog) Path() string { return l.mainLog }

func (l mainLog) Clear() error {
	if l.clearErr != nil {
		return l.clearErr
	}
	return os.Truncate(l.mainLog, 0)
}

// fakeConfig is what Load makes of testdata/wire/world.conf.
func fakeConfig(dir string) *spec.Config {
	program := func(name, command string, change func(*spec.Process)) spec.Process {
		p := spec.Process{
			Name: name, Command: command, Priority: 999, Umask: -1, ServerURLAuto: true,
			Autostart: true, StartSecs: 1, StartRetries: 3, ExitCodes: []int{0},
			StopSignal: 15, StopWaitSecs: 10,
			Stdout: spec.Output{MaxBytes: 50 << 20, Backups: 10}, Stderr: spec.Output{MaxBytes: 50 << 20, Backups: 10},
		}
		if change != nil {
			change(&p)
		}
		return p
	}
	group := func(name string, processes ...spec.Process) spec.Group {
		return spec.Group{Name: name, Priority: 999, Processes: processes}
	}
	manual := func(p *spec.Process) { p.Autostart = false }
	two := `/bin/sh -c "echo out; echo err >&2; exec cat"`
	return &spec.Config{Groups: []spec.Group{
		group("badcmd", program("badcmd", "/nope", manual)),
		group("cat", program("cat", `/bin/sh -c "echo start; exec cat"`, nil)),
		group("nolog", program("nolog", "/bin/cat", func(p *spec.Process) {
			p.Stdout.Kind, p.Stderr.Kind = spec.OutputNone, spec.OutputNone
		})),
		group("quick", program("quick", `/bin/sh -c "sleep 0.1; exit 1"`, func(p *spec.Process) {
			p.Autostart, p.StartRetries, p.StartSecs, p.ServerURLAuto, p.ServerURL = false, 0, 3, false, "http://x"
			p.HasDir, p.Directory = true, "/tmp"
			p.ExitCodes, p.StopSignal = []int{0, 2}, 1
			p.Stdout = spec.Output{
				Kind: spec.OutputFile, File: filepath.Join(dir, "quick-stdout.log"), Backups: 1,
				CaptureMaxBytes: 1024, EventsEnabled: true,
			}
			p.RedirectStderr, p.StopAsGroup, p.KillAsGroup = true, true, true
		})),
		group("stopped", program("stopped", "/bin/cat", func(p *spec.Process) { p.Autostart, p.StartSecs = false, 5 })),
		group("two", program("two_00", two, nil), program("two_01", two, nil)),
	}}
}

// options serve it on a unix socket in dir.
func (w *fakeDaemon) options(dir string) Options {
	return Options{
		Servers: []spec.Server{{
			Section: "unix_http_server", Network: "unix", Path: filepath.Join(dir, "s.sock"), Mode: 0o700,
			Owner: spec.Owner{UID: -1, GID: -1},
		}, {
			Section: "inet_http_server", Network: "tcp", Host: "127.0.0.1", Username: "user", Password: "pa:ss",
		}},
		Processes: w, Config: w, MainLog: mainLog{w},
		Identification: "supervisor", PID: 4711, Version: "4.3.0", Release: "1.2.3", Build: "4711abc", HasSupervisorNamespace: true,
		Stderr: io.Discard, Poll: 5 * time.Millisecond,
	}
}

// serve runs a server until the test ends.
func serve(t testing.TB, o Options) *Server {
	t.Helper()
	s := New(o)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(2 * time.Minute):
			t.Error("Run does not end")
		}
	})
	return s
}

// client talks to one server.
type client struct {
	http *http.Client
	base string
}

// dial makes a client of the server's n-th socket.
func dial(t testing.TB, s *Server, n int) *client {
	t.Helper()
	addr := s.servers[n].listener.Addr()
	if s.servers[n].Network == "unix" {
		addr = &net.UnixAddr{Name: s.servers[n].Path, Net: "unix"}
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, addr.Network(), addr.String())
		},
		MaxIdleConnsPerHost: 100,
	}
	t.Cleanup(transport.CloseIdleConnections)
	c := &client{http: &http.Client{
		Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, base: "http://localhost"}
	if addr.Network() == "tcp" {
		c.base = "http://" + addr.String()
	}
	return c
}

// call makes one XML-RPC call.
func (c *client) call(method string, params ...any) (any, error) {
	doc, err := xmlrpc.EncodeCall(method, params...)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Post(c.base+"/RPC2", "text/xml", bytes.NewReader(doc))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	return xmlrpc.DecodeResponse(resp.Body)
}

// do makes a request and reads the whole answer.
func (c *client) do(t testing.TB, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, c.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body == "" {
		req.Body = nil
		if method == http.MethodPost {
			req.Body = http.NoBody
		}
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(data)
}

// raw sends bytes to a unix socket and gives what comes until the other side
// closes or a whole reply with a length is there.
func raw(t testing.TB, network, addr, request string) string {
	t.Helper()
	conn, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	r := bufio.NewReader(conn)
	var copied bytes.Buffer
	resp, err := http.ReadResponse(bufio.NewReader(io.TeeReader(r, &copied)), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v\n%s", request, err, copied.String())
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatalf("%q: %v\n%s", request, err, copied.String())
	}
	return copied.String()
}

// activity is a log that a test can look at.
type activity struct {
	mu    sync.Mutex
	lines []string
}

func (a *activity) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(a, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
		if attr.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return attr
	}}))
}

func (a *activity) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lines = append(a.lines, strings.TrimSpace(string(p)))
	return len(p), nil
}

func (a *activity) has(text string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.lines, func(line string) bool { return strings.Contains(line, text) })
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("it never came about: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
