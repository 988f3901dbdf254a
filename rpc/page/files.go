package page

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"supervisord/runtime/lazy"
	"supervisord/spec"
)

// Reconcile is how files and processes stand to each other.
type Reconcile struct {
	Phase      string // "" where there is no reconciler
	Reason     string
	Since      time.Time
	Generation int
	Autoupdate bool
	Invalid    int    // files that cannot be used
	Paused     int    // groups and processes that no automatic update touches
	Told       uint64 // another if anything else about it is another
	Verifying  bool   // what was applied has not proved itself yet; nothing else is pending
}

// Known reports whether there is a reconciler.
func (r Reconcile) Known() bool { return r.Phase != "" }

// File is one watched file or directory.
type File struct {
	Path, State, Reason string
	Programs, Warnings  []string
	Changed             time.Time
	Source              []SourceLine // around the mistake
}

// Level is how much attention the file needs.
func (f File) Level() Level {
	switch f.State {
	case "invalid", "rejected":
		return Bad
	case "held", "pinned":
		return Warn
	case "pending":
		return Busy
	case "applied":
		return Good
	}
	return Idle
}

// ByUrgency sorts files: those first that need attention most.
func ByUrgency(a, b File) int {
	return slices.Index(urgency, a.Level()) - slices.Index(urgency, b.Level())
}

// Update is an entry of the history.
type Update struct {
	Generation              int
	Time                    time.Time
	Trigger, Caller, Result string
	Reason                  string // why it was, of one that took something back
	Actions                 []string
	Reasons                 []string // why these
	Duration                time.Duration
	Revertible              bool // one can go back to it, and something was changed since
}

// Level is how the update went.
func (u Update) Level() Level {
	switch {
	case strings.HasPrefix(u.Result, "failed"):
		return Bad
	case strings.HasPrefix(u.Result, "held"):
		return Warn
	case u.Result == "overtaken":
		return Idle
	}
	return Good
}

// SourceLine is one line of a file.
type SourceLine struct {
	Number int
	Text   string
	Wrong  bool // the mistake is here
}

// MistakeLine is the line that a report of a mistake in a file begins with; 0 for none.
func MistakeLine(path, report string) int {
	rest, found := strings.CutPrefix(report, path+":")
	if !found {
		return 0
	}
	digits, _, found := strings.Cut(rest, ":")
	line, err := strconv.Atoi(digits)
	if !found || err != nil {
		return 0
	}
	return line
}

// secretKey is a line that gives a key whose value is not to be shown.
var secretKey = lazy.Regexp(`(?i)^([^=:\s]*(?:password|environment|secret|token)[^=:]*[=:]).*`)

// keyNames are the keys that there are.
var keyNames = sync.OnceValue(func() map[string]bool {
	names := make(map[string]bool)
	for _, k := range spec.Keys() {
		names[k.Name] = true
	}
	return names
})

// Source is what stands around a line of a file. The values of passwords and of variables
// are not shown, nor what may be meant to go on with them: all up to the next header, or
// the next key that there is.
func Source(content []byte, line int) []SourceLine {
	const around, most = 3, 200
	var lines []SourceLine
	secret := false
	for n := 1; len(content) > 0 && n <= line+around; n++ {
		text, rest, _ := bytes.Cut(content, []byte{'\n'})
		content = rest
		shown := strings.ToValidUTF8(strings.TrimRight(string(text), "\r"), "\uFFFD")
		key, _, _ := strings.Cut(strings.Replace(shown, ":", "=", 1), "=")
		switch {
		case secretKey().MatchString(shown):
			secret, shown = true, secretKey().ReplaceAllString(shown, "$1 ***")
		case strings.HasPrefix(shown, "["), keyNames()[strings.ToLower(strings.TrimRight(key, " \t"))]:
			secret = false
		case secret && strings.TrimSpace(shown) != "":
			shown = "    ***"
		}
		if n < line-around {
			continue
		}
		if runes := []rune(shown); len(runes) > most {
			shown = string(runes[:most]) + " …"
		}
		lines = append(lines, SourceLine{n, shown, n == line})
	}
	return lines
}
