package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"supervisord/rpc/client"
)

// row is what one run measures: a value for each of its figures.
type row struct {
	figures []figure
	limited bool // whether the limit is measured, too
	measure func(r *run) ([]float64, error)
}

// one is a row of a single figure.
func one(name, unit string, limited bool, measure func(r *run) (float64, error)) row {
	return row{[]figure{{name, unit}}, limited, func(r *run) ([]float64, error) {
		v, err := measure(r)
		return []float64{v}, err
	}}
}

// rows are all but those of --sizes, in the table's order.
func rows() []row {
	return append(append([]row{
		one("exec to all of 10 children running", "ms", true, func(r *run) (float64, error) {
			_, ms, err := r.many(10)
			return ms, err
		}),
		{[]figure{
			{"exec to all of 1,000 children running", "ms"},
			{"supervisorctl status, 1,000 programs", "ms"},
			{"RSS at 1,000 programs", "MiB"},
			{"threads at 1,000 programs", ""},
			{"SIGTERM to the end, 1,000 children", "ms"},
		}, true, func(r *run) ([]float64, error) { return life(r, 1000) }},
		one("500 of 500 killed at once, until all are back", "ms", true, massacre),
		{[]figure{
			{"crash to the successor's first instruction, one of 500, p50", "ms"},
			{"crash to the successor's first instruction, one of 500, p99", "ms"},
		}, true, crashes},
		one("100 files added, `update`, until all run", "ms", true, updated),
		one("100 files added, until all run by the watcher, settle=0", "ms", true, watched),
		one("stopAllProcesses, 1,000", "ms", false, stopAll),
		one("RSS at 0 programs", "MiB", false, func(r *run) (float64, error) { return alone(r, 0) }),
		one("RSS at 0 programs, a minute after the start", "MiB", false, func(r *run) (float64, error) { return alone(r, 2*atRest) }),
		{[]figure{
			{"idle with 1,000 programs, CPU", "ms/s"},
			{"idle with 1,000 programs, wake-ups", "1/s"},
			{"RSS at 1,000 programs, a minute after the start", "MiB"},
		}, false, idle},
		{[]figure{
			{"1,000 TCP probes a second, CPU for 1,000 looks", "ms"},
			{"1,000 TCP probes a second, wake-ups", "1/s"},
			{"1,000 TCP probes a second, threads", ""},
			{"1,000 TCP probes a second, RSS", "MiB"},
		}, true, probed},
	}, logRows()...), eventRows()...)
}

// life is from the start to the end of a daemon with n children.
func life(r *run, n int) ([]float64, error) {
	_, start, err := r.settled(n)
	if err != nil {
		return nil, err
	}
	list, rss, threads := unable, unable, unable
	if r.name != limit {
		if list, err = r.timed("status"); err != nil {
			return nil, err
		}
		if rss, err = r.rss(); err != nil {
			return nil, err
		}
		if threads, err = status(fmt.Sprintf("/proc/%d/status", r.daemon.Pid), "Threads"); err != nil {
			return nil, err
		}
	}
	end, err := r.stop()
	return []float64{start, list, rss, threads, end}, err
}

// timed is how long a command of the daemon's own client takes.
func (r *run) timed(args ...string) (float64, error) {
	begun := now()
	err := r.ctl(args...)
	return took(begun, now()), err
}

// stop is how long the daemon takes to end when told to.
func (r *run) stop() (float64, error) {
	begun := now()
	if err := r.daemon.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	<-r.daemon.ended // or the end of the run kills it
	return took(begun, r.daemon.end), nil
}

func massacre(r *run) (float64, error) {
	const n = 500
	all, _, err := r.settled(n)
	if err != nil {
		return 0, err
	}
	begun := now()
	if err := signal(all, syscall.SIGKILL); err != nil {
		return 0, err
	}
	all, err = r.collect(n)
	_, last := span(all)
	return took(begun, last), err
}

// crashes kills one at a time, with pauses in between that keep no step with a daemon
// that looks at its children by a clock. One that takes long has fewer of them.
func crashes(r *run) ([]float64, error) {
	const n, most, budget = 500, 200, 30 * time.Second
	all, _, err := r.settled(n)
	if err != nil {
		return nil, err
	}
	var late []float64
	pause := time.Duration(0)
	for start := time.Now(); len(late) < most && time.Since(start) < budget; {
		time.Sleep(5*time.Millisecond + rand.N(30*time.Millisecond+pause))
		victim := &all[rand.IntN(n)]
		begun := now()
		if err := syscall.Kill(int(victim.pid), syscall.SIGKILL); err != nil {
			return nil, err
		}
		next, err := r.collect(1)
		if err != nil {
			return nil, err
		}
		*victim = next[0]
		late = append(late, took(begun, victim.time))
		pause = time.Duration(victim.time - begun)
	}
	return []float64{percentile(late, 50), percentile(late, 99)}, nil
}

const added = 100

// addFiles puts program files into a watched directory, as fast as renames are. It
// returns when it began.
func (r *run) addFiles() (begun int64, err error) {
	name := func(dir string, i int) string { return filepath.Join(r.dir, dir, fmt.Sprintf("p%03d.ini", i)) }
	for i := range added {
		if err := os.WriteFile(name("new", i), []byte(r.sleeper(fmt.Sprintf("p%03d", i))), 0o600); err != nil {
			return 0, err
		}
	}
	begun = now()
	for i := range added {
		if err := os.Rename(name("new", i), name("conf.d", i)); err != nil {
			return 0, err
		}
	}
	return begun, nil
}

// included starts a daemon that includes a directory.
func (r *run) included(n int, reconcile string) error {
	for _, dir := range []string{"conf.d", "new"} {
		if err := os.Mkdir(filepath.Join(r.dir, dir), 0o700); err != nil {
			return err
		}
	}
	return r.begin(descriptors(n), reconcile, "[include]\nfiles=conf.d/*.ini\n")
}

func updated(r *run) (float64, error) {
	if r.name == limit {
		_, ms, err := r.many(added)
		return ms, err
	}
	if err := r.included(added, "autoupdate=false"); err != nil {
		return 0, err
	}
	if err := r.running(0); err != nil {
		return 0, err
	}
	if _, err := r.addFiles(); err != nil {
		return 0, err
	}
	begun := now()
	if err := r.ctl("update"); err != nil {
		return 0, err
	}
	all, err := r.collect(added)
	_, last := span(all)
	return took(begun, last), err
}

func watched(r *run) (float64, error) {
	if r.name == limit {
		return updated(r)
	}
	if err := r.included(added, "settle=0"); err != nil {
		return 0, err
	}
	if err := r.running(0); err != nil {
		return 0, err
	}
	if watches, err := r.watches(); err != nil || !watches {
		return unable, err
	}
	begun, err := r.addFiles()
	if err != nil {
		return 0, err
	}
	all, err := r.collect(added)
	_, last := span(all)
	return took(begun, last), err
}

// watches reports whether the daemon acts on files by itself.
func (r *run) watches() (bool, error) {
	_, err := r.client.ReconcileState(r)
	if client.HasCode(err, client.FaultUnknownMethod) {
		return false, nil
	}
	return err == nil, err
}

func stopAll(r *run) (float64, error) {
	if _, _, err := r.settled(1000); err != nil {
		return 0, err
	}
	begun := now()
	_, err := r.client.StopAll(r)
	return took(begun, now()), err
}

// alone is what a daemon with no programs takes this long after its start.
func alone(r *run, after time.Duration) (float64, error) {
	if err := r.begin(descriptors(0), "", ""); err != nil {
		return 0, err
	}
	if err := r.running(0); err != nil {
		return 0, err
	}
	if err := r.pause(after); err != nil {
		return 0, err
	}
	return r.rss()
}

func idle(r *run) ([]float64, error) {
	if _, _, err := r.settled(1000); err != nil {
		return nil, err
	}
	// What a daemon does once, some time after its start, is not what it uses at rest.
	if err := r.pause(atRest); err != nil {
		return nil, err
	}
	ms, wakeups, err := r.rest()
	if err != nil {
		return nil, err
	}
	rss, err := r.rss()
	return []float64{ms, wakeups, rss}, err
}

// pause waits, unless the run is over before.
func (r *run) pause(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-r.Done():
		return context.Cause(r)
	}
}

// atRest is for how long a daemon is watched that has little to do.
const atRest = 30 * time.Second

// rest is what the daemon uses a second while nothing happens: milliseconds of
// processor time, and how often a thread of its wakes up.
func (r *run) rest() (ms, wakes float64, err error) {
	pid := r.daemon.Pid
	before, err := cpu(pid)
	if err != nil {
		return 0, 0, err
	}
	waits, err := wakeups(pid)
	if err != nil {
		return 0, 0, err
	}
	if err := r.pause(atRest); err != nil {
		return 0, 0, err
	}
	after, err := cpu(pid)
	if err != nil {
		return 0, 0, err
	}
	more, err := wakeups(pid)
	return took(int64(before), int64(after)) / atRest.Seconds(), (more - waits) / atRest.Seconds(), err
}
