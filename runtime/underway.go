package runtime

import "sync"

// underway is what is being done outside the loop, and what its results wait for. Any
// goroutine may begin and end something.
type underway struct {
	mu    sync.Mutex     // guards all below; held for a few instructions
	count map[string]int // by what is done
	ended chan struct{}  // closed when the next of them ends; nil while nobody waits for that
}

// begin notes that something is done, until end is called.
func (u *underway) begin(what string) (end func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.count == nil {
		u.count = make(map[string]int)
	}
	u.count[what]++
	return func() { u.end(what) }
}

func (u *underway) end(what string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.count[what]--; u.count[what] == 0 {
		delete(u.count, what)
	}
	if u.ended != nil {
		close(u.ended)
		u.ended = nil
	}
}

// any is one of what is being done, and is closed when one of them has ended. what is ""
// for nothing.
func (u *underway) any() (what string, ended <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for what = range u.count {
		if u.ended == nil {
			u.ended = make(chan struct{})
		}
		return what, u.ended
	}
	return "", nil
}
