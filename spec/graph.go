package spec

import (
	"slices"
	"strings"
)

// Graph is what the processes of some groups wait for and restart with. It is never
// changed once made, and costs nothing where nobody waits.
type Graph struct {
	nodes map[Namespec]*node // nil where no definition asks for anything
}

// Need is one thing that is waited for.
type Need struct {
	Dependency
	// Targets are the processes that Name means: those of a group or program that have
	// autostart, or all of them if none has. There are none if no definition has that
	// name.
	Targets []Namespec
}

// node is a process that waits for others, or is waited for.
type node struct {
	name        Namespec
	group       *Group
	process     *Process
	needs       []Need
	restartWith []edge
	dependents  []Namespec // who need it
	restarts    []Namespec // who restart with it
}

// NewGraph makes the graph of groups.
func NewGraph(groups []*Group) *Graph {
	g := &Graph{}
	if !slices.ContainsFunc(groups, (*Group).asks) {
		return g
	}
	g.nodes = make(map[Namespec]*node)
	names := newTargets(groups)
	var order []*node // so that lists are the same each time
	for _, group := range groups {
		for i := range group.Processes {
			p := &group.Processes[i]
			n := &node{name: Namespec{group.Name, p.Name}, group: group, process: p}
			g.nodes[n.name] = n
			order = append(order, n)
		}
	}
	for _, n := range order {
		for _, list := range [][]Dependency{n.group.DependsOn, n.process.DependsOn} {
			for _, d := range list {
				need := Need{d, names.find(d.Name)}
				n.needs = append(n.needs, need)
				for _, to := range need.Targets {
					if t := g.nodes[to]; !slices.Contains(t.dependents, n.name) {
						t.dependents = append(t.dependents, n.name)
					}
				}
			}
		}
		for _, from := range n.restartSources() {
			for _, name := range from.names {
				for _, to := range names.find(name) {
					n.restartWith = append(n.restartWith, edge{n.name, to, "restart_with", from.section})
					if t := g.nodes[to]; !slices.Contains(t.restarts, n.name) {
						t.restarts = append(t.restarts, n.name)
					}
				}
			}
		}
	}
	return g
}

// restartSource is a restart_with, and the section in which it stands.
type restartSource struct {
	names   []string
	section string
}

// restartSources are that of its group, then its own.
func (n *node) restartSources() []restartSource {
	return []restartSource{{n.group.RestartWith, n.group.Origin.Section}, {n.process.RestartWith, n.process.Origin.Section}}
}

// asks reports whether anything in a group waits for something.
func (g *Group) asks() bool {
	if len(g.DependsOn) > 0 || len(g.RestartWith) > 0 {
		return true
	}
	for i := range g.Processes { // a Process is large
		if p := &g.Processes[i]; len(p.DependsOn) > 0 || len(p.RestartWith) > 0 {
			return true
		}
	}
	return false
}

// targets is what names mean.
type targets struct {
	groups, programs, processes map[string][]*node
}

func newTargets(groups []*Group) targets {
	t := targets{make(map[string][]*node), make(map[string][]*node), make(map[string][]*node)}
	for _, g := range groups {
		for i := range g.Processes {
			p := &g.Processes[i]
			n := &node{name: Namespec{g.Name, p.Name}, process: p}
			t.groups[g.Name] = append(t.groups[g.Name], n)
			t.processes[p.Name] = append(t.processes[p.Name], n)
			t.processes[g.Name+":"+p.Name] = append(t.processes[g.Name+":"+p.Name], n)
			if _, program, ok := strings.Cut(p.Origin.Section, ":"); ok {
				t.programs[program] = append(t.programs[program], n)
			}
		}
	}
	return t
}

// find is the processes that a name means: a group goes before a program, and that
// before a process.
func (t targets) find(name string) []Namespec {
	for _, kind := range []map[string][]*node{t.groups, t.programs, t.processes} {
		list := kind[name]
		if len(list) == 0 {
			continue
		}
		started := slices.ContainsFunc(list, func(n *node) bool { return n.process.Autostart })
		var names []Namespec
		for _, n := range list {
			if n.process.Autostart || !started {
				names = append(names, n.name)
			}
		}
		return names
	}
	return nil
}

// Empty reports whether nothing waits for anything.
func (g *Graph) Empty() bool { return g.nodes == nil }

// Needs is what a process waits for before it is started: what its group waits for, then
// what it does itself.
func (g *Graph) Needs(name Namespec) []Need {
	if n := g.nodes[name]; n != nil {
		return n.needs
	}
	return nil
}

// RestartingWith are the processes that restart when this one has a new pid.
func (g *Graph) RestartingWith(name Namespec) []Namespec {
	if n := g.nodes[name]; n != nil {
		return n.restarts
	}
	return nil
}

// Dependents are the processes that need this one.
func (g *Graph) Dependents(name Namespec) []Namespec {
	if n := g.nodes[name]; n != nil {
		return n.dependents
	}
	return nil
}

// needed are the processes that this one needs.
func (n *node) needed() (list []Namespec) {
	for _, need := range n.needs {
		list = append(list, need.Targets...)
	}
	return list
}

// Closure is a process and all that it needs, itself or for what it needs, as far as
// wanted says; what is needed comes first.
func (g *Graph) Closure(name Namespec, wanted func(of Namespec, need Need, target Namespec) bool) []Namespec {
	var list []Namespec
	seen := make(map[Namespec]bool)
	var visit func(Namespec)
	visit = func(at Namespec) {
		if seen[at] {
			return
		}
		seen[at] = true
		for _, need := range g.Needs(at) {
			for _, to := range need.Targets {
				if wanted(at, need, to) {
					visit(to)
				}
			}
		}
		list = append(list, at)
	}
	visit(name)
	return list
}

// Stages divides items, each of them one or more processes, into those that are stopped
// together, one stage after another: nothing before all that needs it, even by way of
// what is not among the items. It keeps to the order of items where it may, and has in one
// stage only what together allows. Items that need each other, which may be said of
// groups, come at once.
func (g *Graph) Stages(items [][]Namespec, together func(i, j int) bool) [][]int {
	return stages(len(items), g.above(items, (*node).dependentsOf), together)
}

// StartStages is the same for starts: nothing comes before what it needs.
func (g *Graph) StartStages(items [][]Namespec, together func(i, j int) bool) [][]int {
	return stages(len(items), g.above(items, (*node).needed), together)
}

func (n *node) dependentsOf() []Namespec { return n.dependents }

// above lists for each item those of the others that are reached from it.
func (g *Graph) above(items [][]Namespec, next func(*node) []Namespec) [][]int {
	first := make([][]int, len(items))
	if g.Empty() {
		return first
	}
	index := make(map[Namespec]int)
	for i, item := range items {
		for _, name := range item {
			index[name] = i
		}
	}
	for i, item := range items {
		found, seen := make(map[int]bool), make(map[Namespec]bool)
		todo := slices.Clone(item)
		for len(todo) > 0 {
			n := g.nodes[todo[len(todo)-1]]
			todo = todo[:len(todo)-1]
			if n == nil {
				continue
			}
			for _, to := range next(n) {
				if seen[to] {
					continue
				}
				seen[to] = true
				todo = append(todo, to)
				if j, is := index[to]; is && j != i && !found[j] {
					found[j] = true
					first[i] = append(first[i], j)
				}
			}
		}
	}
	return first
}

// stages divides n items, where first are those that must come before each.
func stages(n int, first [][]int, together func(i, j int) bool) (list [][]int) {
	if !slices.ContainsFunc(first, func(list []int) bool { return len(list) > 0 }) {
		for i := range n {
			if i == 0 || !together(i-1, i) {
				list = append(list, nil)
			}
			list[len(list)-1] = append(list[len(list)-1], i)
		}
		return list
	}
	after, waits := make([][]int, n), make([]int, n)
	left := make([]int, n)
	for i := range n {
		left[i], waits[i] = i, len(first[i])
		for _, j := range first[i] {
			after[j] = append(after[j], i)
		}
	}
	for len(left) > 0 {
		at := slices.IndexFunc(left, func(i int) bool { return waits[i] == 0 })
		if at < 0 { // they need each other
			return append(list, left)
		}
		head := left[at]
		var stage, rest []int
		for _, i := range left {
			if waits[i] == 0 && together(head, i) {
				stage = append(stage, i)
			} else {
				rest = append(rest, i)
			}
		}
		for _, i := range stage {
			for _, j := range after[i] {
				waits[j]--
			}
		}
		list, left = append(list, stage), rest
	}
	return list
}

// edge is that one process comes after another, with the key that says so.
type edge struct {
	from, to Namespec
	key      string
	section  string // in which that stands
}

// edges are those that begin at a process.
func (g *Graph) edges(name Namespec) (list []edge) {
	n := g.nodes[name]
	for i, need := range n.needs {
		section := n.process.Origin.Section
		if i < len(n.group.DependsOn) {
			section = n.group.Origin.Section
		}
		for _, to := range need.Targets {
			list = append(list, edge{name, to, "depends_on", section})
		}
	}
	return append(list, n.restartWith...)
}

// cycles finds chains of processes that come back to where they began: at least one of
// those that hang together.
func (g *Graph) cycles(groups []*Group) (found [][]edge) {
	const (
		unseen = iota
		underWay
		over
	)
	mark := make(map[Namespec]int, len(g.nodes))
	var path []edge
	var visit func(Namespec)
	visit = func(at Namespec) {
		mark[at] = underWay
		for _, e := range g.edges(at) {
			path = append(path, e)
			switch mark[e.to] {
			case unseen:
				visit(e.to)
			case underWay:
				begin := slices.IndexFunc(path, func(p edge) bool { return p.from == e.to })
				found = append(found, slices.Clone(path[begin:]))
			}
			path = path[:len(path)-1]
		}
		mark[at] = over
	}
	if g.Empty() {
		return nil
	}
	for _, group := range groups {
		for i := range group.Processes {
			if name := (Namespec{group.Name, group.Processes[i].Name}); mark[name] == unseen {
				visit(name)
			}
		}
	}
	return found
}
