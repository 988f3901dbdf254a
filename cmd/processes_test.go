package cmd

import (
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// processLines are the lines of the activity log that tell what became of
// processes, and those of the debug level that tell what was sent to them. The
// rest (how the daemon came up, who asked for what) has tests of its own; "waiting
// for x to stop" is left out because the original writes it or not by chance when x
// stops at once, and so are SIGCHLD, which stands for any number of exits, and SIGUSR2,
// see showProcesses.
var processLines = regexp.MustCompile(`(?m)^.* (?:\w{4}) (?:spawned: |spawnerr: |success: |exited: |stopped: |gave up: |killing |sending |Attempted to kill |unable to signal |received SIG(?:[^CU]|USR1)|ignored |reaped ).*$`)

// showProcesses records what the activity log says of processes, without the
// times. What a process has become can be seen before it is written: a daemon that
// still runs is asked for a line behind all others.
func showProcesses(s *oracle.Session) {
	if _, err := s.Daemon.Call("supervisor.getState"); err == nil {
		const last = "supervisord logreopen"
		seen := strings.Count(s.Daemon.Log(), last)
		s.Daemon.Signal(syscall.SIGUSR2)
		oracle.WaitFor(s.T, "the log to be written", func() bool { return strings.Count(s.Daemon.Log(), last) > seen })
	}
	lines := processLines.FindAllString(s.Daemon.Log(), -1)
	s.Printf("> log\n%s\n", strings.Join(lines, "\n"))
}

// goOn waits until a program is RUNNING and then sends it a line, on which its
// script goes on: a process that ends by the clock may end before the daemon has
// seen it run.
func goOn(name string) oracle.Step {
	return func(s *oracle.Session) {
		oracle.WaitFor(s.T, name+" to run", func() bool { return s.Daemon.State(name) == "RUNNING" })
		if _, err := s.Daemon.Call("supervisor.sendProcessStdin", name, "go on\n"); err != nil {
			s.T.Fatal(err)
		}
	}
}

// untilLogged waits until the activity log has had a text so many times.
func untilLogged(text string, times int) oracle.Step {
	return func(s *oracle.Session) {
		oracle.WaitFor(s.T, text, func() bool { return strings.Count(s.Daemon.Log(), text) >= times })
		s.Printf("> until logged %d times: %s\n", times, text)
	}
}

// shutDown stops the daemon and waits for it.
func shutDown(s *oracle.Session) {
	s.Daemon.Stop()
	s.Printf("> shut down\n")
}

const trap = `#!/bin/sh
trap '' TERM
echo ready
while :; do sleep 0.05; done
`

// ready waits until a script of the row has printed to its log.
func ready(file string) oracle.Step {
	return func(s *oracle.Session) {
		oracle.WaitFor(s.T, file, func() bool { return s.Daemon.Read(file) != "" })
	}
}

// TestProcessLines plays what can happen to a process under both daemons; the
// activity log must tell it in the same words.
func TestProcessLines(t *testing.T) {
	t.Parallel()
	rows := []oracle.Row{
		{
			Name: "not-found",
			Config: oracle.Prelude + `
[program:missing]
command=/nope/nope
startretries=1
`,
			Steps: []oracle.Step{oracle.Until("missing", "FATAL"), showProcesses, oracle.Ctl("status"), oracle.Ctl("start", "missing"), oracle.Ctl("status")},
		}, {
			Name: "quick-exit",
			Config: oracle.Prelude + `
[program:quick]
command=/bin/sh -c "sleep 0.2; exit 3"
startsecs=60
startretries=1
`,
			Steps: []oracle.Step{oracle.Until("quick", "FATAL"), showProcesses, oracle.Ctl("status")},
		}, {
			Name: "startsecs-zero",
			Config: oracle.Prelude + `
[program:zero]
command=/bin/sh -c "read line; exit 3"
startsecs=0
autorestart=false
`,
			Steps: []oracle.Step{goOn("zero"), oracle.Until("zero", "EXITED"), showProcesses, oracle.Ctl("status", "zero"), oracle.Ctl("start", "zero")},
		}, {
			Name: "expected-exit",
			Config: oracle.Prelude + `
[program:done]
command=/bin/sh -c "read line; exit 7"
exitcodes=0,7
autorestart=unexpected
`,
			Steps: []oracle.Step{goOn("done"), oracle.Until("done", "EXITED"), showProcesses, oracle.Ctl("status", "done")},
		}, {
			Name: "unexpected-exit",
			Config: oracle.Prelude + `
[program:again]
command=/bin/sh -c 'test -e {{.Dir}}/once && exec sleep 60; touch {{.Dir}}/once; read line; exit 2'
`,
			Steps: []oracle.Step{oracle.Until("again", "RUNNING"), goOn("again"), oracle.UntilLogged("exited: again"),
				oracle.Until("again", "RUNNING"), showProcesses},
		}, {
			Name: "killed",
			Config: oracle.Prelude + `
[program:victim]
command=/bin/sh -c "read line; kill -9 $$"
autorestart=false
`,
			Steps: []oracle.Step{goOn("victim"), oracle.Until("victim", "EXITED"), showProcesses, oracle.Ctl("status", "victim")},
		}, {
			Name: "stop",
			Config: oracle.Prelude + `
[program:cat]
command=/bin/cat
`,
			Steps: []oracle.Step{oracle.Until("cat", "RUNNING"), oracle.Ctl("stop", "cat"), oracle.Ctl("stop", "cat"),
				oracle.Ctl("start", "cat"), oracle.Ctl("restart", "cat"), showProcesses},
		}, {
			Name: "stop-signal",
			Config: oracle.Prelude + `
[program:usr1]
command=/bin/sh -c 'trap "exit 5" USR1; echo ready; while :; do sleep 0.05; done'
stopsignal=USR1
exitcodes=5
stdout_logfile={{.Dir}}/usr1.out
`,
			Steps: []oracle.Step{oracle.Until("usr1", "RUNNING"), ready("usr1.out"), oracle.Ctl("stop", "usr1"), showProcesses, oracle.Ctl("status", "usr1")},
		}, {
			Name:  "escalation",
			Files: map[string]string{"trap.sh": trap},
			Config: oracle.Prelude + `
[program:trap]
command={{.Dir}}/trap.sh
stopwaitsecs=15
stdout_logfile={{.Dir}}/trap.out
`,
			Steps: []oracle.Step{oracle.Until("trap", "RUNNING"), ready("trap.out"), oracle.Call("supervisor.stopProcess", "trap", false),
				oracle.Ctl("status", "trap"), oracle.Ctl("start", "trap"), oracle.Until("trap", "STOPPED"), showProcesses, oracle.Ctl("status", "trap")},
		}, {
			Name: "stop-in-backoff",
			Config: oracle.Prelude + `
[program:quick]
command=/bin/sh -c "exit 3"
startsecs=60
startretries=9
`,
			// Two clients of the original would take longer than the four seconds of that BACKOFF.
			Steps: []oracle.Step{untilLogged("exited: quick", 4), oracle.Until("quick", "BACKOFF"), oracle.Call("supervisor.startProcess", "quick"),
				oracle.Call("supervisor.signalProcess", "quick", "HUP"), oracle.Call("supervisor.stopProcess", "quick"),
				oracle.Call("supervisor.stopProcess", "quick"), oracle.Ctl("status", "quick"), showProcesses},
		}, {
			Name: "signals",
			Config: oracle.Prelude + `
[program:hup]
command=/bin/sh -c 'trap "echo hup" HUP; echo ready; while :; do sleep 0.05; done'
stdout_logfile={{.Dir}}/hup.out
`,
			Steps: []oracle.Step{oracle.Until("hup", "RUNNING"), ready("hup.out"), oracle.Ctl("signal", "HUP", "hup"),
				func(s *oracle.Session) {
					oracle.WaitFor(s.T, "hup", func() bool { return strings.Contains(s.Daemon.Read("hup.out"), "hup") })
				},
				oracle.Show("hup.out"), oracle.Ctl("signal", "BOGUS", "hup"), oracle.Ctl("signal", "1", "nope"), oracle.Call("supervisor.signalProcess", "hup", "0"),
				oracle.UntilLogged("sig signal 0"), showProcesses},
		}, {
			Name: "group",
			Config: oracle.Prelude + `
[group:both]
programs=a,b

[program:a]
command=/bin/cat

[program:b]
command=/bin/cat
autostart=false
`,
			Steps: []oracle.Step{oracle.Until("both:a", "RUNNING"), oracle.Ctl("status"), oracle.Ctl("start", "both:*"), ctlSorted("stop", "both:*"),
				oracle.Ctl("stop", "both:*"), oracle.Ctl("status"), oracle.Ctl("stop", "both")},
		}, {
			Name: "numprocs",
			Config: oracle.Prelude + `
[program:w]
command=/bin/sh -c "echo %(process_num)d of %(numprocs)d; exec cat"
process_name=%(program_name)s_%(process_num)02d
numprocs=3
numprocs_start=5
stdout_logfile={{.Dir}}/%(process_num)d.out
`,
			Steps: []oracle.Step{oracle.Until("w:w_05", "RUNNING"), oracle.Until("w:w_06", "RUNNING"), oracle.Until("w:w_07", "RUNNING"),
				oracle.Ctl("status"), ready("5.out"), oracle.Show("5.out"), ready("7.out"), oracle.Show("7.out"), ctlSorted("stop", "w:*")},
		}, {
			Name: "shutdown-priorities",
			Config: oracle.Prelude + `
[program:last]
command=/bin/cat
priority=30
startsecs=5

[program:first]
command=/bin/cat
priority=10

[program:middle]
command=/bin/cat
priority=20
startsecs=3
`,
			Steps: []oracle.Step{oracle.Until("last", "RUNNING"), oracle.Until("first", "RUNNING"), oracle.Until("middle", "RUNNING"), shutDown, showProcesses},
		}, {
			Name:  "exec-fails",
			Files: map[string]string{"bad.txt": "#!/bin/sh\n"},
			Config: oracle.Prelude + `
[program:nodir]
command=/bin/cat
directory=/nope/nope
startsecs=60
startretries=0
stderr_logfile={{.Dir}}/nodir.err

[program:notexec]
command=/etc/passwd
startretries=0

[program:isdir]
command=/etc
startretries=0

[program:quotes]
command=/bin/sh -c "foo
startretries=0

[program:empty]
command=
startretries=0
`,
			Steps: []oracle.Step{oracle.Until("nodir", "FATAL"), oracle.Until("notexec", "FATAL"), oracle.Until("isdir", "FATAL"), oracle.Until("quotes", "FATAL"), oracle.Until("empty", "FATAL"),
				oracle.Ctl("status"), oracle.Show("nodir.err"), oracle.Ctl("start", "notexec", "isdir", "quotes", "empty"),
				oracle.Call("supervisor.startProcess", "quotes"), oracle.Call("supervisor.startProcess", "empty"), oracle.Call("supervisor.startProcess", "isdir")},
		}, {
			Name: "log-not-writable",
			Config: oracle.Prelude + `
[program:nolog]
command=/bin/cat
startretries=0
stdout_logfile={{.Dir}}
`,
			Steps: []oracle.Step{oracle.Until("nolog", "FATAL"), showProcesses, oracle.Ctl("status")},
		}, {
			Name: "hup",
			Config: oracle.Prelude + `
[program:cat]
command=/bin/cat
`,
			Steps: []oracle.Step{oracle.Until("cat", "RUNNING"), oracle.Ctl("reload"), oracle.UntilLogged("stopped: cat"), oracle.Until("cat", "RUNNING"), showProcesses},
		}, {
			Name: "reopen",
			Config: oracle.Prelude + `
[program:tick]
command=/bin/sh -c "while :; do echo tick; sleep 0.05; done"
stdout_logfile={{.Dir}}/tick.out
`,
			Steps: []oracle.Step{oracle.Until("tick", "RUNNING"), oracle.Remove("tick.out"), reopen,
				oracle.UntilLogged("supervisord logreopen"), ready("tick.out"), showProcesses},
		}, {
			Name: "stdin",
			Config: oracle.Prelude + `
[program:cat]
command=/bin/cat
stdout_logfile={{.Dir}}/cat.out
`,
			Steps: []oracle.Step{oracle.Until("cat", "RUNNING"), oracle.Call("supervisor.sendProcessStdin", "cat", "hello\n"), ready("cat.out"), oracle.Show("cat.out"),
				oracle.Call("supervisor.sendProcessStdin", "nope", "x"), oracle.Ctl("stop", "cat"), oracle.Call("supervisor.sendProcessStdin", "cat", "x"), showProcesses},
		}, {
			Name: "environment",
			Config: oracle.Prelude + `
[program:env]
command=/bin/sh -c "env | grep -E '^(SUPERVISOR_|A=|B=)' | sort; pwd; umask; exec cat"
environment=A="1",B="%(program_name)s"
directory=/
umask=027
redirect_stderr=true
stdout_logfile={{.Dir}}/env.out
`,
			Steps: []oracle.Step{oracle.Until("env", "RUNNING"), untilEnd("env.out", "0027\n"), showEnvironment},
		},
	}
	for i := range rows {
		rows[i].Args = []string{"-e", "debug"}
	}
	oracle.Run(t, "testdata/processes", rows)
}

// ctlSorted is oracle.Ctl with the lines sorted: processes that stop together are
// listed by the original in the order in which it happens to look.
func ctlSorted(args ...string) oracle.Step {
	return func(s *oracle.Session) {
		lines := strings.Split(strings.TrimSpace(s.Daemon.Ctl(s.Client, args...).Stdout), "\n")
		slices.Sort(lines)
		s.Printf("> %s\n%s\n", strings.Join(args, " "), strings.Join(lines, "\n"))
	}
}

func reopen(s *oracle.Session) {
	s.Daemon.Signal(syscall.SIGUSR2)
	s.Printf("> USR2\n")
}

// marked is the variable by which the harness finds what a daemon leaves behind.
var marked = regexp.MustCompile(`(?m)^SUPERVISOR_ORACLE_MARK=.*\n`)

func showEnvironment(s *oracle.Session) {
	s.Printf("> env.out\n%s", marked.ReplaceAllString(s.Daemon.Read("env.out"), ""))
}

// TestChildQuit: that a child has quit is said after what it wrote last and after its end, as
// the original does, which reads what is ready before it looks at signals.
func TestChildQuit(t *testing.T) {
	t.Parallel()
	const n = 20
	d := oracle.StartDaemon(t, oracle.Ours, t.TempDir(), strings.Replace(oracle.Prelude, "[supervisord]", "[supervisord]\nloglevel=debug", 1)+`
[program:p]
command=/bin/sh -c 'echo last words'
process_name=%(process_num)d
numprocs=20
startsecs=0
autorestart=false
`)
	quit := regexp.MustCompile(`received SIGCHLD indicating a child quit`)
	ended := regexp.MustCompile(`exited: \d+ \(`)
	wrote := regexp.MustCompile(`'\d+' stdout output:`)
	var log string
	oracle.WaitFor(t, "every end", func() bool {
		log = d.Log()
		ends, quits := ended.FindAllStringIndex(log, -1), quit.FindAllStringIndex(log, -1)
		return len(ends) == n && len(quits) > 0 && quits[len(quits)-1][0] > ends[n-1][0]
	})
	ends, writes, quits := ended.FindAllStringIndex(log, -1), wrote.FindAllStringIndex(log, -1), quit.FindAllStringIndex(log, -1)
	if len(writes) != n || quits[0][0] < ends[0][0] || quits[len(quits)-1][0] < writes[n-1][0] {
		t.Errorf("%d ends and %d outputs, and not before the signals:\n%s", len(ends), len(writes), log)
	}
}
