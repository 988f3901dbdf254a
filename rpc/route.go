package rpc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime/mainlog"
)

// serverName is what Supervisor calls its HTTP server; scrapers look for it.
const serverName = "Medusa/1.12"

// ServeHTTP answers one request.
func (hs *httpServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	conn := ctx.Value(connKey{}).(*conn)
	ctx, end, ok := hs.conns.begin(ctx, conn)
	defer end()
	defer func() {
		if p := recover(); p != nil {
			hs.panicked(fmt.Sprintf("%s %q", r.Method, r.URL.Path), p)
			panic(http.ErrAbortHandler) // net/http closes the connection
		}
	}()
	account := &account{memory: hs.server.memory, owner: conn.owner}
	defer account.end()
	r = r.WithContext(context.WithValue(ctx, accountKey{}, account))
	reply := &reply{ResponseWriter: w, control: http.NewResponseController(w), writeTimeout: hs.server.opt.BodyTimeout,
		begins: func() { account.complete(); hs.conns.replying(conn) }}
	w.Header().Set("Server", serverName)
	if ok {
		hs.handle(reply, r)
	} else {
		w.Header().Set("Connection", "close")
		httpError(reply, http.StatusServiceUnavailable)
	}
	if reply.hijacked {
		return
	}
	// What was answered leaves now: the daemon may be about to end.
	reply.control.Flush()
	reply.control.SetWriteDeadline(time.Time{})
	hs.logAccess(r, reply)
}

// panicked reports what was recovered from. A deferred function calls it.
func (hs *httpServer) panicked(what string, p any) {
	hs.server.log.Log(context.Background(), mainlog.LevelCritical, fmt.Sprintf("%s panicked: %v\n%s", what, p, debug.Stack()))
}

// handle checks whether the request may be made, and finds what it is for.
//
// Source: contract/rpc.md section 1, handler choice.
func (hs *httpServer) handle(w http.ResponseWriter, r *http.Request) {
	head, known := takeHead(r.Context().Value(connKey{}).(*conn).net)
	if known && !head.plain || len(r.TransferEncoding) > 0 {
		w.Header().Set("Connection", "close")
	}
	looksOnly, status := false, 0
	if !hs.open(r) {
		looksOnly, status = authorize(hs.Server, r)
	}
	switch {
	case status == http.StatusUnauthorized:
		// The connection is closed, where Supervisor keeps it and swallows what
		// follows (contract/differences.md row 57).
		w.Header().Set("Connection", "close")
		w.Header()["WWW-Authenticate"] = []string{`Basic realm="default"`} // spelled as clients that look for it by hand expect
		httpError(w, status)
		return
	case status != 0:
		httpErrorClose(w, status, http.StatusText(status))
		return
	}
	if !hs.hostAllowed(r, head, known) {
		httpErrorClose(w, http.StatusForbidden, "Forbidden: this server answers only to the names of this machine")
		return
	}
	if why := hs.crossSite(r); why != "" {
		httpErrorClose(w, http.StatusForbidden, "Forbidden: "+why)
		return
	}
	if looksOnly || hs.mayOnlyLook(r.Context().Value(connKey{}).(*conn)) {
		r = r.WithContext(context.WithValue(r.Context(), readOnlyKey{}, true))
		if mayChange(r) {
			httpErrorClose(w, http.StatusForbidden, "Forbidden: "+onlyReads)
			return
		}
	}
	if hs.open(r) && r.ContentLength != 0 { // nobody without a password takes memory for a body
		httpErrorClose(w, http.StatusRequestEntityTooLarge, http.StatusText(http.StatusRequestEntityTooLarge))
		return
	}
	body, status := hs.readBody(w, r)
	if status != 0 {
		httpErrorClose(w, status, http.StatusText(status))
		return
	}
	path := r.URL.Path
	switch {
	case strings.Contains(r.URL.EscapedPath(), ";"):
		httpError(w, http.StatusBadRequest)
	case strings.HasPrefix(path, "/RPC2"):
		hs.server.serveRPC(w, r, body)
	case strings.HasPrefix(path, "/logtail"):
		hs.server.serveLogtail(w, r)
	case strings.HasPrefix(path, "/mainlogtail"):
		hs.server.serveMainLogtail(w, r)
	case isMonitoring(r):
		monitoring[path](hs.server, w, r)
	case r.Method == http.MethodGet || r.Method == http.MethodPost:
		name := strings.TrimLeft(path, "/")
		switch {
		case name == "" && wantsOverview(r):
			hs.server.serveOverview(w, r)
		case boards[name] != nil:
			hs.server.serveBoard(w, r, name)
		default:
			hs.serveOld(w, r, name)
		}
	default:
		hs.serveFile(w, r)
	}
}

// monitoring is what is for machines that watch this one. It changes nothing, and tells
// nothing but how the daemon and the processes are doing.
var monitoring = map[string]func(*Server, http.ResponseWriter, *http.Request){
	"/metrics": (*Server).serveMetrics,
	"/healthz": (*Server).serveHealth,
	"/readyz":  (*Server).serveReady,
	"/sd":      (*Server).serveDiscovery,
}

func isMonitoring(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && monitoring[r.URL.Path] != nil
}

// open reports whether a request needs no password although the server has one.
func (hs *httpServer) open(r *http.Request) bool { return hs.MetricsOpen && isMonitoring(r) }

// serveOld answers for Supervisor's own pages, and for files.
func (hs *httpServer) serveOld(w http.ResponseWriter, r *http.Request, name string) {
	switch name {
	case "", "index.html", classic:
		hs.server.serveStatus(w, r)
	case "tail.html":
		hs.server.serveTail(w, r)
	case "ok.html":
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", "2")
		fmt.Fprint(w, "OK")
	default:
		hs.serveFile(w, r)
	}
}

// readBody reads the body of a request, of whatever method, before anything is
// done about it: nothing else waits for a client to send, and only when all is
// read does net/http notice a client that hangs up. It answers 0, or the status
// to refuse with.
func (hs *httpServer) readBody(w http.ResponseWriter, r *http.Request) (body string, status int) {
	o := &hs.server.opt
	most := min(o.MaxBody, hs.server.bodies.longestBody(accountOf(r.Context())))
	switch {
	case r.Method == http.MethodPost && (r.ContentLength < 0 || r.Header.Get("Content-Length") == ""):
		return "", http.StatusLengthRequired
	case r.ContentLength > most:
		return "", http.StatusRequestEntityTooLarge
	case r.Body == http.NoBody:
		return "", 0
	}
	control := http.NewResponseController(w)
	if r.ContentLength >= 0 {
		most = r.ContentLength
	}
	coming := &bodyReader{body: r.Body, control: control, pause: o.HeaderTimeout, end: time.Now().Add(o.BodyTimeout)}
	err := hs.conns.receiving(r.Context().Value(connKey{}).(*conn), func() (err error) {
		body, err = hs.receive(r.Context(), coming, most)
		return err
	})
	if err != nil { // the rest is read for a moment only, so that the refusal arrives
		control.SetReadDeadline(time.Now().Add(lingering))
	}
	var want *memoryError
	switch {
	case errors.As(err, &want):
		return "", http.StatusServiceUnavailable
	case errors.Is(err, errTooLarge):
		return "", http.StatusRequestEntityTooLarge
	case err != nil || control.SetReadDeadline(time.Time{}) != nil:
		return "", http.StatusBadRequest
	}
	r.Body = io.NopCloser(strings.NewReader(body))
	return body, 0
}

// lingering is how long a refused body may still come.
const lingering = time.Second

// errTooLarge says that there is more of a body than there may be.
var errTooLarge = errors.New("the body is too large")

// receive reads a body of so many bytes at most. Its memory grows with what has
// come, not with what was announced, until it is a large one: those take the rest at
// once, so that two of them do not wait for each other half-way. A long body takes its
// memory from the share of those, until all of it has come.
func (hs *httpServer) receive(ctx context.Context, r *bodyReader, most int64) (string, error) {
	request := accountOf(ctx)
	long := &account{memory: hs.server.bodies, owner: request.owner}
	defer long.end()
	text, has := new(strings.Builder), request // who has its memory
	for size := min(shortBody, most); ; size = min(4*size, most) {
		if size > smallRequest/4 {
			size = most
		}
		from := request
		if size > shortBody {
			from = long
		}
		if err := from.take(ctx, size); err != nil {
			return "", err
		}
		larger := new(strings.Builder)
		larger.Grow(int(size))
		larger.WriteString(text.String())
		has.giveBack(int64(text.Cap()))
		text, has = larger, from
		_, err := io.CopyN(text, r, size-int64(text.Len()))
		if err == nil && size == most {
			if n, last := io.ReadFull(r, make([]byte, 1)); n > 0 {
				err = errTooLarge
			} else {
				err = last
			}
		}
		switch {
		case err == io.EOF:
			err = nil
			if has == long {
				err = request.take(ctx, int64(text.Cap()))
			}
			return text.String(), err
		case err != nil:
			return "", err
		}
	}
}

// bodyReader reads a body. It must have come at its end, and a long one must go on
// coming: shortBody bytes in each pause at the least.
type bodyReader struct {
	body       io.Reader
	control    *http.ResponseController
	pause      time.Duration
	end        time.Time
	read, next int64 // bytes; how many there must be at due
	due        time.Time
}

// Read waits for what comes next.
func (b *bodyReader) Read(p []byte) (int, error) {
	if b.read >= b.next {
		b.next, b.due = b.read+shortBody, time.Now().Add(b.pause)
	}
	deadline := b.end
	if b.read > shortBody && b.due.Before(deadline) {
		deadline = b.due
	}
	if err := b.control.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	n, err := b.body.Read(p)
	b.read += int64(n)
	return n, err
}

// httpErrorClose is httpErrorMessage for a request whose body was not read. The
// connection is closed, since net/http would wait for the body first.
func httpErrorClose(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Connection", "close")
	httpErrorMessage(w, status, message)
}

// httpError answers with a status and Supervisor's page for it.
func httpError(w http.ResponseWriter, status int) {
	httpErrorMessage(w, status, http.StatusText(status))
}

// httpErrorMessage answers with a page that says more than the status does. The message is
// plain text.
//
// Source: contract/rpc.md section 1, error page.
func httpErrorMessage(w http.ResponseWriter, status int, message string) {
	page := fmt.Sprintf("<head>\r\n<title>Error response</title>\r\n</head>\r\n<body>\r\n<h1>Error response</h1>\r\n"+
		"<p>Error code %d.\r\n<p>Message: %s.\r\n</body>\r\n", status, html.EscapeString(message))
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(status)
	fmt.Fprint(w, page)
}

// baseURL is the address of the server as the client knows it.
func (hs *httpServer) baseURL(r *http.Request) string {
	host := r.Host
	if host == "" {
		host = hs.name()
	}
	base := url.URL{Scheme: "http", Host: host}
	if r.TLS != nil {
		base.Scheme = "https"
	} else {
		base.Host = strings.TrimSuffix(host, ":80")
	}
	return base.String()
}

// lasts counts the request that ctx belongs to as one that lasts. The error says that
// there are too many, so that short ones keep their place.
func lasts(ctx context.Context, kind lastKind) error {
	accountOf(ctx).complete() // what has been made waits without keeping others from their turn
	hs, ok := ctx.Value(httpServerKey{}).(*httpServer)
	if !ok || hs.conns.last(ctx.Value(connKey{}).(*conn), kind) {
		return nil
	}
	if kind == streaming {
		return errors.New("too many logs are being followed and pages are open")
	}
	return faultWith(xmlrpc.Failed, "too many calls are waiting")
}

// trace writes a line that is only for the level trace.
func (s *Server) trace(ctx context.Context, format string, values ...any) {
	if s.log.Enabled(ctx, mainlog.LevelTrace) {
		line := strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(fmt.Sprintf(format, values...)) // clients choose names
		s.log.Log(ctx, mainlog.LevelTrace, line)
	}
}

// logAccess writes the line about a request.
//
// Source: contract/config.md section 11.
// Differs: the bytes are those of the reply's body, without its header.
func (hs *httpServer) logAccess(r *http.Request, w *reply) {
	if !hs.server.log.Enabled(r.Context(), mainlog.LevelTrace) {
		return // the line costs more than many a request
	}
	from := r.RemoteAddr
	if hs.Network == "unix" {
		from = "localhost:0"
	}
	hs.server.trace(r.Context(), `%s - - [%s] "%s %s %s" %d %d`, from,
		time.Now().Format("02/Jan/2006:15:04:05 -0700"), r.Method, r.RequestURI, r.Proto, w.status, w.bytes)
}

// reply notes what is answered, for the line about it, and bounds how long the
// client may take over it.
type reply struct {
	http.ResponseWriter
	control      *http.ResponseController
	writeTimeout time.Duration
	begins       func() // is called when the reply begins
	status       int    // 0 until the header is written
	bytes        int64
	hijacked     bool // the connection is net/http's no more, which has nothing to flush
}

// WriteHeader notes the status. A client that has not taken the whole reply in
// time loses it.
func (w *reply) WriteHeader(status int) {
	w.status = status
	w.begins()
	w.control.SetWriteDeadline(time.Now().Add(w.writeTimeout))
	w.ResponseWriter.WriteHeader(status)
}

// Write notes how much it is.
func (w *reply) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Hijack is http.Hijacker's.
func (w *reply) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, buffered, err := w.control.Hijack()
	w.hijacked = err == nil
	return nc, buffered, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *reply) Unwrap() http.ResponseWriter { return w.ResponseWriter }
