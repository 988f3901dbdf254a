package runtime

import (
	"errors"
	"testing"
	"time"

	"supervisord/runtime/event"
	"supervisord/spec"
)

// next has the table of a Supervisor go on in another one, by way of what is written down.
func next(t testing.TB, s *Supervisor, o Options) *Supervisor {
	t.Helper()
	h, err := s.HandOver(background)
	if err != nil {
		t.Fatal(err)
	}
	data, err := writeDown(h)
	if err != nil {
		t.Fatal(err)
	}
	if o.From, err = readBack(data, h.Files()); err != nil {
		t.Fatal(err)
	}
	return New(o)
}

// What is stopped is in the next table as it was, and only there.
func TestHandOverStopped(t *testing.T) {
	first := New(Options{})
	ended := make(chan error, 2)
	go func() { ended <- first.Run(background) }()
	for _, name := range []string{"b", "a"} {
		if err := first.SetGroup(background, nil, program(name, nil), nil); err != nil {
			t.Fatal(err)
		}
	}
	second := next(t, first, Options{})
	if err := <-ended; err != ErrHandedOver {
		t.Fatal(err)
	}
	_, err := first.Start(background, one("a"), true)
	if refused, is := errors.AsType[*Error](err); !is || refused.Kind != Upgrading {
		t.Errorf("the one before answers %v", err)
	}
	go func() { ended <- second.Run(background) }()
	groups, err := second.Groups(background)
	if err != nil || len(groups) != 2 || groups[0].Group.Name != "b" || groups[1].Group.Name != "a" {
		t.Errorf("%v, %v", groups, err)
	}
	if err := second.Shutdown(background); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// TestHandOverIdle: who waits for all to be idle is told in the next life, if nothing has
// come of it in this one.
func TestHandOverIdle(t *testing.T) {
	idle := make(chan struct{}, 2)
	o := Options{Serials: new(event.Serials), ExitWhen: spec.ExitOnIdle, OnIdle: func() { idle <- struct{}{} }}
	first, ended := New(o), make(chan error, 1)
	go func() { ended <- first.Run(background) }()
	once := program("once", func(p *spec.Process) {
		p.Command, p.StartSecs, p.Autorestart = "/bin/sh -c 'exit 0'", 0, spec.RestartNever
	})
	if err := first.SetGroup(background, nil, once, nil); err != nil {
		t.Fatal(err)
	}
	if err := first.Begin(background); err != nil {
		t.Fatal(err)
	}
	told := func(life string) {
		t.Helper()
		select {
		case <-idle:
		case <-time.After(time.Minute):
			t.Fatal("nobody is told in the " + life + " life that all are idle")
		}
	}
	told("first")
	second := next(t, first, o)
	if err := <-ended; err != ErrHandedOver {
		t.Fatal(err)
	}
	go func() { ended <- second.Run(background) }()
	told("second")
	if err := second.Shutdown(background); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
