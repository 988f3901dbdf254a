package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"syscall"
)

// sizeRows are what a life costs with more and more programs, each in a file of its own.
func sizeRows() []row {
	var all []row
	for _, n := range []int{10, 100, 1000, largest(10_000)} {
		size := ", " + number(float64(n)) + " programs"
		all = append(all, row{[]figure{
			{"exec to all running" + size, "ms"},
			{"supervisorctl status" + size, "ms"},
			{"one file changed, until its program runs by the watcher, settle=0" + size, "ms"},
			{"one file changed, `update`, until its program runs" + size, "ms"},
			{"RSS per program" + size, "KiB"},
			{"idle, CPU" + size, "ms/s"},
			{"SIGTERM to the end" + size, "ms"},
		}, true, func(r *run) ([]float64, error) { return sized(r, n) }})
	}
	return all
}

func sized(r *run, n int) ([]float64, error) {
	if r.name == limit {
		_, start, err := r.settled(n)
		if err != nil {
			return nil, err
		}
		end, err := r.stop()
		return []float64{start, unable, unable, unable, unable, unable, end}, err
	}
	if err := os.Mkdir(filepath.Join(r.dir, "conf.d"), 0o700); err != nil {
		return nil, err
	}
	name := func(i int) string { return fmt.Sprintf("p%05d", i) }
	write := func(i int, more string) error {
		fresh := filepath.Join(r.dir, "fresh")
		return errors.Join(os.WriteFile(fresh, []byte(r.sleeper(name(i))+more), 0o600),
			os.Rename(fresh, filepath.Join(r.dir, "conf.d", name(i)+".ini")))
	}
	for i := range n {
		if err := write(i, ""); err != nil {
			return nil, err
		}
	}
	if err := r.begin(descriptors(n), "settle=0", "[include]\nfiles=conf.d/*.ini\n"); err != nil {
		return nil, err
	}
	all, err := r.collect(n)
	if err != nil {
		return nil, err
	}
	_, last := span(all)
	start := took(r.daemon.begun, last)
	if err := r.running(n); err != nil {
		return nil, err
	}
	list, err := r.timed("status")
	if err != nil {
		return nil, err
	}

	// One file says something else, first to a daemon that watches, then to one that is told.
	changed := func(i int, tell func() error) (float64, error) {
		begun := now()
		if err := errors.Join(write(i, "environment=A=\"1\"\n"), tell()); err != nil {
			return 0, err
		}
		one, err := r.collect(1)
		if err != nil {
			return 0, err
		}
		return took(begun, one[0].time), r.running(n)
	}
	watch := unable
	watches, err := r.watches()
	if err == nil && watches {
		if watch, err = changed(n/2, func() error { return nil }); err == nil {
			err = r.client.SetAutoupdate(r, false)
		}
	}
	if err != nil {
		return nil, err
	}
	update, err := changed(n/3, func() error { return r.ctl("update") })
	if err != nil {
		return nil, err
	}
	rss, err := r.rss()
	if err != nil {
		return nil, err
	}
	rest, _, err := r.rest()
	if err != nil {
		return nil, err
	}
	end, err := r.stop()
	return []float64{start, list, watch, update, 1024 * rss / float64(n), rest, end}, err
}

// largest is n, or as many programs as the limit of descriptors allows, which it
// raises if it may.
func largest(n int) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return n // a daemon will say what it lacks
	}
	wanted := syscall.Rlimit{Cur: limit.Cur, Max: max(limit.Max, uint64(descriptors(n)))}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &wanted); err == nil {
		return n
	}
	return sort.Search(n, func(i int) bool { return uint64(descriptors(i+1)) > limit.Max })
}
