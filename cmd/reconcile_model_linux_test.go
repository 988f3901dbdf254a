//go:build amd64 || arm64 || riscv64

package cmd

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"supervisord/cmd/internal/host"
	"supervisord/cmd/internal/oracle"
	"supervisord/spec"
)

// modelled is what the model knows of one program.
type modelled struct {
	file    string // below the directory; "" when there is none
	text    string // its content when it was last good
	seconds int    // of its sleep
	copies  int    // numprocs
	wait    int    // stopwaitsecs
	log     string // its stdout_logfile
	group   string // that has it; "" for none
	broken  bool   // the file cannot be used
	stopped bool   // by a person
	uses    int    // how often it was edited
}

func (m *modelled) write(name string) string {
	return fmt.Sprintf("[program:%s]\ncommand=/bin/sleep %d\nprocess_name=%%(program_name)s_%%(process_num)d\nnumprocs=%d\nstopwaitsecs=%d\n"+
		"startsecs=0\nstdout_logfile=%s\nstderr_logfile=NONE\n", name, m.seconds, m.copies, m.wait, m.log)
}

// grouped is what it knows of one group of programs, which has a file of its own.
type grouped struct {
	file    string
	members []string
	uses    int
}

func (g *grouped) text(name string) string {
	return fmt.Sprintf("[group:%s]\nprograms=%s\n", name, strings.Join(g.members, ","))
}

// modelRun is a daemon and its model.
type modelRun struct {
	*fixture
	r        *rand.Rand
	programs map[string]*modelled
	groups   map[string]*grouped
	names    []string // of all programs
	besides  []string // groups that are not of the model
	far      *disk    // a directory of files that can hang; nil where no test can mount one
	writers  sync.WaitGroup

	// of one batch:
	number  int
	hung    bool            // far hangs
	away    bool            // extra is not there
	touched map[string]bool // programs and groups that were edited
	fresh   map[string]bool // programs whose processes get a new pid, all or some
}

// seen is what can be seen of one process.
type seen struct {
	state   string
	command string
	pid     int
}

// mostUses is how often a program or a group is edited before all is forgotten: five
// returns to an earlier definition within a minute are held.
const mostUses = 4

// TestModel edits the files of a daemon with 200 programs at random, as a model
// does in memory, and compares the two when all is quiet: which processes there
// are, their states and command lines, the hash of what is applied, and that no
// process has another pid than it must. Among the edits are writers that take
// their time, or longer than settle with the file open, files that cannot be used, the
// main file among them, or not for a while though they do not change, groups whose
// programs are in other files, a directory that is away while a live file has a section
// of it, and a disk that hangs meanwhile. RECONCILE_MODEL sets how long it goes on, as
// 60s; RECONCILE_SEED repeats a run.
//
// Source: reconciler.md, When it does not act.
func TestModel(t *testing.T) {
	t.Parallel()
	const n = 200
	length := lasting(t, "RECONCILE_MODEL", 6*time.Second)
	dir := t.TempDir()
	m, files := newModel(t, dir, n)
	if mayMount(t) {
		ownMounts(t)
		m.far = newDisk(t, filepath.Join(dir, "far"))
		defer m.far.answer()
	}
	m.fixture = startedIn(t, dir, "conf.d/*.ini extra/*.ini far/*.ini", "settle=500ms\nrescan=1s\nmax_removals=100%\n", "", files)
	before := m.agrees("at the start")

	batches, edits := 0, 0
	for begun := time.Now(); time.Since(begun) < length; batches++ {
		m.begin(batches)
		did := m.batch()
		edits += len(did)
		what := fmt.Sprintf("batch %d: %s", batches, strings.Join(did, ", "))
		after := m.agrees(what)
		for key, was := range before {
			if now, ok := after[key]; ok && !m.fresh[programOf(key)] && was.pid != now.pid {
				t.Errorf("%s: %s had pid %d and has %d", what, key, was.pid, now.pid)
			}
		}
		if t.Failed() {
			t.Fatalf("log:\n%s", m.Log())
		}
		before = after
		if m.r.IntN(20) == 0 {
			m.forget()
		}
	}
	t.Logf("%d edits in %d batches", edits, batches)
}

// forget has the daemon forget all edits, so that each may be made again.
func (m *modelRun) forget() {
	for _, p := range m.programs {
		p.uses = 0
	}
	for _, g := range m.groups {
		g.uses = 0
	}
	m.Call("reconcile.apply")
}

// newModel makes the model of n programs, three quarters of which have files, in a
// directory that it makes ready.
func newModel(t testing.TB, dir string, n int) (m *modelRun, files map[string]string) {
	t.Helper()
	m = &modelRun{r: seeded(t), programs: make(map[string]*modelled), groups: make(map[string]*grouped)}
	files = map[string]string{"extra/.keep": "", "far/.keep": "", "logs/.keep": ""}
	for i := range n {
		name := fmt.Sprintf("p%03d", i)
		p := &modelled{seconds: 1000 + i, copies: 1 + i%25/24, wait: 10, log: "NONE"}
		if i%10 == 0 {
			p.log = fmt.Sprintf("%s/logs/%s-%%(process_num)d.log", dir, name)
		}
		if i%4 != 3 {
			p.file, p.text = "conf.d/"+name+".ini", p.write(name)
			files[p.file] = p.text
		}
		m.programs[name] = p
		m.names = append(m.names, name)
	}
	return m, files
}

// lasting is how long a test goes on: as the environment says, or so long.
func lasting(t testing.TB, variable string, length time.Duration) time.Duration {
	t.Helper()
	if s := os.Getenv(variable); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	return length
}

// programOf is the program of a process, as GROUP:PROGRAM_NUMBER.
func programOf(key string) string {
	_, process, _ := strings.Cut(key, ":")
	name, _, _ := strings.Cut(process, "_")
	return name
}

// begin begins a batch.
func (m *modelRun) begin(number int) {
	m.number, m.touched, m.fresh = number, make(map[string]bool), make(map[string]bool)
}

// batch does some edits at once, and returns what it did when they are done.
func (m *modelRun) batch() (did []string) {
	m.t.Helper()
	note := func(what string) {
		if what != "" {
			did = append(did, what)
		}
	}
	edits := func() {
		for range 1 + m.r.IntN(12) {
			name := m.names[m.r.IntN(len(m.names))]
			if p := m.programs[name]; m.may(name) {
				m.touched[name] = true
				if what := m.edit(name); what != "" {
					p.uses++
					if g := m.groups[p.group]; g != nil {
						g.uses++
					}
					note(name + " " + what)
				}
			}
		}
		for range m.r.IntN(3) {
			note(m.regroup())
		}
	}
	switch kind := m.r.IntN(8); {
	case kind == 0:
		note("the main file breaks")
		m.aroundBrokenMain(edits)
	case kind == 1 && m.far != nil:
		note("a disk hangs")
		m.onHungDisk(edits)
	case kind == 2:
		note("the directory of logs is away")
		m.aroundUnusable(edits)
	case kind == 3:
		note("extra is away")
		note(m.aroundHeld(edits))
	default:
		edits()
	}
	m.writers.Wait()
	return did
}

// may reports whether a program may be edited now.
func (m *modelRun) may(name string) bool {
	p := m.programs[name]
	if m.touched[name] || p.uses >= mostUses {
		return false
	}
	g := m.groups[p.group]
	return g == nil || g.uses < mostUses && !m.touched[p.group]
}

// aroundBrokenMain does edits while the main file cannot be used, and repairs it. A
// disarmed daemon would take a slow repair for the end of everything.
func (m *modelRun) aroundBrokenMain(edits func()) {
	m.t.Helper()
	text, err := os.ReadFile(m.Config)
	if err != nil {
		m.t.Fatal(err)
	}
	m.put(m.Config, strings.Replace(string(text), "[supervisord]\n", "[supervisord]\nloglevel=nonsense\n", 1), m.r.IntN(3))
	m.writers.Wait()
	oracle.WaitFor(m.t, "the main file to be shown invalid", func() bool { return m.files()[m.Config] == "invalid" })
	edits()
	m.put(m.Config, string(text), m.r.IntN(3))
}

// onHungDisk does edits while the files in far are out of reach, and sees that all
// others are applied and those are not.
func (m *modelRun) onHungDisk(edits func()) {
	m.t.Helper()
	m.areKnown("far/")
	held := make(map[string]modelled)
	for name, p := range m.programs {
		if strings.HasPrefix(p.file, "far/") {
			held[name] = *p
		}
	}
	m.far.hang()
	m.hung = true
	edits()
	m.writers.Wait()
	want := make(map[string]*modelled)
	for name, p := range m.programs {
		want[name] = p
		if was, ok := held[name]; ok && m.touched[name] && p.file == was.file {
			was.stopped, was.group = p.stopped, p.group // which is said elsewhere
			want[name] = &was
		}
	}
	m.processesAre(want, "while a disk hangs")
	m.hung = false
	m.far.answer()
}

// aroundUnusable does edits while a directory is missing that some programs log to, and
// sees that those, and the groups that they are in, stay as they are, and that all others
// are applied.
func (m *modelRun) aroundUnusable(edits func()) {
	m.t.Helper()
	logged := ""
	for name, p := range m.programs {
		if p.log == "NONE" {
			continue
		}
		m.touched[name] = true
		if p.group != "" {
			m.touched[p.group] = true
		}
		if p.file != "" && !p.broken {
			logged = filepath.Join(m.Dir, p.file)
		}
	}
	m.rename("logs", "logs-away")
	text, err := os.ReadFile(m.Config)
	if err != nil {
		m.t.Fatal(err)
	}
	m.put(m.Config, string(text), whole) // something that has the daemon look: no file says that its logs are away
	if logged != "" {
		oracle.WaitFor(m.t, "a file to be shown invalid whose log's directory is away", func() bool { return m.files()[logged] == "invalid" })
	}
	edits()
	m.writers.Wait()
	m.processesAre(m.programs, "while the directory of logs is away")
	m.rename("logs-away", "logs")
}

// aroundHeld does edits while one of the directories is missing, whose programs stay as
// they are, but for one that a live file defines meanwhile.
func (m *modelRun) aroundHeld(edits func()) string {
	m.t.Helper()
	rival := ""
	for _, name := range m.names {
		if p := m.programs[name]; strings.HasPrefix(p.file, "extra/") {
			if rival == "" && m.may(name) && !p.stopped {
				rival = name
			}
			m.touched[name] = true
		}
	}
	m.areKnown("extra/")
	m.away = true
	m.rename("extra", "extra-away")
	edits()
	what := ""
	if p := m.programs[rival]; p != nil {
		m.remove("extra-away/" + filepath.Base(p.file))
		p.file, p.broken = fmt.Sprintf("conf.d/%s-%d.ini", rival, m.number), false
		p.seconds++
		p.uses++
		m.fresh[rival] = true
		p.text = p.write(rival)
		m.put(m.path(p.file), p.text, m.r.IntN(4))
		what = rival + " has a live rival"
	}
	m.writers.Wait()
	m.processesAre(m.programs, "while extra is away")
	m.away = false
	m.rename("extra-away", "extra")
	return what
}

// files is the state of each file, by its path.
func (m *modelRun) files() map[string]string {
	m.t.Helper()
	answer, err := m.Call("reconcile.getFiles")
	if err != nil {
		m.t.Fatal(err)
	}
	states := make(map[string]string)
	for _, f := range answer.([]any) {
		f := f.(map[string]any)
		states[f["path"].(string)] = f["state"].(string)
	}
	return states
}

// areKnown waits until the daemon knows of all files of a directory.
func (m *modelRun) areKnown(dir string) {
	m.t.Helper()
	oracle.WaitFor(m.t, "all files of "+dir+" to be known", func() bool {
		files := m.files()
		for _, p := range m.programs {
			if strings.HasPrefix(p.file, dir) && files[filepath.Join(m.Dir, p.file)] == "" {
				return false
			}
		}
		return true
	})
}

// path is where the test finds a file.
func (m *modelRun) path(file string) string {
	if rest, far := strings.CutPrefix(file, "far/"); far && m.far != nil {
		return filepath.Join(m.far.under, rest)
	}
	return filepath.Join(m.Dir, file)
}

// The ways in which put writes.
const (
	whole    = iota // by a rename
	atOnce          // in place
	slowly          // in place, with pauses shorter than settle
	openLong        // in place, with a pause longer than settle while it is open
)

// put writes a file. One that is written slowly may not be complete before writers
// are waited for.
func (m *modelRun) put(path, text string, how int) {
	m.t.Helper()
	var err error
	switch how {
	case whole:
		if err = os.WriteFile(path+".tmp", []byte(text), 0o644); err == nil {
			err = os.Rename(path+".tmp", path)
		}
	case atOnce:
		err = os.WriteFile(path, []byte(text), 0o644)
	case slowly, openLong:
		pieces, pause := 6, 100*time.Millisecond
		if how == openLong {
			pieces, pause = 2, 800*time.Millisecond
		}
		m.writers.Go(func() {
			f, err := os.Create(path)
			if err != nil {
				m.t.Error(err)
				return
			}
			defer f.Close()
			for piece := range slices.Chunk([]byte(text), 1+len(text)/pieces) {
				time.Sleep(pause)
				if _, err := f.Write(piece); err != nil {
					m.t.Error(err)
				}
			}
		})
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *modelRun) remove(file string) {
	m.t.Helper()
	if err := os.Remove(m.path(file)); err != nil {
		m.t.Fatal(err)
	}
}

func (m *modelRun) rename(from, to string) {
	m.t.Helper()
	if err := os.Rename(m.path(from), m.path(to)); err != nil {
		m.t.Fatal(err)
	}
}

// edit does one thing to a program, in the model and on the disk.
func (m *modelRun) edit(name string) string {
	p := m.programs[name]
	isFar := strings.HasPrefix(p.file, "far/")
	rewrite := func() string {
		p.text, p.broken = p.write(name), false
		how := m.r.IntN(4)
		if isFar && how >= slowly { // nobody beyond it knows that the file is open
			how = atOnce
		}
		m.put(m.path(p.file), p.text, how)
		return [...]string{"", " at once", " slowly", " while it is open for long"}[how]
	}
	if p.file == "" {
		p.file = fmt.Sprintf("conf.d/%s-%d.ini", name, m.number)
		p.seconds++
		m.fresh[name] = true
		return "comes" + rewrite()
	}
	switch op := m.r.IntN(10); op {
	case 0:
		if isFar && m.hung || p.group != "" { // a group cannot name what is not there
			return ""
		}
		m.remove(p.file)
		*p = modelled{seconds: p.seconds, copies: p.copies, wait: p.wait, log: p.log, uses: p.uses}
		return "goes"
	case 1, 2:
		p.seconds++
		m.fresh[name] = true
		return "has another command" + rewrite()
	case 3:
		p.wait++
		return "has another stopwaitsecs" + rewrite()
	case 4:
		if p.stopped {
			return ""
		}
		p.copies = 1 + m.r.IntN(3)
		return fmt.Sprintf("has %d processes", p.copies) + rewrite()
	case 5:
		f, err := os.OpenFile(m.path(p.file), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			m.t.Fatal(err)
		}
		defer f.Close()
		fmt.Fprintln(f, "; a comment")
		return "has a comment"
	case 6:
		if p.broken {
			return ""
		}
		if m.away {
			return ""
		}
		dir := "extra"
		if m.far != nil && !m.hung && m.r.IntN(2) == 0 {
			dir = "far"
		}
		to := fmt.Sprintf("%s/%s-%d.ini", dir, name, m.number)
		m.rename(p.file, to)
		p.file = to
		return "moves to " + dir
	case 7:
		p.broken = true
		m.put(m.path(p.file), "[program:"+name+"]\ncommand=/bin/sleep 1\npriority=high\n", whole)
		return "breaks"
	case 8:
		other := m.names[m.r.IntN(len(m.names))]
		o := m.programs[other]
		if o.file == "" || o.broken || p.broken || !m.may(other) || m.hung {
			return ""
		}
		m.touched[other] = true
		m.rename(p.file, "swap")
		m.rename(o.file, p.file)
		m.rename("swap", o.file)
		p.file, o.file = o.file, p.file
		return "swaps its file with " + other
	default:
		if p.group != "" { // its name stands for the group's processes, then
			return ""
		}
		method := "supervisor.stopProcessGroup"
		if p.stopped {
			method = "supervisor.startProcessGroup"
		}
		if _, err := m.Call(method, name); err != nil {
			m.t.Fatalf("%s %s: %v", method, name, err)
		}
		p.stopped, m.fresh[name] = !p.stopped, true
		return "is stopped or started by hand"
	}
}

// regroup makes, changes or removes a group. Programs that come into a group, or out
// of it, are others than before: they are known by the group's name and their own.
func (m *modelRun) regroup() string {
	name := fmt.Sprintf("g%d", m.r.IntN(8))
	g := m.groups[name]
	if m.touched[name] || g != nil && g.uses >= mostUses {
		return ""
	}
	join := func(n int) {
		for range n {
			member := m.names[m.r.IntN(len(m.names))]
			if p := m.programs[member]; p.file != "" && p.group == "" && !p.broken && m.may(member) {
				m.touched[member], m.fresh[member] = true, true
				p.group, p.stopped = name, false
				g.members = append(g.members, member)
			}
		}
	}
	leave := func(member string) bool {
		if m.touched[member] {
			return false
		}
		m.touched[member], m.fresh[member] = true, true
		m.programs[member].group = ""
		return true
	}
	what := "changes"
	switch {
	case g == nil:
		g = &grouped{file: "conf.d/" + name + ".ini"}
		if join(4); len(g.members) == 0 {
			return ""
		}
		m.groups[name] = g
		what = "comes"
	case m.r.IntN(4) == 0:
		if slices.ContainsFunc(g.members, func(member string) bool { return m.touched[member] }) {
			return ""
		}
		for _, member := range g.members {
			leave(member)
		}
		delete(m.groups, name)
		m.remove(g.file)
		return fmt.Sprintf("group %s of %v goes", name, g.members)
	default:
		if len(g.members) > 1 && leave(g.members[0]) {
			g.members = g.members[1:]
		}
		join(2)
	}
	m.touched[name] = true
	g.uses++
	m.put(m.path(g.file), g.text(name), m.r.IntN(4))
	return fmt.Sprintf("group %s %s: %v", name, what, g.members)
}

// agrees waits until the daemon is as the model says.
func (m *modelRun) agrees(what string) map[string]seen {
	m.t.Helper()
	got := m.processesAre(m.programs, what)
	cfg, err := spec.Load(m.host(), m.Config, spec.Options{})
	if err != nil {
		m.t.Fatal(err)
	}
	groups := make([]*spec.Group, len(cfg.Groups))
	for i := range cfg.Groups {
		groups[i] = &cfg.Groups[i]
	}
	hash := spec.Fingerprint(groups)
	var state map[string]any
	if !oracle.Eventually(oracle.Deadline, func() bool {
		state = m.state()
		return state["applied"] == hash && state["desired"] == hash
	}) {
		m.t.Fatalf("%s: the hash is %s, the daemon says %v; log:\n%s", what, hash, state, m.Log())
	}
	return got
}

// processesAre waits until the processes are those of some programs.
func (m *modelRun) processesAre(programs map[string]*modelled, what string) map[string]seen {
	m.t.Helper()
	want := make(map[string]seen)
	for name, p := range programs {
		if p.file == "" {
			continue
		}
		group := name
		if p.group != "" {
			group = p.group
		}
		for i := range p.copies {
			s := seen{state: "RUNNING", command: fmt.Sprintf("/bin/sleep %d", p.seconds)}
			if p.stopped {
				s = seen{state: "STOPPED"}
			}
			want[fmt.Sprintf("%s:%s_%d", group, name, i)] = s
		}
	}
	var got map[string]seen
	var wrong []string
	if !oracle.Eventually(oracle.Deadline, func() bool {
		got, wrong = m.processes(), nil
		maps.DeleteFunc(got, func(key string, _ seen) bool {
			group, _, _ := strings.Cut(key, ":")
			return slices.Contains(m.besides, group)
		})
		for key, is := range got {
			if s, ok := want[key]; !ok || s.state != is.state || s.command != is.command {
				wrong = append(wrong, fmt.Sprintf("%s is %v, want %v", key, is, s))
			}
		}
		for key := range want {
			if _, ok := got[key]; !ok {
				wrong = append(wrong, key+" is missing")
			}
		}
		return len(wrong) == 0
	}) {
		slices.Sort(wrong)
		m.t.Fatalf("%s: %s; state %v; log:\n%s", what, strings.Join(wrong, "; "), m.state(), m.Log())
	}
	return got
}

// modelHost is a machine on which the included files are those of a model.
type modelHost struct {
	spec.Host
	dir  string
	tree fstest.MapFS
}

// host is a machine whose files say what the daemon is to have in force.
func (m *modelRun) host() spec.Host {
	tree := fstest.MapFS{"conf.d": {Mode: fs.ModeDir}, "extra": {Mode: fs.ModeDir}, "far": {Mode: fs.ModeDir}}
	for _, p := range m.programs {
		if p.file != "" {
			tree[p.file] = &fstest.MapFile{Data: []byte(p.text)}
		}
	}
	for name, g := range m.groups {
		tree[g.file] = &fstest.MapFile{Data: []byte(g.text(name))}
	}
	return &modelHost{host.New(), m.Dir, tree}
}

// in is the name of a path in the model; ok is false for what is not of it.
func (h *modelHost) in(path string) (name string, ok bool) {
	name, below := strings.CutPrefix(filepath.Clean(path), h.dir+"/")
	top, _, _ := strings.Cut(name, "/")
	_, ok = h.tree[top]
	return name, below && ok
}

func (h *modelHost) ReadFile(path string) ([]byte, error) {
	if name, ok := h.in(path); ok {
		return h.tree.ReadFile(name)
	}
	return h.Host.ReadFile(path)
}

func (h *modelHost) ReadDir(path string) ([]fs.DirEntry, error) {
	if name, ok := h.in(path); ok {
		return h.tree.ReadDir(name)
	}
	return h.Host.ReadDir(path)
}

func (h *modelHost) Stat(path string) (fs.FileInfo, error) {
	if name, ok := h.in(path); ok {
		return h.tree.Stat(name)
	}
	return h.Host.Stat(path)
}

// processes is every process of every group.
func (w *fixture) processes() map[string]seen {
	w.t.Helper()
	all, err := w.Call("supervisor.getAllProcessInfo")
	if err != nil {
		w.t.Fatal(err)
	}
	list := make(map[string]seen)
	for _, info := range all.([]any) {
		m := info.(map[string]any)
		s := seen{state: m["statename"].(string), pid: m["pid"].(int)}
		if s.pid != 0 {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.pid))
			s.command = strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
		}
		list[fmt.Sprintf("%s:%s", m["group"], m["name"])] = s
	}
	return list
}
