package rpc

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// conns are the connections of one HTTP server. A limit keeps strangers from using up
// the daemon's file descriptors: a connection beyond it displaces the one that has gone
// longest without an answer, whether it is idle, still sending its request, or not
// reading its reply; others that are being answered are never displaced.
//
// Long requests, which are log streams and calls that wait for a process, may use
// three quarters of the connections: streams half, those of one client a quarter,
// waiting calls of one client half. So there is always room for a short request. On
// a unix socket an eighth of all of these is reserved for its owner.
type conns struct {
	limit int
	kept  int // places that are the owner's alone

	mu         sync.Mutex // guards everything below
	all        map[net.Conn]*conn
	strangers  int // in all, those that are not the owner's
	lasting    map[lasting]int
	unfinished int
	oneShot    bool          // each is closed when its reply has been written
	changed    chan struct{} // closed when a connection or a lasting request goes or comes, or a reply ends; nil when nobody waits
}

// conn is the state of one connection.
type conn struct {
	net        net.Conn
	client     string                  // the uid or the address of the other end
	owner      bool                    // it is the daemon's own user, or root, over a unix socket
	serving    bool                    // it is being answered, and cannot be displaced
	lasts      lastKind                // of the request that is being answered
	interrupt  context.CancelCauseFunc // ends the context of that request
	unfinished bool                    // the end of its reply has not been written
	refused    bool                    // all others were being answered
	displaced  bool                    // another one took its place, and it was closed
	since      time.Time               // when it was accepted or last answered
	sending    time.Time               // when its reply began; zero when none has, and for streams
}

// lastKind is the kind of a long request.
type lastKind uint8

const (
	short     lastKind = iota
	streaming          // a log is followed
	waiting            // for a process or for the configuration
)

// lasting is the key by which long requests are counted.
type lasting struct {
	kind   lastKind
	client string // "" counts those of all
}

// mayStall is how long a client may leave its reply unread before it can be
// displaced.
const mayStall = 5 * time.Second

type connKey struct{}

func newConns(limit int) *conns {
	return &conns{limit: limit, all: make(map[net.Conn]*conn), lasting: make(map[lasting]int)}
}

// add counts a new connection. Beyond the limit it displaces another; if all
// others are being answered it is marked as refused, and its first request is
// answered with 503.
func (cs *conns) add(nc net.Conn) *conn {
	client, owner := identify(nc)
	c := &conn{net: nc, client: client, owner: owner, since: time.Now()}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if !cs.hasRoom(c) {
		if oldest := cs.oldest(c); oldest != nil {
			oldest.displaced = true
			cs.finished(oldest)
			cs.remove(oldest)
			closeNow(oldest.net)
		}
		c.refused = !cs.hasRoom(c)
	}
	cs.all[nc] = c
	if !c.owner {
		cs.strangers++
	}
	return c
}

// hasRoom reports whether there is a place for a connection. The caller holds the
// mutex, as for the following.
func (cs *conns) hasRoom(c *conn) bool {
	return len(cs.all) < cs.limit && (c.owner || cs.strangers < cs.limit-cs.kept)
}

func (cs *conns) remove(c *conn) {
	delete(cs.all, c.net)
	cs.change()
	if !c.owner {
		cs.strangers--
	}
}

// oldest is the connection to displace for another, or nil. A stranger never
// displaces the owner.
func (cs *conns) oldest(other *conn) *conn {
	var found *conn
	for _, c := range cs.all {
		if c.owner && !other.owner || c.serving && (c.sending.IsZero() || time.Since(c.sending) < mayStall) {
			continue
		}
		if found == nil || c.since.Before(found.since) {
			found = c
		}
	}
	return found
}

// last counts the current request as a long one. It returns false if there are
// too many.
func (cs *conns) last(c *conn, kind lastKind) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c.lasts != short {
		return true
	}
	streams, waits := cs.lasting[lasting{streaming, ""}], cs.lasting[lasting{waiting, ""}]
	ofClient := cs.lasting[lasting{kind, c.client}]
	places := func(eighths int) int { // that this client may find taken
		n := share(cs.limit, eighths)
		if cs.kept > 0 && !c.owner {
			n -= (n + 7) / 8
		}
		return n
	}
	switch {
	case streams+waits >= places(6),
		kind == streaming && (streams >= places(4) || ofClient >= share(cs.limit, 2)),
		kind == waiting && ofClient >= share(cs.limit, 4):
		return false
	}
	c.lasts = kind
	cs.count(c, 1)
	return true
}

// share is so many eighths of the limit, and one at least.
func share(limit, eighths int) int { return max(limit*eighths/8, 1) }

// count adds n to the requests that last.
func (cs *conns) count(c *conn, n int) {
	cs.change()
	for _, key := range []lasting{{c.lasts, ""}, {c.lasts, c.client}} {
		if cs.lasting[key] += n; cs.lasting[key] == 0 {
			delete(cs.lasting, key)
		}
	}
}

// replying notes that a reply begins, which the client must read.
func (cs *conns) replying(c *conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c.lasts != streaming {
		c.sending = time.Now()
	}
}

// closeNow closes a connection without TLS's close_notify alert, the write of which
// waits up to five seconds for a client that does not read.
func closeNow(nc net.Conn) {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	nc.Close()
}

// closeUnserved closes every connection that is not being answered.
func (cs *conns) closeUnserved() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, c := range cs.all {
		if !c.serving {
			closeNow(c.net)
		}
	}
}

// setOneShot says whether a connection is closed when its reply has been written.
func (cs *conns) setOneShot(on bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.oneShot = on
}

// connState is http.Server's ConnState hook. Only when a connection is idle again,
// or closed, has the end of a chunked reply been written.
func (cs *conns) connState(nc net.Conn, state http.ConnState) {
	if state != http.StateIdle && state != http.StateClosed && state != http.StateHijacked {
		return
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.all[nc]
	if c == nil {
		return
	}
	cs.finished(c)
	switch {
	case state != http.StateIdle:
		cs.remove(c)
	case cs.oneShot:
		closeNow(nc)
	}
}

// tellWaiting ends the contexts of the requests that wait.
func (cs *conns) tellWaiting(cause error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, c := range cs.all {
		if c.lasts == waiting {
			c.interrupt(cause)
		}
	}
}

// begin marks a connection as being answered until end is called; the request is to go by
// the context. ok is false for one beyond the limit, or displaced.
func (cs *conns) begin(ctx context.Context, c *conn) (request context.Context, end func(), ok bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.serve(c)
	request, c.interrupt = context.WithCancelCause(ctx)
	return request, func() {
		cs.mu.Lock()
		defer cs.mu.Unlock()
		c.interrupt(nil)
		c.serving = false
		c.since = time.Now()
		c.sending = time.Time{}
		if c.lasts != short {
			cs.count(c, -1)
			c.lasts = short
		}
	}, !c.refused && !c.displaced
}

// receiving runs read, which waits for the rest of the request. Meanwhile the
// connection is not being answered; if it was displaced, that is net.ErrClosed.
func (cs *conns) receiving(c *conn, read func() error) error {
	cs.mu.Lock()
	c.serving = false
	cs.finished(c)
	cs.mu.Unlock()
	err := read()
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.serve(c)
	if c.displaced {
		return net.ErrClosed
	}
	return err
}

// serve notes that a connection is being answered, unless it was displaced. The
// caller holds the mutex.
func (cs *conns) serve(c *conn) {
	if c.displaced {
		return
	}
	c.serving = true
	if !c.unfinished {
		c.unfinished = true
		cs.unfinished++
	}
}

// finished notes that nothing of a reply remains to be written. The caller holds
// the mutex.
func (cs *conns) finished(c *conn) {
	if !c.unfinished {
		return
	}
	c.unfinished = false
	cs.unfinished--
	cs.change()
}

// drain waits until every reply has been written, or for the time given.
func (cs *conns) drain(timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cs.until(ctx, func(cs *conns) bool { return cs.unfinished == 0 })
}

// until waits until holds is true, or ctx ends. holds is called with the mutex held.
func (cs *conns) until(ctx context.Context, holds func(*conns) bool) {
	for {
		cs.mu.Lock()
		if holds(cs) {
			cs.mu.Unlock()
			return
		}
		if cs.changed == nil {
			cs.changed = make(chan struct{})
		}
		changed := cs.changed
		cs.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// change makes until check again. The caller holds the mutex.
func (cs *conns) change() {
	if cs.changed != nil {
		close(cs.changed)
		cs.changed = nil
	}
}
