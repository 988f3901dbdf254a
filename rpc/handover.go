package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"supervisord/runtime/state"
	"supervisord/runtime/trust"
	"supervisord/spec"
)

// Handover is what a Server hands over to the next one, in this process or in the
// program that it executes: its sockets, the connections that are between two
// requests, and those that follow a log. None of these clients notices anything. It is
// plain data except for the open files.
type Handover struct {
	Sockets []HandedSocket `json:"sockets"`
	Conns   []HandedConn   `json:"connections"`
}

// HandedSocket is a listening socket.
type HandedSocket struct {
	Server       spec.Server `json:"server"` // what it was opened for
	trust.FileID             // of a unix socket's file, by which it is known to be ours
	File         *os.File    `json:"-"`
}

// HandedConn is a connection.
type HandedConn struct {
	Section string        `json:"section"`          // of the server that accepted it
	Stream  *HandedStream `json:"stream,omitempty"` // the log that its client follows; nil between two requests
	File    *os.File      `json:"-"`
}

// HandedStream is how far a client has followed a log.
type HandedStream struct {
	Path    string   `json:"path"`
	Offset  int64    `json:"offset"`  // of the next byte to send
	Chunked bool     `json:"chunked"` // the reply is sent so: its client speaks HTTP/1.1
	Log     *os.File `json:"-"`
}

// Files are all open files, in the order that Take expects.
func (h *Handover) Files() []*os.File {
	var files []*os.File
	h.each(func(f **os.File) { files = append(files, *f) })
	return files
}

// of is what was handed over of one server.
func (h *Handover) of(section string) []HandedConn {
	if h == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(h.Conns), func(c HandedConn) bool { return c.Section != section })
}

// closeOthers closes the connections of sections that are not among the servers.
func (h *Handover) closeOthers(servers []*httpServer) {
	if h == nil {
		return
	}
	for _, c := range h.Conns {
		if slices.ContainsFunc(servers, func(hs *httpServer) bool { return hs.Section == c.Section }) {
			continue
		}
		c.File.Close()
		if c.Stream != nil {
			c.Stream.Log.Close()
		}
	}
}

// Take gives the files to a Handover that was read. It fails if there are more
// or fewer than it has places.
func (h *Handover) Take(files []*os.File) error {
	rest := files
	h.each(func(f **os.File) {
		if len(rest) > 0 {
			*f, rest = rest[0], rest[1:]
		}
	})
	if n := len(h.Files()); n != len(files) {
		return fmt.Errorf("sockets and connections: %d files, and places for %d", len(files), n)
	}
	return nil
}

func (h *Handover) each(use func(f **os.File)) {
	for i := range h.Sockets {
		use(&h.Sockets[i].File)
	}
	for i := range h.Conns {
		c := &h.Conns[i]
		use(&c.File)
		if c.Stream != nil {
			use(&c.Stream.Log)
		}
	}
}

// Close closes the files.
func (h *Handover) Close() {
	for _, f := range h.Files() {
		if f != nil {
			f.Close()
		}
	}
}

// errHandingOver is the error of a request that cannot be handed over.
var errHandingOver = errors.New(state.Upgrading)

// How long the requests under way are waited for: those that wait themselves, while new
// ones are still answered; then, when those were told to ask again, the short ones and those of
// which a part is missing; and then what is left of all.
const (
	waitingPatience = 5 * time.Second
	shortPatience   = 3 * time.Second // a busy machine may be late by a second
)

// HandOver stops answering and returns what the next Server needs. New connections and
// requests from then on are answered by the next Server. Requests under way are answered
// first. One that still waits for something after five seconds, in which others are answered,
// is told to ask again; a client that does not read its reply, has sent a part of a request
// only, or uses TLS is disconnected. Call it while Run runs, and end the context of Run
// afterwards.
func (s *Server) HandOver(ctx context.Context) *Handover {
	s.each(ctx, s.waitingPatience, func(cs *conns) bool { return cs.lasting[lasting{waiting, ""}] == 0 })
	for _, hs := range s.servers {
		hs.conns.tellWaiting(errHandingOver)
	}
	sockets := s.sockets.handOver()
	s.mu.Lock()
	s.left, s.handed = true, true // the addresses are not given up
	s.mu.Unlock()
	h := &Handover{Sockets: sockets}
	for _, hs := range s.servers {
		hs.leave()
		hs.accepting.Wait() // whoever was accepted just now is among the connections then
		hs.gate.shut()
		if hs.CertFile != "" { // the gate keeps none
			hs.conns.setOneShot(true)
			hs.conns.closeUnserved()
		}
	}
	s.each(ctx, shortPatience, func(cs *conns) bool { return len(cs.all) == cs.lasting[lasting{streaming, ""}] })
	s.mu.Lock()
	s.interrupt(errHandingOver)
	s.mu.Unlock()
	for _, hs := range s.servers {
		hs.conns.closeUnserved()
	}
	s.each(ctx, shortPatience, func(cs *conns) bool { return len(cs.all) == 0 })
	for _, hs := range s.servers {
		h.Conns = append(h.Conns, hs.gate.take()...)
	}
	return h
}

// GoOn undoes HandOver: the Server answers again.
func (s *Server) GoOn(h *Handover) {
	for _, k := range h.Sockets {
		k.File.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.left, s.handed = false, false
	s.begin()
	for _, hs := range s.servers {
		listener, err := hs.socket.duplicate()
		if err != nil {
			s.log.Error(fmt.Sprintf("%s:Server Error: %v", hs.name(), err))
			continue
		}
		hs.listener = listener
		hs.conns.setOneShot(false)
		hs.gate.open()
		hs.run(s.base, &s.serving, h.of(hs.Section))
	}
}

// each waits for so long at most until something holds of the connections of each server.
func (s *Server) each(ctx context.Context, limit time.Duration, holds func(*conns) bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, hs := range s.servers {
		hs.conns.until(ctx, holds)
	}
}

// gate keeps one server's connections for the next one.
type gate struct {
	section string

	mu    sync.Mutex // guards the following
	conns map[*framedConn]bool
	over  bool // it is shut
	kept  []HandedConn
	taken bool // kept was given out: what comes now is nobody's
}

// enter notes a new connection.
func (g *gate) enter(f *framedConn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conns[f] = true
}

// leave notes that a connection was closed.
func (g *gate) leave(f *framedConn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, f)
}

// shut keeps each connection that is between two requests, now or later.
func (g *gate) shut() {
	g.mu.Lock()
	g.over = true
	var all []*framedConn
	for f := range g.conns {
		all = append(all, f)
	}
	g.mu.Unlock()
	for _, f := range all {
		f.rouse()
	}
}

// open lets requests pass again.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over, g.taken = false, false
}

func (g *gate) isShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.over
}

func (g *gate) keep(c HandedConn) {
	c.Section = g.section
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.taken { // its client had better know at once
		c.File.Close()
		if c.Stream != nil {
			c.Stream.Log.Close()
		}
		return
	}
	g.kept = append(g.kept, c)
}

// take returns the kept connections, and closes those that come too
// late.
func (g *gate) take() []HandedConn {
	g.mu.Lock()
	defer g.mu.Unlock()
	kept := g.kept
	g.kept, g.taken = nil, true
	return kept
}

// turn says what a connection is doing, as far as the gate needs to know.
type turn struct {
	mu     sync.Mutex // guards the following
	idle   bool       // net/http waits for the first byte of a request
	roused bool       // its Read was woken up
	kept   bool       // it is the next server's, and not closed
}

// rouse makes the goroutine that waits for the next request check the gate.
func (f *framedConn) rouse() {
	f.turn.mu.Lock()
	defer f.turn.mu.Unlock()
	if f.turn.idle {
		f.turn.roused = f.Conn.SetReadDeadline(time.Unix(1, 0)) == nil
	}
}

// setIdle notes whether net/http waits for a request.
func (f *framedConn) setIdle(idle bool) {
	f.turn.mu.Lock()
	defer f.turn.mu.Unlock()
	f.turn.idle = idle
	f.calm()
}

// wasRoused reports whether a Read failed because of rouse, and must be repeated.
func (f *framedConn) wasRoused() bool {
	f.turn.mu.Lock()
	defer f.turn.mu.Unlock()
	return f.calm()
}

// calm undoes rouse, and reports whether there was anything to undo. The caller holds
// the mutex.
func (f *framedConn) calm() bool {
	if !f.turn.roused {
		return false
	}
	f.turn.roused = false
	return f.Conn.SetReadDeadline(time.Time{}) == nil
}

// between reports whether nothing of a request has been read. The reader asks.
func (f *framedConn) between() bool {
	return !f.opaque && f.body == 0 && len(f.raw) == 0 && len(f.ready) == 0 && f.header.size == 0 && !f.header.fields
}

// handedOn keeps the connection for the next server, if that is
// possible.
func (f *framedConn) handedOn() bool {
	if f.gate == nil || !f.between() || !f.gate.isShut() {
		return false
	}
	f.turn.mu.Lock()
	defer f.turn.mu.Unlock()
	if !f.turn.idle || f.turn.kept {
		return f.turn.kept
	}
	file, err := fileOf(f.Conn)
	if err != nil {
		return false
	}
	f.turn.kept = true
	f.gate.keep(HandedConn{File: file})
	return true
}

// Close closes our descriptor of the connection; if it was handed over, the other one
// stays open.
func (f *framedConn) Close() error {
	if f.gate != nil {
		f.gate.leave(f)
	}
	return f.Conn.Close()
}

// fileOf duplicates the descriptor of a connection or a listener.
func fileOf(c any) (*os.File, error) {
	k, ok := c.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return k.File()
}

// handOver keeps the connection of a stream for the next server, where that is possible. It
// is kept before net/http gives it up, since HandOver waits until there is none left.
func (hs *httpServer) handOver(w *http.ResponseController, nc net.Conn, f *follower, chunked bool) {
	c, framed := nc.(*framedConn)
	if !framed {
		return
	}
	hs.keepStream(c.Conn, f, chunked)
	if nc, _, err := w.Hijack(); err == nil {
		nc.Close()
	}
}

// keepStream keeps a log that is followed, and the connection. Both may be closed then.
func (hs *httpServer) keepStream(nc net.Conn, f *follower, chunked bool) {
	file, err := fileOf(nc)
	if err != nil {
		return
	}
	hs.gate.keep(HandedConn{File: file, Stream: &HandedStream{Path: f.path, Offset: f.offset, Chunked: chunked, Log: f.file}})
	f.file = nil
}

// resume serves the connections that an earlier server handed over.
func (hs *httpServer) resume(ctx context.Context, handed []HandedConn, streams *sync.WaitGroup) {
	var idle []net.Conn
	for _, c := range handed {
		nc, err := net.FileConn(c.File)
		c.File.Close()
		switch {
		case err != nil && c.Stream != nil:
			c.Stream.Log.Close()
		case err != nil:
		case c.Stream != nil:
			streams.Go(func() { hs.resumeStream(ctx, nc, c.Stream) })
		default:
			idle = append(idle, nc)
		}
	}
	if len(idle) > 0 {
		hs.serve(&handedListener{idle, hs.listener.Addr()})
	}
}

// resumeStream continues a log that a client follows.
func (hs *httpServer) resumeStream(ctx context.Context, nc net.Conn, h *HandedStream) {
	defer nc.Close()
	defer func() {
		if p := recover(); p != nil {
			hs.panicked("the stream of "+h.Path, p)
		}
	}()
	c := hs.conns.add(nc)
	ctx, end, ok := hs.conns.begin(ctx, c)
	defer func() {
		end()
		hs.conns.connState(nc, http.StateClosed)
	}()
	f := &follower{disks: hs.server.disks, path: h.Path, file: h.Log, offset: h.Offset}
	defer f.close()
	if !ok || !hs.conns.last(c, streaming) {
		return
	}
	f.run(ctx, hs.server.opt.Poll, func() bool { return gone(nc) }, func(p []byte) error {
		if h.Chunked {
			p = slices.Concat(fmt.Appendf(nil, "%x\r\n", len(p)), p, []byte("\r\n"))
		}
		_, err := nc.Write(p)
		return err
	})
	switch {
	case errors.Is(context.Cause(ctx), errHandingOver):
		hs.keepStream(nc, f, h.Chunked)
	case h.Chunked:
		io.WriteString(nc, "0\r\n\r\n") // whoever is gone need not know
	}
}

// handedListener is a listener that has had all its connections already.
type handedListener struct {
	conns []net.Conn
	addr  net.Addr
}

// Accept returns the next one.
func (l *handedListener) Accept() (net.Conn, error) {
	if len(l.conns) == 0 {
		return nil, net.ErrClosed
	}
	nc := l.conns[0]
	l.conns = l.conns[1:]
	return nc, nil
}

// Close closes those that are left.
func (l *handedListener) Close() error {
	for _, nc := range l.conns {
		nc.Close()
	}
	l.conns = nil
	return nil
}

// Addr is where they were accepted.
func (l *handedListener) Addr() net.Addr { return l.addr }

// handOver returns the sockets for the next Server; this one no longer uses them. A
// socket that has no name yet is dropped.
func (s *Sockets) handOver() []HandedSocket {
	var list []HandedSocket
	for _, k := range s.list {
		k.mu.Lock()
		if k.listener != nil && k.temp == "" && !k.given {
			if file, err := fileOf(k.listener); err == nil {
				h := HandedSocket{Server: k.Server, File: file}
				h.Server.Username, h.Server.Password = "", "" // the next one has its own
				if k.file != nil {
					h.FileID = trust.IDOf(k.file)
				}
				list = append(list, h)
			}
		}
		k.mu.Unlock()
	}
	return list
}

// ResumeSockets are the sockets that a Server handed over. Pass them as
// SocketOptions.Held, and close them then, so that those which no server uses any
// more go away.
func (h *Handover) ResumeSockets() (*Sockets, error) {
	s := &Sockets{}
	for _, hs := range h.Sockets {
		listener, err := net.FileListener(hs.File)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("the socket of section [%s]: %w", hs.Server.Section, err), s.Close())
		}
		k := &socket{Server: hs.Server, users: 1, listener: listener}
		if u, unix := listener.(*net.UnixListener); unix {
			u.SetUnlinkOnClose(false)
			k.file = hs.At(hs.Server.Path)
		}
		s.list = append(s.list, readySocket{socket: k})
	}
	return s, nil
}
