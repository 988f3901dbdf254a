package page

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"supervisord/runtime"
	"supervisord/runtime/state"
	"supervisord/runtime/usage"
	"supervisord/spec"
)

// Level is how much attention something needs.
type Level string

// The levels, and how they are sorted.
const (
	Bad  Level = "bad"  // it is broken, and stays so unless somebody acts
	Warn Level = "warn" // it may mend itself, or somebody should look
	Busy Level = "busy" // it is on its way
	Good Level = "good"
	Idle Level = "idle" // it is down, and that is all right
)

var urgency = []Level{Bad, Warn, Busy, Good, Idle}

// Row is one process as the table shows it.
type Row struct {
	Name   string // the namespec
	Group  string
	State  string // lower case
	Level  Level
	Since  time.Time // of the state; zero where that is not known
	PID    int
	Starts int64 // after the first
	Recent int   // of them, in the last hour
	Why    string
	// Start, Stop and Restart are what can be done.
	Start, Stop, Restart bool
	// Member is set for one of several in a group: it stands below the group's name.
	Member bool

	process usage.Process
}

// Many reports whether there may be more recent ones than are remembered.
func (r Row) Many() bool { return r.Recent >= runtime.MaxRuns-1 && r.Starts > int64(r.Recent) }

// states are the names of states, in lower case.
var states = func() map[state.Process]string {
	names := make(map[state.Process]string)
	for _, s := range state.Processes {
		names[s] = strings.ToLower(s.String())
	}
	return names
}()

// RowOf makes the row of a process. expected is whether the exit status of the last run is
// one of its exitcodes.
func RowOf(f *runtime.Info, expected bool) Row {
	r := Row{
		Name:  spec.Namespec{Group: f.Group, Process: f.Name}.String(),
		Group: f.Group, State: states[f.State], PID: f.PID, Starts: max(f.Starts-1, 0),
		Recent: f.StartsWithin(time.Hour), process: usage.Process{Group: f.Group, Name: f.Name},
	}
	r.Level, r.Why = attention(f, expected)
	switch f.State {
	case state.Running, state.Starting:
		r.Since, r.Stop, r.Restart = f.Start, true, true
	case state.Backoff:
		r.Since, r.Stop, r.Restart = f.Stop, true, true
	case state.Stopping:
		r.Restart = false
	default:
		r.Since, r.Start = f.Stop, true
	}
	return r
}

// attention is how much of it a process needs, and why, or how it ended last.
func attention(f *runtime.Info, expected bool) (Level, string) {
	ended := ""
	if f.LastEnd != nil {
		ended = f.LastEnd.How
		if f.LastEnd.OOM && !strings.Contains(ended, "memory") {
			ended += ", out of memory"
		}
	}
	both := func(what string) string {
		what = strings.TrimSuffix(what, " (process log may have details)") // which is one click away
		if ended == "" || strings.Contains(what, ended) {
			return what
		}
		return strings.TrimPrefix(what+": "+ended, ": ")
	}
	if f.Disabled && f.State.InStopped() {
		return Idle, "disabled: only a request that names it starts it"
	}
	if f.Waiting != "" && f.State != state.Backoff {
		return Busy, both("waiting for " + f.Waiting)
	}
	switch f.State {
	case state.Fatal:
		return Bad, both(f.SpawnErr)
	case state.Backoff:
		if f.Waiting != "" {
			return Warn, both("waiting for " + f.Waiting)
		}
		return Warn, both(f.SpawnErr)
	case state.Unknown:
		return Bad, "its state is unknown"
	case state.Exited:
		if expected {
			return Idle, ended
		}
		return Bad, ended
	case state.Stopped:
		if f.Start.IsZero() {
			return Idle, "not started"
		}
		return Idle, "stopped"
	case state.Starting:
		if p := f.Probed; p != nil && p.Asked && !p.Ready {
			return Busy, strings.TrimSuffix("not ready yet: "+p.Complaint, ": ")
		}
		return Busy, ""
	case state.Stopping:
		return Busy, ""
	}
	if p := f.Probed; p != nil && p.Health == "failing" {
		return Warn, strings.TrimSuffix("unhealthy: "+p.Complaint, ": ")
	}
	if l := f.Listener; l != nil && stuck(l.Since, f.Now) {
		return Warn, "at one event since " + Time{f.Now, l.Since}.Short()
	}
	const often = 3
	if n := f.FailuresWithin(time.Hour); n >= often {
		return Warn, both(fmt.Sprintf("failed %d times in the last hour", n))
	}
	if ended != "" {
		return Good, "last end: " + ended
	}
	return Good, ""
}

// Place is the row's place in an order of urgency.
func (r Row) Place() int { return slices.Index(urgency, r.Level) }

// GroupRow is the row of a group of several processes.
type GroupRow struct {
	Name          string
	Running, Size int
	Level         Level
}

// Item is a line of the table: a process, or the group of those that follow.
type Item struct {
	Group *GroupRow
	Row   *Row
	// Figures are of the process. They change all the time, and are sent on their own.
	Figures Figures
}

// Key is what the item is called by: a namespec, which for a group ends with ":*".
func (i Item) Key() string {
	if i.Group != nil {
		return i.Group.Name + ":*"
	}
	return i.Row.Name
}

// Equal reports whether two items are drawn the same, but for their figures.
func (i Item) Equal(j Item) bool {
	if i.Group == nil || j.Group == nil {
		return i.Group == j.Group && *i.Row == *j.Row
	}
	return *i.Group == *j.Group
}

// Print is equal for items that are Equal.
func (i Item) Print() uint64 {
	var b [256]byte
	p := append(b[:0], i.Key()...)
	if g := i.Group; g != nil {
		p = append(strconv.AppendInt(append(p, 0), int64(g.Running), 10), g.Level...)
	} else {
		r := i.Row
		p = append(append(append(p, 0), r.State...), r.Why...)
		for _, n := range []int64{int64(r.Place()), r.Since.Unix(), int64(r.PID), r.Starts, int64(r.Recent)} {
			p = strconv.AppendInt(append(p, 0), n, 10)
		}
	}
	print := fnv.New64a()
	print.Write(p)
	return print.Sum64()
}

// Items are the lines of the table for rows that are sorted by group: a group of several has a
// line of its own.
func Items(rows []Row) []Item {
	items := make([]Item, 0, len(rows)+len(rows)/2) // groups of two make the most lines
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].Group == rows[0].Group {
			n++
		}
		if n > 1 {
			g := &GroupRow{Name: rows[0].Group, Size: n, Level: Idle}
			for i := range rows[:n] {
				rows[i].Member = true
				if rows[i].State == "running" {
					g.Running++
				}
				if rows[i].Place() < slices.Index(urgency, g.Level) {
					g.Level = rows[i].Level
				}
			}
			items = append(items, Item{Group: g})
		}
		for i := range rows[:n] {
			items = append(items, Item{Row: &rows[i]})
		}
		rows = rows[n:]
	}
	return items
}

// WithFigures gives the items of processes their figures.
func WithFigures(items []Item, h *usage.History) {
	for i := range items {
		if r := items[i].Row; r != nil {
			items[i].Figures = FiguresOf(h, r.process)
		}
	}
}

// Choice is which rows are shown, and in which order.
type Choice struct{ State, Text, Sort string }

// Any reports whether anything was chosen.
func (c Choice) Any() bool { return c != Choice{} }

// Of are the rows that were chosen. Sorted by anything but the name they are in no groups.
func (c Choice) Of(rows []Row) []Row {
	text := strings.ToLower(c.Text)
	rows = slices.DeleteFunc(slices.Clone(rows), func(r Row) bool {
		return c.State != "" && c.State != r.State || !strings.Contains(strings.ToLower(r.Name+" "+r.Why), text)
	})
	switch c.Sort {
	case "state":
		slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(a.Place(), b.Place()) })
	case "since":
		slices.SortStableFunc(rows, func(a, b Row) int { return b.Since.Compare(a.Since) })
	case "restarts":
		slices.SortStableFunc(rows, func(a, b Row) int {
			return cmp.Or(cmp.Compare(b.Recent, a.Recent), cmp.Compare(b.Starts, a.Starts))
		})
	}
	return rows
}

// Sorted puts items in the order of their figures, if that was chosen.
func (c Choice) Sorted(items []Item) {
	switch c.Sort {
	case "cpu":
		slices.SortStableFunc(items, func(a, b Item) int { return cmp.Compare(b.Figures.cpu, a.Figures.cpu) })
	case "memory":
		slices.SortStableFunc(items, func(a, b Item) int { return cmp.Compare(b.Figures.memory, a.Figures.memory) })
	}
}

// Chip is one state, and how many processes are in it.
type Chip struct {
	State string
	Count int
	Level Level
	On    bool
}

// Chips counts the states.
func Chips(rows []Row, c Choice) []Chip {
	var chips []Chip
	for _, s := range []state.Process{state.Fatal, state.Backoff, state.Exited, state.Unknown, state.Starting, state.Stopping, state.Stopped, state.Running} {
		chip := Chip{State: states[s], Level: Idle}
		for _, r := range rows {
			if r.State != chip.State {
				continue
			}
			if chip.Count++; r.Place() < slices.Index(urgency, chip.Level) {
				chip.Level = r.Level
			}
		}
		chip.On = c.State == chip.State
		if chip.Count > 0 || chip.On {
			chips = append(chips, chip)
		}
	}
	return chips
}

// Ago is a duration in two units at the most, such as 3d 4h; the script counts the same way.
func Ago(d time.Duration) string {
	s := int64(max(d, 0) / time.Second)
	units := []struct {
		n    int64
		name string
	}{{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}}
	for i, u := range units {
		if s < u.n && i < len(units)-1 {
			continue
		}
		text := strconv.FormatInt(s/u.n, 10) + u.name
		if i < len(units)-1 {
			if next := units[i+1]; s%u.n/next.n > 0 {
				text += " " + strconv.FormatInt(s%u.n/next.n, 10) + next.name
			}
		}
		return text
	}
	return ""
}
