package usage

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"supervisord/runtime/notice"
)

const (
	// Kept is how long a sample serves.
	Kept = 5 * time.Second
	// patience is how long a reading of /proc is waited for.
	patience = 2 * time.Second
)

// Options is what a Sampler needs to know.
type Options struct {
	// Roots are the processes to measure. It must not be nil, and not take long.
	Roots func(context.Context) ([]Root, error)
	// Proc is where /proc is mounted; "" is /proc on Linux, and nowhere elsewhere.
	Proc string
}

// Sample is what all processes take at one moment. It is never changed.
type Sample struct {
	At     time.Time
	Of     map[Process]Usage // those that have a process
	Daemon Usage             // of this process, without its children
}

// Sampler measures when it is asked. Its methods may be called from any goroutine.
type Sampler struct {
	opt     Options
	looked  chan struct{} // capacity one: somebody wants the history
	history atomic.Pointer[History]

	recorded notice.Notice // there is a later history

	mu      sync.Mutex // guards the following; held for a few instructions
	reading *reading   // under way
	latest  *Sample

	runs map[Process]run // of the reading under way
}

// reading is one reading of /proc.
type reading struct {
	began  time.Time
	done   chan struct{} // closed when the following are there
	sample *Sample
	err    error
}

// run is what is known of the run of a process: whatever its CPU time fell by when somebody
// ended.
type run struct {
	pid        int
	read, lost time.Duration
}

// New makes a Sampler.
func New(o Options) *Sampler {
	if o.Proc == "" && runtime.GOOS == "linux" {
		o.Proc = "/proc"
	}
	s := &Sampler{opt: o, looked: make(chan struct{}, 1)}
	s.history.Store(new(History))
	return s
}

// errSilent is the error where /proc does not answer.
var errSilent = errors.New("/proc does not answer")

// Sample is a sample that is no older than Kept.
func (s *Sampler) Sample(ctx context.Context) (*Sample, error) {
	if s.opt.Proc == "" {
		return nil, errors.ErrUnsupported
	}
	sample, r := s.begin()
	if sample != nil {
		return sample, nil
	}
	timeout := time.NewTimer(patience - time.Since(r.began))
	defer timeout.Stop()
	select {
	case <-r.done:
		return r.sample, r.err
	case <-timeout.C:
		return nil, errSilent
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// begin returns the latest sample if it still serves, and otherwise a reading that is under
// way.
func (s *Sampler) begin() (*Sample, *reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest != nil && time.Since(s.latest.At) < Kept {
		return s.latest, nil
	}
	if s.reading == nil {
		s.reading = &reading{began: time.Now(), done: make(chan struct{})}
		go s.read(s.reading) // ends when /proc has answered
	}
	return nil, s.reading
}

// read reads /proc.
func (s *Sampler) read(r *reading) {
	var roots []Root
	if roots, r.err = s.opt.Roots(context.Background()); r.err == nil {
		sample := &Sample{At: r.began}
		if sample.Of, sample.Daemon, r.err = measure(s.opt.Proc, os.Getpid(), roots); r.err == nil {
			s.keepLost(sample)
			r.sample = sample
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = nil
	if r.err == nil {
		s.latest = r.sample
	}
	close(r.done)
}

// keepLost adds to each CPU time what those have taken with them who ended.
func (s *Sampler) keepLost(sample *Sample) {
	runs := make(map[Process]run, len(sample.Of))
	for p, u := range sample.Of {
		was := s.runs[p]
		if was.pid != u.PID {
			was = run{pid: u.PID}
		}
		was.lost += max(was.read-u.CPU, 0)
		was.read = u.CPU
		u.CPU += was.lost
		sample.Of[p], runs[p] = u, was
	}
	s.runs = runs
}
