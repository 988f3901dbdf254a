package spec

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCycleIsOfTheFileThatChangedLast: the others could be used before.
func TestCycleIsOfTheFileThatChangedLast(t *testing.T) {
	program := func(name, needs string) string {
		return "[program:" + name + "]\ncommand=x\ndepends_on=" + needs + "\n"
	}
	load := func(files, good map[string]string, inForce *Config) (*Config, []*Error) {
		h := &memHost{cwd: "/", strict: true, files: map[string]string{"/etc/sv.conf": isolatedMain}}
		for name, text := range files {
			h.files["/etc/conf.d/"+name] = text
		}
		cfg, bad, err := LoadIsolated(h, "/etc/sv.conf", Options{}, Earlier{InForce: inForce, Content: func(file string) ([]byte, bool) {
			text, ok := good[strings.TrimPrefix(file, "/etc/conf.d/")]
			return []byte(text), ok
		}})
		if err != nil {
			t.Fatal(err)
		}
		return cfg, bad
	}
	for _, changed := range []string{"a", "b", "c"} {
		t.Run(changed, func(t *testing.T) {
			cyclic := map[string]string{"a": program("a", "b"), "b": program("b", "c"), "c": program("c", "a")}
			before := map[string]string{"a": cyclic["a"], "b": cyclic["b"], "c": cyclic["c"]}
			before[changed] = program(changed, "")
			inForce, _ := load(before, nil, nil)
			cfg, bad := load(cyclic, before, inForce)
			next := map[string]string{"a": "b", "b": "c", "c": "a"}
			at := func(name string) string { return fmt.Sprintf("%s (/etc/conf.d/%s:3) -> ", name, name) }
			want := "/etc/conf.d/" + changed + ":3: [program:" + changed + "] depends_on: these wait for each other: " +
				at(changed) + at(next[changed]) + at(next[next[changed]]) + changed + " (remove one of them)"
			if len(bad) != 1 || bad[0].Report() != want {
				t.Fatalf("mistakes %v, want %s", bad, want)
			}
			if len(cfg.Groups) != 3 || len(cfg.LeftOut) != 0 {
				t.Errorf("%d groups are in force, want all 3 as they were", len(cfg.Groups))
			}
		})
	}
}

// TestStages is the order of stops and of starts, of groups
// that need each other; what stands first comes first where it may.
func TestStages(t *testing.T) {
	tests := []struct{ name, needs, items, stops, starts string }{
		{"nothing needs anything", "", "a b c", "a b c", "a b c"},
		{"one after another", "b>a c>b", "a b c", "c / b / a", "a / b / c"},
		{"what needs nothing comes early", "b>a", "a b c", "b c / a", "a c / b"},
		{"by way of what is not among them", "b>x x>a", "a b", "b / a", "a / b"},
		{"a diamond", "b>a c>a d>b d>c", "a b c d", "d / b c / a", "a / b c / d"},
		{"items of several", "b1>a1 a2>c", "a1+a2 b1 c", "b1 / a1+a2 / c", "c / a1+a2 / b1"},
		{"items that need each other", "a1>b1 b2>a2", "a1+a2 b1+b2", "a1+a2 b1+b2", "a1+a2 b1+b2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			graph := graphOf(test.needs, test.items)
			var items [][]Namespec
			words := strings.Fields(test.items)
			for _, word := range words {
				var item []Namespec
				for _, name := range strings.Split(word, "+") {
					item = append(item, Namespec{name, name})
				}
				items = append(items, item)
			}
			show := func(list [][]int) string {
				var text []string
				for _, stage := range list {
					var names []string
					for _, i := range stage {
						names = append(names, words[i])
					}
					text = append(text, strings.Join(names, " "))
				}
				return strings.Join(text, " / ")
			}
			all := func(int, int) bool { return true }
			got := []string{show(graph.Stages(items, all)), show(graph.StartStages(items, all))}
			if diff := cmp.Diff([]string{test.stops, test.starts}, got); diff != "" {
				t.Errorf("stops and starts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestStagesKeepPriorities: without dependencies stages are what together cuts.
func TestStagesKeepPriorities(t *testing.T) {
	items := make([][]Namespec, 5)
	got := new(Graph).Stages(items, func(i, j int) bool { return i/2 == j/2 })
	if diff := cmp.Diff([][]int{{0, 1}, {2, 3}, {4}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCycles finds a cycle exactly where the edges, made at random, have one.
func TestCycles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var needs []string
		n := 2 + rng.IntN(6)
		above := make(map[int][]int)
		for range rng.IntN(2 * n) {
			i, j := rng.IntN(n), rng.IntN(n)
			needs = append(needs, fmt.Sprintf("p%d>p%d", i, j))
			above[i] = append(above[i], j)
		}
		var reaches func(from, to int, seen map[int]bool) bool
		reaches = func(from, to int, seen map[int]bool) bool {
			return slices.ContainsFunc(above[from], func(next int) bool {
				if next == to {
					return true
				}
				if seen[next] {
					return false
				}
				seen[next] = true
				return reaches(next, to, seen)
			})
		}
		want := false
		for i := range n {
			want = want || reaches(i, i, map[int]bool{})
		}
		text := strings.Join(needs, " ")
		groups := needing(text, "")
		cycles := NewGraph(groups).cycles(groups)
		if (len(cycles) > 0) != want {
			t.Fatalf("%s: cycles %v, want one: %v", text, cycles, want)
		}
		for _, c := range cycles {
			for i, e := range c {
				if e.to != c[(i+1)%len(c)].from {
					t.Fatalf("%s: %v is no cycle", text, c)
				}
			}
		}
	}
}

// needing makes programs of edges such as "a>b", which is that a needs b, and of names.
func needing(needs, items string) []*Group {
	of := make(map[string]*Group)
	var list []*Group
	group := func(name string) *Group {
		if of[name] == nil {
			of[name] = &Group{Name: name, Processes: []Process{{Name: name, Autostart: true}}}
			list = append(list, of[name])
		}
		return of[name]
	}
	for _, name := range strings.FieldsFunc(items, func(r rune) bool { return r == ' ' || r == '+' }) {
		group(name)
	}
	for _, word := range strings.Fields(needs) {
		from, to, _ := strings.Cut(word, ">")
		p := &group(from).Processes[0]
		p.DependsOn = append(p.DependsOn, Dependency{Name: group(to).Name, Until: UntilRunning})
	}
	return list
}

func graphOf(needs, items string) *Graph { return NewGraph(needing(needs, items)) }
