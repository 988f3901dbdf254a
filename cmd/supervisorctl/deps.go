package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"supervisord/rpc/client"
	"supervisord/spec"
)

// deps draws what processes depend on: of those named, or of all that depend on anything.
//
// Source: ours.
func (c *call) deps(ctx context.Context) error {
	all, err := c.Dependencies(ctx)
	if err != nil {
		return c.needsReconcile(err)
	}
	o := newOrderView(all)
	roots := o.roots()
	if len(c.words) > 0 {
		roots = nil
		for _, word := range c.words {
			named := o.named(word)
			if len(named) == 0 {
				c.noSuch(word, exitFailed)
			}
			roots = append(roots, named...)
		}
	}
	switch {
	case c.json:
		return c.emit(o.below(roots))
	case c.dot:
		fmt.Fprint(c.out, o.dot(roots))
		return nil
	case len(roots) == 0 && len(c.words) == 0:
		c.say("there are no dependencies")
		return nil
	}
	for _, line := range o.tree(roots) {
		c.say("%s", line)
	}
	return nil
}

// orderView is what processes depend on, as it is shown.
type orderView struct {
	list []client.Dependency
	by   map[string]*client.Dependency // by the name that is shown
}

func newOrderView(list []client.Dependency) orderView {
	o := orderView{list, make(map[string]*client.Dependency, len(list))}
	for i := range list {
		o.by[shownName(&list[i])] = &list[i]
	}
	return o
}

func shownName(d *client.Dependency) string { return display(d.Group, d.Name) }

// roots are the processes that depend on something, and on which nothing depends.
func (o orderView) roots() (names []string) {
	needed := make(map[string]bool)
	for _, d := range o.list {
		for _, need := range d.Needs {
			for _, t := range need.Targets {
				needed[t] = true
			}
		}
	}
	for i := range o.list {
		if name := shownName(&o.list[i]); len(o.list[i].Needs) > 0 && !needed[name] {
			names = append(names, name)
		}
	}
	return names
}

// named are the processes that a word means.
func (o orderView) named(word string) (names []string) {
	n := spec.ParseNamespec(word)
	for i := range o.list {
		d := &o.list[i]
		if d.Group == n.Group && (n.WholeGroup() || d.Name == n.Process || !strings.Contains(word, ":")) {
			names = append(names, shownName(d))
		}
	}
	return names
}

// tree draws what processes depend on. What was drawn before is not drawn again.
func (o orderView) tree(roots []string) (lines []string) {
	drawn := make(map[string]bool)
	var draw func(text, name, lead, below string)
	draw = func(text, name, lead, below string) {
		d := o.by[name]
		line := lead + text + "  " + d.State
		if d.Waiting != "" {
			line += ", waiting for " + d.Waiting
		}
		if drawn[name] && len(d.Needs) > 0 {
			lines = append(lines, line+" (see above)")
			return
		}
		drawn[name] = true
		lines = append(lines, line)
		type child struct{ text, name string }
		var children []child
		for _, need := range d.Needs {
			if len(need.Targets) == 0 {
				children = append(children, child{need.Text + "  not defined", ""})
			}
			for _, t := range need.Targets {
				text := need.Text
				if len(need.Targets) > 1 || !strings.HasPrefix(text, t) {
					text = t + " (" + need.Text + ")"
				}
				children = append(children, child{text, t})
			}
		}
		for i, next := range children {
			branch, deeper := "├─ ", "│  "
			if i == len(children)-1 {
				branch, deeper = "└─ ", "   "
			}
			if next.name == "" {
				lines = append(lines, below+branch+next.text)
			} else {
				draw(next.text, next.name, below+branch, below+deeper)
			}
		}
	}
	for _, name := range roots {
		draw(name, name, "", "")
	}
	return lines
}

// below are some processes and all that they depend on, in the server's order.
func (o orderView) below(roots []string) []client.Dependency {
	seen := make(map[string]bool)
	for todo := slices.Clone(roots); len(todo) > 0; {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[name] || o.by[name] == nil {
			continue
		}
		seen[name] = true
		for _, need := range o.by[name].Needs {
			todo = append(todo, need.Targets...)
		}
	}
	list := []client.Dependency{}
	for i := range o.list {
		if seen[shownName(&o.list[i])] {
			list = append(list, o.list[i])
		}
	}
	return list
}

// dot is the same for Graphviz: an arrow goes to what is needed, dashed where that may be
// missing or fail; what is not there is red.
func (o orderView) dot(roots []string) string {
	var b strings.Builder
	b.WriteString("digraph supervisord {\n\trankdir=LR;\n\tnode [shape=box];\n")
	for _, d := range o.below(roots) {
		name := shownName(&d)
		fmt.Fprintf(&b, "\t%s [label=%s];\n", dotText(name), dotText(name+"\n"+d.State))
		for _, need := range d.Needs {
			targets := need.Targets
			if len(targets) == 0 {
				targets = []string{strings.TrimSuffix(need.Text, "?")}
			}
			for _, t := range targets {
				var attributes []string
				if need.Text != t {
					attributes = append(attributes, "label="+dotText(need.Text))
				}
				if strings.HasSuffix(need.Text, "?") {
					attributes = append(attributes, "style=dashed")
				}
				if !need.Met {
					attributes = append(attributes, "color=red")
				}
				fmt.Fprintf(&b, "\t%s -> %s", dotText(name), dotText(t))
				if len(attributes) > 0 {
					b.WriteString(" [" + strings.Join(attributes, ", ") + "]")
				}
				b.WriteString(";\n")
			}
		}
	}
	b.WriteString("}\n")
	return b.String()
}

// dotText quotes a text for Graphviz.
func dotText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
