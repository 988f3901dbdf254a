package page

import (
	"html"
	"html/template"
	"net/url"
	"strconv"
	"time"
)

// The lines of the table are written here and by no template: there may be thousands of
// them, each of which has the name of its process ten times, and html/template takes twenty
// times as long. Whatever a line says is escaped before it is written, so that it is safe
// both as text and between the double quotes of an attribute. Nothing is said twice in a line:
// a browser has to take in all of it before it shows the first.

// Rows draws lines of the table, each on one line.
func Rows(items []Item, now time.Time, readOnly bool) template.HTML {
	const perLine = 600 // bytes, about
	w := lineWriter{b: make([]byte, 0, len(items)*perLine), now: now, readOnly: readOnly}
	for i := range items {
		if item := &items[i]; item.Group != nil {
			w.group(item.Group)
		} else {
			w.process(item.Row, &item.Figures)
		}
		w.b = append(w.b, '\n')
	}
	return template.HTML(w.b)
}

// lineWriter writes lines.
type lineWriter struct {
	b        []byte
	now      time.Time
	readOnly bool
}

// put writes what is HTML already.
func (w *lineWriter) put(parts ...string) {
	for _, p := range parts {
		w.b = append(w.b, p...)
	}
}

func (w *lineWriter) number(n int64) { w.b = strconv.AppendInt(w.b, n, 10) }

func (w *lineWriter) group(g *GroupRow) {
	name := html.EscapeString(g.Name)
	w.put(`<tr class="group" data-key="`, name, `:*"><td class="pick"></td><td class="state"></td><th class="name" scope="rowgroup" colspan="6">`, name,
		` <small><i class="dot `, string(g.Level), `"></i>`)
	w.number(int64(g.Running))
	w.put(` of `)
	w.number(int64(g.Size))
	w.put(` running</small></th><td class="do">`)
	if !w.readOnly {
		w.button("start", name+":*", "Start", "the group "+name)
		w.put(`<button name="do" value="roll `, name, `:*" aria-label="Restart the group `, name,
			`, one process after another" title="Restart, one process after another">Roll</button>`)
		w.button("stop", name+":*", "Stop", "the group "+name)
	}
	w.put(`</td></tr>`)
}

// button writes one that does something with a name, which is escaped.
func (w *lineWriter) button(verb, name, label, what string) {
	w.put(`<button name="do" value="`, verb, ` `, name, `" aria-label="`, label, ` `, what, `">`, label, `</button>`)
}

func (w *lineWriter) process(r *Row, f *Figures) {
	name := html.EscapeString(r.Name)
	w.put(`<tr data-key="`, name, `" data-state="`, r.State, `"`)
	if r.Member {
		w.put(` class="member"`)
	}
	w.put(`><td class="pick">`)
	if !w.readOnly {
		w.put(`<input type="checkbox" name="name" value="`, name, `" aria-label="Select `, name, `">`)
	}
	w.put(`</td><td class="state `, string(r.Level), `">`, r.State, `</td><th class="name" scope="row"><a href="process?name=`, url.QueryEscape(r.Name), `">`, name,
		`</a></th><td class="for">`)
	if since := (Time{w.now, r.Since}); since.Known() {
		w.put(`<time data-t="`)
		w.number(since.Unix())
		w.put(`">`, since.Ago(), `</time>`)
	}
	w.put(`</td><td class="num">`)
	w.restarts(r)
	w.put(`</td><td class="cpu">`)
	if f.Graph != "" {
		w.put(graphBegin, f.Graph, graphEnd)
	}
	if f.CPU != "" {
		w.put(`<span>`, f.CPU, `</span>`)
	}
	w.put(`</td><td class="mem">`, f.Memory, `</td><td class="why`)
	if r.Level == Bad || r.Level == Warn {
		w.put(` `, string(r.Level))
	}
	w.put(`">`, html.EscapeString(r.Why), `</td><td class="do">`)
	if !w.readOnly {
		w.actions(r)
	}
	w.put(`</td></tr>`)
}

// actions writes the buttons for what can be done to a process.
func (w *lineWriter) actions(r *Row) {
	name := html.EscapeString(r.Name)
	if r.Start {
		w.button("start", name, "Start", name)
	}
	if r.Restart {
		w.button("restart", name, "Restart", name)
	}
	if r.Stop {
		w.button("stop", name, "Stop", name)
	}
}

// drawActions draws these buttons.
func drawActions(r Row) template.HTML {
	var w lineWriter
	w.actions(&r)
	return template.HTML(w.b)
}

// restarts writes those of the last hour and, where there were others, of how many.
func (w *lineWriter) restarts(r *Row) {
	if r.Starts == 0 {
		return
	}
	w.number(int64(r.Recent))
	if r.Many() {
		w.put("+")
	}
	if r.Starts != int64(r.Recent) {
		w.put(` <small>of `)
		w.number(r.Starts)
		w.put(`</small>`)
	}
}
