package event

import "time"

// item is an event in one pool: on its way, in the buffer or with a listener.
type item struct {
	event      *Event
	serial     int64 // the pool's own
	rejections int
	notBefore  time.Time // zero: may be sent at once
}

// keptRing is how long a ring may be that an empty queue keeps.
const keptRing = 1024

// queue is a ring of items that grows as needed and takes items at both ends.
type queue struct {
	ring []item // its length is zero or a power of two
	head int
	n    int
}

func (q *queue) len() int { return q.n }

// front is the oldest item. The queue must not be empty.
func (q *queue) front() *item { return &q.ring[q.head] }

// at is the item that has i in front of it.
func (q *queue) at(i int) *item { return &q.ring[(q.head+i)&(len(q.ring)-1)] }

func (q *queue) pushBack(it item) {
	q.grow()
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = it
	q.n++
}

func (q *queue) pushFront(it item) {
	q.grow()
	q.head = (q.head - 1) & (len(q.ring) - 1)
	q.ring[q.head] = it
	q.n++
}

func (q *queue) popFront() item {
	it := q.ring[q.head]
	q.ring[q.head] = item{} // lets go of the event
	q.head = (q.head + 1) & (len(q.ring) - 1)
	if q.n--; q.n == 0 && len(q.ring) > keptRing {
		q.ring, q.head = nil, 0
	}
	return it
}

func (q *queue) grow() {
	if q.n < len(q.ring) {
		return
	}
	ring := make([]item, max(4, 2*len(q.ring)))
	for i := range q.n {
		ring[i] = q.ring[(q.head+i)&(len(q.ring)-1)]
	}
	q.ring, q.head = ring, 0
}
