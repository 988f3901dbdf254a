package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"supervisord/rpc/client"
	"supervisord/runtime/state"
)

// topModel is what top shows, and what a key does. It is pure: what the server has
// said goes in, the lines of a screen and requests come out.
type topModel struct {
	server    string
	processes []client.ProcessInfo
	usage     map[string]client.Usage
	cpu       map[string]float64 // processors that each keeps busy, where that is known
	noUsage   bool               // the server cannot tell
	expected  map[string][]int   // the exit codes that definitions expect, where that was asked
	trouble   string             // why the server did not answer last

	selected string // by its name as status has it
	gone     bool   // it is no longer among those that are shown, by no doing of the person
	sort     int    // of topColumns
	reverse  bool
	problems bool   // only what status --problems shows
	filter   string // only names that contain it
	typing   bool   // the filter
	asking   *topRequest
	message  string // of what was done last

	pane   topPane
	text   []string // in the pane
	scroll int      // lines from the end of a log, or from the beginning of anything else
}

// topPane is what stands below the list.
type topPane int

const (
	paneNone topPane = iota
	paneStdout
	paneStderr
	paneDiff
	paneHelp
)

// topRequest is something that the program is to do: quit, start, stop, restart, look
// (fill the pane).
type topRequest struct{ verb, name string }

// topLine is a line of the screen.
type topLine struct {
	text  string
	style topStyle
}

type topStyle int

const (
	stylePlain topStyle = iota
	styleHead
	styleSelected
	styleBad
	styleBusy
	styleDim
)

// topColumns are the columns of the list, in their order; a key sorts by each in turn.
var topColumns = []struct {
	title string
	width int  // 0 is what is left, negative to the left
	wide  bool // for a terminal that has the room
	cell  func(m *topModel, p *client.ProcessInfo) string
	less  func(m *topModel, p, q *client.ProcessInfo) int // nil: no order of its own
}{
	{"NAME", 0, false, func(_ *topModel, p *client.ProcessInfo) string { return display(p.Group, p.Name) }, func(*topModel, *client.ProcessInfo, *client.ProcessInfo) int { return 0 }},
	{"STATE", -8, false, func(_ *topModel, p *client.ProcessInfo) string { return p.StateName }, func(m *topModel, p, q *client.ProcessInfo) int { return cmp.Compare(m.urgency(q), m.urgency(p)) }},
	{"CPU%", 6, false, func(m *topModel, p *client.ProcessInfo) string {
		if cpu, known := m.cpu[display(p.Group, p.Name)]; known && p.PID != 0 {
			return fmt.Sprintf("%.1f", 100*cpu)
		}
		return "-"
	}, func(m *topModel, p, q *client.ProcessInfo) int {
		return cmp.Compare(m.cpu[display(q.Group, q.Name)], m.cpu[display(p.Group, p.Name)])
	}},
	{"MEM", 6, false, func(m *topModel, p *client.ProcessInfo) string {
		return m.number(p, func(u client.Usage) string { return shortSize(u.Memory) })
	}, func(m *topModel, p, q *client.ProcessInfo) int { return cmp.Compare(m.of(q).Memory, m.of(p).Memory) }},
	{"PROC", 4, true, func(m *topModel, p *client.ProcessInfo) string {
		return m.number(p, func(u client.Usage) string { return fmt.Sprint(u.Processes) })
	}, nil},
	{"FILES", 5, true, func(m *topModel, p *client.ProcessInfo) string {
		return m.number(p, func(u client.Usage) string { return strings.Replace(fmt.Sprint(u.Files), "-1", "?", 1) })
	}, nil},
	{"RESTARTS", 9, false, func(m *topModel, p *client.ProcessInfo) string {
		if m.noUsage {
			return "-"
		}
		return fmt.Sprint(m.of(p).Restarts)
	}, func(m *topModel, p, q *client.ProcessInfo) int {
		return cmp.Compare(m.of(q).Restarts, m.of(p).Restarts)
	}},
	{"DESCRIPTION", 0, false, func(_ *topModel, p *client.ProcessInfo) string { return shortDescription(p) }, nil},
}

// wideTerminal is how many columns of characters a terminal has in which all is shown.
const wideTerminal = 100

// byState is the column by which the list is sorted at first: what is wrong is on top.
const byState = 1

// shortDescription is the description, of what runs for how long without the pid.
func shortDescription(p *client.ProcessInfo) string {
	if _, uptime, runs := strings.Cut(p.Description, ", uptime "); runs && p.State == state.Running {
		return "up " + uptime
	}
	return p.Description
}

// urgency is how much a process wants to be looked at: what has failed, as status --problems
// shows it, from 3 on.
func (m *topModel) urgency(p *client.ProcessInfo) int {
	switch {
	case p.State == state.Backoff:
		return 3
	case p.State.Failed(p.ExitStatus, m.expected[display(p.Group, p.Name)]):
		return 4
	}
	switch p.State {
	case state.Starting, state.Stopping:
		return 2
	case state.Running:
		return 1
	}
	return 0
}

func (m *topModel) of(p *client.ProcessInfo) client.Usage { return m.usage[display(p.Group, p.Name)] }

// number is a figure of a process, a dash where there is none.
func (m *topModel) number(p *client.ProcessInfo, show func(client.Usage) string) string {
	if u := m.of(p); u.PID != 0 && u.PID == p.PID {
		return show(u)
	}
	return "-"
}

// shortSize is a number of bytes in four characters or so.
func shortSize(n float64) string {
	for _, unit := range []string{"", "K", "M", "G"} {
		if n < 1000 {
			return strings.TrimSuffix(fmt.Sprintf("%.3g", n), ".0") + unit
		}
		n /= 1024
	}
	return fmt.Sprintf("%.3gT", n)
}

// update takes what the server has said. CPU time of two measurements makes a share.
func (m *topModel) update(processes []client.ProcessInfo, all []client.Usage) {
	usage, share := make(map[string]client.Usage, len(all)), make(map[string]float64)
	for _, u := range all {
		name := display(u.Group, u.Name)
		before := m.usage[name]
		switch usage[name] = u; {
		case u.PID == 0 || u.PID != before.PID:
		case u.At > before.At:
			share[name] = max(u.CPU-before.CPU, 0) / (u.At - before.At)
		default:
			if was, known := m.cpu[name]; known {
				share[name] = was
			}
		}
	}
	choose := func() (chosen bool) { // what a key acts on stays the same in whatever order they are
		rows := m.rows()
		at := m.at(rows)
		if at >= 0 {
			m.selected = display(rows[at].Group, rows[at].Name)
		}
		return at >= 0
	}
	m.gone = choose() || m.gone // until it is found again
	m.processes, m.usage, m.cpu, m.trouble = processes, usage, share, ""
	if choose() {
		m.gone = false
	}
}

// rows are the processes that are shown, in their order.
func (m *topModel) rows() []*client.ProcessInfo {
	var rows []*client.ProcessInfo
	for i := range m.processes {
		p := &m.processes[i]
		if strings.Contains(display(p.Group, p.Name), m.filter) && (!m.problems || m.urgency(p) >= 3) {
			rows = append(rows, p)
		}
	}
	less := topColumns[m.sort].less
	slices.SortStableFunc(rows, func(p, q *client.ProcessInfo) int {
		order := cmp.Or(less(m, p, q), strings.Compare(display(p.Group, p.Name), display(q.Group, q.Name)))
		if m.reverse {
			return -order
		}
		return order
	})
	return rows
}

// at is where the selected process is in the list, or the first; -1 if there is none, or the
// selected one has gone: no key then acts on another in its place.
func (m *topModel) at(rows []*client.ProcessInfo) int {
	at := slices.IndexFunc(rows, func(p *client.ProcessInfo) bool { return display(p.Group, p.Name) == m.selected })
	if at < 0 && !m.gone && len(rows) > 0 {
		return 0
	}
	return at
}

// topHelp is what the keys do.
var topHelp = []string{
	"up, down, k, j      select a process         l, Enter   its log; e: its stderr",
	"PgUp, PgDn          by ten                   [ and ]    page through the log",
	"/                   filter by name           d          what an update would do",
	"o                   sort by another column   s          start",
	"O                   sort the other way       x          stop",
	"p                   problems only            r          restart",
	"q, Ctrl-C           leave                    Esc        close what is open",
}

// key takes a key, by its name or as the character that it makes, and returns what is to
// be done, nil for nothing.
func (m *topModel) key(key string) *topRequest {
	filter, problems := m.filter, m.problems
	defer func() { // who has others shown begins with the first of them
		m.gone = m.gone && m.filter == filter && m.problems == problems
	}()
	switch {
	case key == "Ctrl-C":
		return &topRequest{verb: "quit"}
	case m.asking != nil:
		asked := m.asking
		m.asking = nil
		if key == "y" {
			m.message = asked.verb + " " + asked.name + " ..."
			return asked
		}
		return nil
	case m.typing:
		m.typed(key)
		return nil
	}
	m.message = ""
	rows := m.rows()
	move := map[string]int{"Up": -1, "k": -1, "Down": 1, "j": 1, "PgUp": -10, "PgDn": 10, "Home": -len(rows), "End": len(rows)}
	if by, moves := move[key]; moves {
		if len(rows) > 0 {
			p := rows[min(max(m.at(rows)+by, 0), len(rows)-1)]
			m.selected, m.gone = display(p.Group, p.Name), false
		}
		if m.pane == paneStdout || m.pane == paneStderr {
			return m.open(m.pane)
		}
		return nil
	}
	switch key {
	case "q":
		return &topRequest{verb: "quit"}
	case "Esc":
		if m.pane == paneNone {
			m.filter = ""
		}
		m.pane, m.text = paneNone, nil
	case "/":
		m.typing, m.filter = true, ""
	case "o":
		for m.sort = (m.sort + 1) % len(topColumns); topColumns[m.sort].less == nil; {
			m.sort = (m.sort + 1) % len(topColumns)
		}
	case "O":
		m.reverse = !m.reverse
	case "p":
		m.problems = !m.problems
	case "l", "Enter":
		return m.open(paneStdout)
	case "e":
		return m.open(paneStderr)
	case "d":
		return m.open(paneDiff)
	case "?", "h":
		m.open(paneHelp)
		m.text = topHelp
	case "[":
		m.scroll++
	case "]":
		m.scroll = max(m.scroll-1, 0)
	case "s", "x", "r":
		at := m.at(rows)
		if at < 0 {
			m.message = "select a process first"
			return nil
		}
		p := rows[at]
		request := &topRequest{map[string]string{"s": "start", "x": "stop", "r": "restart"}[key], display(p.Group, p.Name)}
		if key != "s" {
			m.asking = request
			return nil
		}
		m.message = "start " + request.name + " ..."
		return request
	}
	return nil
}

// typed takes a key of the filter.
func (m *topModel) typed(key string) {
	switch {
	case key == "Enter":
		m.typing = false
	case key == "Esc":
		m.typing, m.filter = false, ""
	case key == "Backspace":
		if runes := []rune(m.filter); len(runes) > 0 {
			m.filter = string(runes[:len(runes)-1])
		}
	case len([]rune(key)) == 1:
		m.filter += key
	}
}

// open opens a pane, which is to be filled.
func (m *topModel) open(pane topPane) *topRequest {
	m.pane, m.text, m.scroll = pane, nil, 0
	return m.look()
}

// look asks for what the pane shows, nil where it needs nothing.
func (m *topModel) look() *topRequest {
	rows := m.rows()
	switch {
	case m.pane == paneDiff:
		return &topRequest{"look", ""}
	case (m.pane == paneStdout || m.pane == paneStderr) && m.at(rows) >= 0:
		p := rows[m.at(rows)]
		return &topRequest{"look", display(p.Group, p.Name)}
	}
	return nil
}

// view is the screen.
func (m *topModel) view(width, height int) []topLine {
	rows := m.rows()
	at := m.at(rows)
	listed := max(height-4, 1)
	if m.pane != paneNone {
		listed = max((height-5)/2, 1)
	}
	lines := []topLine{{m.head(), styleHead}, m.note()}
	lines = append(lines, m.table(rows, at, listed, width)...)
	if m.pane != paneNone {
		lines = append(lines, m.below(rows, at, max(height-len(lines)-1, 1))...)
	}
	lines = append(lines, topLine{"/ filter  o sort  p problems  l log  d diff  s start  x stop  r restart  ? help", styleDim})
	for i := range lines {
		lines[i].text = runewidth.FillRight(runewidth.Truncate(lines[i].text, width, "…"), width)
	}
	return lines[:min(len(lines), height)]
}

// head says how many processes are in which state.
func (m *topModel) head() string {
	counts := make(state.Counts)
	for i := range m.processes {
		counts[m.processes[i].State]++
	}
	return counts.String() + "  " + m.server
}

// note is the line for what is asked, typed, wrong or done.
func (m *topModel) note() topLine {
	switch {
	case m.asking != nil:
		return topLine{m.asking.verb + " " + m.asking.name + "? y is yes, any other key no", styleBad}
	case m.typing:
		return topLine{"filter: " + m.filter + "_", stylePlain}
	case m.trouble != "":
		return topLine{m.trouble, styleBad}
	case m.message != "":
		return topLine{m.message, stylePlain}
	}
	var words []string
	if m.filter != "" {
		words = append(words, "filter: "+m.filter)
	}
	if m.problems {
		words = append(words, "problems only")
	}
	if m.noUsage {
		words = append(words, "this server is Supervisor itself, or an older supervisord: it does not report resource usage")
	}
	return topLine{strings.Join(words, "  "), styleDim}
}

// table is the list, with a line for the names of its columns.
func (m *topModel) table(rows []*client.ProcessInfo, at, listed, width int) []topLine {
	longest := len("NAME")
	for _, p := range rows {
		longest = max(longest, runewidth.StringWidth(display(p.Group, p.Name)))
	}
	name := min(longest, max(width/3, 10))
	format := func(mark string, cell func(i int) string) string {
		var b strings.Builder
		b.WriteString(mark)
		for i, c := range topColumns {
			text := cell(i)
			switch {
			case c.wide && width < wideTerminal:
				continue
			case i == 0:
				text = runewidth.FillRight(runewidth.Truncate(text, name, "…"), name)
			case c.width > 0:
				text = runewidth.FillLeft(text, c.width)
			case c.width < 0:
				text = runewidth.FillRight(text, -c.width)
			}
			b.WriteString(text + "  ")
		}
		return strings.TrimRight(b.String(), " ")
	}
	order := "v"
	if m.reverse {
		order = "^"
	}
	lines := []topLine{{format("  ", func(i int) string {
		if i == m.sort {
			return topColumns[i].title + order
		}
		return topColumns[i].title
	}), styleHead}}
	first := min(max(at-listed/2, 0), max(len(rows)-listed, 0))
	for i := first; i < first+listed; i++ {
		if i >= len(rows) {
			lines = append(lines, topLine{})
			continue
		}
		mark, style := "  ", [...]topStyle{styleDim, stylePlain, styleBusy, styleBad, styleBad}[m.urgency(rows[i])]
		if i == at {
			mark, style = "> ", styleSelected
		}
		lines = append(lines, topLine{format(mark, func(c int) string { return topColumns[c].cell(m, rows[i]) }), style})
	}
	return lines
}

// below is the pane, with a line for its title.
func (m *topModel) below(rows []*client.ProcessInfo, at, height int) []topLine {
	name := ""
	if at >= 0 {
		name = display(rows[at].Group, rows[at].Name)
	}
	title := map[topPane]string{paneStdout: "log of " + name, paneStderr: "log of " + name + ", standard error",
		paneDiff: "what an update would do", paneHelp: "keys"}[m.pane]
	lines := []topLine{{"-- " + title + " --", styleHead}}
	space := height - 1
	first := min(m.scroll, max(len(m.text)-space, 0))
	if m.pane == paneStdout || m.pane == paneStderr {
		first = max(len(m.text)-space-m.scroll, 0)
	}
	for i := first; i < first+space; i++ {
		text := ""
		if i < len(m.text) {
			text = m.text[i]
		}
		lines = append(lines, topLine{text, stylePlain})
	}
	return lines
}
