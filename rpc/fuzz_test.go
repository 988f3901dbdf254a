package rpc

import (
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// FuzzHTTP sends anything to a server: it answers or hangs up, never panics, and
// answers the next client.
func FuzzHTTP(f *testing.F) {
	for _, r := range requests {
		f.Add([]byte(r.request))
	}
	for _, path := range []string{
		"/", "/?message=x", "/tail.html?processname=cat&limit=9", "/metrics", "/mainlogtail", "/logtail/two%3Atwo_00/stderr",
		"/index.html?action=stop&processname=cat", "/images", "/%zz", "//", "*",
	} {
		f.Add([]byte("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n"))
		f.Add([]byte("POST " + path + " HTTP/1.0\r\nContent-Length: 3\r\n\r\na=b"))
	}
	w, o := unixOnly(f)
	var log activity
	o.Logger = log.logger(slog.LevelDebug)
	s := serve(f, o)
	f.Fuzz(func(t *testing.T, request []byte) {
		conn, err := net.Dial("unix", s.servers[0].Path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(2 * time.Minute))
		conn.Write(request)
		conn.(*net.UnixConn).CloseWrite()
		reply, err := io.ReadAll(conn)
		if err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%q: %v", request, err)
		}
		if len(reply) > 0 && !strings.HasPrefix(string(reply), "HTTP/1.") {
			t.Errorf("%q: %q", request, reply)
		}
		if log.has("panic") {
			t.Fatalf("%q: %q", request, log.lines)
		}
		log.mu.Lock()
		log.lines = nil
		log.mu.Unlock()
		w.become(state.MoodRunning)
	})
}

// FuzzName gives any name to every method that takes one: what is not there is
// BAD_NAME with the name as it was given, and nothing else changes.
func FuzzName(f *testing.F) {
	for _, name := range []string{"", ":", "*", ":*", "*:*", "cat", "cat:*", ":cat", "two:", "two:two_00", "a:b:c", "\x00", "é", "../x", "supervisor.x"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
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
				if _, err := xmlrpc.EncodeResponse(result); err != nil {
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
