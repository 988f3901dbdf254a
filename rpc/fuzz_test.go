package rpc

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/runtime/bound"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// FuzzHTTP sends anything to a server, over a connection that is memory alone: it
// answers or hangs up, never panics, answers the next client, and takes no memory
// to speak of.
func FuzzHTTP(f *testing.F) {
	for _, r := range requests {
		f.Add([]byte(r.request))
		f.Add([]byte(r.request + r.request))
	}
	for _, tc := range framed {
		f.Add([]byte(tc.in))
	}
	for _, path := range []string{
		"/", "/?message=x", "/tail.html?processname=cat&limit=9", "/metrics", "/mainlogtail", "/logtail/two%3Atwo_00/stderr",
		"/index.html?action=stop&processname=cat", "/images", "/%zz", "//", "*", "http://localhost/",
	} {
		f.Add([]byte("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n"))
		f.Add([]byte("POST " + path + " HTTP/1.0\r\nContent-Length: 3\r\n\r\na=b"))
	}
	f.Add([]byte("GET /mainlogtail HTTP/1.1\r\nHost: h\r\n\r\n\r\nmore"))
	f.Add([]byte("GET /mainlogtail HTTP/1.1\r\nHost: \x7f\xff\n\r\n\r\nmore"))
	w, o := unixOnly(f)
	var log activity
	o.Logger = log.logger(slog.LevelDebug)
	s := serve(f, o)
	if _, err := dial(f, s, 0).call("supervisor.getState"); err != nil { // it runs
		f.Fatal(err)
	}
	memory := make(memoryListener)
	f.Cleanup(func() { close(memory) })
	s.servers[0].mu.Lock()
	s.servers[0].serve(memory)
	s.servers[0].mu.Unlock()
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, request []byte) {
		defer b.Input(t)()
		conn := newMemoryConn(upToStream(request))
		memory <- conn
		<-conn.closed
		if reply := conn.reply.Bytes(); len(reply) > 0 && !strings.HasPrefix(string(reply), "HTTP/1.") {
			t.Errorf("%q: %q", request, reply)
		}
		if log.has("panic") {
			t.Fatalf("%q: %q", request, log.lines)
		}
		log.mu.Lock()
		log.lines = nil
		log.mu.Unlock()
		w.become(state.MoodRunning)
		if n := used(s); n != 0 {
			t.Fatalf("%d bytes are still taken by requests that have ended", n)
		}
	})
}

// upToStream is what a client sends up to the first log stream that it asks for. Of one
// that sends more, only the system can tell that it has gone.
func upToStream(sent []byte) []byte {
	in := bytes.NewReader(sent)
	framed := &framedConn{Conn: readerConn{r: in}, lenient: true}
	lines := bufio.NewReader(framed)
	for {
		r, err := http.ReadRequest(lines)
		if err != nil {
			return sent
		}
		io.Copy(io.Discard, r.Body)
		if strings.Contains(r.URL.Path, "logtail") {
			return sent[:len(sent)-in.Len()-len(framed.raw)-lines.Buffered()]
		}
	}
}

// memoryListener hands out the connections that are sent to it.
type memoryListener chan net.Conn

func (l memoryListener) Accept() (net.Conn, error) {
	if c, open := <-l; open {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l memoryListener) Close() error   { return nil }
func (l memoryListener) Addr() net.Addr { return &net.UnixAddr{} }

// memoryConn is a connection whose client has sent all that it sends, and reads.
type memoryConn struct {
	request *bytes.Reader
	reply   bytes.Buffer // complete when closed is closed
	closed  chan struct{}
	once    sync.Once
	mu      sync.Mutex
}

func newMemoryConn(request []byte) *memoryConn {
	return &memoryConn{request: bytes.NewReader(request), closed: make(chan struct{})}
}

func (c *memoryConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.request.Read(p)
}

func (c *memoryConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reply.Write(p)
}

func (c *memoryConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *memoryConn) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (c *memoryConn) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (c *memoryConn) SetDeadline(time.Time) error      { return nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }

// FuzzName gives any name to every method that takes one: what is not there is
// BAD_NAME with the name as it was given, and nothing else changes.
func FuzzName(f *testing.F) {
	for _, name := range []string{"", ":", "*", ":*", "*:*", "cat", "cat:*", ":cat", "two:", "two:two_00", "a:b:c", "\x00", "é", "../x", "supervisor.x"} {
		f.Add(name)
	}
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, name string) {
		defer b.Input(t)()
		for _, method := range []string{
			"getProcessInfo", "startProcess", "stopProcess", "signalProcess", "startProcessGroup", "stopProcessGroup", "signalProcessGroup",
			"clearProcessLogs", "sendProcessStdin", "readProcessStdoutLog", "tailProcessStderrLog", "addProcessGroup", "removeProcessGroup",
		} {
			w := newFakeDaemon(t, "")
			s := New(w.options(""))
			m := s.methods.rows["supervisor."+method]
			args := Args{name, "0", "0"}[:m.required()]
			if strings.HasPrefix(method, "signal") {
				args[1] = "CONT"
			}
			result, err := s.call(t.Context(), m.full, args)
			if fault, ok := err.(*xmlrpc.Fault); err != nil && (!ok || fault.Code == xmlrpc.BadName && fault.Text != "BAD_NAME: "+name) {
				t.Errorf("%s(%q): %v", method, name, err)
			}
			if err == nil {
				if _, err := response(result); err != nil {
					t.Errorf("%s(%q): %v", method, name, err)
				}
			}
			touches(t, w, newFakeDaemon(t, ""), method, name)
		}
	})
}

// touches checks that a method changed no process but those that a name means.
func touches(t *testing.T, now, before *fakeDaemon, method, name string) {
	t.Helper()
	n := spec.ParseNamespec(name)
	if strings.HasSuffix(method, "Group") {
		n = spec.Namespec{Group: name}
	}
	for i, a := range now.procs {
		meant := a.Group == n.Group && (n.WholeGroup() || a.Name == n.Process)
		if a.State != before.procs[i].State && !meant {
			t.Errorf("%s(%q) changed %v", method, name, runtime.Select{Group: a.Group, Process: a.Name})
		}
	}
}

// FuzzAuthorization: of all headers only that of the right name and password is let
// in, and every name and password that can be sent is.
func FuzzAuthorization(f *testing.F) {
	for _, header := range []string{
		"", "Basic", "Basic ", "basic dXNlcjpzZWNyZXQ=", "Basic dXNlcjpzZWNyZXQ", "Basic dXNlcjp4", "Basic ====", "Basic \xff", "Bearer dXNlcjpzZWNyZXQ=",
		"Basic dXNlcg==", "Basic dXNl cjpzZW-NyZXQ=", "Basic dXNlcjpzZWNyZXQ=dXNlcjp4",
	} {
		f.Add(header, "user", "secret")
	}
	f.Add("Basic OmI6Yw==", "", "b:c")
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, header, username, password string) {
		defer b.Input(t)()
		if username == "" {
			return // a server without a password
		}
		sv := spec.Server{Username: username, Password: password}
		r := &http.Request{Header: http.Header{"Authorization": {header}}}
		if _, status := authorize(sv, r); status == 0 {
			// What is not of the alphabet is passed over, and the end is at the padding.
			scheme, text, _ := strings.Cut(header, " ")
			text = strings.Map(func(c rune) rune {
				if c == '=' || c < 0x80 && strings.ContainsRune("+/", c) || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
					return c
				}
				return -1
			}, text)
			got, _ := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
			sum := sha1.Sum([]byte(strings.TrimPrefix(string(got), username+":")))
			hashed := "{SHA}" + hex.EncodeToString(sum[:])
			if !strings.EqualFold(scheme, "basic") || !strings.Contains(text, "=") && string(got) != username+":"+password && hashed != password {
				t.Errorf("%q is let in as %q with %q", header, username, password)
			}
		}
		r.SetBasicAuth(username, password)
		if _, status := authorize(sv, r); status != 0 && utf8.ValidString(username) && utf8.ValidString(password) && !strings.Contains(username, ":") && !strings.HasPrefix(password, "{SHA}") {
			t.Errorf("%q with %q is refused: %d", username, password, status)
		}
		for _, wrong := range []spec.Server{{Username: username + "x", Password: password}, {Username: username, Password: password + "x"}} {
			if _, status := authorize(wrong, r); status == 0 {
				t.Errorf("%q with %q is let in as %q with %q", username, password, wrong.Username, wrong.Password)
			}
		}
	})
}

// FuzzHost: a server that web pages could reach answers to no Host that a browser
// would take for another name than this machine's.
func FuzzHost(f *testing.F) {
	for _, host := range []string{
		"", "localhost", "LOCALHOST.:80", "x.localhost", "127.0.0.1", "127.0.0.1:9001", "[::1]:9001", "[::1%25lo]", "::1", "own", "evil.example",
		"evil.example:80", "localhost.evil.example", "evil.example#.localhost", "evil.example\\.localhost", "evil.example/.localhost", "evil.example:80@localhost",
		"[evil.example]", "[localhost", "localhost:80:80", "%6cocalhost", "1.2.3.4.evil.example", "0x7f.1",
	} {
		f.Add(host)
	}
	hs := &httpServer{server: &Server{names: map[string]bool{"own": true}}, local: true}
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, host string) {
		defer b.Input(t)()
		r := &http.Request{Host: host, URL: &url.URL{Path: "/"}, ProtoMajor: 1, ProtoMinor: 1}
		if !validHost(host) || !hs.hostAllowed(r, head{host: host, plain: true}, true) {
			return
		}
		u, err := url.Parse("http://" + host + "/")
		if err != nil {
			return // no browser asks for it
		}
		name := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
		if _, err := netip.ParseAddr(name); err != nil && name != "localhost" && !strings.HasSuffix(name, ".localhost") && name != "own" {
			t.Errorf("%q is answered, which is %q", host, name)
		}
		if r.URL.Host = "evil.example"; hs.hostAllowed(r, head{host: host}, true) {
			t.Errorf("%q is answered for a request to evil.example", host)
		}
	})
}
