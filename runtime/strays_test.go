package runtime

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/state"
	"supervisord/spec"
)

// stray has a process run that has left the group of its program.
func (b *bench) stray(pid int) {
	b.kernel.mu.Lock()
	defer b.kernel.mu.Unlock()
	b.kernel.names[pid] = "stray"
	b.kernel.strays = append(b.kernel.strays, pid)
}

func grouped(p *spec.Process) { p.KillMode, p.StopWaitSecs = spec.KillGroup, 4 }

// Who has left the process group of a program with a killmode is told with it, and
// killed when stopwaitsecs have passed; the stop is over when he is gone.
func TestStraysEndWithTheirProgram(t *testing.T) {
	for name, test := range map[string]struct {
		deaf bool
		took time.Duration
		want []string
	}{
		"by the signal": {false, 0, []string{"web terminated", "stray terminated"}},
		"killed":        {true, 4 * time.Second, []string{"web terminated", "stray terminated", "stray killed"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.after(time.Second)
				b.stray(5000)
				if test.deaf {
					b.kernel.deafTo(syscall.SIGTERM, "stray")
				}
				begun := time.Now()
				if _, err := b.sup.Stop(background, one("web"), true); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun); took < test.took || took > test.took+lastPoll {
					t.Errorf("it took %v", took)
				}
				if diff := cmp.Diff(test.want, b.kernel.sent()); diff != "" {
					t.Error(diff)
				}
			}, program("web", grouped))
		})
	}
}

// They are ended before there is another run, and at a shutdown.
func TestStraysEndBeforeTheNextRun(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(time.Second)
		b.stray(5000)
		b.kernel.deafTo(syscall.SIGTERM, "stray")
		b.kernel.exit("web", 3)
		b.after(3 * time.Second)
		if n := len(b.kernel.begun()); n != 1 {
			t.Errorf("%d starts while something was left", n)
		}
		b.after(time.Second + 2*lastPoll)
		b.expect("web", state.Starting)
		b.after(time.Second)
		b.stray(5001)
		b.sup.Shutdown(background)
		<-b.sup.done
	}, program("web", grouped))
}

// Orphans come to us while there is a program with a killmode, or where it is said
// for all, and at no other time; what becomes of them is then no news.
func TestSubreaperFollowsThePrograms(t *testing.T) {
	const line = "reaped unknown pid 4242 (exit status 0)"
	var k *fakeKernel
	inBubble(t, func(b *bench) {
		k = b.kernel
		set := func(old, new *spec.Group) {
			t.Helper()
			if err := b.sup.SetGroup(background, old, new, nil); err != nil {
				t.Fatal(err)
			}
		}
		plain, reaching := program("web", nil), program("web", grouped)
		set(nil, plain)
		b.kernel.orphan(4242)
		b.after(0)
		if n := strings.Count(b.lines(), line); n != 1 {
			t.Errorf("%d times %q", n, line)
		}
		set(plain, reaching)
		b.kernel.orphan(4242)
		b.after(0)
		if n := strings.Count(b.lines(), line); n != 1 {
			t.Errorf("%d times %q, although a subreaper expects it", n, line)
		}
		other := program("other", grouped)
		set(nil, other)
		set(reaching, plain)
		b.after(2 * time.Second)
		b.sup.Stop(background, one("other"), true)
		set(other, nil)
		set(plain, reaching)
	})
	if diff := cmp.Diff([]bool{true, false, true, false}, k.subreaper); diff != "" {
		t.Errorf("with a killmode: %s", diff)
	}
	inBubble(t, func(b *bench) { k = b.kernel }, program("web", nil))
	if diff := cmp.Diff([]bool(nil), k.subreaper); diff != "" {
		t.Errorf("without: %s", diff)
	}
	prepareOptions = func(o *Options) { o.Subreaper = true }
	defer func() { prepareOptions = nil }()
	inBubble(t, func(b *bench) { k = b.kernel }, program("web", nil))
	if diff := cmp.Diff([]bool{true, false}, k.subreaper); diff != "" {
		t.Errorf("for all: %s", diff)
	}
}
