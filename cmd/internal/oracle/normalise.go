package oracle

import (
	"regexp"
	"strconv"
	"strings"
)

// Normaliser replaces what differs between two runs of the same script by its
// name. It never removes a line, a field or a repetition, and never reorders.
// The zero value knows nothing of directories.
type Normaliser struct {
	places *strings.Replacer // the test's own directory, socket and port
}

// Normaliser returns the rules for texts of this daemon and its clients.
func (d *Daemon) Normaliser() Normaliser {
	port := strconv.Itoa(d.Port)
	return Normaliser{strings.NewReplacer(
		d.Sock, "<sock>", d.Dir, "<dir>",
		"127.0.0.1:"+port, "127.0.0.1:<port>", "localhost:"+port, "localhost:<port>")}
}

// rules are applied in order, so the first may shield its text from the rest.
var rules = []struct {
	pattern *regexp.Regexp
	to      string
}{
	// Python's place of an error in its own source.
	{regexp.MustCompile(`file: \S+ line: \d+`), "file: <where>"},
	// The activity log: 2026-11-22 17:49:49,553
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\b`), "<time>"},
	// status of a stopped process: Nov 22 06:14 AM
	{regexp.MustCompile(`\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d\d \d\d:\d\d [AP]M\b`), "<time>"},
	// status of a running one: uptime 1 day, 2:03:04
	{regexp.MustCompile(`\buptime (\d+ days?, )?\d+:\d\d:\d\d\b`), "uptime <uptime>"},
	// ticks: when:1201063880
	{regexp.MustCompile(`\bwhen:\d{10}\b`), "when:<time>"},
	// pid 12, pid:12, with pid 12, (pid 12), pids; pid 0 is none and stays
	{regexp.MustCompile(`\b(pid:? ?)[1-9]\d*\b`), "${1}<pid>"},
	// killing 'cat' (12) with SIGKILL
	{regexp.MustCompile(`\bkilling '([^']*)' \(\d+\)`), "killing '$1' (<pid>)"},
}

// bareNumber is what supervisorctl pid prints.
var bareNumber = regexp.MustCompile(`(?m)^[1-9]\d*$`)

// Text normalises a text of any kind.
func (n Normaliser) Text(s string) string {
	if n.places != nil {
		s = n.places.Replace(s)
	}
	for _, r := range rules {
		s = r.pattern.ReplaceAllString(s, r.to)
	}
	return s
}

// Ctl normalises the output of supervisorctl with these arguments: Text, and
// for the pid command whole lines that are a number.
func (n Normaliser) Ctl(args []string, s string) string {
	if len(args) > 0 && args[0] == "pid" {
		s = bareNumber.ReplaceAllString(s, "<pid>")
	}
	return n.Text(s)
}
