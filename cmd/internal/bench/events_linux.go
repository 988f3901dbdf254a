package main

import (
	"fmt"
	"sync"
	"syscall"
)

// eventRows measure events from their origin to one listener's report of the last.
func eventRows() []row {
	return []row{
		one("sendRemoteCommEvent by 16 clients, delivered", "1/s", false, remote),
		one("PROCESS_COMMUNICATION of 200 bytes, one listener", "1/s", true, communication),
	}
}

// listener is a pool of one that has room for everything.
func (r *run) listener(event string, count int) string {
	return r.plays("eventlistener:l", "events="+event+"\nbuffer_size=1000000\nstdout_logfile=NONE", "listen", count)
}

func remote(r *run) (float64, error) {
	const clients, each = 16, 500
	if err := r.begin(descriptors(1), "", r.listener("REMOTE_COMMUNICATION", clients*each)); err != nil {
		return 0, err
	}
	if err := r.running(1); err != nil {
		return 0, err
	}
	var asks []func() error
	for range clients {
		ask, err := r.kept("sendRemoteCommEvent", "<param><value><string>t</string></value></param><param><value><string>twelve bytes</string></value></param>")
		if err != nil {
			return 0, err
		}
		asks = append(asks, ask)
	}
	begun := now()
	var all sync.WaitGroup
	for _, ask := range asks {
		all.Go(func() {
			for range each {
				if err := ask(); err != nil {
					r.end(err)
					return
				}
			}
		})
	}
	all.Wait()
	last, err := r.collect(1)
	if err != nil {
		return 0, err
	}
	return clients * each / (took(begun, last[0].time) / 1e3), nil
}

// communication has a child write events one by one. The limit feeds the same
// listener over two pipes.
func communication(r *run) (float64, error) {
	const count, size = 20_000, 200
	if r.name == limit {
		if _, err := r.start(r.command(r.child, "feed", r.told.path, fmt.Sprint(size), fmt.Sprint(count))); err != nil {
			return 0, err
		}
		all, err := r.collect(2)
		first, last := span(all)
		return count / (took(first, last) / 1e3), err
	}
	if err := r.begin(descriptors(2), "", r.listener("PROCESS_COMMUNICATION", count)+
		r.plays("program:p", "stdout_capture_maxbytes=1MB\nstdout_logfile=NONE", "talk", size, count)); err != nil {
		return 0, err
	}
	if err := r.running(2); err != nil {
		return 0, err
	}
	ready, err := r.collect(1)
	if err != nil {
		return 0, err
	}
	if err := signal(ready, syscall.SIGUSR1); err != nil {
		return 0, err
	}
	all, err := r.collect(3) // the child's at its begin and its end, the listener's
	first, last := span(all)
	return count / (took(first, last) / 1e3), err
}
