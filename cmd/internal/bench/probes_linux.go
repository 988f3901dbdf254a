package main

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
)

// probed is what it costs to look at a thousand programs once a second, each by a TCP
// connection. The limit is a loop that makes the same connections.
//
// The kernel shakes hands with itself while one side of it asks for a connection, so the
// work of both sides is in the figure of who looks, and is most of the limit's.
func probed(r *run) ([]float64, error) {
	const n = 1000
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	var looks atomic.Int64
	go func() { // ends with the listener
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if looks.Add(1); err == nil {
				conn.Close()
			}
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	switch r.name {
	case limit:
		if r.daemon, err = r.start(r.command(r.child, "look", r.told.path, fmt.Sprint(port), fmt.Sprint(n))); err != nil {
			return nil, err
		}
	case debian:
		return []float64{unable, unable, unable, unable}, nil
	default:
		if _, _, err := r.manyWith(n, fmt.Sprintf("health=tcp:%d\nhealth_interval=1s", port)); err != nil {
			return nil, err
		}
	}
	// Let what starting has cost pass.
	if err := r.until("all to be looked at", func() (bool, error) { return looks.Load() >= 5*n, nil }); err != nil {
		return nil, err
	}
	before := looks.Load()
	ms, wakes, err := r.rest()
	if err != nil {
		return nil, err
	}
	all := float64(looks.Load()-before) / atRest.Seconds()
	if all < 0.9*n {
		return nil, fmt.Errorf("%.0f looks a second, in the place of %d", all, n)
	}
	threads, err := status(fmt.Sprintf("/proc/%d/status", r.daemon.Pid), "Threads")
	if err != nil {
		return nil, err
	}
	rss, err := r.rss()
	return []float64{ms / all * 1000, wakes, threads, rss}, err
}
