package page

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"supervisord/rpc/planned"
	"supervisord/runtime"
)

//go:embed html
var files embed.FS

var pages = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"time":  func(now, t time.Time) Time { return Time{now, t} },
		"rows":  Rows,
		"graph": drawGraph,
		"do":    drawActions,
		"name":  func(path string) string { return path[strings.LastIndexByte(path, '/')+1:] },
	}).ParseFS(files, "html/*.html"))
})

// Time is a moment as pages show it: how long it is before another one.
type Time struct{ now, at time.Time }

// Known reports whether there is a time.
func (t Time) Known() bool { return !t.at.IsZero() }

// Unix is the moment for the script.
func (t Time) Unix() int64 { return t.at.Unix() }

// Exact is the moment for people.
func (t Time) Exact() string { return t.at.Local().Format("2006-01-02 15:04:05 MST") }

// Short is the moment without what goes without saying: the day, if it is the same.
func (t Time) Short() string {
	at, now := t.at.Local(), t.now.Local()
	if at.YearDay() == now.YearDay() && at.Year() == now.Year() {
		return at.Format("15:04:05")
	}
	return at.Format("Jan 2 15:04:05")
}

// Ago is how long it is.
func (t Time) Ago() string { return Ago(t.now.Sub(t.at)) }

// Frame is what all pages have.
type Frame struct {
	Title, Tab string
	Self       string // the relative address, for the script to ask again
	Stamp      string // with which its stream begins
	Identifier string
	Host       string
	Version    string // of Supervisor, as which it behaves
	Release    string
	Build      string
	Message    string
	Now        time.Time
	Health     Health
	ReadOnly   bool // the client may change nothing
}

// Overview reports whether the page shows what needs attention, one by one.
func (f Frame) Overview() bool { return f.Tab == "overview" }

// Overview is the page of all processes.
type Overview struct {
	Frame
	Choice
	Chips   []Chip
	Items   []Item
	Total   int
	Signals []string
}

// Process is the page of one process.
type Process struct {
	Frame
	Row
	Info     runtime.Info
	Takes    Takes
	Log      Log
	Settings []Setting
	Signals  []string
	// ExitCodes are the exit statuses that the definition expects.
	ExitCodes []int
	Pending   []planned.Action // what the files say that is not in force
}

// Compare notes of each key whether another value is in force than that of the files.
func (p *Process) Compare() {
	for _, a := range p.Pending {
		for _, c := range a.Changes {
			for i := range p.Settings {
				if s := &p.Settings[i]; s.Key == c.Key {
					s.Differs, s.InForce = true, c.Shown().Old
				}
			}
		}
	}
}

// Differs reports whether the definition that is shown, that of the files, is not in force.
func (p Process) Differs() bool {
	return slices.ContainsFunc(p.Settings, func(s Setting) bool { return s.Differs })
}

// Runs are those that are remembered, the latest first.
func (p Process) Runs() []Past {
	var list []Past
	for _, run := range slices.Backward(p.Info.Runs) {
		list = append(list, Past{run, p.ExitCodes})
	}
	return list
}

// Past is one run of a process.
type Past struct {
	runtime.Run
	codes []int
}

// Lives reports whether it has not ended.
func (p Past) Lives() bool { return p.End.IsZero() }

// Lasted is how long one that has ended has lived.
func (p Past) Lasted() string { return inShort(p.End.Sub(p.Start)) }

// Ready is how long it took to be RUNNING; "" where it never was, or nobody saw it.
func (p Past) Ready() string {
	if p.Running.IsZero() {
		return ""
	}
	return inShort(p.Running.Sub(p.Start))
}

// inShort is a duration that may be less than a second.
func inShort(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", max(d, 0).Seconds())
	}
	return Ago(d)
}

// Ended is how it has ended, in words.
func (p Past) Ended() string {
	words := p.How
	if p.OOM {
		words += ", out of memory"
	}
	if p.Asked {
		words += ", as it was stopped"
	}
	return words
}

// Level is how much of it needs attention.
func (p Past) Level() Level {
	switch {
	case p.Lives():
		return Good
	case p.OOM, !p.Asked && !slices.Contains(p.codes, p.Status):
		return Bad
	}
	return Idle
}

// Setting is one key of the definition.
type Setting struct {
	Key, Value, Unit, File string
	Line                   int
	Default                bool
	Differs                bool   // another value is in force
	InForce                string // that, "" where it is not to be shown or there is none
}

// Log is what is shown of a log.
type Log struct {
	Stream  string // stdout or stderr
	Streams []string
	Lines   []LogLine
	Next    int64  // from where the script goes on
	Problem string // why there is none
	Words   string
	Follow  bool
}

// Files is the page of the configuration.
type Files struct {
	Frame
	Reconcile Reconcile
	Plan      string // the name of what an update would do, as it is shown
	Diff      []planned.Action
	DiffError []string
	Files     []File
	History   []Update
}

// Listeners is the page of the event listeners.
type Listeners struct {
	Frame
	Listeners []Listener
}

// Listener is one process of an event listener.
type Listener struct {
	Row
	Pool     string
	Protocol string // the state of its side of the protocol
	Waiting  int
	Buffer   int // how many events its pool holds
	Dropped  int64
	Busy     time.Time // since when it has been at its event; zero when it has none
	Events   []string
}

// Stuck reports whether the listener has been at one event for long.
func (l Listener) Stuck(now time.Time) bool { return stuck(l.Busy, now) }

// stuck reports whether a listener has been at its event for long; it has none if since is
// zero.
func stuck(since, now time.Time) bool {
	const long = 30 * time.Second
	return !since.IsZero() && now.Sub(since) > long
}

// Question is the page that asks before something is done to much.
type Question struct {
	Frame
	Text   string
	Do     string
	Names  []string
	Signal string
	Plan   string // of an update
}

// Draw writes a page: the data says which.
func Draw(w io.Writer, data any) error {
	name := strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", data), "page.")) + ".html"
	return pages().ExecuteTemplate(w, name, data)
}

// ChipsOf draws the states and their counts, of so many processes in all, for a stream.
func ChipsOf(chips []Chip, total int) (string, error) {
	var b strings.Builder
	err := pages().ExecuteTemplate(&b, "chips", Overview{Chips: chips, Total: total})
	return b.String(), err
}

// Status draws the line that says how things are, for a stream.
func Status(f Frame) (string, error) {
	var b strings.Builder
	err := pages().ExecuteTemplate(&b, "health", f)
	return b.String(), err
}
