package mainlog

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"supervisord/runtime/logfile"
)

// queueLimit is how many bytes may wait for one output.
const queueLimit = 4 << 20

// output is a place where records go, with its queue and its goroutine.
type output struct {
	log    *logfile.Writer
	syslog bool // each line is a message of its own
	limit  int

	wake chan struct{} // one token: there is something new below
	done chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex
	queue   []item
	queued  int // bytes
	dropped int // records, since it was last said
	closed  bool
}

// item is a record, or a mark that is closed once all before it is written.
type item struct {
	record
	mark chan struct{}
}

func newOutput(log *logfile.Writer, syslog bool) *output {
	o := &output{
		log: log, syslog: syslog, limit: queueLimit,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go o.run()
	return o
}

// put queues a record, if there is room. The last quarter of the queue is kept
// for what is not minor, so that a flood of debug lines costs no others. Once
// something was dropped, what is minor waits until half of the queue is written,
// so that what is said of it is one line and not every other line. It never
// waits.
func (o *output) put(r record) {
	o.mu.Lock()
	defer o.mu.Unlock()
	limit := o.limit
	switch {
	case r.minor && o.dropped > 0:
		limit /= 2
	case r.minor:
		limit -= limit / 4
	}
	if o.closed || o.queued+r.size() > limit {
		o.dropped++
		return
	}
	if o.queued <= o.limit/2 {
		o.sayDropped()
	}
	o.add(r)
}

// sayDropped queues a record in place of those that were dropped. o.mu is held.
func (o *output) sayDropped() {
	if o.dropped > 0 {
		o.add(newRecord(time.Now(), LevelWarn,
			fmt.Sprintf("%d log messages dropped because they could not be written fast enough", o.dropped)))
		o.dropped = 0
	}
}

func (o *output) add(r record) {
	o.queue = append(o.queue, item{record: r})
	o.queued += r.size()
	o.poke()
}

// poke makes the goroutine look at the queue.
func (o *output) poke() {
	select {
	case o.wake <- struct{}{}:
	default: // it is about to
	}
}

// run writes until the queue is closed and empty.
func (o *output) run() {
	defer close(o.done)
	for range o.wake {
		items, last := o.take()
		for _, it := range items {
			if it.mark != nil {
				close(it.mark)
				continue
			}
			o.write(it.record)
			o.written(it.record)
		}
		if last {
			return
		}
	}
}

// written gives back the room that a record took.
func (o *output) written(r record) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queued -= r.size()
	if o.queued == 0 {
		o.sayDropped() // since nothing else may come for a while
	}
}

// take takes the queue. What is taken still counts as queued until it is written.
func (o *output) take() (items []item, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	items, o.queue = o.queue, nil
	return items, o.closed
}

func (o *output) write(r record) {
	if !o.syslog {
		o.log.Write(r.line())
		return
	}
	for line := range strings.SplitSeq(strings.TrimRight(r.text, "\n"), "\n") {
		o.log.Write(record{prefix: r.prefix, text: line}.line())
	}
}

// flush waits until all that is queued has been written, or for so long.
func (o *output) flush(d time.Duration) {
	mark := make(chan struct{})
	o.mu.Lock()
	o.sayDropped()
	o.queue = append(o.queue, item{mark: mark})
	o.poke()
	o.mu.Unlock()
	select {
	case <-mark:
	case <-o.done:
	case <-time.After(d):
	}
}

// close writes what is queued and closes. It waits for a target that takes
// nothing only for so long, and less once giveUp is closed.
func (o *output) close(d time.Duration, giveUp <-chan struct{}) error {
	o.mu.Lock()
	o.sayDropped()
	o.closed = true
	o.poke()
	o.mu.Unlock()
	o.log.SetDeadline(time.Now().Add(d))
	closed := make(chan error, 1)
	go func() { // ends with what is queued; a disk that hangs keeps it
		<-o.done
		closed <- o.log.Close()
	}()
	limit := time.NewTimer(d + lastMoment)
	defer limit.Stop()
	for {
		select {
		case err := <-closed:
			return err
		case <-limit.C:
			return logfile.ErrStalled
		case <-giveUp:
			giveUp = nil
			o.log.SetDeadline(time.Now())
			limit.Reset(lastMoment)
		}
	}
}
