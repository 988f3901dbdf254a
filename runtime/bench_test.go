package runtime

import (
	"testing"

	"supervisord/spec"
)

// thousand is a group of 1,000 processes that are up as soon as they run.
func thousand() *spec.Group {
	g := &spec.Group{Name: "g", Priority: 999}
	for i := range 1000 {
		g.Processes = append(g.Processes, program("p"+itoa(i), func(p *spec.Process) {
			p.Command, p.StartSecs, p.Autostart = "/bin/sleep 1000", 0, false
		}).Processes...)
	}
	return g
}

func endBench(b *testing.B, s *Supervisor, ended chan error) {
	b.Helper()
	if err := s.Shutdown(background); err != nil {
		b.Fatal(err)
	}
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

// A question and its answer, beside 1,000 processes.
func BenchmarkAsk(b *testing.B) {
	s, _, ended := onFakeKernel(b, thousand())
	defer endBench(b, s, ended)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.ask(background, func() {}); err != nil {
			b.Fatal(err)
		}
	}
}

// A snapshot of 1,000 processes, one of which has changed since the last.
func BenchmarkSnapshot(b *testing.B) {
	s, _, ended := onFakeKernel(b, thousand())
	defer endBench(b, s, ended)
	b.ReportAllocs()
	for b.Loop() {
		s.snapshot.Store(nil)
		if infos, err := s.Snapshot(background); err != nil || len(infos) != 1000 {
			b.Fatal(len(infos), err)
		}
	}
}

// The start and stop of 1,000 processes, all but the kernel's work.
func BenchmarkStartStop(b *testing.B) {
	s, _, ended := onFakeKernel(b, thousand())
	defer endBench(b, s, ended)
	startStop(b, s)
}

// The same with real processes.
func BenchmarkStartStopReal(b *testing.B) {
	s := New(Options{})
	ended := make(chan error, 1)
	go func() { ended <- s.Run(background) }()
	defer endBench(b, s, ended)
	if err := s.SetGroup(background, nil, thousand(), nil); err != nil {
		b.Fatal(err)
	}
	startStop(b, s)
}

func startStop(b *testing.B, s *Supervisor) {
	b.Helper()
	check := func(results []Result, err error) {
		if err != nil || len(results) != 1000 {
			b.Fatal(len(results), err)
		}
		for _, r := range results {
			if r.Err != nil {
				b.Fatal(r)
			}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		check(s.Start(background, Select{}, true))
		check(s.Stop(background, Select{}, true))
	}
}

// The exchange of a definition of 1,000 processes for one that differs in rules.
func BenchmarkExchange(b *testing.B) {
	old := thousand()
	s, _, ended := onFakeKernel(b, old)
	defer endBench(b, s, ended)
	b.ReportAllocs()
	for b.Loop() {
		next := *old
		if err := s.SetGroup(background, old, &next, nil); err != nil {
			b.Fatal(err)
		}
		old = &next
	}
}
