package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"supervisord/runtime/event"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// lives are Supervisors one after another, each of which goes on in the place of the one
// before, with real children.
type lives struct {
	t     testing.TB
	sup   *Supervisor
	ended chan error
	log   syncBuffer
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func live(t testing.TB, groups ...*spec.Group) *lives {
	t.Helper()
	l := &lives{t: t}
	l.begin(nil)
	t.Cleanup(l.end)
	for _, g := range groups {
		if err := l.sup.SetGroup(background, nil, g, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.sup.Begin(background); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *lives) begin(from *Handover) {
	dir := l.t.TempDir()
	if from != nil {
		dir = "/nowhere" // AUTO logs are where they were
	}
	l.sup = New(Options{
		From: from, Serials: new(event.Serials), ChildLogDir: dir,
		Logger: slog.New(slog.NewTextHandler(&l.log, nil)),
	})
	l.ended = make(chan error, 1)
	sup, ended := l.sup, l.ended
	go func() { ended <- sup.Run(background) }()
}

func (l *lives) end() {
	l.sup.GiveUpOnDisks()
	if err := l.sup.Shutdown(background); err == nil {
		err = <-l.ended
		if err != nil {
			l.t.Error(err)
		}
	}
}

// handOver has the next one go on, with descriptors of its own, as after an exec.
func (l *lives) handOver() {
	l.t.Helper()
	l.goOn(l.stop())
}

// goOn has the next one begin.
func (l *lives) goOn(h *Handover) {
	l.t.Helper()
	data, err := writeDown(h)
	if err != nil {
		l.t.Fatal(err)
	}
	var files []*os.File
	for _, f := range h.Files() {
		files = append(files, executed(l.t, f))
	}
	h.Close()
	from, err := readBack(data, files)
	if err != nil {
		l.t.Fatalf("%v\n%s", err, data)
	}
	l.begin(from)
}

// stop has the present one come to rest.
func (l *lives) stop() *Handover {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(background, time.Minute)
	defer cancel()
	h, err := l.sup.HandOver(ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := <-l.ended; err != ErrHandedOver {
		l.t.Fatal(err)
	}
	return h
}

// executed is what a descriptor is after an exec: another number, and a file that was made
// anew of it.
func executed(t testing.TB, f *os.File) *os.File {
	t.Helper()
	conn, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	again := -1
	if err := conn.Control(func(fd uintptr) { again, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(again), f.Name())
}

func (l *lives) info(name string) Info {
	l.t.Helper()
	group, process, both := strings.Cut(name, ":")
	if !both {
		process = group
	}
	i, err := l.sup.Info(background, group, process)
	if err != nil {
		l.t.Fatal(err)
	}
	return i
}

// until waits until something holds of a process.
func (l *lives) until(name, what string, ok func(Info) bool) Info {
	l.t.Helper()
	for limit := time.Now().Add(30 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		i := l.info(name)
		if ok(i) {
			return i
		}
		if time.Now().After(limit) {
			l.t.Fatalf("%s: waited in vain until %s: %+v\n%s", name, what, i, l.log.String())
		}
	}
}

// untilLog waits for a text in the log.
func (l *lives) untilLog(text string) {
	l.t.Helper()
	for limit := time.Now().Add(30 * time.Second); !strings.Contains(l.log.String(), text); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(limit) {
			l.t.Fatalf("waited in vain for %q in the log:\n%s", text, l.log.String())
		}
	}
}

func (l *lives) untilState(name string, want state.Process) Info {
	l.t.Helper()
	return l.until(name, want.String(), func(i Info) bool { return i.State == want })
}

// shell is a program of a few words.
func shell(name, script string, edit func(*spec.Process)) *spec.Group {
	return program(name, func(p *spec.Process) {
		p.Command, p.StartSecs, p.Autorestart = "/bin/sh -c '"+script+"'", 0, spec.RestartNever
		p.ServerURLAuto = true
		if edit != nil {
			edit(p)
		}
	})
}

func toFile(path string) spec.Output { return spec.Output{Kind: spec.OutputFile, File: path} }

// numbered are so many lines with their numbers.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, "line", i+1)
	}
	return b.String()
}

// rotated is what is in a log and its backups.
func rotated(t testing.TB, path string) string {
	t.Helper()
	var all []byte
	for i := 0; ; i++ {
		name := path
		if i > 0 {
			name = path + "." + strconv.Itoa(i)
		}
		data, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) && i > 0 {
			return string(all)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(data, all...)
	}
}

// listenerScript answers each event, and writes down what it was.
const listenerScript = `printf "READY\n"; while read -r head; do body=$(dd bs=1 count=${head##*len:} 2>/dev/null); ` +
	`printf "%s\n%s\n" "$head" "$body" >> "$RECORD"; printf "RESULT 2\nOK"; printf "READY\n"; done`

// TestHandOverUnderLoad: fifty lives, and no line, no event and no byte of input is lost or
// comes twice; nobody is started anew.
func TestHandOverUnderLoad(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	const lines, captures = 5_000, 100
	spell := fmt.Sprintf(`i=0; while [ $i -lt %d ]; do i=$((i+1)); echo "line $i"; [ $((i %% 100)) = 0 ] && sleep 0.01; done; sleep 1000`, lines)
	listener := shell("listener", listenerScript, func(p *spec.Process) { p.Environment = spec.Env{"RECORD": in("record")} })
	listener.Kind = spec.KindListener
	listener.Listener = &spec.Listener{Events: []string{"REMOTE_COMMUNICATION", "PROCESS_COMMUNICATION"}, BufferSize: 100_000}
	l := live(t,
		shell("rotated", spell, func(p *spec.Process) {
			p.Stdout = toFile(in("rotated"))
			p.Stdout.MaxBytes, p.Stdout.Backups = 50_000, 100
		}),
		shell("stderr", "("+spell+") >&2", func(p *spec.Process) { p.Stderr = toFile(in("stderr")) }),
		shell("auto", spell, func(p *spec.Process) { p.Stdout = spec.Output{Kind: spec.OutputAuto} }),
		shell("captured", `i=0; while [ $i -lt 100 ]; do i=$((i+1)); printf "a<!--XSUPERV"; sleep 0.003; printf "ISOR:BEGIN-->%s" $i; printf "<!--XSUPERVISOR:END-->b\n"; done; sleep 1000`,
			func(p *spec.Process) {
				p.Stdout = toFile(in("captured"))
				p.Stdout.CaptureMaxBytes = 1000
			}),
		shell("echo", "exec cat", func(p *spec.Process) { p.Stdout = toFile(in("echo")) }),
		listener)
	names := []string{"rotated", "stderr", "auto", "captured", "echo", "listener"}
	before := make(map[string]Info)
	for _, name := range names {
		before[name] = l.untilState(name, state.Running)
	}
	var typed strings.Builder
	var took []time.Duration
	const handovers, eventsEach = 50, 4
	for n := range handovers {
		for i := range eventsEach {
			if err := l.sup.Emit(background, "number", strconv.Itoa(n*eventsEach+i)); err != nil {
				t.Fatal(err)
			}
			text := strings.Repeat(fmt.Sprintf("%d.%d ", n, i), 300) + "\n"
			if err := l.sup.WriteStdin(background, "echo", "echo", []byte(text)); err == nil {
				typed.WriteString(text)
			} else if refused, is := errors.AsType[*Error](err); !is || refused.Kind != StdinFull {
				t.Fatal(err)
			}
		}
		began := time.Now()
		l.handOver()
		if err := l.sup.ask(background, func() {}); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("a handover took %v, %v at the most", took[len(took)/2], took[len(took)-1])
	read := func(name string) string { data, _ := os.ReadFile(name); return string(data) }
	// wait fails the test when nothing more has come for a minute: how long all of it takes
	// is up to the machine, since the listener starts a program for each event.
	wait := func(what string, want int, have func() int) {
		t.Helper()
		last, limit := -1, time.Time{}
		for n := have(); n < want; n = have() {
			if n != last {
				last, limit = n, time.Now().Add(time.Minute)
			}
			if time.Now().After(limit) {
				t.Fatalf("waited in vain for %s: %d of %d", what, n, want)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	want := numbered(lines)
	for _, log := range []string{in("rotated"), in("stderr"), before["auto"].StdoutLog} {
		wait(log, len(want), func() int { return len(rotated(t, log)) })
		if got := rotated(t, log); got != want {
			t.Errorf("%s has %d bytes, and not the %d that were written", log, len(got), len(want))
		}
	}
	wait("the input", typed.Len(), func() int { return len(read(in("echo"))) })
	if read(in("echo")) != typed.String() {
		t.Error("the input was not what was written")
	}
	wait("what is captured", captures, func() int { return strings.Count(read(in("captured")), "\n") })
	if got := read(in("captured")); got != strings.Repeat("ab\n", captures) {
		t.Errorf("the log of what captures has %d bytes", len(got))
	}
	wait("the events", handovers*eventsEach+captures, func() int { return strings.Count(read(in("record")), "ver:3.0") })
	checkEvents(t, read(in("record")), handovers*eventsEach, captures)
	for _, name := range names {
		now, was := l.info(name), before[name]
		if now.PID != was.PID || now.Start.Unix() != was.Start.Unix() || now.Starts != 1 || now.State != state.Running || now.Dropped != 0 {
			t.Errorf("%s is %+v, and was %+v", name, now, was)
		}
	}
	if text := l.log.String(); strings.Contains(text, "level=WARN") || strings.Count(text, "spawned") != len(names) {
		t.Errorf("the log says:\n%s", text)
	}
}

// checkEvents checks that the events of each kind came once and in their order.
func checkEvents(t *testing.T, record string, remote, captured int) {
	t.Helper()
	serial, nextRemote, nextCaptured := 0, 0, 1
	for _, ev := range strings.Split(record, "ver:3.0")[1:] {
		if !strings.Contains(ev, fmt.Sprintf(" serial:%d ", serial)) || !strings.Contains(ev, fmt.Sprintf(" poolserial:%d ", serial)) {
			t.Fatalf("event %d is %q", serial, ev)
		}
		serial++
		fields := strings.Split(strings.TrimSpace(ev), "\n")
		last, err := strconv.Atoi(fields[len(fields)-1])
		if err != nil {
			t.Fatalf("%q: %v", ev, err)
		}
		next := &nextRemote
		if strings.Contains(ev, "PROCESS_COMMUNICATION") {
			next = &nextCaptured
		}
		if last != *next {
			t.Fatalf("%q: it should be of %d", ev, *next)
		}
		*next++
	}
	if nextRemote != remote || nextCaptured != captured+1 {
		t.Errorf("%d and %d events came", nextRemote, nextCaptured-1)
	}
}

// TestHandOverStates: whatever a process is in, it is in it afterwards, and its deadlines
// are where they were.
func TestHandOverStates(t *testing.T) {
	dir := t.TempDir()
	said := func(name string) string { return filepath.Join(dir, name) }
	l := live(t,
		shell("starting", "sleep 1000", func(p *spec.Process) { p.StartSecs = 2 }),
		shell("backoff", "exit 3", func(p *spec.Process) { p.StartSecs, p.StartRetries = 1000, 2 }),
		shell("fatal", "exit 3", func(p *spec.Process) { p.StartSecs, p.StartRetries = 1000, 0 }),
		shell("exited", "exit 3", nil),
		shell("stopping", `trap "" TERM; echo set; while :; do sleep 0.1; done`, func(p *spec.Process) { p.StopWaitSecs, p.Stdout = 2, toFile(said("stopping")) }),
		shell("stopped", "sleep 1000", nil),
		shell("never", "sleep 1000", func(p *spec.Process) { p.Autostart = false }),
		shell("left", `trap "" TERM; (sleep 1.5; echo) & trap - TERM; echo set; sleep 1000`, func(p *spec.Process) {
			p.StopAsGroup, p.KillAsGroup, p.Stdout = true, true, toFile(said("left"))
		}),
	)
	begun := time.Now()
	before := make(map[string]Info)
	for _, name := range []string{"stopping", "stopped", "left"} {
		l.untilState(name, state.Running)
	}
	for _, name := range []string{"stopping", "left"} {
		l.until(name, "its traps are set", func(Info) bool { data, _ := os.ReadFile(said(name)); return len(data) > 0 })
	}
	if _, err := l.sup.Stop(background, one("stopped"), true); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"stopping", "left"} {
		if _, err := l.sup.Stop(background, one(name), false); err != nil {
			t.Fatal(err)
		}
	}
	stop := time.Now()
	l.until("left", "its leader has ended", func(i Info) bool { return !i.Stop.IsZero() })
	l.untilState("fatal", state.Fatal)
	l.untilState("exited", state.Exited)
	l.until("backoff", "it has failed", func(i Info) bool { return i.State == state.Backoff })
	for _, i := range everybody(t, l) {
		before[i.Name] = i
	}
	l.handOver()
	for _, now := range everybody(t, l) {
		was := before[now.Name]
		same := now.State == was.State && now.PID == was.PID && now.Start.Equal(was.Start.Round(0)) && now.Stop.Equal(was.Stop.Round(0)) &&
			now.SpawnErr == was.SpawnErr && now.ExitStatus == was.ExitStatus && now.Starts == was.Starts
		if !same && now.Name != "backoff" {
			t.Errorf("it is %+v\nand was %+v", now, was)
		}
	}
	for range 5 {
		l.handOver()
	}
	i := l.untilState("starting", state.Running)
	if took := time.Since(begun); took < 2*time.Second || i.PID != before["starting"].PID {
		t.Errorf("it was RUNNING after %v, with startsecs=2", took)
	}
	l.untilState("stopping", state.Stopped)
	if took := time.Since(stop); took < 2*time.Second {
		t.Errorf("it was stopped after %v, with stopwaitsecs=2", took)
	}
	l.untilState("left", state.Stopped)
	if i := l.untilState("backoff", state.Fatal); i.Starts != 3 {
		t.Errorf("it was started %d times", i.Starts)
	}
	groups, err := l.sup.Groups(background)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if stopped := g.Processes[0].UserStopped; stopped != (g.Group.Name == "stopped" || g.Group.Name == "stopping" || g.Group.Name == "left") {
			t.Errorf("%s was stopped by a client: %v", g.Group.Name, stopped)
		}
	}
}

func everybody(t *testing.T, l *lives) []Info {
	t.Helper()
	infos, err := l.sup.Snapshot(background)
	if err != nil {
		t.Fatal(err)
	}
	return infos
}

// untilEnded waits until a child has ended, whom nobody has reaped.
func untilEnded(t *testing.T, pid int) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("%d does not end: %s", pid, stat)
		}
	}
}

// TestHandOverWhileAllExit: who ends while there is no Supervisor is reaped by the next one,
// with the last words and the status.
func TestHandOverWhileAllExit(t *testing.T) {
	dir := t.TempDir()
	var groups []*spec.Group
	for i := range 10 {
		name := "p" + itoa(i)
		groups = append(groups, shell(name, `trap "echo last words; exit 7" TERM; echo first words; while :; do sleep 0.05; done`, func(p *spec.Process) {
			p.Stdout = toFile(filepath.Join(dir, name))
			p.ExitCodes = []int{7}
		}))
	}
	l := live(t, groups...)
	for _, g := range groups {
		l.until(g.Name, "it has begun", func(i Info) bool { data, _ := os.ReadFile(i.StdoutLog); return len(data) > 0 })
	}
	before := everybody(t, l)
	h := l.stop()
	for _, i := range before {
		if err := syscall.Kill(i.PID, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range before {
		untilEnded(t, i.PID)
	}
	l.begin(h) // as after an exec that has failed
	for _, was := range before {
		i := l.untilState(was.Name, state.Exited)
		if data, _ := os.ReadFile(i.StdoutLog); i.ExitStatus != 7 || string(data) != "first words\nlast words\n" {
			t.Errorf("%s: status %d, %q", i.Name, i.ExitStatus, data)
		}
	}
}

// What waits for an answer is refused, and so is what comes later.
func TestHandOverRefuses(t *testing.T) {
	l := live(t, shell("slow", "sleep 1000", func(p *spec.Process) { p.StartSecs, p.Autostart = 1000, false }))
	waiting := make(chan error, 1)
	first := l.sup
	go func() {
		_, err := first.Start(background, one("slow"), true)
		waiting <- err
	}()
	l.untilState("slow", state.Starting)
	l.handOver()
	_, later := first.Stop(background, one("slow"), true)
	for _, err := range []error{<-waiting, later} {
		if refused, is := errors.AsType[*Error](err); !is || refused.Kind != Upgrading {
			t.Errorf("the answer is %v", err)
		}
	}
	l.untilState("slow", state.Starting)
}

// TestHandOverGivenUp: a log that nobody reads is waited for, and when that takes too long
// everything goes on as if nothing had been asked.
func TestHandOverGivenUp(t *testing.T) {
	dir := t.TempDir()
	fifo, log := filepath.Join(dir, "fifo"), filepath.Join(dir, "log")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	const lines = 20_000 // more than a FIFO and a pipe hold
	spell := fmt.Sprintf(`i=0; while [ $i -lt %d ]; do i=$((i+1)); echo "line $i"; done; sleep 1000`, lines)
	l := live(t, shell("stuck", spell, func(p *spec.Process) { p.Stdout = toFile(fifo) }),
		shell("fine", `i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo "line $i"; sleep 0.03; done; sleep 1000`, func(p *spec.Process) { p.Stdout = toFile(log) }),
		shell("later", "sleep 1000", func(p *spec.Process) { p.Autostart = false }))
	l.untilState("stuck", state.Running)
	reader, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	l.until("stuck", "it waits for its log", func(Info) bool { return strings.Contains(l.log.String(), "nothing reads it") })
	for what, try := range map[string]func(context.Context) error{
		"a rehearsal": l.sup.Rehearse,
		"a handover": func(ctx context.Context) error {
			_, err := l.sup.HandOver(ctx)
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(background, 300*time.Millisecond)
		defer cancel()
		if err := try(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the output of stuck") {
			t.Fatalf("%s ends with %v", what, err)
		}
		if _, err := l.sup.Start(background, one("later"), true); err != nil {
			t.Errorf("after %s: %v", what, err)
		}
		if _, err := l.sup.Stop(background, one("later"), true); err != nil {
			t.Errorf("after %s: %v", what, err)
		}
	}
	want := numbered(lines)
	got := make([]byte, len(want))
	for n := 0; n < len(got); {
		m, err := reader.Read(got[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += m
	}
	if string(got) != want {
		t.Error("of what the stuck log took something is lost")
	}
	if err := l.sup.Rehearse(background); err != nil { // now it can
		t.Error(err)
	}
	l.handOver()
	l.until("fine", "it has written all", func(Info) bool { data, _ := os.ReadFile(log); return string(data) == numbered(20) })
}

// TestHandOverFastCGI: the socket that processes accept on is the same, and is removed at
// the end.
func TestHandOverFastCGI(t *testing.T) {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "sock")
	g := &spec.Group{Name: "cgi", Kind: spec.KindFastCGI, Priority: 999}
	for i := range 3 {
		g.Processes = append(g.Processes, shell("cgi"+itoa(i), "sleep 1000", func(p *spec.Process) {
			p.Socket = &spec.Socket{URL: "unix://" + path, Network: "unix", Path: path, Mode: 0o700, Owner: spec.Owner{UID: -1, GID: -1}}
		}).Processes...)
	}
	l := live(t, g)
	for i := range 3 {
		l.untilState("cgi:cgi"+itoa(i), state.Running)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		l.handOver()
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	if _, err := l.sup.Stop(background, Select{"cgi", "cgi0"}, true); err != nil {
		t.Fatal(err)
	}
	if _, err := l.sup.Start(background, Select{"cgi", "cgi0"}, true); err != nil {
		t.Fatal(err)
	}
	if now, err := os.Stat(path); err != nil || !os.SameFile(before, now) {
		t.Fatalf("it is another socket: %v", err)
	}
	if _, err := l.sup.Stop(background, Select{Group: "cgi"}, true); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its path: %v", err)
	}
}
