package rpc

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestTenThousandConnections: most are displaced, and clients are served while
// they come and afterwards.
func TestTenThousandConnections(t *testing.T) {
	_, o := unixOnly(t)
	s := serve(t, o)
	c := dial(t, s, 0)
	const kept = 2000 // what the test itself holds open at once
	var conns []net.Conn
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	slowest := time.Duration(0)
	for i := range 10_000 {
		conn, err := net.Dial("unix", s.servers[0].Path)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		io.WriteString(conn, "POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Le")
		if conns = append(conns, conn); len(conns) > kept {
			conns[0].Close()
			conns = conns[1:]
		}
		if i%500 == 0 {
			start := time.Now()
			if _, err := dial(t, s, 0).call("supervisor.getState"); err != nil {
				t.Fatalf("after %d connections: %v", i, err)
			}
			slowest = max(slowest, time.Since(start))
		}
	}
	if n := held(s); n > s.opt.MaxConns {
		t.Errorf("%d connections are held", n)
	}
	if _, err := c.call("supervisor.getAllProcessInfo"); err != nil {
		t.Error(err)
	}
	t.Logf("the slowest call took %v", slowest)
}
