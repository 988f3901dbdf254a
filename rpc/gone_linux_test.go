package rpc

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestStreamOfOneWhoSaidMore: a stream ends with its client, and its place is free,
// though the client had sent more than its request: an empty line, as the original's
// supervisorctl does, or another request.
func TestStreamOfOneWhoSaidMore(t *testing.T) {
	dir := shortDir(t)
	s := serve(t, newFakeDaemon(t, dir).options(dir))
	for n, server := range s.servers {
		for _, more := range []string{"", "\r\n", strings.Repeat("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 1000)} {
			c, err := net.Dial(server.listener.Addr().Network(), dialled(s, n))
			if err != nil {
				t.Fatal(err)
			}
			auth := ""
			if server.Username != "" {
				r, _ := http.NewRequest("GET", "http://h/", nil)
				r.SetBasicAuth("user", "pa:ss")
				auth = "Authorization: " + r.Header.Get("Authorization") + "\r\n"
			}
			if _, err := fmt.Fprintf(c, "GET /mainlogtail HTTP/1.1\r\nHost: localhost\r\n%s\r\n%s", auth, more); err != nil {
				t.Fatal(err)
			}
			c.SetReadDeadline(time.Now().Add(time.Minute))
			if line, err := bufio.NewReader(c).ReadString('\n'); !strings.Contains(line, " 200 ") {
				t.Fatalf("server %d: %q, %v", n, line, err)
			}
			c.Close()
			streams := func() int {
				server.conns.mu.Lock()
				defer server.conns.mu.Unlock()
				return server.conns.lasting[lasting{streaming, ""}]
			}
			for end := time.Now().Add(10 * time.Second); streams() > 0; time.Sleep(5 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("server %d: the stream of one who sent %.20q and left goes on", n, more)
				}
			}
		}
	}
}

// dialled is the address of a server.
func dialled(s *Server, n int) string {
	if s.servers[n].Network == "unix" {
		return s.servers[n].Path
	}
	return s.servers[n].listener.Addr().String()
}
