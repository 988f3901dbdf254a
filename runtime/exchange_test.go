package runtime

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"supervisord/runtime/event"
	"supervisord/spec"
)

// A definition that is refused changes nothing, not even the socket that it
// shares with the one in force.
func TestRefusedDefinitionLeavesSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	pair := func(mode int, names ...string) *spec.Group {
		g := &spec.Group{Name: "f"}
		for _, name := range names {
			g.Processes = append(g.Processes, program(name, func(p *spec.Process) {
				p.StartSecs = 0
				p.Socket = &spec.Socket{URL: "unix://" + path, Network: "unix", Path: path, Mode: mode, Owner: spec.Owner{UID: -1, GID: -1}}
			}).Processes...)
		}
		return g
	}
	old := pair(0o600, "a", "b")
	s, _, ended := onFakeKernel(t, old)
	defer func() { s.Shutdown(background); <-ended }()
	mode := func() os.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	for _, name := range []string{"a", "b"} {
		for begun := time.Now(); ; time.Sleep(time.Millisecond) {
			if i, _ := s.Info(background, "f", name); i.PID != 0 {
				break
			} else if time.Since(begun) > time.Minute {
				t.Fatalf("%s: %v", name, i)
			}
		}
	}
	err := s.SetGroup(background, old, pair(0o666, "a"), nil)
	var refused *Error
	if !errors.As(err, &refused) || refused.Kind != StillRunning {
		t.Fatalf("%v", err)
	}
	if got := mode(); got != 0o600 {
		t.Errorf("mode %v after a refusal", got)
	}
	if err := s.SetGroup(background, old, pair(0o666, "a", "b"), nil); err != nil {
		t.Fatal(err)
	}
	if got := mode(); got != 0o666 {
		t.Errorf("mode %v", got)
	}
}

// A pool that comes at the very moment of a tick takes it from nobody.
func TestNewPoolLosesNoTick(t *testing.T) {
	pool := func(name string) *spec.Group {
		g := program(name, nil)
		g.Listener = &spec.Listener{Events: []string{"TICK_5"}, BufferSize: 10}
		return g
	}
	inBubble(t, func(b *bench) {
		waiting := func(name string) int { return b.info(name).Listener.Waiting }
		before := waiting("first")
		err := b.sup.ask(background, func() {
			time.Sleep(event.UntilTick(time.Now())) // the loop is late
			made, err := b.sup.prepare(pool("second"), inForce{})
			if err != nil {
				t.Error(err)
				return
			}
			b.sup.add(pool("second"), made, nil)
		})
		if err != nil {
			t.Fatal(err)
		}
		b.after(0)
		if got := waiting("first") - before; got != 1 {
			t.Errorf("%d ticks came", got)
		}
		if got := waiting("second"); got != 0 {
			t.Errorf("the new pool has %d", got)
		}
	}, pool("first"))
}
