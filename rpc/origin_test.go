package rpc

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/runtime/state"
)

// guardedServer is the fake daemon behind a TCP server without a password on a
// loopback address, which is what a web page would look for.
func guardedServer(t *testing.T, change func(*Options)) (*fakeDaemon, *Server) {
	t.Helper()
	dir := shortDir(t)
	w := newFakeDaemon(t, dir)
	o := w.options(dir)
	o.Servers = o.Servers[1:]
	o.Servers[0].Username, o.Servers[0].Password = "", ""
	if change != nil {
		change(&o)
	}
	return w, serve(t, o)
}

// TestForms: what a browser can be made to send without being asked acts only if it
// says that it comes from our own page.
func TestForms(t *testing.T) {
	w, s := guardedServer(t, nil)
	c := dial(t, s, 0)
	self := strings.TrimPrefix(c.base, "http://")
	doc, err := xmlrpc.EncodeCall("supervisor.stopProcess", "cat")
	if err != nil {
		t.Fatal(err)
	}
	const form = "application/x-www-form-urlencoded"
	for _, tc := range []struct {
		name      string
		rpc, page int // status of each
		header    []string
	}{
		{"a program", 200, 303, []string{"Content-Type", "text/xml"}},
		{"curl --data", 200, 303, []string{"Content-Type", form, "User-Agent", "curl/8.5.0", "Accept", "*/*"}},
		{"Python's xmlrpc.client", 200, 303, []string{"Content-Type", "text/xml", "User-Agent", "Python-xmlrpc/3.11", "Accept-Encoding", "gzip"}},
		{"nothing said", 200, 303, []string{"User-Agent", ""}},
		{"text/plain of a program", 200, 303, []string{"Content-Type", "text/plain"}},
		{"a library that calls itself a browser", 200, 303, []string{"Content-Type", "text/xml", "User-Agent", "Mozilla/4.0"}},
		{"empty Origin", 403, 403, []string{"Content-Type", "text/plain", "Origin", ""}},
		{"empty Origin, text/xml", 403, 403, []string{"Content-Type", "text/xml", "Origin", ""}},
		{"null Origin", 403, 403, []string{"Content-Type", form, "Origin", "null"}},
		{"another Origin", 403, 403, []string{"Content-Type", form, "Origin", "http://evil.example"}},
		{"another port", 403, 403, []string{"Content-Type", form, "Origin", "http://127.0.0.1:1"}},
		{"old browser, form", 415, 403, []string{"Content-Type", form, "User-Agent", "Mozilla/5.0 (X11)"}},
		{"old browser, plain", 415, 403, []string{"Content-Type", "Text/Plain ; charset=utf-8", "Accept-Language", "en", "User-Agent", ""}},
		{"old browser, no type", 415, 403, []string{"User-Agent", "Mozilla/5.0 (X11)"}},
		{"old browser, broken type", 415, 403, []string{"Content-Type", "text/plain; a=b; a=c", "User-Agent", "Mozilla/5.0 (X11)"}},
		{"old browser, no slash", 415, 403, []string{"Content-Type", "x", "Upgrade-Insecure-Requests", "1"}},
		{"old browser, foreign page", 415, 403, []string{"Content-Type", form, "Referer", "http://evil.example/"}},
		{"old browser, page of ours", 415, 303, []string{"Content-Type", form, "Referer", "http://" + self + "/"}},
		{"browser, page of ours", 415, 303, []string{"Content-Type", form, "Origin", "http://" + self}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for path, want := range map[string]int{"/RPC2": tc.rpc, "/index.html?action=stop&processname=cat": tc.page} {
				if _, err := w.Start(t.Context(), runtime.Select{Group: "cat", Process: "cat"}, false); err != nil && !strings.Contains(err.Error(), "ALREADY") {
					t.Log(err) // it runs
				}
				body := string(doc)
				if path != "/RPC2" {
					body = "x=y"
				}
				resp, text := c.do(t, "POST", path, body, tc.header...)
				info, err := w.Info(t.Context(), "cat", "cat")
				if err != nil {
					t.Fatal(err)
				}
				acted := info.State == state.Stopped
				if resp.StatusCode != want || acted != (want < 400) {
					t.Errorf("%s: %s, acted %v: %s", path, resp.Status, acted, text)
				}
			}
		})
	}
}

// TestNamesOfThisMachine: a guarded server answers to the names that cannot be
// made to point here from elsewhere, and to no others.
func TestNamesOfThisMachine(t *testing.T) {
	hosts := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, []byte("# names\n127.0.0.1\tlocalhost.localdomain  Box.Example. box # here\n"+
		"::1 ip6-localhost\n10.0.0.1 gateway\n127.8.0.1\tother\n0.0.0.0 blocked.example\nnonsense here\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, s := guardedServer(t, func(o *Options) { o.HostsFile = hosts })
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, s, 0)
	for host, want := range map[string]int{
		"localhost.localdomain": 200, "box.example:9001": 200, "BOX": 200, "ip6-localhost": 200, "other": 200, name + ":1": 200,
		"gateway": 403, "blocked.example": 403, "here": 403, "box.example.evil.example": 403, "localdomain": 403,
	} {
		if resp, body := c.do(t, "GET", "/ok.html", "", "Host", host); resp.StatusCode != want {
			t.Errorf("%s: %s %s", host, resp.Status, body)
		}
	}
}

// TestRequestLineWithHost: what the request line and the header say of the host
// must agree; a machine without a hosts file answers too.
func TestRequestLineWithHost(t *testing.T) {
	_, s := guardedServer(t, func(o *Options) { o.HostsFile = "/nonexistent" })
	addr := s.servers[0].listener.Addr().String()
	for request, want := range map[string]string{
		"GET http://localhost/ok.html HTTP/1.1\r\nHost: localhost\r\n\r\n":             "200 OK",
		"GET http://localhost:80/ok.html HTTP/1.1\r\nHost: LOCALHOST\r\n\r\n":          "200 OK",
		"GET http://" + addr + "/ok.html HTTP/1.1\r\nHost: " + addr + "\r\n\r\n":       "200 OK",
		"GET http://localhost/ok.html HTTP/1.1\r\nHost: evil.example\r\n\r\n":          "403 Forbidden",
		"GET http://127.0.0.1:9/ok.html HTTP/1.1\r\nHost: evil.example\r\n\r\n":        "403 Forbidden",
		"GET http://evil.example/ok.html HTTP/1.1\r\nHost: localhost\r\n\r\n":          "403 Forbidden",
		"GET http://evil.example/ok.html HTTP/1.1\r\nHost: evil.example\r\n\r\n":       "403 Forbidden",
		"GET http://localhost/ok.html HTTP/1.1\r\nHost:\r\n\r\n":                       "403 Forbidden",
		"GET http://localhost/ok.html HTTP/1.0\r\n\r\n":                                "403 Forbidden",
		"GET /ok.html HTTP/1.1\r\nHost:\r\n\r\n":                                       "403 Forbidden",
		"GET /ok.html HTTP/1.1\r\n\r\n":                                                "400 Bad Request: missing required Host header",
		"GET /ok.html HTTP/1.1\r\nHost: /run/s.sock\r\n\r\n":                           "400 Bad Request: malformed Host header",
		"GET /ok.html HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n":       "400 Bad Request",
		"GET /ok.html HTTP/1.0\r\n\r\n":                                                "200 OK",
		"GET /ok.html HTTP/1.0\r\nHost: evil.example\r\n\r\n":                          "403 Forbidden",
		"OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n\r\n":                             "403 Forbidden",
		"CONNECT localhost:80 HTTP/1.1\r\nHost: evil.example\r\nConnection: x\r\n\r\n": "403 Forbidden",
	} {
		if status, _, _ := strings.Cut(raw(t, "tcp", addr, request), "\r\n"); status[len("HTTP/1.1 "):] != want {
			t.Errorf("%q: %s, want %s", request, status, want)
		}
	}
}

// TestLenience: over a unix socket, and behind a password, requests are taken as
// Supervisor takes them: without a Host, and with one that is none.
func TestLenience(t *testing.T) {
	dir := shortDir(t)
	s := serve(t, newFakeDaemon(t, dir).options(dir))
	doc, err := xmlrpc.EncodeCall("supervisor.getState")
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range []string{
		"", "Host: /run/s.sock\r\n", "host:unix:/run/s.sock\r\n", "Host: " + strings.Repeat("x", 1000) + "/\r\n", "Host: é\r\n",
		"Host: any.example\r\n", "Host:\r\n",
	} {
		for n, network := range []string{"unix", "tcp"} {
			c := dial(t, s, n)
			addr := s.servers[n].Path
			if network == "tcp" {
				addr = strings.TrimPrefix(c.base, "http://")
			}
			reply := raw(t, network, addr, "POST /RPC2 HTTP/1.1\r\n"+header+"Authorization: Basic dXNlcjpwYTpzcw==\r\nContent-Length: "+
				strconv.Itoa(len(doc))+"\r\n\r\n"+string(doc))
			if !strings.HasPrefix(reply, "HTTP/1.1 200 OK\r\n") || !strings.Contains(reply, "RUNNING") {
				t.Errorf("%s, %.60q: %s", network, header, reply)
			}
		}
	}
	// A redirection leads to the server's own name, as in Supervisor.
	reply := raw(t, "unix", s.servers[0].Path, "POST /?action=refresh HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
	if want := "Location: http://" + strings.ReplaceAll(s.servers[0].Path, "/", "%2F") + "/?message="; !strings.Contains(reply, want) {
		t.Errorf("no %s in %s", want, reply)
	}
	if resp, _ := dial(t, s, 0).do(t, http.MethodGet, "/images", "", "Host", "proxy.example"); resp.Header.Get("Location") != "http://proxy.example/images/" {
		t.Errorf("behind a proxy: %v", resp.Header)
	}
}
