package spec

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"supervisord/spec/value"
)

// dependentStartup reads the keys of the start-order plug-in, if [supervisord] says that
// they are to be understood: a process with dependent_startup=true, which has
// autostart=false for the plug-in's sake, is started when what it waits for is there.
func (b *builder) dependentStartup(r *reader, p *Process) {
	const on, waitFor, inherit = "dependent_startup", "dependent_startup_wait_for", "dependent_startup_inherit_priority"
	if !b.cfg.Daemon.DependentStartup {
		if r.section.find(on) != nil {
			r.advise(on, "it is for the start-order plug-in, without which nothing starts the program",
				"with [supervisord] dependent_startup=true, supervisord itself does it")
		}
		return
	}
	if !get(r, on, false, asBool) {
		return
	}
	p.Autostart = true
	for _, d := range get(r, waitFor, nil, asWaitFor) {
		if !slices.Contains(p.DependsOn, d) {
			p.DependsOn = append(slices.Clip(p.DependsOn), d)
		}
	}
	if r.section.find(inherit) != nil {
		r.advise(inherit, "it has no effect: what a program waits for is started before it, whatever the priorities", "")
	}
}

// checkOrder refuses what can never be started: processes that wait for each other. It
// also finds words that were meant for conditions.
func (b *builder) checkOrder() {
	groups := make([]*Group, len(b.cfg.Groups))
	for i := range b.cfg.Groups {
		groups[i] = &b.cfg.Groups[i]
	}
	graph := NewGraph(groups)
	if graph.Empty() {
		return
	}
	for _, cycle := range graph.cycles(groups) {
		b.cycle(cycle)
	}
	for _, g := range groups {
		b.checkConditions(groups, g.Origin.Section, g.DependsOn)
		for i := range g.Processes {
			p := &g.Processes[i]
			b.checkConditions(groups, p.Origin.Section, p.DependsOn)
			b.adviseOrder(graph, g, p)
		}
	}
}

// cycle notes processes that wait for each other. The file that changed last is the one
// that is wrong, since the others could be used before.
func (b *builder) cycle(edges []edge) {
	begin := 0
	for i := range edges {
		if b.lastChanged(edges[begin].section, edges[i].section) {
			begin = i
		}
	}
	edges = slices.Concat(edges[begin:], edges[:begin])
	var text strings.Builder
	for _, e := range edges {
		file, line := b.placeOf(e.section, e.key)
		fmt.Fprintf(&text, "%s (%s:%d) -> ", e.from, file, line)
	}
	e := &Error{Section: edges[0].section, Key: edges[0].key,
		Text: fmt.Sprintf("these wait for each other: %s%s", &text, edges[0].from), Hint: "remove one of them"}
	if len(edges) == 1 {
		e.Text, e.Hint = fmt.Sprintf("%s waits for itself", edges[0].from), "remove it"
	}
	e.File, e.Line = b.placeOf(e.Section, e.Key)
	b.errs = append(b.errs, e)
}

// placeOf is where a key stands, if the section is there at all: it may only be in force.
func (b *builder) placeOf(section, key string) (file string, line int) {
	if s := b.byName[section]; s != nil {
		return b.reader(s).at(key)
	}
	return "", 0
}

// lastChanged reports whether the file of section t has changed after that of s: a file
// that is as it is in force has not changed, else the time of its content decides, and
// then the order of reading.
func (b *builder) lastChanged(s, t string) bool {
	before := b.load.options.InForce.byPath()
	if b.load.inForce != nil {
		before = b.load.inForce.byPath()
	}
	type change struct {
		differs bool
		at      time.Time
		order   int
	}
	of := func(name string) (c change) {
		s := b.byName[name]
		if s == nil {
			return change{order: -1}
		}
		if e := s.find("depends_on"); e != nil {
			c.order = slices.Index(b.load.sources, e.from)
		}
		from := b.load.sources[max(c.order, 0)]
		was := before[from.path]
		c.differs = was == nil || !bytes.Equal(was.Hash[:], from.hash[:])
		if _, replaced := b.options.Content[from.path]; replaced {
			c.differs = false
		} else if info, err := b.load.host.Stat(from.path); err == nil {
			c.at = info.ModTime()
		}
		return c
	}
	old, new := of(s), of(t)
	if old.differs != new.differs {
		return new.differs
	}
	return cmp.Or(new.at.Compare(old.at), new.order-old.order) > 0
}

// checkConditions refuses group:word where the word is no process and was meant for a
// condition. A process that is not there yet is waited for.
func (b *builder) checkConditions(groups []*Group, section string, list []Dependency) {
	for _, d := range list {
		group, word, both := strings.Cut(d.Name, ":")
		near, meant := value.MeantAsCondition(word)
		if !both || !meant || slices.ContainsFunc(groups, func(g *Group) bool {
			return g.Name == group && slices.ContainsFunc(g.Processes, func(p Process) bool { return p.Name == word })
		}) {
			continue
		}
		hint := "the conditions are running, started, exited and done"
		if near != "" {
			hint = "did you mean " + group + ":" + near + "?"
		}
		file, line := b.placeOf(section, "depends_on")
		b.errs = append(b.errs, &Error{File: file, Line: line, Section: section, Key: "depends_on",
			Text: "there is no condition " + value.PyRepr(word), Hint: hint})
	}
}

// adviseOrder says what of an order will hardly work out.
func (b *builder) adviseOrder(graph *Graph, g *Group, p *Process) {
	for _, need := range graph.Needs(Namespec{g.Name, p.Name}) {
		section := p.Origin.Section
		if slices.Contains(g.DependsOn, need.Dependency) {
			section = g.Origin.Section
		}
		file, line := b.placeOf(section, "depends_on")
		advise := func(text, hint string) {
			b.advice = append(b.advice, &Error{File: file, Line: line, Section: section, Key: "depends_on", Text: text, Hint: hint})
		}
		if len(need.Targets) == 0 {
			if !need.Optional && !b.mayHideSections() {
				advise("no file defines "+need.Name+": it is waited for", "check the name")
			}
			continue
		}
		for _, to := range need.Targets {
			t := graph.nodes[to].process
			switch {
			case need.Until&(UntilDone|UntilExited) != 0 && need.Until&UntilRunning == 0 && t.StartSecs > 0:
				advise(fmt.Sprintf("%s is expected to end, and if it ends within startsecs=%d, that counts as a failed start", to, t.StartSecs),
					"startsecs=0 in ["+t.Origin.Section+"]")
			case !t.Autostart && !need.Optional:
				advise(fmt.Sprintf("it waits for %s, which has autostart=false and does not start by itself", to), need.String()+"? does not wait for it")
			}
		}
	}
}
