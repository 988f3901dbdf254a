package cmd

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/cmd/internal/oracle"
)

// redeploy is one way in which people bring a new version: commands of a shell, and
// those that begin with supervisorctl, or with ansible: the name and the state that
// its module is given. web runs and is deployed anew; nothing of keep changes. The
// directories v1, v2 and bad have versions of each file, and bad ones.
type redeploy struct {
	name  string
	begin string // the files that are there at first, beside keep.ini
	steps []string
}

const (
	tried    = 6 // of redeploys, in an ordinary run
	byRename = "cp v2/web.ini conf.d/.new; mv conf.d/.new conf.d/web.ini"
)

// redeploys begin with those that are always tried; the others are with FULL_SIZE=1.
var redeploys = []redeploy{
	{"copy, reread, update", "web", []string{"cp v2/web.ini conf.d", "supervisorctl reread", "supervisorctl update"}},
	{"stop, copy, update, start", "web", []string{"supervisorctl stop web", "cp v2/web.ini conf.d", "supervisorctl update", "supervisorctl start web"}},
	{"remove, copy, update", "web", []string{"rm conf.d/web.ini", "cp v2/web.ini conf.d", "supervisorctl update"}},
	{"a new one: copy, reread, add", "", []string{"cp v1/web.ini conf.d", "supervisorctl reread", "supervisorctl add web"}},
	{"a group, of which one changes", "shop", []string{"cp v2/shop.ini conf.d", "supervisorctl reread", "supervisorctl update"}},
	{"a bad file, then the good one", "web", []string{"cp bad/web.ini conf.d", "supervisorctl reread", "supervisorctl update", "cp v2/web.ini conf.d", "supervisorctl reread", "supervisorctl update"}},

	{"copy, reread, update, restart", "web", []string{"cp v2/web.ini conf.d", "supervisorctl reread", "supervisorctl update", "supervisorctl restart web"}},
	{"copy, restart, update", "web", []string{"cp v2/web.ini conf.d", "supervisorctl restart web", "supervisorctl update"}},
	{"copy, reread, restart without update", "web", []string{"cp v2/web.ini conf.d", "supervisorctl reread", "supervisorctl restart web"}},
	{"update before the copy", "web", []string{"supervisorctl reread", "supervisorctl update", "cp v2/web.ini conf.d"}},
	{"remove, update, copy, update", "web", []string{"rm conf.d/web.ini", "supervisorctl update", "cp v2/web.ini conf.d", "supervisorctl update"}},
	{"remove, update by name", "web", []string{"rm conf.d/web.ini", "supervisorctl update web"}},
	{"remove the file, stop, remove from the daemon", "web", []string{"rm conf.d/web.ini", "supervisorctl reread", "supervisorctl stop web", "supervisorctl remove web"}},
	{"a new one, its command comes later", "", []string{"cp v1/late.ini conf.d", "ln -s /bin/sleep late", "supervisorctl reread", "supervisorctl update"}},
	{"Ansible: copy, restarted", "web", []string{"cp v2/web.ini conf.d", "ansible web restarted"}},
	{"Ansible: remove, stopped, absent", "web", []string{"rm conf.d/web.ini", "ansible web stopped", "ansible web absent"}},
	{"copy under another name and rename, reread, update", "web", []string{byRename, "supervisorctl reread", "supervisorctl update"}},
	{"copy, update", "web", []string{"cp v2/web.ini conf.d", "supervisorctl update"}},
	{"copy, update by name", "web", []string{"cp v2/web.ini conf.d", "supervisorctl update web"}},
	{"copy, reread only", "web", []string{"cp v2/web.ini conf.d", "supervisorctl reread"}},
	{"stop all, copy, reread, update, start all", "web", []string{"supervisorctl stop all", "cp v2/web.ini conf.d", "supervisorctl reread", "supervisorctl update", "supervisorctl start all"}},
	{"remove and copy the same, reread, update", "web", []string{"rm conf.d/web.ini", "cp v1/web.ini conf.d", "supervisorctl reread", "supervisorctl update"}},
	{"touch, reread, update", "web", []string{"touch conf.d/web.ini", "supervisorctl reread", "supervisorctl update"}},
	{"under another name, reread, update", "web", []string{"mv conf.d/web.ini conf.d/www.ini", "supervisorctl reread", "supervisorctl update"}},
	{"remove, reread, update", "web", []string{"rm conf.d/web.ini", "supervisorctl reread", "supervisorctl update"}},
	{"stop, remove, update", "web", []string{"supervisorctl stop web", "rm conf.d/web.ini", "supervisorctl update"}},
	{"stop, remove from the daemon, remove the file, update", "web", []string{"supervisorctl stop web", "supervisorctl remove web", "rm conf.d/web.ini", "supervisorctl reread", "supervisorctl update"}},
	{"a new one: copy, reread, update", "", []string{"cp v1/web.ini conf.d", "supervisorctl reread", "supervisorctl update"}},
	{"a new one: copy, update, restart", "", []string{"cp v1/web.ini conf.d", "supervisorctl update", "supervisorctl restart web"}},
	{"two in a file, of which one changes", "pair", []string{"cp v2/pair.ini conf.d", "supervisorctl reread", "supervisorctl update"}},
	{"a group, restarted after its update", "shop", []string{"cp v2/shop.ini conf.d", "supervisorctl update shop", "supervisorctl restart shop:*"}},
	{"forward and back", "web", []string{"cp v2/web.ini conf.d", "supervisorctl update", "cp v1/web.ini conf.d", "supervisorctl update"}},
	{"Ansible: a new one, present, started", "", []string{"cp v1/web.ini conf.d", "ansible web present", "ansible web started"}},
	{"Ansible: stopped, absent, remove", "web", []string{"ansible web stopped", "ansible web absent", "rm conf.d/web.ini"}},
	{"Ansible: stopped, copy, restarted", "web", []string{"ansible web stopped", "cp v2/web.ini conf.d", "ansible web restarted"}},
	{"Ansible: a group is copied and restarted", "shop", []string{"cp v2/shop.ini conf.d", "ansible shop: restarted"}},
}

// byAnsible reports whether Ansible's module is in it, which takes its time.
func (r *redeploy) byAnsible() bool {
	return slices.ContainsFunc(r.steps, func(s string) bool { return strings.HasPrefix(s, "ansible ") })
}

// passage is a way in which a redeploy is gone through.
type passage struct {
	daemon, client oracle.Kind
	pace           string
}

// The paces: those of automatic updates are the extremes, of which everything else is
// a part.
const (
	off    = "off"       // without automatic updates
	before = "before it" // all is done before the watcher looks
	after  = "after it"  // each step comes when it has done all
)

func (p passage) String() string {
	if p.client == oracle.Debian {
		return p.pace + ", Debian's client"
	}
	return p.pace
}

var (
	original = passage{oracle.Debian, oracle.Debian, off}
	passages = []passage{
		{oracle.Ours, oracle.Ours, off}, {oracle.Ours, oracle.Ours, before}, {oracle.Ours, oracle.Ours, after},
		{oracle.Ours, oracle.Debian, off}, {oracle.Ours, oracle.Debian, before}, {oracle.Ours, oracle.Debian, after},
	}
)

// redeployed is what came of one.
type redeployed struct {
	said    []string // by each step
	started string   // which programs, and how often where it is not once
	runs    string   // at the end
}

func (a redeployed) equal(b redeployed) bool {
	return slices.Equal(a.said, b.said) && a.started == b.started && a.runs == b.runs
}

const redeploysLegend = `Of each order: what the original prints, by Debian's client or Ansible's module, with
the exit status if that is not 0, what is started on the way and how often, and what
runs in the end. Where ours does the same, that is all. Else it follows what differs:
with our client or with Debian's, without automatic updates (off), where all is done
before the watcher looks (before it), or each step after it has done all (after it).`

// TestRedeploys brings new versions as people's scripts do, with our supervisorctl, with
// Debian's and with Ansible's module, beside the original: what each command prints and
// its exit status, what is started on the way, and what runs in the end. testdata has
// what the original does, and where ours does otherwise, what.
//
// Source: reconciler.md, When it does not act.
func TestRedeploys(t *testing.T) {
	t.Parallel()
	oracle.Require(t)
	const path, mark = "testdata/redeploys.txt", "\n\n"
	ansible := installed(t, "ansible-playbook")
	dir := versions(t)
	modules := make(chan *ansibleModule, 3)
	for range cap(modules) {
		modules <- &ansibleModule{t: t}
	}
	got := make([][]redeployed, len(redeploys)) // of each order, the original's and then that of each passage
	t.Run("orders", func(t *testing.T) {
		for i, r := range redeploys {
			if i >= tried && !fullSize && !oracle.Updating() || r.byAnsible() && !ansible {
				continue
			}
			got[i] = make([]redeployed, 1+len(passages))
			for k, p := range append([]passage{original}, passages...) {
				t.Run(fmt.Sprintf("%s/%v, %v", r.name, p.daemon, p), func(t *testing.T) {
					t.Parallel()
					got[i][k] = r.play(t, p, dir, modules)
				})
			}
		}
	})
	if t.Failed() {
		return
	}
	text, err := os.ReadFile(path)
	if err != nil && !oracle.Updating() {
		t.Fatal(err)
	}
	want := strings.SplitAfter(string(text), mark)
	if len(want) != len(redeploys)+2 && !oracle.Updating() {
		t.Fatalf("%s has %d sections for %d orders (go test -update writes it)", path, len(want)-2, len(redeploys))
	}
	table := []string{redeploysLegend + mark}
	for i, r := range redeploys {
		switch tried := len(got[i]) > 0 && !slices.ContainsFunc(got[i], func(g redeployed) bool { return g.said == nil }); {
		case !tried && oracle.Updating():
			t.Fatalf("%s is not written: %s was not tried in every way", path, r.name)
		case !tried:
			got[i] = nil
			continue
		}
		table = append(table, r.section(got[i])+mark)
		if !oracle.Updating() {
			if diff := cmp.Diff(want[i+1], table[len(table)-1]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	}
	words, starts, ends, n := 0, 0, 0, 0
	for _, list := range got {
		for _, g := range list[min(1, len(list)):] {
			n++
			words += number(slices.Equal(g.said, list[0].said))
			starts += number(g.started == list[0].started)
			ends += number(g.runs == list[0].runs)
		}
	}
	total := fmt.Sprintf("Of %d redeploys by ours, %d have the original's words and exit status, %d its starts, %d its end.\n", n, words, starts, ends)
	t.Log(total)
	if oracle.Updating() {
		if err := os.WriteFile(path, []byte(strings.Join(table, "")+total), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// number is 1 for yes.
func number(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// section is what the table says of an order: all that the original did, then, of the
// passages in which that is another, what differs.
func (r *redeploy) section(got []redeployed) string {
	var b strings.Builder
	row := func(indent, what, came string) {
		b.WriteString(strings.TrimRight(fmt.Sprintf("%s%-*s %s", indent, 44-len(indent), what, came), " ") + "\n")
	}
	show := func(indent string, a, but redeployed) {
		for i, s := range r.steps {
			if but.said == nil || a.said[i] != but.said[i] {
				row(indent, s, a.said[i])
			}
		}
		if a.started != but.started {
			row(indent, "started", a.started)
		}
		if a.runs != but.runs {
			row(indent, "runs", a.runs)
		}
	}
	b.WriteString("# " + r.name + "\n")
	show("  ", got[0], redeployed{})
	told := make(map[int]bool)
	for i, a := range got[1:] {
		if told[i] || a.equal(got[0]) {
			continue
		}
		var same []string
		for k := i; k < len(passages); k++ {
			if got[1+k].equal(a) {
				told[k] = true
				same = append(same, passages[k].String())
			}
		}
		b.WriteString("  but " + strings.Join(same, "; ") + "\n")
		show("      ", a, got[0])
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// play goes through an order.
func (r *redeploy) play(t *testing.T, p passage, versions string, modules chan *ansibleModule) redeployed {
	settle, removals := 50*time.Millisecond, 100*time.Millisecond
	if p.pace == before {
		settle = 2 * time.Second
		if r.byAnsible() {
			settle = 4 * time.Second
		}
	}
	for {
		if came, intime := r.playWith(t, p, versions, modules, settle, removals); intime || p.pace != before {
			return came
		}
		settle *= 2 // the machine is busy: the watcher looked before all was done
	}
}

// playWith is play with these times; intime is false where the watcher may have looked
// before the last step.
func (r *redeploy) playWith(t *testing.T, p passage, versions string, modules chan *ansibleModule, settle, removals time.Duration) (came redeployed, intime bool) {
	w := r.start(t, p, versions, settle, removals)
	defer w.Stop()
	var module *ansibleModule // for all of it, so that nobody waits for one in the middle
	if r.byAnsible() {
		module = <-modules
		defer func() { modules <- module }()
	}
	initial := len(w.spawned())
	var edited time.Time // when the first file was
	markers := 0
	quiet := func() string {
		if p.pace != off {
			markers++
			w.quiet(markers)
		}
		return w.rests()
	}
	for _, step := range r.steps {
		said := ""
		switch words := strings.Fields(step); words[0] {
		case "supervisorctl":
			said = w.supervisorctl(p.client, words[1:]...)
		case "ansible":
			said = w.ansible(p.client, module, words[1], words[2])
		default:
			if edited.IsZero() {
				edited = time.Now()
			}
			w.sh(step)
			if p.pace == after {
				quiet()
			}
		}
		w.rests()
		came.said = append(came.said, said)
	}
	intime = time.Since(edited) < settle
	came.runs = quiet()
	times := make(map[string]int)
	for _, name := range w.spawned()[initial:] {
		times[name]++
	}
	var started []string
	for _, name := range slices.Sorted(maps.Keys(times)) {
		if times[name] > 1 {
			name += fmt.Sprintf(" %d times", times[name])
		}
		started = append(started, name)
	}
	came.started = strings.Join(started, ", ")
	return came, intime
}

// versions makes the directories v1, v2 and bad.
func versions(t *testing.T) (dir string) {
	dir = t.TempDir()
	write := func(version, name, text string) {
		t.Helper()
		if err := os.MkdirAll(dir+"/"+version, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/"+version+"/"+name+".ini", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for version, seconds := range map[string]int{"v1": 1000, "v2": 2000} {
		program := func(name string, seconds int) string { return sleeper(name, seconds, "startsecs=0", "startretries=0") }
		x, y := program("x", seconds), program("y", 1000)
		write(version, "web", program("web", seconds))
		write(version, "keep", program("keep", seconds))
		write(version, "pair", x+y)
		write(version, "shop", "[group:shop]\nprograms=x,y\n"+x+y)
		write(version, "late", strings.Replace(program("late", seconds), "/bin/sleep", "%(ENV_HOME)s/late", 1))
	}
	write("bad", "web", sleeper("web", 2000, "startsecs=soon"))
	return dir
}

// start makes a daemon with the files that are there at first.
func (r *redeploy) start(t *testing.T, p passage, versions string, settle, removals time.Duration) *fixture {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(dir+"/conf.d", 0o755))
	for _, version := range []string{"v1", "v2", "bad"} {
		must(os.Symlink(versions+"/"+version, dir+"/"+version))
	}
	for _, name := range strings.Fields("keep " + r.begin) {
		text, err := os.ReadFile(versions + "/v1/" + name + ".ini")
		must(err)
		must(os.WriteFile(dir+"/conf.d/"+name+".ini", text, 0o644))
	}
	config := oracle.Prelude + "[include]\nfiles=conf.d/*.ini\n"
	if p.daemon == oracle.Ours {
		config += fmt.Sprintf("[reconcile]\nstatedir={{.Dir}}/state\nsettle=%dms\nsettle_removals=%dms\nmax_removals=100%%\nautoupdate=%v\n", settle.Milliseconds(), removals.Milliseconds(), p.pace != off)
	}
	w := &fixture{t, oracle.StartDaemon(t, p.daemon, dir, config)}
	w.rests()
	return w
}

// spawned are the programs that were started, in their order.
func (w *fixture) spawned() (names []string) {
	for _, line := range strings.Split(w.Log(), "\n") {
		if _, rest, ok := strings.Cut(line, "spawned: '"); ok {
			name, _, _ := strings.Cut(rest, "'")
			names = append(names, name)
		}
	}
	return names
}

// quiet waits until the watcher has seen all that was written before, and nothing is
// left to do: it has seen a file that is written now.
func (w *fixture) quiet(number int) {
	w.t.Helper()
	marker := fmt.Sprintf("%s/conf.d/zz%d.ini", w.Dir, number)
	if err := os.WriteFile(marker, []byte("; nothing\n"), 0o644); err != nil {
		w.t.Fatal(err)
	}
	oracle.WaitFor(w.t, "the watcher to be done", func() bool {
		files, err := w.Call("reconcile.getFiles")
		if err != nil {
			w.t.Fatal(err)
		}
		phase := w.state()["phase"]
		return (phase == "synced" || phase == "invalid") &&
			slices.ContainsFunc(files.([]any), func(f any) bool { return f.(map[string]any)["path"] == marker })
	})
}

// supervisorctl is what a command prints, on one line, and its exit status.
func (w *fixture) supervisorctl(client oracle.Kind, words ...string) string {
	w.t.Helper()
	out := w.Ctl(client, words...)
	lines := strings.Split(strings.TrimSuffix(out.Stdout+out.Stderr, "\n"), "\n")
	if last := words[len(words)-1]; last == "all" || strings.HasSuffix(last, "*") { // what ends at once is told in any order
		slices.SortFunc(lines, func(a, b string) int {
			if starts := strings.HasSuffix(a, ": started"); starts != strings.HasSuffix(b, ": started") {
				return 2*number(starts) - 1
			}
			return strings.Compare(a, b)
		})
	}
	said := strings.ReplaceAll(strings.Join(lines, "; "), w.Dir, "DIR")
	if out.Exit != 0 {
		said += fmt.Sprintf(" [exit %d]", out.Exit)
	}
	return strings.TrimSpace(said)
}
