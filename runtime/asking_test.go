package runtime

import (
	"context"
	"testing"

	"supervisord/runtime/state"
	"supervisord/spec"
)

// onFakeKernel runs a supervisor on a fake kernel in real time.
func onFakeKernel(t testing.TB, groups ...*spec.Group) (*Supervisor, *fakeKernel, chan error) {
	t.Helper()
	k := newFakeKernel()
	s := New(Options{kernel: k, children: k.notices})
	ended := make(chan error, 1)
	go func() { ended <- s.Run(context.Background()) }()
	for _, g := range groups {
		if err := s.SetGroup(background, nil, g, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Begin(background); err != nil {
		t.Fatal(err)
	}
	return s, k, ended
}

func (k *fakeKernel) Close() {}

// A question that the loop took is answered by what became of it, also when it
// was the loop's last.
func TestTheLastQuestionIsAnswered(t *testing.T) {
	for range 300 {
		s, _, ended := onFakeKernel(t)
		if err := s.Shutdown(background); err != nil {
			t.Fatalf("the shutdown that was begun is refused: %v", err)
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}

// Whoever was told that something is done sees it done, however many others ask
// for snapshots at the same time.
func TestSnapshotIsNeverOlderThanAnAnswer(t *testing.T) {
	groups := []*spec.Group{program("web", func(p *spec.Process) { p.StartSecs = 0; p.Autostart = false })}
	for range 200 { // so that a snapshot takes a while
		g := program("other", func(p *spec.Process) { p.Autostart = false })
		g.Name += itoa(len(groups))
		groups = append(groups, g)
	}
	s, _, ended := onFakeKernel(t, groups...)
	over := make(chan struct{})
	readers := make(chan struct{})
	for range 2 {
		go func() {
			defer func() { readers <- struct{}{} }()
			for {
				select {
				case <-over:
					return
				default:
					s.Snapshot(background)
				}
			}
		}()
	}
	see := func(want state.Process) {
		if i, err := s.Info(background, "web", "web"); err != nil || i.State != want {
			t.Errorf("%v (%v), want %v", i.State, err, want)
		}
	}
	for range 60 {
		if t.Failed() {
			break
		}
		if _, err := s.Start(background, one("web"), true); err != nil {
			t.Error(err)
		}
		see(state.Running)
		if _, err := s.Stop(background, one("web"), true); err != nil {
			t.Error(err)
		}
		see(state.Stopped)
	}
	close(over)
	for range 2 {
		<-readers
	}
	s.Shutdown(background)
	<-ended
	if i, err := s.Info(background, "web", "web"); err != nil || i.State != state.Stopped {
		t.Errorf("after the end: %v (%v)", i.State, err)
	}
}
