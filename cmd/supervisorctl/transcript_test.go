package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// frozen keeps our daemon from acting on changed files by itself, which the
// original never does; the original does not know the section.
const frozen = oracle.Prelude + `[reconcile]
autoupdate=false

`

// programs is the configuration of the contract's transcripts.
const programs = frozen + `[program:cat]
command=/bin/sh -c "echo start; exec cat"

[program:two]
command=/bin/sh -c "echo out; echo err >&2; exec cat"
numprocs=2
process_name=%(program_name)s_%(process_num)02d

[program:stopped]
command=/bin/cat
autostart=false

[program:nolog]
command=/bin/cat
stdout_logfile=NONE
stderr_logfile=NONE

[program:badcmd]
command=/nope
autostart=false

[program:quick]
command=/bin/sh -c "sleep 0.3; exit 1"
startretries=0
autostart=false
`

// namesMistakes is why an update that is refused differs.
const namesMistakes = "each mistake is told with its file and line"

// each runs supervisorctl once for every line.
func each(lines ...string) oracle.Step {
	return func(s *oracle.Session) {
		for _, line := range lines {
			record(s, "", strings.Fields(line)...)
		}
	}
}

// words runs supervisorctl with these arguments as they are.
func words(args ...string) oracle.Step {
	return func(s *oracle.Session) { record(s, "", args...) }
}

// shell runs it without an action, with a text on standard input.
func shell(stdin string, options ...string) oracle.Step {
	return func(s *oracle.Session) { record(s, stdin, options...) }
}

// record is oracle.CtlInput in the environment of all clients here.
func record(s *oracle.Session, stdin string, args ...string) {
	t := s.T.(*testing.T)
	args = slices.Clone(args) // every pairing fills in its own
	fill := strings.NewReplacer("{{.Dir}}", s.Daemon.Dir, "{{.Sock}}", s.Daemon.Sock, "{{.Port}}", strconv.Itoa(s.Daemon.Port))
	for i, arg := range args {
		args[i] = fill.Replace(arg)
	}
	s.Printf("$ supervisorctl %q\n", args)
	out := ctl(t, s.Client, s.Daemon.Dir, stdin, append([]string{"-c", s.Daemon.Config}, args...)...)
	text := s.Daemon.Normaliser().Ctl(args, out.String())
	s.Printf("%s", ownVersion.ReplaceAllString(text, "<version>"))
}

// ownVersion is what the version command prints: Debian's original and ours do
// not report the same release.
var ownVersion = regexp.MustCompile(`(?m)\b4\.\d+\.\d+$`)

// running waits until these processes run.
func running(names ...string) oracle.Step {
	return func(s *oracle.Session) {
		for _, name := range names {
			oracle.Until(name, "RUNNING")(s)
		}
	}
}

var boot = running("cat", "two:two_00", "two:two_01", "nolog")

// TestTranscripts plays sessions on every pairing of clients and daemons.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	oracle.Run(t, "testdata/transcript", []oracle.Row{
		{
			Name: "looking", Config: programs,
			Steps: []oracle.Step{boot, each(
				"status", "status cat", "status two:*", "status two:", "status two", "status cat nope nope:*",
				"status nope stopped", "status stopped cat cat", "status all", "status all nope", "status :", "status :x",
				"status cat:cat", "status cat:x", "status two:two_01 two:two_00",
				"pid cat two:two_00", "pid", "pid stopped", "pid two:*", "pid all", "pid nope cat", "pid all nope",
				"avail", "avail x", "version", "version x", "reread", "reread x", "update", "update nosuch", "update cat",
				"tail two:two_00", "tail two:two_00 stderr", "tail -2 two:two_00", "tail --2 two:two_00", "tail -0 cat",
				"tail -1000000 cat", "tail two:two_00 foo", "tail -x cat", "tail -f", "tail", "tail nope", "tail nope:*",
				"tail two:*", "tail two", "tail nolog", "tail cat STDERR", "tail cat stdout extra", "tail a b c d",
				"tail -f nope", "tail -f two:*", "tail -f nolog stderr", "tail stopped",
				"maintail 20", "maintail a b", "maintail -f x", "maintail -x",
				"fg", "fg a b", "fg nope", "fg badcmd", "fg two:*",
				"help", "help pid", "help nope", "bogus", "quit", "exit", "EOF", "open foo", "open", "!ls", "?",
				"open unix://{{.Sock}}", "reload x", "shutdown x", "add", "remove", "signal", "start", "stop", "restart", "clear",
			)},
		},
		{
			Name: "control", Config: programs,
			Steps: []oracle.Step{
				boot,
				each("start cat badcmd nope", "start nope:*", "start two:*", "start two:", "start :", "start two", "start stopped"),
				each("start quick"), oracle.Until("quick", "FATAL"), each("status quick", "status", "restart badcmd", "stop badcmd", "stop nope:*", "stop two", "stop a:b"),
				each("stop stopped", "stop stopped", "stop cat nope", "restart cat", "restart nope nope:*"),
				words("restart cat"), words("status", "cat two:*"),
			},
		},
		{
			Name: "signals", Config: programs,
			Steps: []oracle.Step{
				boot, words("signal CONT", "cat"),
				each("signal HUP", "signal CONT cat", "signal cont cat", "signal SIGCONT cat", "signal 18 cat", "signal NOPE cat",
					"signal CONT badcmd", "signal CONT two:*", "signal CONT nope:*", "signal CONT nope two:two_00", "signal 99 cat",
					"signal CONT all", "signal NOPE all"),
				each("clear cat nope", "clear all", "clear all nope", "clear nope:x"),
			},
		},
		{
			Name: "groups", Config: programs,
			Steps: []oracle.Step{
				boot,
				// More than one process at a time would finish in any order.
				each("remove quick", "start badcmd all", "stop nolog two:two_00 two:two_01 stopped", "stop all", "stop all",
					"start cat two:two_01"),
				each("remove cat", "remove nope", "remove two nope", "remove badcmd", "remove badcmd", "status badcmd"),
				each("update nope all", "status badcmd"),
			},
		},
		{
			Name: "files", Config: programs + "[include]\nfiles=more/*.conf\n",
			Together: namesMistakes,
			Steps: []oracle.Step{
				boot,
				oracle.Write("more/new.conf", "[program:newone]\ncommand=/bin/cat\n"),
				each("add newone", "reread", "reread", "avail", "status newone", "add newone", "add newone cat nope"), running("newone"),
				oracle.Write("more/new.conf", "[program:newone]\ncommand=/bin/cat -u\n[program:another]\ncommand=/bin/cat\n"),
				each("reread", "update nosuch another"), running("another"),
				each("update", "update", "avail"), running("newone"),
				oracle.Remove("more/new.conf"),
				each("reread", "avail", "update nosuch", "update newone", "reread", "remove another", "stop another", "remove another"),
				each("reread", "add another", "status"),
				oracle.Write("more/bad.conf", "[program:broken]\nautostart=true\n"),
				each("reread", "update", "update cat", "add broken", "avail"),
				oracle.Write("more/bad.conf", "[program:worse]\ncommand=/bin/cat\nstartsecs=x\n"),
				each("reread", "update"),
			},
		},
		{
			Name: "shell", Config: programs,
			Steps: []oracle.Step{
				boot,
				shell("status cat\nversion\n\n  \nhelp\nhelp add\nbogus\npid nope\nquit\nversion\n"),
				shell("shutdown\nn\nreload\n\nversion"),
				shell("exit\n"), shell(""), shell("EOF\n"), shell("stop stopped\ntail nope\nfg nope\nopen foo\nopen unix:///nope\nversion"),
			},
		},
		{
			Name: "ending", Config: programs,
			Steps: []oracle.Step{
				boot, each("shutdown"),
				func(s *oracle.Session) { s.Printf("> exits with %d\n", s.Daemon.Wait()) },
				each("shutdown", "status", "status cat", "start cat", "stop", "reload", "update", "reread", "avail", "add x", "remove x",
					"version", "pid", "tail cat", "fg cat", "signal HUP cat", "clear all", "restart cat", "open unix://{{.Sock}}"),
				shell("status\nupdate\n"),
			},
		},
		{
			Name: "login",
			Config: strings.Replace(frozen, "serverurl=unix://{{.Sock}}", "serverurl=http://127.0.0.1:{{.Port}}\nusername=u\npassword=p:w", 1) +
				"[inet_http_server]\nport=127.0.0.1:{{.Port}}\nusername=u\npassword=p:w\n\n" +
				"[program:cat]\ncommand=/bin/cat\nautostart=false\n",
			Steps: []oracle.Step{
				each("status", "-u u -p wrong status", "-u x version", "-p p:w version", "-u u -p p:w version", "-p wrong update",
					"-p wrong shutdown", "-p wrong tail -f cat", "-s http://127.0.0.1:{{.Port}}/x/ version"),
			},
		},
	})
}
