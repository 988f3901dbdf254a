package rpc

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
)

// head is what net/http does not tell about the header of a request.
type head struct {
	// host is the header Host as the client sent it.
	host string
	// plain is whether there is but one way to tell where the request ends: it has
	// no body, or one Content-Length. After any other the connection is closed, so
	// that nobody before us can have taken what follows for a part of it.
	plain bool
}

// framedConn reads the headers of the requests that pass through it. Where it is
// lenient, a header of HTTP/1.1 that has no Host, or one that is no host, is given
// an empty one: net/http refuses such a request, and Supervisor does not. It holds
// back nothing but a line that may be a Host, and the empty line at the end.
//
// It follows from one request to the next as long as they are plain; from the
// first on that is not, everything passes as it is.
type framedConn struct {
	net.Conn
	lenient bool
	gate    *gate // where it is kept for the next server
	turn    turn

	// Owned by the one goroutine that reads.
	buf    []byte // what raw is a part of
	raw    []byte // read, and not looked at
	ready  []byte // looked at, and not given to the reader
	body   int64  // what is left of a body
	opaque bool   // all passes
	header headReader

	mu    sync.Mutex
	heads []head // those that nobody has taken: two at most, when requests are sent ahead
}

// takeHead is what is known of the request that its handler begins with. It is
// called once for each request.
func takeHead(c net.Conn) (h head, known bool) {
	f, ok := c.(*framedConn)
	if !ok {
		return head{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.heads) == 0 {
		return head{}, false
	}
	h = f.heads[0]
	f.heads = f.heads[1:]
	return h, true
}

// Read gives what there is, up to the end of a header or of a body.
func (f *framedConn) Read(p []byte) (int, error) {
	for len(p) > 0 {
		switch {
		case len(f.ready) > 0:
			n := copy(p, f.ready)
			f.ready = f.ready[n:]
			return n, nil
		case f.opaque:
			return f.read(p)
		case f.body > 0:
			n, err := f.read(p[:min(int64(len(p)), f.body)])
			f.body -= int64(n)
			return n, err
		case len(f.raw) > 0:
			f.readHeader()
			continue
		}
		if f.buf == nil {
			f.buf = make([]byte, 2<<10)
		}
		if f.handedOn() {
			return 0, io.EOF
		}
		n, err := f.Conn.Read(f.buf)
		if n == 0 {
			if err != nil && f.wasRoused() {
				continue
			}
			return 0, err
		}
		f.raw = f.buf[:n]
	}
	return 0, nil
}

// CloseWrite lets net/http end a connection so that the client gets all of the reply.
func (f *framedConn) CloseWrite() error {
	if c, ok := f.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// read passes what is no header.
func (f *framedConn) read(p []byte) (int, error) {
	if len(f.raw) == 0 {
		return f.Conn.Read(p)
	}
	n := copy(p, f.raw)
	f.raw = f.raw[n:]
	return n, nil
}

// readHeader moves bytes from raw to ready, up to the end of the header.
func (f *framedConn) readHeader() {
	r := &f.header
	f.ready = f.ready[:0]
	for len(f.raw) > 0 {
		var ended bool
		f.ready, ended = r.next(f.ready, f.raw[0], f.lenient)
		f.raw = f.raw[1:]
		if ended {
			f.body, f.opaque = r.length, r.odd
			f.mu.Lock()
			f.heads = append(f.heads, head{host: r.host, plain: !r.odd})
			f.mu.Unlock()
			*r = headReader{line: r.line[:0]}
			return
		}
	}
}

// maxHeadLine is how much of a line is kept. No Host or Content-Length that means
// anything is longer.
const maxHeadLine = 300

// headReader reads one header, byte by byte, as net/http does.
type headReader struct {
	line    []byte // the current one, or its beginning
	size    int    // the current line's
	passed  int    // how much of line has been passed on
	fields  bool   // the request line is behind
	wants   bool   // net/http wants a Host
	version [8]byte

	host           string
	hosts, lengths int
	length         int64 // the body's
	odd            bool  // not plain
}

// next takes the next byte and appends to out what may pass. ended is set for the
// last byte of the header.
func (r *headReader) next(out []byte, c byte, lenient bool) (_ []byte, ended bool) {
	r.size++
	whole := len(r.line) < maxHeadLine
	if whole {
		r.line = append(r.line, c)
	}
	if !r.fields && c != '\r' && c != '\n' {
		copy(r.version[:], r.version[1:])
		r.version[len(r.version)-1] = c
	}
	if c != '\n' {
		if lenient && r.fields && r.mayMatter() {
			return out, false
		}
		out = r.pass(out)
		if !whole {
			out = append(out, c)
		}
		return out, false
	}
	line := bytes.TrimSuffix(bytes.TrimSuffix(r.line, []byte("\n")), []byte("\r"))
	switch {
	case !r.fields:
		r.fields = len(line) > 0 // old clients send an empty line after a body
		r.wants = string(r.version[:]) == "HTTP/1.1"
	case len(line) == 0:
		ended = true
		if lenient && r.wants && r.hosts == 0 && !r.odd {
			out = append(out, "Host:\r\n"...)
		}
	default:
		r.field(line)
		if held := lenient && isHost(r.line); held && r.hosts == 1 && !validHost(r.host) {
			out = append(out, "Host:\r\n"...)
			r.passed, whole = len(r.line), true
		}
	}
	out = r.pass(out)
	if !whole {
		out = append(out, c)
	}
	r.line, r.size, r.passed = r.line[:0], 0, 0
	return out, ended
}

// pass appends what has been held back of the line.
func (r *headReader) pass(out []byte) []byte {
	out = append(out, r.line[r.passed:]...)
	r.passed = len(r.line)
	return out
}

// mayMatter reports whether the line, as far as it has come, may be a Host or the
// end of the header.
func (r *headReader) mayMatter() bool {
	const name = "host:"
	n := min(len(r.line), len(name))
	return strings.EqualFold(string(r.line[:n]), name[:n]) || string(r.line) == "\r"
}

func isHost(line []byte) bool {
	const name = "host:"
	return len(line) >= len(name) && strings.EqualFold(string(line[:len(name)]), name)
}

// field reads a line after the first. What is not understood makes the request odd.
func (r *headReader) field(line []byte) {
	name, value, found := strings.Cut(string(line), ":")
	value = strings.Trim(value, " \t")
	tooLong := r.size > maxHeadLine
	switch {
	case line[0] == ' ' || line[0] == '\t': // it continues from the line before
		r.odd = true
	case !found:
		r.odd = r.odd || !tooLong // no name that matters is that long
	case strings.EqualFold(name, "Host"):
		r.hosts++
		r.host = value
		if tooLong {
			r.host = "/" // no host
		}
	case strings.EqualFold(name, "Content-Length"):
		n, err := strconv.ParseUint(value, 10, 63)
		r.lengths++
		r.length = int64(n)
		r.odd = r.odd || err != nil || tooLong || r.lengths > 1
	case strings.EqualFold(name, "Transfer-Encoding"):
		r.odd = true
	}
}

// validHost reports whether net/http takes a Host.
func validHost(host string) bool {
	for i := range len(host) {
		c := host[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("!$%&'()*+,-.:;=[]_~", rune(c)) {
			return false
		}
	}
	return true
}

// framedListener makes framed connections.
type framedListener struct {
	net.Listener
	lenient bool
	gate    *gate
}

// Accept waits for the next connection.
func (l framedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	f := &framedConn{Conn: c, lenient: l.lenient, gate: l.gate}
	l.gate.enter(f)
	return f, nil
}
