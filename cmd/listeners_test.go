package cmd

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// python is how a listener of the original is run: it imports Debian's package.
const python = "/usr/bin/python3 -u "

// web is a web server. It answers long before the next TICK_5, at which the listener that
// looks after it starts it again unless it does; Python's needs a second of a processor first.
func web(args []string) int {
	fmt.Fprintln(os.Stderr, http.ListenAndServe(args[0], http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	return 1
}

// debianScripts are listeners that Debian's package brings along.
const debianScripts = "/usr/lib/python3/dist-packages/supervisor/scripts/"

// TestRealListeners runs listeners written for the original, and its own,
// unchanged, under both daemons: each must do its work.
func TestRealListeners(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Abs("../testdata/listeners")
	if err != nil {
		t.Fatal(err)
	}
	script := func(name string) string { return python + scripts + "/" + name }
	rows := []struct {
		name, config string
		works        func(s *eventRun)
	}{
		{"memory", "[eventlistener:l]\ncommand=" + script("checkmemory.py hog 60000000") + "\nevents=TICK_5\n" +
			// The hog is large the first time only.
			"[program:hog]\ncommand=/bin/sh -c \"mkdir {{.Dir}}/fed && exec " + python + "-c 'x = bytearray(90 << 20); input()'; exec cat\"\n",
			func(s *eventRun) {
				s.written("l", "restarted hog:hog")
				s.wait("another hog", func() bool { return strings.Count(s.Log(), "spawned: 'hog'") == 2 })
				s.until("hog", "RUNNING")
			}},
		{"crash", "[eventlistener:l]\ncommand=" + script("mailcrash.py 'cat >>{{.Dir}}/mail'") + "\nevents=PROCESS_STATE\n" +
			"[program:good]\ncommand=/bin/sh -c \"read x; exit 0\"\nautorestart=false\n" +
			"[program:bad]\ncommand=/bin/sh -c \"read x; exit 1\"\nautorestart=false\n",
			func(s *eventRun) {
				for _, name := range []string{"good", "bad"} {
					s.until(name, "RUNNING")
					s.call("sendProcessStdin", name, "\n")
				}
				const letter = "Subject: bad crashed\n\nbad in group bad (from RUNNING)\n"
				s.wait("the letter", func() bool { return s.Read("mail") == letter })
			}},
		{"http", "[eventlistener:l]\ncommand=" + script("checkweb.py web http://127.0.0.1:{{.Port}}/") + "\nevents=TICK_5\n" +
			"[program:web]\ncommand=/bin/sh -c \"mkdir {{.Dir}}/hung && exec cat; exec {{.Self}} web 127.0.0.1:{{.Port}}\"\n",
			func(s *eventRun) {
				s.until("web", "RUNNING")
				s.wait("the server to answer", func() bool {
					c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.Port))
					if err != nil {
						return false
					}
					c.Close()
					return true
				})
			}},
		{"forward", "[eventlistener:l]\ncommand=" + script("forwardlog.py {{.Dir}}/all") + "\nevents=PROCESS_LOG\nbuffer_size=100\n" +
			"[program:w]\ncommand=/bin/sh -c \"read x; echo one; echo zwölf; read x; echo two >&2; exec cat\"\nstdout_events_enabled=true\nstderr_events_enabled=true\n",
			func(s *eventRun) {
				s.until("w", "RUNNING")
				s.call("sendProcessStdin", "w", "\n")
				s.wait("the first lines", func() bool { return strings.HasSuffix(s.Read("all"), "zwölf\n") })
				s.call("sendProcessStdin", "w", "\n")
				s.wait("the lines", func() bool { return strings.HasSuffix(s.Read("all"), "w/stderr: two\n") })
				if got, want := s.Read("all"), "w/stdout: one\nw/stdout: zwölf\nw/stderr: two\n"; got != want {
					s.t.Errorf("forwarded %q, want %q", got, want)
				}
			}},
		{"debian's sample", "[eventlistener:l]\ncommand=" + python + debianScripts + "sample_eventlistener.py\nevents=REMOTE_COMMUNICATION\nstderr_logfile={{.Dir}}/l.err\n",
			func(s *eventRun) {
				s.until("l", "RUNNING")
				for range 3 {
					s.call("sendRemoteCommEvent", "kind", "data")
				}
				s.wait("three events on stderr", func() bool { return strings.Count(s.Read("l.err"), "type:kind\ndata") == 3 })
			}},
		{"debian's exiting sample", "[eventlistener:l]\ncommand=" + python + debianScripts + "sample_exiting_eventlistener.py\nevents=REMOTE_COMMUNICATION\nstartsecs=0\nautorestart=true\nstderr_logfile={{.Dir}}/l.err\n",
			func(s *eventRun) {
				for i := range 3 {
					s.call("sendRemoteCommEvent", "kind", "data")
					s.wait("an event on stderr", func() bool { return strings.Count(s.Read("l.err"), "type:kind\ndata") == i+1 })
				}
			}},
		{"debian's loop", "[eventlistener:l]\ncommand=" + python + debianScripts + "loop_listener.py\nevents=PROCESS_COMMUNICATION\n" +
			// As the event generator beside it, which fails under Python 3.
			"[program:p]\ncommand=/bin/sh {{.Dir}}/p.sh\nstdout_capture_maxbytes=10MB\n" + scriptMark +
			`for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
				printf '<!--XSUPERVISOR:BEGIN-->the_data<!--XSUPERVISOR:END-->'
				read reply; echo "$reply" >>turns
			done; exec cat`,
			func(s *eventRun) {
				s.wait("twenty turns", func() bool { return s.Read("turns") == strings.Repeat("Got it yo\n", 20) })
			}},
	}
	for _, row := range rows {
		for _, kind := range oracle.Kinds(t) {
			t.Run(row.name+"/"+kind.String(), func(t *testing.T) {
				t.Parallel()
				row.works(startScripted(t, kind, row.config))
			})
		}
	}
}

// pid is a process's pid as getProcessInfo gives it.
func (s *eventRun) pid(namespec string) int {
	s.t.Helper()
	info, err := s.Call("supervisor.getProcessInfo", namespec)
	if err != nil {
		s.t.Fatal(err)
	}
	pid, _ := info.(map[string]any)["pid"].(int)
	return pid
}

// written waits until a process has written text to its standard error.
func (s *eventRun) written(namespec, text string) {
	s.t.Helper()
	s.wait(namespec+" to write "+text, func() bool {
		got, _ := s.Call("supervisor.readProcessStderrLog", namespec, 0, 0)
		log, _ := got.(string)
		return strings.Contains(log, text)
	})
}
