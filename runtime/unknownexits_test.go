package runtime

import (
	"strings"
	"syscall"
	"testing"

	"supervisord/runtime/launch"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// The exit of an orphan is not taken for that of a child that is given the same pid
// later, however long another launch hangs, before its fork or in it.
func TestUnknownExitIsNoLaterChilds(t *testing.T) {
	for _, name := range []string{"stuck", "stuck in exec"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.kernel.orphan(101)
				b.after(overtakeAfter) // the first pid to be given out is 101
				if _, err := b.sup.Start(background, one("web"), true); err != nil {
					t.Fatal(err)
				}
				if i := b.info("web"); i.State != state.Running || i.PID != 101 {
					t.Errorf("web is %v with pid %d", i.State, i.PID)
				}
				close(b.kernel.hold)
				b.after(0)
				const line = "reaped unknown pid 101 (exit status 0)"
				if n := strings.Count(b.lines(), line); n != 1 {
					t.Errorf("%d times %q in\n%s", n, line, b.lines())
				}
			}, program(name, nil), program("web", func(p *spec.Process) { p.Autostart = false }))
		})
	}
}

// What may be of a helper of the daemon's is told of only if it is not.
func TestExitOfAHelper(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.kernel.mu.Lock()
		b.kernel.exits = []launch.Exit{{PID: 4300, PerhapsOurs: true}, {PID: 4301, PerhapsOurs: true}, {PID: 4302}}
		b.kernel.mu.Unlock()
		b.kernel.notices <- syscall.SIGCHLD
		b.after(0)
		for pid, want := range map[string]int{"4300": 0, "4301": 1, "4302": 1} {
			if n := strings.Count(b.lines(), "reaped unknown pid "+pid+" "); n != want {
				t.Errorf("%d times told of %s:\n%s", n, pid, b.lines())
			}
		}
	})
}
