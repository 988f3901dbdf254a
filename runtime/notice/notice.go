// Package notice wakes those who wait for a change. Telling costs next to nothing
// while nobody waits, and never blocks; what changed, the waiter looks up.
package notice

import "sync"

// Notice is one thing that may change. The zero value is ready for use, from any
// goroutine.
type Notice struct {
	mu   sync.Mutex
	next chan struct{} // closed at the next change; nil while nobody waits
}

// Next is closed at the first change after the call. To miss no change, call it before
// looking at the state.
func (n *Notice) Next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next == nil {
		n.next = make(chan struct{})
	}
	return n.next
}

// Tell says that there was a change.
func (n *Notice) Tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next != nil {
		close(n.next)
		n.next = nil
	}
}
