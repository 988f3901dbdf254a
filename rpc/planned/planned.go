// Package planned is what an update would do, as it is told to people and programs: to those
// who ask a daemon (rpc/client, rpc/page), and to those who compare two trees of files
// (supervisord --check --against).
package planned

import (
	"fmt"
	"slices"
	"strings"
)

// Action is one thing that an update would do, or did, and why.
type Action struct {
	Action  string   `json:"action"` // add, remove, restart, inplace or numprocs
	Group   string   `json:"group"`
	Process string   `json:"process"` // "" where the whole group is meant
	Changes []Change `json:"changes"`
	Reason  string   `json:"reason"`
	File    string   `json:"file"` // that says so, "" where none does
}

// Change is one key that differs. Both values are empty where they must not be shown.
type Change struct {
	Key string `json:"key"`
	Old string `json:"old"`
	New string `json:"new"`
}

// Secret reports whether the values of a key may be secrets: it is said only that they differ.
func (c Change) Secret() bool {
	return strings.HasPrefix(c.Key, "environment") || strings.Contains(c.Key, "password")
}

// Shown is what may be told of a change: all, or of a secret its key.
func (c Change) Shown() Change {
	if c.Secret() {
		return Change{Key: c.Key}
	}
	return c
}

// String is the change in one line.
func (c Change) String() string {
	if c = c.Shown(); c.Old == "" && c.New == "" {
		return c.Key + ": changed"
	}
	return fmt.Sprintf("%s: %s -> %s", c.Key, c.Old, c.New)
}

// words is an action's name in words, and what a summary says of some number of them, in
// the order of an update. Any other action is its own name.
var words = []struct{ action, words, count string }{
	{"remove", "remove", "%d to remove"},
	{"restart", "restart", "%d to restart"},
	{"inplace", "change while it runs", "%d to change while running"},
	{"numprocs", "change the number of processes", "%d to start or stop for another numprocs"},
	{"add", "add", "%d to add"},
}

// Words is what an action does.
func Words(action string) string {
	for _, w := range words {
		if w.action == action {
			return w.words
		}
	}
	return action
}

// Summary counts actions by what they do.
func Summary(actions []Action) string {
	var counts []string
	for _, w := range words {
		n := 0
		for _, a := range actions {
			if a.Action == w.action {
				n++
			}
		}
		if n > 0 {
			counts = append(counts, fmt.Sprintf(w.count, n))
		}
	}
	return "update: " + strings.Join(counts, ", ")
}

// mostTogether is how many names of processes with one difference are shown.
const mostTogether = 3

// Together makes one action of those of a group's processes that follow each other and are
// alike, as when a program with many of them changes. Of many of which each has values of its own,
// such as its number, the first stands for all.
func Together(actions []Action) (all []Action) {
	for len(actions) > 0 {
		first, n := actions[0], count(actions, alike)
		if like := count(actions, similar); n == 1 && like > mostTogether {
			n = like
		}
		if n > 1 {
			var names []string
			for _, a := range actions[:n] {
				names = append(names, a.Process)
			}
			first.Process = some(names, mostTogether)
		}
		all, actions = append(all, first), actions[n:]
	}
	return all
}

// count is how many actions of processes of one group, from the first on, are like that.
func count(actions []Action, like func(a, b Action) bool) int {
	n := 1
	for n < len(actions) && actions[0].Process != "" && actions[n].Process != "" && like(actions[0], actions[n]) {
		n++
	}
	return n
}

// similar reports whether two actions are the same but for the process and the values.
func similar(a, b Action) bool {
	return a.Action == b.Action && a.Group == b.Group && a.Reason == b.Reason &&
		slices.EqualFunc(a.Changes, b.Changes, func(a, b Change) bool { return a.Key == b.Key })
}

// alike reports whether two actions are the same but for the process.
func alike(a, b Action) bool {
	return a.Action == b.Action && a.Group == b.Group && a.Reason == b.Reason && slices.Equal(a.Changes, b.Changes)
}

// Name is the name under which the group or process of an action is shown.
func (a Action) Name() string {
	if a.Process == "" || a.Process == a.Group {
		return a.Group
	}
	return a.Group + ":" + a.Process
}

// Head is an action in one line, without its keys.
func (a Action) Head() string {
	head := a.Name() + ": " + Words(a.Action)
	if a.Reason != "" {
		head += " (" + a.Reason + ")"
	}
	return head
}

// String is an action: a line for it, and one for each key.
func (a Action) String() string {
	lines := []string{a.Head()}
	for _, c := range a.Changes {
		lines = append(lines, "    "+c.String())
	}
	return strings.Join(lines, "\n")
}

// Reach is what an update means to the processes that run. Names are as status shows them.
type Reach struct {
	Restarted   []string `json:"restarted"`  // they end and are started again
	Ended       []string `json:"ended"`      // they end for good
	Started     []string `json:"started"`    // they do not run and are started
	Following   []Link   `json:"following"`  // restart_with
	Dependents  []Link   `json:"dependents"` // depends_on; they go on running
	WaitSeconds int      `json:"wait_seconds"`
	Removals    int      `json:"removals"` // groups
	Held        string   `json:"held"`     // why an automatic update leaves the removals to a person
}

// Link is a process, and the one because of which it is listed.
type Link struct {
	Process string `json:"process"`
	Of      string `json:"of"`
}

// mostNamed is how many names a sentence has.
const mostNamed = 5

// String is the blast radius in one line.
func (r Reach) String() string { return "blast radius: " + strings.Join(r.Parts(), "; ") }

// Parts are the clauses of that line: what ends, the wait, who depends on it, what is held.
func (r Reach) Parts() []string {
	var parts []string
	switch ends := len(r.Restarted) + len(r.Ended) + len(r.Following); {
	case ends == 0:
		parts = append(parts, "no process ends")
	case len(r.Ended) == 0:
		parts = append(parts, fmt.Sprintf("%s, to be started again", end(ends)))
	case len(r.Ended) == ends:
		parts = append(parts, fmt.Sprintf("%s, for good", end(ends)))
	default:
		parts = append(parts, fmt.Sprintf("%s, %d of them for good", end(ends), len(r.Ended)))
	}
	if n := len(r.Started); n > 0 {
		parts = append(parts, fmt.Sprintf("%d started", n))
	}
	if r.WaitSeconds > 0 {
		parts = append(parts, fmt.Sprintf("the stops take up to %d s", r.WaitSeconds))
	}
	if len(r.Following) > 0 {
		parts = append(parts, "restarted with others: "+links(r.Following, "with"))
	}
	if len(r.Dependents) > 0 {
		parts = append(parts, "depend on what ends, and go on: "+links(r.Dependents, "on"))
	}
	if r.Held != "" {
		parts = append(parts, "removals are held until somebody runs update: "+r.Held)
	}
	return parts
}

func end(n int) string {
	if n == 1 {
		return "1 process ends"
	}
	return fmt.Sprintf("%d processes end", n)
}

func links(list []Link, word string) string {
	names := make([]string, len(list))
	for i, l := range list {
		names[i] = fmt.Sprintf("%s (%s %s)", l.Process, word, l.Of)
	}
	return some(names, mostNamed)
}

// some is a list of at most most names.
func some(names []string, most int) string {
	if rest := len(names) - most; rest > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ","), rest)
	}
	return strings.Join(names, ",")
}
