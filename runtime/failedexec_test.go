package runtime

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/runtime/launch"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// A child that could not execute its program counts as one that exited with
// status 127 and, where its pid was never learned, as one that could not be
// started: there is nobody whose exit could be waited for.
func TestFailedExec(t *testing.T) {
	for _, test := range []struct {
		name      string
		pid       int
		startSecs int
		log       string
		state     state.Process
		reason    string
	}{
		{"pid known", 77, 1, "exited: web (exit status 127; not expected)", state.Fatal, "Exited too quickly (process log may have details)"},
		{"pid not known", 0, 1, "spawnerr: couldn't exec /bin/web: ENOEXEC", state.Fatal, "couldn't exec /bin/web: ENOEXEC"},
		{"pid not known, startsecs=0", 0, 0, "spawnerr: couldn't exec /bin/web: ENOEXEC", state.Fatal, "couldn't exec /bin/web: ENOEXEC"},
	} {
		t.Run(test.name, func(t *testing.T) {
			prepareKernel = func(k *fakeKernel) {
				k.fails = func(string) error {
					return &launch.Error{Stage: launch.StageExec, Err: syscall.ENOEXEC, Name: "web", Path: "/bin/web", PID: test.pid}
				}
			}
			defer func() { prepareKernel = nil }()
			inBubble(t, func(b *bench) {
				b.after(time.Hour)
				b.expect("web", test.state)
				if got := b.info("web"); got.PID != 0 || got.SpawnErr != test.reason {
					t.Errorf("pid %d, %q", got.PID, got.SpawnErr)
				}
				if n := strings.Count(b.lines(), test.log); n != 2 {
					t.Errorf("%d times %q in\n%s", n, test.log, b.lines())
				}
			}, program("web", func(p *spec.Process) { p.StartSecs, p.StartRetries = test.startSecs, 1 }))
		})
	}
}
