package cmd

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// salted is the random part of the name of an AUTO log.
var salted = regexp.MustCompile(`-[a-z0-9_]{8}\.log`)

// showFiles records which files of the directory match a pattern.
func showFiles(pattern string) oracle.Step {
	return func(s *oracle.Session) {
		files, err := filepath.Glob(filepath.Join(s.Daemon.Dir, pattern))
		if err != nil {
			s.T.Fatal(err)
		}
		s.Printf("> files %s\n", pattern)
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil {
				s.T.Fatal(err)
			}
			s.Printf("%v %s\n", info.Mode(), salted.ReplaceAllString(filepath.Base(file), "-<salt>.log"))
		}
	}
}

// untilEnd waits until a file of the directory ends with a text.
func untilEnd(file, text string) oracle.Step {
	return func(s *oracle.Session) {
		oracle.WaitFor(s.T, file+" to end with "+text, func() bool { return strings.HasSuffix(s.Daemon.Read(file), text) })
	}
}

// echoed is what the activity log says at level debug of what programs print, with
// the blank line that the original puts after output that ends in a newline.
var echoed = regexp.MustCompile(`(?m)^\d+-\d+-\d+ \S+ (DEBG '[^']+' std(?:out|err) output:\n(?:[^2\n].*\n|\n)+)`)

// showEchoed records what the activity log says of what one program prints.
func showEchoed(name string) oracle.Step {
	return func(s *oracle.Session) {
		s.Printf("> echoed %s\n", name)
		for _, m := range echoed.FindAllStringSubmatch(s.Daemon.Log(), -1) {
			if strings.HasPrefix(m[1], "DEBG '"+name+"'") {
				s.Printf("%s", m[1])
			}
		}
	}
}

// inSupervisord puts keys into the section [supervisord].
func inSupervisord(keys string) string {
	return strings.Replace(oracle.Prelude, "[supervisord]\n", "[supervisord]\n"+keys, 1)
}

// TestOutput compares what becomes of a program's output in both daemons.
func TestOutput(t *testing.T) {
	t.Parallel()
	const old = "old-stdout---supervisor-abcdefgh.log"
	oracle.Run(t, "testdata/output", []oracle.Row{
		{
			Name: "kinds",
			Config: oracle.Prelude + `
[program:both]
command=/bin/sh -c 'echo one; echo two >&2; echo three; exec cat'
redirect_stderr=true
stdout_logfile={{.Dir}}/both

[program:captured]
command=/bin/sh -c 'printf "before\n<!--XSUPERVISOR:BEGIN-->hidden\n<!--XSUPERVISOR:END-->after, which is long enough\n"; exec cat'
stdout_logfile={{.Dir}}/captured
stdout_capture_maxbytes=1MB

[program:silent]
command=/bin/sh -c 'echo nobody; echo hears >&2; exec cat'
stdout_logfile=NONE
stderr_logfile=none

[program:turns]
command=/bin/sh -c 'for i in 1 2 3 4 5 6 7; do echo "$i 3456789"; {{.Self}} drained; done; echo end; exec cat'
stdout_logfile={{.Dir}}/turns
stdout_logfile_maxbytes=20
stdout_logfile_backups=2
`,
			Steps: []oracle.Step{oracle.Until("both", "RUNNING"), untilEnd("both", "three\n"), oracle.Show("both"),
				oracle.Ctl("tail", "both"), oracle.Ctl("tail", "both", "stderr"), oracle.Call("supervisor.readProcessStderrLog", "both", 0, 100),
				oracle.Until("captured", "RUNNING"), oracle.Ctl("stop", "captured"), untilEnd("captured", "enough\n"), oracle.Show("captured"),
				oracle.Until("silent", "RUNNING"), oracle.Ctl("tail", "silent"), oracle.Ctl("clear", "silent"), showFiles("silent*"),
				untilEnd("turns", "end\n"), showFiles("turns*"), oracle.Show("turns"), oracle.Show("turns.1"), oracle.Show("turns.2"),
				oracle.Ctl("tail", "turns"), oracle.Ctl("clear", "turns"), oracle.Show("turns")},
		}, {
			Name:   "auto",
			Config: oracle.Prelude + "\n[program:auto]\ncommand=/bin/sh -c 'echo hello; exec cat'\n",
			Files:  map[string]string{old: "old\n"},
			Steps: []oracle.Step{oracle.Until("auto", "RUNNING"),
				func(s *oracle.Session) {
					oracle.WaitFor(s.T, "hello", func() bool {
						files, _ := filepath.Glob(filepath.Join(s.Daemon.Dir, "auto-stdout*"))
						return len(files) == 1 && s.Daemon.Read(filepath.Base(files[0])) == "hello\n"
					})
				}, oracle.Ctl("tail", "auto"), showFiles("*---*")},
		}, {
			Name: "nocleanup-strip-ansi",
			Config: inSupervisord("nocleanup=true\nstrip_ansi=true\n") + `
[program:auto]
command=/bin/cat

[program:colours]
command=/bin/sh -c 'printf "\033[1;31mred\033[0m and \033[38;5;200mpink\033[m \033[2Kend\n"; exec cat'
stdout_logfile={{.Dir}}/colours
stderr_logfile=NONE
`,
			Files: map[string]string{old: "old\n"},
			Steps: []oracle.Step{oracle.Until("auto", "RUNNING"), showFiles("*---*"), oracle.Show(old),
				oracle.Until("colours", "RUNNING"), untilEnd("colours", "end\n"), oracle.Show("colours"), oracle.Ctl("tail", "colours")},
		},
		{
			// What is not UTF-8 stands in the activity log as Python's literal.
			Name: "echoed",
			Config: inSupervisord("loglevel=debug\nstrip_ansi=true\n") + `
[program:bytes]
command=/bin/sh -c 'printf "\\210\n"; exec cat'
stdout_logfile={{.Dir}}/bytes

[program:quotes]
command=/bin/sh -c 'printf "it\47s \\351 \\\\\n" >&2; exec cat'
stderr_logfile={{.Dir}}/quotes

[program:umlauts]
command=/bin/sh -c 'printf "Malm\\303\\266\n"; exec cat'
stdout_logfile={{.Dir}}/umlauts

[program:colours]
command=/bin/sh -c 'printf "\\033[1mbold\\033[0m \\377\n"; exec cat'
stdout_logfile={{.Dir}}/colours
`,
			Steps: []oracle.Step{untilEnd("bytes", "\n"), oracle.Until("bytes", "RUNNING"), showEchoed("bytes"),
				untilEnd("quotes", "\n"), oracle.Until("quotes", "RUNNING"), showEchoed("quotes"),
				untilEnd("umlauts", "\n"), oracle.Until("umlauts", "RUNNING"), showEchoed("umlauts"),
				untilEnd("colours", "\n"), oracle.Until("colours", "RUNNING"), showEchoed("colours")},
		},
	})
}
