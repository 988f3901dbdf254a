package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"supervisord/rpc/xmlrpc"
)

const (
	// smallRequest is what a request may take before it counts as a large one.
	smallRequest = 1 << 20
	// worthTidying is what a request must have taken for the memory to be given back
	// to the system when it has ended, instead of being kept for the next.
	worthTidying = 4 << 20
	// tidyDelay is how long that waits for others to end.
	tidyDelay = 3 * time.Second
)

// memory is what all requests that are under way may take together: for their
// bodies, for what is made of these, and for their replies until the clients have
// taken them. What finds no room waits in order, for a while.
//
// An eighth is kept for small requests, and another for those of the owner, so
// that neither one large reply nor a crowd of strangers keeps him from a status.
type memory struct {
	limit    int64
	patience time.Duration // how long a request waits for room
	tidy     func()

	mu      sync.Mutex // guards the following
	used    int64
	waiting []*claim
	timer   *time.Timer // to tidy; nil when there is nothing to
}

// claim is a request's wait for room.
type claim struct {
	account *account
	n       int64
	granted chan struct{} // closed when it has been
}

// account is what one request has taken. A nil account takes nothing and is refused
// nothing. Its methods are called from the goroutine of the request.
type account struct {
	memory *memory
	owner  bool // it is the daemon's own user, or root, over a unix socket

	taken, most int64
	files       []io.Closer // open as long as the reply is under way
}

func newMemory(limit int64, patience time.Duration) *memory {
	return &memory{limit: limit, patience: patience, tidy: freeMemory}
}

// freeMemory gives what is unused back to the system. What a pool holds is unused
// from the second collection on.
func freeMemory() {
	runtime.GC()
	debug.FreeOSMemory()
}

// memoryError is why a request cannot have the memory that it needs.
type memoryError struct{ text string }

func (e *memoryError) Error() string { return e.text }

// errNoRoom says that others have it.
var errNoRoom = &memoryError{"other requests have taken the memory that there is for requests and replies (reply_memory)"}

type accountKey struct{}

// accountOf is the account of the request that ctx belongs to, nil if it has none.
func accountOf(ctx context.Context) *account {
	a, _ := ctx.Value(accountKey{}).(*account)
	return a
}

// take has n more bytes. It waits while others have them. The error is a
// *memoryError, or that of ctx.
func (a *account) take(ctx context.Context, n int64) error {
	if a == nil || n <= 0 {
		return nil
	}
	m := a.memory
	m.mu.Lock()
	share := m.share(a, n)
	switch {
	case a.taken+n > share:
		m.mu.Unlock()
		return &memoryError{fmt.Sprintf("the request and its reply need more than %d bytes (reply_memory)", share)}
	case len(m.waiting) == 0 && m.used+n <= share:
		m.grant(a, n)
		m.mu.Unlock()
		return nil
	}
	c := &claim{a, n, make(chan struct{})}
	m.waiting = append(m.waiting, c)
	m.admit()
	m.mu.Unlock()
	patience := time.NewTimer(m.patience)
	defer patience.Stop()
	err := error(errNoRoom)
	select {
	case <-c.granted:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-patience.C:
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.waiting, c)
	if i < 0 {
		return nil // it was granted at the last moment
	}
	m.waiting = slices.Delete(m.waiting, i, i+1)
	m.admit() // those behind may ask for less
	return err
}

// share is how much may be taken by all when this request takes n more.
func (m *memory) share(a *account, n int64) int64 {
	switch {
	case a.taken+n > smallRequest:
		return m.limit / 8 * 6
	case !a.owner:
		return m.limit / 8 * 7
	}
	return m.limit
}

// grant notes what an account has taken. The caller holds the mutex.
func (m *memory) grant(a *account, n int64) {
	m.used += n
	a.taken += n
	a.most = max(a.most, a.taken)
}

// admit grants what there is room for, in order. One that must wait holds up those
// behind it that may take no more than it. The caller holds the mutex.
func (m *memory) admit() {
	blocked := int64(0)
	m.waiting = slices.DeleteFunc(m.waiting, func(c *claim) bool {
		share := m.share(c.account, c.n)
		if share <= blocked || m.used+c.n > share {
			blocked = max(blocked, share)
			return false
		}
		m.grant(c.account, c.n)
		close(c.granted)
		return true
	})
}

// giveBack ends the taking of n bytes.
func (a *account) giveBack(n int64) {
	if a == nil || n <= 0 {
		return
	}
	m := a.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	a.taken -= n
	m.used -= n
	m.admit()
}

// closeAtEnd keeps a file open until the request has been answered.
func (a *account) closeAtEnd(f io.Closer) {
	if a != nil {
		a.files = append(a.files, f)
	}
}

// end is called when the request has been answered. After a large one the memory is
// given back to the system, by a goroutine of its own.
func (a *account) end() {
	for _, f := range a.files {
		f.Close()
	}
	a.giveBack(a.taken)
	if a.most < worthTidying {
		return
	}
	m := a.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.timer != nil {
		return
	}
	m.timer = time.AfterFunc(tidyDelay, func() {
		m.mu.Lock()
		m.timer = nil
		m.mu.Unlock()
		m.tidy()
	})
}

// memoryFault is the fault for a want of memory, nil for another error.
func memoryFault(err error) *xmlrpc.Fault {
	var want *memoryError
	if errors.As(err, &want) {
		return faultWith(xmlrpc.Failed, want.text)
	}
	return nil
}
