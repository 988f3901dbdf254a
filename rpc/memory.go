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
	// smallRequest is how much memory a request may use before it counts as
	// large.
	smallRequest = 1 << 20
	// bodyEighths of the memory are for bodies that are still arriving and longer
	// than shortBody.
	bodyEighths = 2
	shortBody   = 16 << 10
	// turns is how many times its patience a large request waits, for its turn or for room.
	turns = 6
	// worthTidying is how much memory a request must have used for the memory to be
	// returned to the system at its end, instead of being kept for the next one.
	worthTidying = 4 << 20
	// tidyDelay is how long that waits for others to end.
	tidyDelay = 3 * time.Second
)

// memory is the limit for all requests under way together: for their bodies, what
// is decoded from them, and their replies until the clients have read them. A
// request that finds no room queues for a while.
//
// An eighth is reserved for small requests, and another for small ones of the
// owner, so that neither one large reply nor a crowd of strangers keeps the
// owner from a status.
//
// Large requests take turns: each has its turn until its reply is complete or waits for a
// process, so that no two wait for each other's memory. Strangers and the owner take turns
// separately.
type memory struct {
	limit    int64
	patience time.Duration // how long a request waits for room
	inTurns  bool          // large requests grow one after the other
	tidy     func()

	mu      sync.Mutex // guards the following
	used    int64
	turn    map[bool]*account // who may grow, of strangers and of the owner's
	waiting []*claim
	timer   *time.Timer // to tidy; nil when there is nothing to
}

// claim is a request's wait for room.
type claim struct {
	account *account
	n       int64
	granted chan struct{} // closed when it has been
}

// account is the memory that one request uses. A nil account counts nothing and
// never fails. Its methods are called on the goroutine of the request.
type account struct {
	memory *memory
	owner  bool // it is the daemon's own user, or root, over a unix socket

	taken, most int64
	files       []io.Closer // open as long as the reply is under way
}

func newMemory(limit int64, patience time.Duration) *memory {
	return &memory{limit: limit, patience: patience, tidy: freeMemory, turn: make(map[bool]*account)}
}

// newMemories divides the memory: requests has the larger part, bodies the part for long
// bodies that are still arriving, so that slow clients delay nobody else.
func newMemories(limit int64, patience time.Duration) (requests, bodies *memory) {
	share := limit / 8 * bodyEighths
	requests, bodies = newMemory(limit-share, patience), newMemory(share, patience)
	requests.inTurns = true
	return requests, bodies
}

// freeMemory returns unused memory to the system. What a pool holds is unused
// from the second collection on.
func freeMemory() {
	runtime.GC()
	debug.FreeOSMemory()
}

// memoryError is why a request cannot have the memory that it needs.
type memoryError struct{ text string }

func (e *memoryError) Error() string { return e.text }

// errNoRoom means that others use it.
var errNoRoom = &memoryError{"other requests use all the memory for requests and replies (reply_memory)"}

type accountKey struct{}

// accountOf is the account of the request that ctx belongs to, nil if it has none.
func accountOf(ctx context.Context) *account {
	a, _ := ctx.Value(accountKey{}).(*account)
	return a
}

// take claims n more bytes. It waits while others use them. The error is
// a *memoryError, or that of ctx.
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
	case m.free(a, n, share):
		m.grant(a, n)
		m.mu.Unlock()
		return nil
	}
	c := &claim{a, n, make(chan struct{})}
	wait := m.patience
	if m.isLarge(a, n) {
		wait *= turns // also for room: whoever had the turn before may still be sending
	}
	m.waiting = append(m.waiting, c)
	m.admit()
	m.mu.Unlock()
	patience := time.NewTimer(wait)
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

// free reports whether n more bytes are free and nobody is waiting who comes first.
// The caller holds the mutex, as for the methods below.
func (m *memory) free(a *account, n, share int64) bool {
	first := len(m.waiting) == 0 || m.turn[a.owner] == a
	return first && m.used+n <= share && m.hasTurn(a, n)
}

// hasTurn reports whether it is the account's turn to grow by n bytes.
func (m *memory) hasTurn(a *account, n int64) bool {
	turn := m.turn[a.owner]
	return !m.isLarge(a, n) || turn == nil || turn == a
}

// isLarge reports whether n more bytes make it a large request, which needs
// a turn.
func (m *memory) isLarge(a *account, n int64) bool { return m.inTurns && a.taken+n > smallRequest }

// share is how much all requests may use together when this one claims n
// more.
func (m *memory) share(a *account, n int64) int64 {
	switch {
	case m.isLarge(a, n):
		return m.limit / 8 * 6
	case !a.owner:
		return m.limit / 8 * 7
	}
	return m.limit
}

// longestBody is the longest body that the sender of a may send. While it arrives,
// the memory also holds what has arrived before.
func (m *memory) longestBody(a *account) int64 {
	return m.share(&account{memory: m, owner: a.owner}, 0) - smallRequest/4
}

// grant adds n bytes to an account.
func (m *memory) grant(a *account, n int64) {
	if m.isLarge(a, n) {
		m.turn[a.owner] = a
	}
	m.used += n
	a.taken += n
	a.most = max(a.most, a.taken)
}

// admit grants what there is room for, in order. One that must wait for room holds up
// those behind it that may take no more than it; one that waits for its turn does not.
func (m *memory) admit() {
	blocked := int64(0)
	m.waiting = slices.DeleteFunc(m.waiting, func(c *claim) bool {
		if !m.hasTurn(c.account, c.n) {
			return false
		}
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

// giveBack releases n bytes.
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

// complete ends the turn of a large request: its reply is complete, or does not grow
// until something it waits for has happened. If it grows then, it needs another turn.
func (a *account) complete() {
	if a == nil {
		return
	}
	m := a.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.turn[a.owner] == a {
		delete(m.turn, a.owner)
		m.admit()
	}
}

// closeAtEnd keeps a file open until the request has been answered.
func (a *account) closeAtEnd(f io.Closer) {
	if a != nil {
		a.files = append(a.files, f)
	}
}

// closeNow closes a file of which no more is needed before the end.
func (a *account) closeNow(f io.Closer) {
	if a != nil {
		a.files = slices.DeleteFunc(a.files, func(kept io.Closer) bool { return kept == f })
	}
	f.Close()
}

// end is called when the request has been answered. After a large one, memory is
// returned to the system, on a separate goroutine.
func (a *account) end() {
	for _, f := range a.files {
		f.Close()
	}
	a.complete()
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

// memoryFault is the fault for a *memoryError, nil for any other error.
func memoryFault(err error) *xmlrpc.Fault {
	var want *memoryError
	if errors.As(err, &want) {
		return faultWith(xmlrpc.Failed, want.text)
	}
	return nil
}
