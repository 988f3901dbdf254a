package cmd

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/cmd/internal/oracle"
)

// At level debug the activity log has what children print: UTF-8 as it is, anything
// else as Python's literal, and so whatever a listener says.
func TestOutputInTheActivityLog(t *testing.T) {
	t.Parallel()
	// What each program prints is in a file of its own, and one read takes all of it.
	prints := map[string]string{
		"latin":     "caf\xe9\n",
		"lonely":    "\x88\n",
		"cut":       "gr\xc3",
		"surrogate": "\xed\xa0\x80\n",
		"overlong":  "\xc0\xaf",
		"beyond":    "\xf4\x90\x80\x80\n",
		"quotes":    "it's \"\xff\" \\ \t\r\n\x00\x1f\x7f",
		"quote":     "it's \xe9\n",
		"escape":    "\x1b[1m\x88\x1b[0m\n",
		"green":     "grün \x1b[1m\x00'\"\n",
		"mark":      "\ufeffx\n",
		"listener":  "\x1b[1mREADY\n",
		"captured":  "\xe9<!--XSUPERVISOR:BEGIN-->\x88<!--XSUPERVISOR:END-->",
	}
	for _, strip := range []string{"false", "true"} {
		var config strings.Builder
		config.WriteString(inSupervisord("loglevel=debug\nstrip_ansi=" + strip + "\n"))
		for name := range prints {
			if name == "listener" {
				continue
			}
			fmt.Fprintf(&config, "[program:%s]\ncommand=/bin/sh -c 'cat {{.Dir}}/%[1]s.out; cat {{.Dir}}/%[1]s.out >&2; exec cat'\nautostart=false\n", name)
			if name == "captured" {
				config.WriteString("stdout_capture_maxbytes=1KB\n")
			}
		}
		config.WriteString("[eventlistener:listener]\ncommand=/bin/sh -c 'cat {{.Dir}}/listener.out; cat {{.Dir}}/listener.out >&2; exec cat >/dev/null'\nevents=TICK_3600\nautostart=false\n")
		said := map[oracle.Kind]map[string]string{}
		for _, kind := range []oracle.Kind{oracle.Ours, oracle.Debian} {
			dir := t.TempDir()
			for name, text := range prints {
				if err := os.WriteFile(dir+"/"+name+".out", []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			s := &eventRun{oracle.StartDaemon(t, kind, dir, config.String()), t}
			for name := range prints {
				s.call("startProcess", name, false)
			}
			s.wait("all that was printed", func() bool {
				said[kind] = printed(s.Log())
				return len(said[kind]) == 2*len(prints) && strings.Contains(said[kind]["'captured' stdout"], "emitted") &&
					strings.Contains(said[kind]["'captured' stdout"], `\x88`)
			})
		}
		if diff := cmp.Diff(said[oracle.Debian], said[oracle.Ours]); diff != "" {
			t.Errorf("strip_ansi=%s (-original +ours):\n%s", strip, diff)
		}
		if got, want := said[oracle.Ours]["'lonely' stdout"], "output:\n"+`Undecodable: b'\x88\n'`+"\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// printed is what the log says of each channel of each program, in order.
func printed(log string) map[string]string {
	said := map[string]string{}
	for i, record := range recordHead.Split(log, -1) {
		if m := channelOf.FindStringSubmatch(record); i > 0 && m != nil {
			said[m[1]] += m[2]
		}
	}
	return said
}

var (
	recordHead = regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} `)
	channelOf  = regexp.MustCompile(`(?s)^DEBG ('\w+' std\w+) (.*)`)
)
