package cmd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/cmd/internal/oracle"
)

// eventScenario is what one or more recording listeners see of a daemon. Each
// listener is the section [eventlistener:NAME] of a recorder that writes
// NAME.events; its subscription must have REMOTE_COMMUNICATION in it, since the
// last event of a scenario is such a one, of type "end".
type eventScenario struct {
	name    string
	config  string // without the prelude
	do      func(s *eventRun)
	listen  []string // the listeners that see the end; rec when empty
	differs string   // why our record is meant to be another
	noEnd   bool     // the daemon is gone when the scenario is over
	chance  string   // where it differs: an event that the original may send or not, and what follows
}

const logShown = 4 << 10 // bytes of the log that a failure shows

// eventRun is one run of a scenario on one daemon.
type eventRun struct {
	*oracle.Daemon
	t testing.TB
}

func (s *eventRun) until(namespec, state string) {
	s.t.Helper()
	s.wait(namespec+" to be "+state, func() bool { return s.State(namespec) == state })
}

// wait fails the test, with all that is known, unless cond becomes true.
func (s *eventRun) wait(what string, cond func() bool) {
	s.t.Helper()
	if !oracle.Eventually(oracle.Deadline, cond) {
		log := s.Log()
		s.t.Fatalf("%s daemon: waited in vain for %s\nend of the log:\n%s", s.Kind, what, log[max(0, len(log)-logShown):])
	}
}

func (s *eventRun) call(method string, params ...any) {
	s.t.Helper()
	if _, err := s.Call("supervisor."+method, params...); err != nil {
		s.t.Errorf("%s%v: %v", method, params, err)
	}
}

func (s *eventRun) events(listener string) []recorded {
	s.t.Helper()
	return parseRecord(s.t, s.Read(listener+".events"))
}

// seen waits until a listener has recorded n events of that name.
func (s *eventRun) seen(listener, name string, n int) {
	s.t.Helper()
	s.wait(listener+" to see "+name, func() bool {
		count := 0
		for _, ev := range s.events(listener) {
			if ev.name == name {
				count++
			}
		}
		return count >= n
	})
}

func (s *eventRun) logged(text string) {
	s.t.Helper()
	s.wait("the log to say "+text, func() bool { return strings.Contains(s.Log(), text) })
}

// rec is a recorder's section; more are further keys. It counts as started at
// once, before any other program, lest the order of the two be chance: the original
// looks at the clock anew for each process.
func rec(name, events, answers string, more ...string) string {
	return "[eventlistener:" + name + "]\ncommand={{.Self}} record {{.Dir}}/" + name + ".events " + answers +
		"\nevents=" + events + "\nbuffer_size=100\nstartsecs=0\n" + strings.Join(more, "\n") + "\n"
}

// says is a program that runs a shell script once it is told to go on: a line on
// its standard input, so that nothing is said before the listener listens. The
// command drained waits until the daemon has read what was said so far, which is
// then not read together with what follows.
func says(script string, more ...string) string {
	return "[program:p]\ncommand=/bin/sh {{.Dir}}/p.sh\nautorestart=false\n" + strings.Join(more, "\n") + "\n" + scriptMark + script
}

const scriptMark = "\n; script\n"

// start starts a program that does not start by itself, lest it be chance whether it or
// the listener is RUNNING first.
func (s *eventRun) start(name string) {
	s.t.Helper()
	s.until("rec", "RUNNING")
	s.call("startProcess", name)
}

func (s *eventRun) goOn() {
	s.t.Helper()
	s.until("rec", "RUNNING")
	s.until("p", "RUNNING")
	s.call("sendProcessStdin", "p", "go\n")
}

const remote = "REMOTE_COMMUNICATION"

var eventScenarios = []eventScenario{
	{name: "boot", config: rec("rec", "PROCESS_STATE,PROCESS_GROUP,SUPERVISOR_STATE_CHANGE,"+remote, "") +
		"[program:a]\ncommand=/bin/cat\nstartsecs=0\n[program:b]\ncommand=/bin/cat\npriority=5\nstartsecs=0\n",
		do: func(s *eventRun) { s.until("a", "RUNNING"); s.seen("rec", "PROCESS_STATE_RUNNING", 3) }},
	{name: "backoff-fatal", config: rec("rec", "PROCESS_STATE_STARTING,PROCESS_STATE_BACKOFF,PROCESS_STATE_FATAL,"+remote, "") +
		"[program:bad]\ncommand=/bin/sh -c \"sleep 0.1; exit 1\"\nstartsecs=60\nstartretries=1\nautostart=false\n",
		do: func(s *eventRun) {
			s.until("rec", "RUNNING")
			s.call("startProcess", "bad", false)
			s.until("bad", "FATAL")
		}},
	{name: "spawn-error", config: rec("rec", "PROCESS_STATE_STARTING,PROCESS_STATE_BACKOFF,PROCESS_STATE_FATAL,"+remote, "") +
		"[program:bad]\ncommand=/nonexistent/program\nstartretries=2\n",
		do: func(s *eventRun) { s.until("bad", "FATAL") }},
	{name: "exit-expected", config: rec("rec", "PROCESS_STATE,"+remote, "") + says("read go; exit 0", "autostart=false"),
		do: func(s *eventRun) { s.start("p"); s.goOn(); s.until("p", "EXITED") }},
	{name: "exit-unexpected", config: rec("rec", "PROCESS_STATE_EXITED,"+remote, "") + says("read go; exit 4", "exitcodes=0,2"),
		do: func(s *eventRun) { s.goOn(); s.until("p", "EXITED") }},
	{name: "exit-listed", config: rec("rec", "PROCESS_STATE_EXITED,"+remote, "") + says("read go; exit 2", "exitcodes=0,2"),
		do: func(s *eventRun) { s.goOn(); s.until("p", "EXITED") }},
	{name: "killed", config: rec("rec", "PROCESS_STATE_EXITED,"+remote, "") + says("read go; kill -9 $$"),
		do: func(s *eventRun) { s.goOn(); s.until("p", "EXITED") }},
	{name: "autorestart", config: rec("rec", "PROCESS_STATE,"+remote, "") +
		"[program:p]\ncommand=/bin/sh {{.Dir}}/p.sh\nstartsecs=0\nautostart=false\n" + scriptMark + "read go; exit 1",
		do: func(s *eventRun) {
			s.start("p")
			s.goOn()
			s.seen("rec", "PROCESS_STATE_EXITED", 1)
			s.seen("rec", "PROCESS_STATE_RUNNING", 3)
		}},
	{name: "stop-start", config: rec("rec", "PROCESS_STATE,"+remote, "") + "[program:a]\ncommand=/bin/cat\nautostart=false\n",
		do: func(s *eventRun) {
			s.start("a")
			s.call("stopProcess", "a")
			s.call("startProcess", "a")
		}},
	{name: "stop-in-backoff", config: rec("rec", "PROCESS_STATE_BACKOFF,PROCESS_STATE_STOPPED,PROCESS_STATE_STOPPING,"+remote, "") +
		"[program:bad]\ncommand=/bin/sh -c \"sleep 1; exit 1\"\nstartsecs=60\nstartretries=100\nautostart=false\n",
		do: func(s *eventRun) {
			s.until("rec", "RUNNING")
			s.call("startProcess", "bad", false)      // a fault if it has ended by the time of the answer
			s.seen("rec", "PROCESS_STATE_BACKOFF", 4) // so that it is one for 4 s
			s.until("bad", "BACKOFF")
			s.call("stopProcess", "bad")
		}},
	{name: "kill-after-stopwaitsecs", config: rec("rec", "PROCESS_STATE_STOPPING,PROCESS_STATE_STOPPED,"+remote, "") +
		"[program:deaf]\ncommand=/bin/sh -c \"trap '' TERM; while :; do sleep 0.2; done\"\nstopwaitsecs=1\n",
		do: func(s *eventRun) { s.until("deaf", "RUNNING"); s.call("stopProcess", "deaf") }},
	{name: "group", config: rec("rec", "PROCESS_STATE_STOPPED,PROCESS_GROUP,"+remote, "") +
		"[program:a]\ncommand=/bin/cat\npriority=2\n[program:b]\ncommand=/bin/cat\npriority=1\n[group:g]\nprograms=a,b\n",
		do: func(s *eventRun) {
			s.until("g:a", "RUNNING")
			s.until("g:b", "RUNNING")
			s.call("stopProcess", "g:b")
			s.call("stopProcess", "g:a")
		}},
	{name: "numprocs", config: rec("rec", "PROCESS_STATE_STARTING,PROCESS_STATE_RUNNING,"+remote, "") +
		"[program:n]\ncommand=/bin/cat\nnumprocs=3\nprocess_name=%(program_name)s_%(process_num)02d\nstartsecs=0\n",
		do: func(s *eventRun) { s.until("n:n_02", "RUNNING") }},
	{name: "remote", config: rec("rec", "remote_communication", ""),
		do: func(s *eventRun) {
			s.until("rec", "RUNNING")
			for _, data := range []string{"", "plain", "two\nlines\n", "Grüße, 世界 🌍", "a:b c:d", "<&>"} {
				s.call("sendRemoteCommEvent", "kind", data)
			}
			s.call("sendRemoteCommEvent", "ä", "")
		}},
	{name: "log-stdout", config: rec("rec", "PROCESS_LOG,"+remote, "") +
		says("read go; echo one; drained; printf two; drained; echo é; exec cat", "stdout_events_enabled=true"),
		do: func(s *eventRun) { s.goOn(); s.seen("rec", "PROCESS_LOG_STDOUT", 3) }},
	{name: "log-stderr", config: rec("rec", "PROCESS_LOG_STDERR,"+remote, "") +
		says("read go; echo out; echo err >&2; exec cat", "stdout_events_enabled=true", "stderr_events_enabled=true"),
		do: func(s *eventRun) { s.goOn(); s.seen("rec", "PROCESS_LOG_STDERR", 1) }},
	{name: "log-redirected", config: rec("rec", "PROCESS_LOG,"+remote, "") +
		says("read go; echo out; drained; echo err >&2; exec cat", "stdout_events_enabled=true", "redirect_stderr=true"),
		do: func(s *eventRun) { s.goOn(); s.seen("rec", "PROCESS_LOG_STDOUT", 2) }},
	{name: "log-undecodable", config: rec("rec", "PROCESS_LOG,"+remote, "") +
		says(`read go; printf "\377\376 it's\n"; drained; printf "\303"; drained; printf "\251\n"; exec cat`, "stdout_events_enabled=true"),
		do: func(s *eventRun) { s.goOn(); s.seen("rec", "PROCESS_LOG_STDOUT", 3) }},
	{name: "log-before-exit", config: rec("rec", "PROCESS_LOG,PROCESS_STATE_EXITED,"+remote, "") +
		says("read go; echo last words; exit 0", "stdout_events_enabled=true"),
		do: func(s *eventRun) { s.goOn(); s.seen("rec", "PROCESS_STATE_EXITED", 1) }},
	{name: "comm", config: rec("rec", "PROCESS_COMMUNICATION,"+remote, "") +
		says(`read go; printf 'before <!--XSUPERVISOR:BEGIN-->inside<!--XSUPERVISOR:END--> after\n'; exec cat`, "stdout_capture_maxbytes=1MB"),
		do: func(s *eventRun) { s.goOn(); s.seen("rec", "PROCESS_COMMUNICATION_STDOUT", 1) }},
	{name: "comm-several", config: rec("rec", "PROCESS_COMMUNICATION,"+remote, "") +
		says(`read go; B='<!--XSUPERVISOR:BEGIN-->' E='<!--XSUPERVISOR:END-->'; printf "${B}one$E${B}${E}x${B}three\n$E"; exec cat`, "stdout_capture_maxbytes=1MB"),
		do: func(s *eventRun) { s.goOn(); s.seen("rec", "PROCESS_COMMUNICATION_STDOUT", 3) }},
	{name: "comm-split", config: rec("rec", "PROCESS_COMMUNICATION,"+remote, "") +
		says(`read go; printf 'x<!--XSUPER'; drained; printf 'VISOR:BEGIN-->a<!--X'; drained; printf 'b<!--XSUPERVISOR:E'; drained; printf 'ND-->, and some text after the mark\n'; exec cat`, "stdout_capture_maxbytes=1MB"),
		do: func(s *eventRun) { s.goOn(); s.seen("rec", "PROCESS_COMMUNICATION_STDOUT", 1) }},
	{name: "comm-and-log", config: rec("rec", "PROCESS_COMMUNICATION,PROCESS_LOG,"+remote, "") +
		says(`read go; printf 'before the mark ...... <!--XSUPERVISOR:BEGIN-->inside<!--XSUPERVISOR:END-->'; exec cat`, "stdout_capture_maxbytes=1MB", "stdout_events_enabled=true"),
		do: func(s *eventRun) { s.goOn(); s.seen("rec", "PROCESS_COMMUNICATION_STDOUT", 1) }},
	{name: "comm-limit", config: rec("rec", "PROCESS_COMMUNICATION,"+remote, "") +
		says(`read go; printf '<!--XSUPERVISOR:BEGIN-->'; drained; printf 'aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd'; drained; printf 'eeeeeeeeeeffffffffffgggggggggghhhhhhhhhh<!--XSUPERVISOR:END-->'; exec cat`, "stdout_capture_maxbytes=50"),
		do: func(s *eventRun) { s.goOn(); s.seen("rec", "PROCESS_COMMUNICATION_STDOUT", 1) }},
	{name: "comm-stderr", config: rec("rec", "PROCESS_COMMUNICATION_STDERR,"+remote, "") +
		says(`read go; printf '<!--XSUPERVISOR:BEGIN-->\377\n<!--XSUPERVISOR:END-->' >&2; exec cat`, "stderr_capture_maxbytes=1MB"),
		do: func(s *eventRun) { s.goOn(); s.seen("rec", "PROCESS_COMMUNICATION_STDERR", 1) }},
	{name: "group-added-removed", config: rec("rec", "PROCESS_GROUP,PROCESS_STATE_STOPPED,"+remote, "") +
		"[program:a]\ncommand=/bin/cat\n[include]\nfiles={{.Dir}}/conf.d/*.ini\n" + noAutoupdate,
		do: func(s *eventRun) {
			s.until("a", "RUNNING")
			s.Write("conf.d/b.ini", "[program:b]\ncommand=/bin/cat\nstartsecs=0\n")
			s.call("reloadConfig")
			s.call("addProcessGroup", "b")
			s.until("b", "RUNNING")
			s.call("stopProcessGroup", "b")
			s.call("removeProcessGroup", "b")
		}},
	{name: "shutdown", config: rec("rec", "SUPERVISOR_STATE_CHANGE,PROCESS_STATE_STOPPED,"+remote, "") +
		"[program:a]\ncommand=/bin/cat\npriority=1\n[program:b]\ncommand=/bin/cat\npriority=2\n", noEnd: true,
		differs: "listeners hear of the end of every program before they are stopped themselves",
		chance:  "PROCESS_STATE_STOPPED",
		do: func(s *eventRun) {
			s.until("a", "RUNNING")
			s.until("b", "RUNNING")
			s.seen("rec", "SUPERVISOR_STATE_CHANGE_RUNNING", 1)
			s.Stop()
		}},
	{name: "restart", config: rec("rec", "SUPERVISOR_STATE_CHANGE,"+remote, ""),
		differs: "listeners hear of the restart before they are stopped themselves",
		do: func(s *eventRun) {
			s.seen("rec", "SUPERVISOR_STATE_CHANGE_RUNNING", 1)
			s.Signal(syscall.SIGHUP)
			s.seen("rec", "SUPERVISOR_STATE_CHANGE_RUNNING", 2)
		}},
	{name: "rejected-once", config: rec("rec", remote, "fail lower ok"),
		do: func(s *eventRun) {
			s.until("rec", "RUNNING")
			s.call("sendRemoteCommEvent", "t", "one")
			s.seen("rec", remote, 3)
			s.call("sendRemoteCommEvent", "t", "two")
		}},
	{name: "dies-in-event", config: rec("rec", remote, "die", "autorestart=true"),
		do: func(s *eventRun) { // its second process does not
			s.until("rec", "RUNNING")
			s.call("sendRemoteCommEvent", "t", "one")
			s.seen("rec", remote, 2)
		}},
	{name: "overflow", config: strings.Replace(rec("rec", remote, ""), "buffer_size=100", "buffer_size=3\nautostart=false", 1),
		do: func(s *eventRun) {
			for _, data := range []string{"1", "2", "3", "4", "5"} {
				s.call("sendRemoteCommEvent", "t", data)
			}
			s.call("startProcess", "rec")
			s.seen("rec", remote, 3)
		}},
	{name: "two-pools", config: rec("one", "PROCESS_STATE_STOPPED,"+remote, "") + rec("two", "PROCESS_STATE_STOPPING,"+remote, "") + "[program:a]\ncommand=/bin/cat\n",
		listen: []string{"one", "two"},
		do: func(s *eventRun) {
			s.until("a", "RUNNING")
			s.until("two", "RUNNING")
			s.call("stopProcess", "a")
			s.call("sendRemoteCommEvent", "t", "x")
		}},
	{name: "two-members", config: strings.Replace(rec("rec", remote, "ok"), "record {{.Dir}}/rec.events ok",
		"record {{.Dir}}/%(process_num)s.events silent\nnumprocs=2\nprocess_name=%(process_num)s", 1), noEnd: true,
		listen: []string{"0", "1"},
		do: func(s *eventRun) {
			s.wait("both to be ready", func() bool { return strings.Count(s.Log(), "ACKNOWLEDGED -> READY") == 2 })
			s.call("sendRemoteCommEvent", "t", "first")
			s.seen("0", remote, 1)
			s.call("sendRemoteCommEvent", "t", "second")
			s.seen("1", remote, 1)
			s.call("sendRemoteCommEvent", "t", "nobody is left for the third")
		}},
	{name: "tick", config: rec("rec", "tick_5,"+remote, ""), noEnd: true,
		do: func(s *eventRun) { s.seen("rec", "TICK_5", 2) }},
	{name: "bad-result", config: rec("rec", remote, "bad") + rec("other", remote, ""), listen: []string{"other"},
		differs: "a rejected event is not given to the pools of other listeners",
		do: func(s *eventRun) {
			s.until("rec", "RUNNING")
			s.until("other", "RUNNING")
			s.call("sendRemoteCommEvent", "t", "one")
			s.logged("rec: has entered the UNKNOWN state")
			s.call("sendRemoteCommEvent", "t", "two")
		}},
	{name: "never-ready", config: rec("rec", remote, "none") + rec("other", remote, ""), listen: []string{"other"},
		do: func(s *eventRun) {
			s.until("rec", "RUNNING")
			s.call("sendRemoteCommEvent", "t", "one")
		}},
	{name: "overlapping", config: rec("rec", "PROCESS_STATE,PROCESS_STATE_STOPPED,"+remote, "") + "[program:a]\ncommand=/bin/cat\nautostart=false\n",
		differs: "an event is delivered once, however many of its types are named",
		do: func(s *eventRun) {
			s.start("a")
			s.call("stopProcess", "a")
		}},
}

// noAutoupdate keeps our daemon from acting before it is asked; Supervisor does
// not know the section.
const noAutoupdate = "[reconcile]\nautoupdate=false\n"

// eventGoldens holds what Debian's Supervisor sent. runtime/event makes each of
// these events again, byte for byte.
const eventGoldens = "../testdata/events"

// TestEventStreams has a listener record what each daemon sends it. The goldens
// are Debian's, or our own where a scenario says how we differ.
func TestEventStreams(t *testing.T) {
	t.Parallel()
	for _, sc := range eventScenarios {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			original := filepath.Join(eventGoldens, sc.name+".txt")
			own := original
			if sc.differs != "" {
				own = filepath.Join(eventGoldens, sc.name+".ours.txt")
			}
			if oracle.Asked(t) {
				compareGolden(t, oracle.Debian, original, sc.record(t, oracle.Debian), true)
			}
			compareGolden(t, oracle.Ours, own, sc.record(t, oracle.Ours), own != original)
		})
	}
}

// compareGolden compares with a golden file, or writes it if it is the one's to
// write and -update is given.
func compareGolden(t *testing.T, kind oracle.Kind, path, got string, writes bool) {
	t.Helper()
	if oracle.Updating() && writes {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.SplitAfter(string(want), "\n"), strings.SplitAfter(got, "\n")); diff != "" {
		t.Errorf("%s (-want +%v):\n%s", path, kind, diff)
	}
}

// record plays a scenario and returns what the listeners have recorded.
func (sc eventScenario) record(t *testing.T, kind oracle.Kind) string {
	t.Helper()
	s := startScripted(t, kind, sc.config)
	sc.do(s)
	listeners := sc.listen
	if listeners == nil {
		listeners = []string{"rec"}
	}
	if !sc.noEnd {
		s.call("sendRemoteCommEvent", "end", "")
	}
	var all strings.Builder
	for _, name := range listeners {
		if !sc.noEnd {
			s.wait("the last event at "+name, func() bool {
				events := s.events(name)
				return len(events) > 0 && events[len(events)-1].payload == "type:end\n"
			})
		}
		events := s.events(name)
		if kind == oracle.Debian && sc.chance != "" {
			if i := slices.IndexFunc(events, func(ev recorded) bool { return ev.name == sc.chance }); i >= 0 {
				events = events[:i]
			}
		}
		all.WriteString(canonical(events))
	}
	s.Stop()
	return all.String()
}

// startScripted starts a daemon on a configuration that may have a script for its
// program p after the mark.
func startScripted(t testing.TB, kind oracle.Kind, config string) *eventRun {
	t.Helper()
	dir := t.TempDir()
	config, script, scripted := strings.Cut(config, scriptMark)
	if scripted {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		script = "drained() { " + self + " drained; }\n" + script + "\n"
		if err := os.WriteFile(filepath.Join(dir, "p.sh"), []byte(script), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &eventRun{oracle.StartDaemon(t, kind, dir, oracle.Prelude+config, "-e", "debug"), t}
}
