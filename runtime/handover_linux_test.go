package runtime

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"supervisord/runtime/event"
	"supervisord/spec"
)

// TestEndDuringHandOver: a program that ends the daemon with its own end, in the very turn
// in which everything would be handed over, does so. Nothing is handed over then.
func TestEndDuringHandOver(t *testing.T) {
	s, ended := New(Options{Serials: new(event.Serials), OnEnd: func() {}}), make(chan error, 1)
	go func() { ended <- s.Run(background) }()
	main := program("main", func(p *spec.Process) {
		p.Command, p.StartSecs, p.OnExit = "/bin/sleep 1000", 0, spec.OnExitShutdown
		p.Autorestart = spec.RestartNever
	})
	if err := s.SetGroup(background, nil, main, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(background); err != nil {
		t.Fatal(err)
	}
	var h *Handover
	var refused error
	for h == nil && refused == nil {
		if err := s.ask(background, func() {
			p := s.byName["main"].procs[0]
			if p.machine.PID == 0 || p.machine.Launching {
				return
			}
			if refused = s.beginHandOver(); refused != nil {
				return
			}
			if refused = unix.Kill(p.machine.PID, unix.SIGTERM); refused != nil {
				return
			}
			if refused = unix.Waitid(unix.P_PID, p.machine.PID, nil, unix.WEXITED|unix.WNOWAIT, nil); refused != nil {
				return
			}
			s.reap()
			for p.pendingExit != nil { // else the next life sees to it
				s.handleFact(<-s.facts)
			}
			var left *obstacle
			for h, left, refused = s.tryHandOver(); left != nil; h, left, refused = s.tryHandOver() {
				<-left.over
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if e := (*Error)(nil); h != nil || !errors.As(refused, &e) || e.Kind != ShuttingDown {
		t.Fatalf("%v is handed over: %v", h, refused)
	}
	if err := <-ended; err != nil || s.Cause() == nil || s.Cause().Status != 128+15 {
		t.Errorf("it ends with %v, for %v", err, s.Cause())
	}
}
