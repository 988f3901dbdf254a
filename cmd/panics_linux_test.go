package cmd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// faults are put into the source of the daemon that TestPanics builds: in each file a
// statement in the place of the end of a line.
var faults = []struct{ file, after, add string }{
	{"rpc/methods.go", "func (s *Server) call(ctx context.Context, method string, args Args) (any, error) {", `if method == "panic" { panic("injected into a method") }`},
	{"rpc/route.go", "func (hs *httpServer) handle(w http.ResponseWriter, r *http.Request) {", `if r.URL.Path == "/panic" { panic("injected into a handler") }`},
	{"runtime/capture/stream.go", "func (s *Stream) chunk(p []byte) {", `if string(p) == "panic\n" { panic("injected into a stream") }`},
	{"runtime/events.go", "func (s *Supervisor) emit(ev *event.Event) {",
		`if ev.Payload == "type:panic\nloop" { panic("injected into the loop") }; if ev.Payload == "type:panic\nelsewhere" { s.offLoop("nothing", func() func() { panic("injected elsewhere") }) }`},
	{"reconcile/loop.go", "func (l *loop) next() {", `if len(l.queue) > 0 && l.queue[0].names != nil && l.queue[0].names[0] == "panic" { panic("injected into the reconciler") }`},
}

// faultyDaemon builds a supervisord with faults.
func faultyDaemon(t *testing.T) (path string) {
	t.Helper()
	dir := t.TempDir()
	replace := make(map[string]string)
	for i, f := range faults {
		file, err := filepath.Abs("../" + f.file)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil || strings.Count(string(text), f.after+"\n") != 1 {
			t.Fatalf("%s does not have once: %s (%v)", f.file, f.after, err)
		}
		replace[file] = filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(replace[file], []byte(strings.Replace(string(text), f.after, f.after+" "+f.add, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "supervisord")
	if out, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", path, "supervisord/cmd/supervisord").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// TestPanics: a panic in a request or a stream ends that alone and is told. Anywhere else it
// ends the daemon, and the activity log and the state directory say where it was; what ran
// is known to the next daemon, which goes on with it.
func TestPanics(t *testing.T) {
	t.Parallel()
	binary := faultyDaemon(t)
	s := &eventRun{oracle.StartIn(t, oracle.Ours, t.TempDir(), fmt.Sprintf(killed, "adopt")+`
[program:p]
command=/bin/sh -c "trap 'echo panic' HUP; trap 'echo said; : >{{.Dir}}/said' USR1; echo ready; while :; do sleep 0.05; done" p
stdout_logfile={{.Dir}}/p.out

[eventlistener:listener]
command={{.Self}} record {{.Dir}}/events
events=REMOTE_COMMUNICATION
buffer_size=100
`, oracle.Surroundings{Through: []string{"/bin/sh", "-c", `shift; exec ` + binary + ` "$@"`, "sh"}}), t}
	both := func() {
		t.Helper()
		s.until("p", "RUNNING")
		s.until("listener", "RUNNING")
	}
	both()
	s.wait("p", func() bool { return strings.Contains(s.Read("p.out"), "ready") })
	daemon, p := s.PID(), s.pid("p")

	// Those that end a request or a stream.
	if _, err := s.Call("panic"); err == nil {
		t.Error("a method that panics gives a result")
	}
	s.logged("injected into a method")
	if answer, err := s.HTTPClient().Get("http://daemon/panic"); err == nil {
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			t.Error("a handler that panics answers 200")
		}
	}
	s.logged(`GET "/panic" panicked: injected into a handler`)
	s.call("signalProcess", "p", "HUP")
	s.logged("injected into a stream")
	// It must be able to write, although nobody keeps it. A daemon that ended meanwhile would
	// have it die of that.
	s.call("signalProcess", "p", "USR1")
	s.wait("p", func() bool { _, err := os.Stat(filepath.Join(s.Dir, "said")); return err == nil })
	for _, name := range []string{"p", "listener"} {
		if got := s.State(name); got != "RUNNING" {
			t.Errorf("%s is %s", name, got)
		}
	}
	if s.PID() != daemon || s.pid("p") != p {
		t.Errorf("the daemon is %d, was %d; p is %d, was %d", s.PID(), daemon, s.pid("p"), p)
	}

	// Those that end the daemon.
	for i, end := range []struct {
		words string
		do    func()
		said  string // in the activity log, by the daemon itself; "" for what it cannot say any more
	}{
		{"injected into the loop", func() { s.Call("supervisor.sendRemoteCommEvent", "panic", "loop") }, "CRIT the supervisor panicked, and supervisord exits: injected into the loop\n"},
		{"injected elsewhere", func() { s.Call("supervisor.sendRemoteCommEvent", "panic", "elsewhere") }, ""},
		{"injected into the reconciler", func() { s.Call("reconcile.apply", []any{"panic"}) }, "CRIT the reconciler panicked, and supervisord exits: injected into the reconciler\n"},
	} {
		both()
		end.do()
		if status := s.Wait(); status == 0 {
			t.Fatalf("%s: exit status 0", end.words)
		}
		if end.said != "" && !strings.Contains(s.Log(), end.said) {
			t.Errorf("the log does not say %q:\n%s", end.said, s.Log())
		}
		s.Again()
		both()
		if now := s.pid("p"); now != p || len(copies(s.Daemon, "p")) != 1 {
			t.Errorf("%s: p runs as %v, before as %d", end.words, copies(s.Daemon, "p"), p)
		}
		traces, _ := filepath.Glob(filepath.Join(s.Dir, "state/*/last-crash.log"))
		if len(traces) != 1 {
			t.Fatalf("traces: %q", traces)
		}
		text, err := os.ReadFile(traces[0])
		if err != nil || !strings.Contains(string(text), end.words) || !strings.Contains(string(text), "goroutine ") {
			t.Errorf("%v; the trace is:\n%s", err, text)
		}
		_, told, _ := strings.Cut(s.Log(), "an earlier supervisord has crashed: its last output is in "+traces[0]+"\n")
		for range i {
			_, told, _ = strings.Cut(told, "an earlier supervisord has crashed: its last output is in "+traces[0]+"\n")
		}
		if _, told, found := strings.Cut(told, "CRIT the earlier supervisord ended like this:\npanic: "+end.words); !found || !strings.Contains(told, ".go:") {
			t.Errorf("the log does not repeat %q with where it was:\n%s", end.words, told)
		}
	}
}
