package rpc

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"supervisord/rpc/xmlrpc"
)

// blocking adds a method, test.block, that is answered when release is closed and
// that nobody has declared to wait; each call says on begun that it is there.
func blocking(o *Options) (begun chan struct{}, release chan struct{}) {
	begun, release = make(chan struct{}, 1000), make(chan struct{})
	o.Extra = append(o.Extra, Namespace{Name: "test", Methods: []Method{{
		Name: "block", Func: func(ctx context.Context, _ Args) (any, error) {
			begun <- struct{}{}
			select {
			case <-release:
				return true, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
	}}})
	return begun, release
}

// post is a call as bytes.
func post(t testing.TB, method string, params ...any) string {
	t.Helper()
	doc, err := xmlrpc.EncodeCall(method, params...)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(doc), doc)
}

// TestRequestsThatLast: however many logs are followed and however many calls wait,
// short requests are answered, and so are the other kind's.
func TestRequestsThatLast(t *testing.T) {
	const conns, tries = 40, 100
	for _, tc := range []struct {
		name, request string
		room          int
		refusal       string
	}{
		{"streams", "GET /logtail/cat HTTP/1.1\r\nHost: h\r\n\r\n", conns / 4, "HTTP/1.1 503 Service Unavailable"},
		{"streams of the main log", "GET /mainlogtail HTTP/1.1\r\nHost: h\r\n\r\n", conns / 4, "HTTP/1.1 503 Service Unavailable"},
		{"waiting calls", post(t, "supervisor.startProcess", "cat"), conns / 2, "too many calls are waiting"},
		{"waiting in a multicall", post(t, "system.multicall", []any{item("supervisor.stopProcess", []any{"cat"})}), conns / 2, "too many calls are waiting"},
		{"waiting pages", "POST /?action=stopall HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", conns / 2, "too%20many%20calls%20are%20waiting"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, o := unixOnly(t)
			o.MaxConns = conns
			w.hold = make(chan struct{})
			defer close(w.hold)
			w.waits = make(chan struct{}, tries)
			s := serve(t, o)
			for i := range tries {
				conn := sendRaw(t, s, tc.request)
				stream := strings.HasPrefix(tc.request, "GET")
				if i < tc.room && !stream {
					<-w.waits
					continue
				}
				conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
				reply := make([]byte, 1000)
				n, err := io.ReadAtLeast(conn, reply, 15)
				if err != nil {
					t.Fatal(err)
				}
				for i >= tc.room && !strings.Contains(string(reply[:n]), tc.refusal) && err == nil {
					var more int
					more, err = conn.Read(reply[n:])
					n += more
				}
				if got := string(reply[:n]); i < tc.room && !strings.HasPrefix(got, "HTTP/1.1 200") || i >= tc.room && !strings.Contains(got, tc.refusal) {
					t.Fatalf("request %d: %s", i, got)
				}
			}
			for range tries {
				if _, err := dial(t, s, 0).call("supervisor.getAllProcessInfo"); err != nil {
					t.Fatal(err)
				}
			}
			// What does not wait is no waiting call.
			if _, err := dial(t, s, 0).call("supervisor.startProcess", "stopped", false); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPlacesAreFreeAgain: a request that has lasted leaves its place, and so does
// one whose client went away.
func TestPlacesAreFreeAgain(t *testing.T) {
	_, o := unixOnly(t)
	o.MaxConns = 8
	s := serve(t, o)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 {
			req, err := http.NewRequestWithContext(ctx, "GET", "http://localhost/mainlogtail", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := dial(t, s, 0).http.Do(req)
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("%v, %v", resp, err)
			}
			resp.Body.Close()
		}
		cancel()
		eventually(t, "the streams have ended", func() bool { return serving(s) == 0 })
	}
	cs := s.servers[0].conns
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if len(cs.lasting) > 0 {
		t.Errorf("still counted: %v", cs.lasting)
	}
}

// addrConn is a connection from an address.
type addrConn struct {
	net.Conn
	addr net.TCPAddr
}

func (c *addrConn) RemoteAddr() net.Addr { return &c.addr }

func connFrom(t *testing.T, ip string) net.Conn {
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	return &addrConn{near, net.TCPAddr{IP: net.ParseIP(ip), Port: 1}}
}

// TestShares: one client cannot take the places of all streams, nor all streams
// those of the calls that wait.
func TestShares(t *testing.T) {
	cs := newConns(80)
	try := func(ip string, kind lastKind, times int) (ok int) {
		for range times {
			c := cs.add(connFrom(t, ip))
			cs.begin(t.Context(), c)
			if cs.last(c, kind) {
				ok++
				if !cs.last(c, kind) {
					t.Error("a second time is refused")
				}
			}
			cs.mu.Lock()
			cs.remove(c) // only what lasts is counted here
			cs.mu.Unlock()
		}
		return ok
	}
	for _, step := range []struct {
		ip          string
		kind        lastKind
		times, want int
	}{
		{"10.0.0.1", streaming, 100, 20},
		{"10.0.0.2", streaming, 15, 15},
		{"10.0.0.3", streaming, 100, 5}, // 40 streams
		{"10.0.0.1", waiting, 15, 15},
		{"10.0.0.2", waiting, 100, 5}, // 60 in all
		{"10.0.0.4", waiting, 1, 0},
	} {
		if got := try(step.ip, step.kind, step.times); got != step.want {
			t.Errorf("%s, kind %d: %d of %d, want %d", step.ip, step.kind, got, step.times, step.want)
		}
	}
}

// TestOwnersLastingPlaces: on a unix socket, an eighth of the places of streams, and of
// all that lasts, is the owner's, though strangers come in many names.
func TestOwnersLastingPlaces(t *testing.T) {
	for _, tc := range []struct {
		kept, streams, lasts int // of strangers
	}{{0, 40, 60}, {10, 35, 52}} {
		cs := newConns(80)
		cs.kept = tc.kept
		try := func(client string, owner bool, kind lastKind, times int) (ok int) {
			for range times {
				c := &conn{client: client, owner: owner}
				if cs.last(c, kind) {
					ok++
				}
			}
			return ok
		}
		streams, lasts := 0, 0
		for uid := range 10 {
			streams += try(strconv.Itoa(1000+uid), false, streaming, 20)
		}
		for uid := range 10 {
			lasts += try(strconv.Itoa(1000+uid), false, waiting, 20)
		}
		if streams != tc.streams || streams+lasts != tc.lasts {
			t.Errorf("%d places kept: strangers have %d streams, %d requests that last; want %d, %d", tc.kept, streams, streams+lasts, tc.streams, tc.lasts)
		}
		if got, want := try("0", true, streaming, 20), 40-tc.streams; got != want {
			t.Errorf("%d places kept: the owner has %d streams, want %d", tc.kept, got, want)
		}
		if got, want := try("0", true, waiting, 20), 60-tc.lasts-(40-tc.streams); got != want {
			t.Errorf("%d places kept: %d calls of the owner wait, want %d", tc.kept, got, want)
		}
	}
}

// TestStalledReplyIsDisplaced: who does not take a reply loses the place to one
// who comes, but not at once; a stream and a waiting call never do.
func TestStalledReplyIsDisplaced(t *testing.T) {
	cs := newConns(3)
	var all []*conn
	for range 3 {
		c := cs.add(connFrom(t, "10.0.0.1"))
		cs.begin(t.Context(), c)
		all = append(all, c)
	}
	if !cs.last(all[0], streaming) {
		t.Fatal("no stream")
	}
	cs.replying(all[0])
	cs.replying(all[1])
	if c := cs.add(connFrom(t, "10.0.0.2")); !c.refused || all[1].displaced {
		t.Error("displaced at once")
	}
	all[1].sending = time.Now().Add(-mayStall)
	all[0].since, all[2].since = time.Time{}, time.Time{}
	cs.add(connFrom(t, "10.0.0.2")) // takes the place of the one that was refused
	if c := cs.add(connFrom(t, "10.0.0.2")); c.refused && !all[1].displaced || all[0].displaced || all[2].displaced {
		t.Errorf("refused %v, displaced %v %v %v", c.refused, all[0].displaced, all[1].displaced, all[2].displaced)
	}
}

// TestTellWaiting: who waits is told to end, and nobody else.
func TestTellWaiting(t *testing.T) {
	cs := newConns(100)
	ask := func(kind lastKind) context.Context {
		a, b := net.Pipe()
		t.Cleanup(func() { a.Close(); b.Close() })
		c := cs.add(a)
		ctx, end, ok := cs.begin(t.Context(), c)
		t.Cleanup(end)
		if !ok || kind != short && !cs.last(c, kind) {
			t.Fatal("there is no room")
		}
		return ctx
	}
	asked := map[lastKind]context.Context{short: ask(short), streaming: ask(streaming), waiting: ask(waiting)}
	cs.tellWaiting(errHandingOver)
	for kind, ctx := range asked {
		if told := context.Cause(ctx) == errHandingOver; told != (kind == waiting) {
			t.Errorf("kind %d is told: %v", kind, told)
		}
	}
}
