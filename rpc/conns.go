package rpc

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// conns are the connections of one HTTP server. A limit keeps strangers from using up
// the daemon's file descriptors: a connection beyond it displaces the one that
// has waited longest without being answered, whether it is idle or still
// sending its request; connections that are being answered are never displaced.
type conns struct {
	limit int

	mu         sync.Mutex // guards everything below
	all        map[net.Conn]*conn
	unfinished int
	idle       chan struct{} // closed when unfinished falls to 0; nil when nobody waits
}

// conn is the state of one connection.
type conn struct {
	net        net.Conn
	owner      bool      // it is the daemon's own user, or root, over a unix socket
	serving    bool      // it is being answered, and cannot be displaced
	unfinished bool      // the end of its reply has not been written
	refused    bool      // all others were being answered
	displaced  bool      // another one took its place, and it was closed
	since      time.Time // when it was accepted or last answered
}

type connKey struct{}

func newConns(limit int) *conns { return &conns{limit: limit, all: make(map[net.Conn]*conn)} }

// add counts a new connection. Beyond the limit it displaces another; where all
// others are being answered it is marked as refused, and its first request is
// answered with 503.
func (cs *conns) add(nc net.Conn) *conn {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := &conn{net: nc, since: time.Now()}
	if len(cs.all) >= cs.limit {
		if oldest := cs.oldest(); oldest != nil {
			oldest.displaced = true
			cs.finished(oldest)
			delete(cs.all, oldest.net)
			closeNow(oldest.net)
		}
		c.refused = len(cs.all) >= cs.limit
	}
	cs.all[nc] = c
	return c
}

// closeNow closes a connection without TLS's close_notify alert, the write of which
// waits up to five seconds for a client that does not read.
func closeNow(nc net.Conn) {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	nc.Close()
}

// oldest is the connection that can best be spared, or nil.
func (cs *conns) oldest() *conn {
	var found *conn
	for _, c := range cs.all {
		if !c.serving && (found == nil || c.since.Before(found.since)) {
			found = c
		}
	}
	return found
}

// connState is http.Server's ConnState hook. Only when a connection is idle again,
// or closed, has the end of a chunked reply been written.
func (cs *conns) connState(nc net.Conn, state http.ConnState) {
	if state != http.StateIdle && state != http.StateClosed && state != http.StateHijacked {
		return
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c := cs.all[nc]; c != nil {
		cs.finished(c)
	}
	if state != http.StateIdle {
		delete(cs.all, nc)
	}
}

// begin marks a connection as being answered until end is called. ok is false
// for one beyond the limit, or displaced.
func (cs *conns) begin(c *conn) (end func(), ok bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.serve(c)
	return func() {
		cs.mu.Lock()
		defer cs.mu.Unlock()
		c.serving = false
		c.since = time.Now()
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
	if cs.unfinished--; cs.unfinished == 0 && cs.idle != nil {
		close(cs.idle)
		cs.idle = nil
	}
}

// drain waits until every reply has been written, or for the time given.
func (cs *conns) drain(timeout time.Duration) {
	cs.mu.Lock()
	if cs.unfinished == 0 {
		cs.mu.Unlock()
		return
	}
	if cs.idle == nil {
		cs.idle = make(chan struct{})
	}
	idle := cs.idle
	cs.mu.Unlock()
	select {
	case <-idle:
	case <-time.After(timeout):
	}
}
