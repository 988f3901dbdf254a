package page

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"supervisord/runtime/lazy"
)

// LogLine is one line of a log.
type LogLine struct {
	Text  string
	Level string // err, warn, info or dim; "" for none that is known
}

// The words by which a line's level is known, near its beginning; the script has the same.
var levels = sync.OnceValue(func() []level {
	return []level{
		{"err", regexp.MustCompile(`(?i)\b(?:emerg|alert|crit(?:ical)?|fatal|err(?:or)?|panic|exception|traceback)\b`)},
		{"warn", regexp.MustCompile(`(?i)\bwarn(?:ing)?\b`)},
		{"info", regexp.MustCompile(`(?i)\b(?:info|notice)\b`)},
		{"dim", regexp.MustCompile(`(?i)\b(?:debug|trace)\b`)},
	}
})

type level struct {
	name  string
	words *regexp.Regexp
}

// escapes are what colours a terminal, and does worse to it.
var escapes = lazy.Regexp("\x1b(?:\\[[0-9;?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|[@-Z\\\\-_])")

// mostLines is how many lines a page shows of a log; the script has the same.
const mostLines = 5000

// Lines are the last lines of a log's text that have the given words in them. A first line
// whose beginning was cut is left out.
func Lines(text string, cut bool, words string) []LogLine {
	if cut {
		if _, rest, found := strings.Cut(text, "\n"); found {
			text = rest
		}
	}
	words = strings.ToLower(words)
	var lines []LogLine
	for text = strings.TrimSuffix(text, "\n"); text != "" && len(lines) < mostLines; {
		line := text[strings.LastIndexByte(text, '\n')+1:]
		text = strings.TrimSuffix(text[:len(text)-len(line)], "\n")
		line = escapes().ReplaceAllString(strings.TrimRight(line, "\r"), "")
		if strings.Contains(strings.ToLower(line), words) {
			lines = append(lines, LogLine{line, levelOf(line)})
		}
	}
	slices.Reverse(lines)
	return lines
}

func levelOf(line string) string {
	const near = 80
	head := line[:min(len(line), near)]
	for _, l := range levels() {
		if l.words.MatchString(head) {
			return l.name
		}
	}
	return ""
}
