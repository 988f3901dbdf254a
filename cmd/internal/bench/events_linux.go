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
		one("PROCESS_LOG of 64 KiB writes, one listener", "MB/s", false, logEvents),
	}
}

// listener is a pool of one that has room for everything, and reports when it has had
// so many events or bytes.
func (r *run) listener(event, unit string, count int) string {
	return r.plays("eventlistener:l", "events="+event+"\nbuffer_size=1000000\nstdout_logfile=NONE", "listen", unit, count)
}

func remote(r *run) (float64, error) {
	const clients, each = 16, 500
	if err := r.begin(descriptors(1), "", r.listener("REMOTE_COMMUNICATION", "events", clients*each)); err != nil {
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
	ms, err := r.delivered(r.listener("PROCESS_COMMUNICATION", "events", count) +
		r.plays("program:p", "stdout_capture_maxbytes=1MB\nstdout_logfile=NONE", "talk", size, count))
	return count / (ms / 1e3), err
}

// logEvents has a child write as fast as it can, all of which becomes events.
func logEvents(r *run) (float64, error) {
	const size, count = 64 << 10, 2000
	ms, err := r.delivered(r.listener("PROCESS_LOG", "bytes", size*count) +
		r.plays("program:p", "stdout_events_enabled=true\nstdout_logfile=NONE", "write", 0, size, count))
	return size * count / 1e6 / (ms / 1e3), err
}

// delivered is how long it takes from a child's first event to its last one's receipt.
func (r *run) delivered(config string) (ms float64, err error) {
	if err := r.begin(descriptors(2), "", config); err != nil {
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
	return took(first, last), err
}
