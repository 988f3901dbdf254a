package cmd

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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
	broken  bool   // the file cannot be used
	stopped bool   // by a person
	uses    int    // how often it was edited
}

func (m *modelled) write(name string) string {
	return fmt.Sprintf("[program:%s]\ncommand=/bin/sleep %d\nprocess_name=%%(process_num)d\nnumprocs=%d\nstopwaitsecs=%d\n"+
		"startsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n", name, m.seconds, m.copies, m.wait)
}

// seen is what can be seen of one process.
type seen struct {
	state   string
	command string
	pid     int
}

// TestModel edits the files of a daemon with 200 programs at random, as a model
// does in memory, and compares the two when all is quiet: which processes there
// are, their states and command lines, the hash of what is applied, and that no
// process has another pid than it must. RECONCILE_MODEL sets how long it goes on,
// as 60s; RECONCILE_SEED repeats a run.
func TestModel(t *testing.T) {
	t.Parallel()
	const (
		n        = 200
		mostUses = 4 // the fifth within a minute would be held as flapping
	)
	length := 6 * time.Second
	if s := os.Getenv("RECONCILE_MODEL"); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("RECONCILE_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))

	model := make(map[string]*modelled)
	files := map[string]string{"extra/.keep": ""}
	var names []string
	for i := range n {
		name := fmt.Sprintf("p%03d", i)
		m := &modelled{seconds: 1000 + i, copies: 1 + i%25/24, wait: 10}
		if i%4 != 3 {
			m.file, m.text = "conf.d/"+name+".ini", m.write(name)
			files[m.file] = m.text
		}
		model[name] = m
		names = append(names, name)
	}
	w := started(t, "conf.d/*.ini extra/*.ini", "settle=500ms\nmax_removals=100%\n", "", files)
	before := w.agreesWith(model, "at the start")

	batches, edits := 0, 0
	for begun := time.Now(); time.Since(begun) < length; batches++ {
		var did []string
		fresh := make(map[string]bool) // programs whose processes get a new pid, all or some
		touched := make(map[string]bool)
		for range 1 + r.IntN(12) {
			name := names[r.IntN(n)]
			if m := model[name]; !touched[name] && m.uses < mostUses {
				touched[name] = true
				if what := w.edit(r, model, touched, fresh, name, batches); what != "" {
					m.uses++
					edits++
					did = append(did, name+" "+what)
				}
			}
		}
		what := fmt.Sprintf("batch %d: %s", batches, strings.Join(did, ", "))
		after := w.agreesWith(model, what)
		for key, was := range before {
			name, _, _ := strings.Cut(key, ":")
			if now, ok := after[key]; ok && !fresh[name] && was.pid != now.pid {
				t.Errorf("%s: %s had pid %d and has %d", what, key, was.pid, now.pid)
			}
		}
		if t.Failed() {
			t.Fatalf("log:\n%s", w.Log())
		}
		before = after
		if r.IntN(20) == 0 { // all is forgotten, so that each may be edited again
			for _, m := range model {
				m.uses = 0
			}
			w.Call("reconcile.apply")
		}
	}
	t.Logf("%d edits in %d batches", edits, batches)
}

// edit does one thing to a program, in the model and on the disk.
func (w *fixture) edit(r *rand.Rand, model map[string]*modelled, touched, fresh map[string]bool, name string, batch int) string {
	m := model[name]
	path := func(file string) string { return filepath.Join(w.Dir, file) }
	rewrite := func() {
		m.text, m.broken = m.write(name), false
		if r.IntN(2) == 0 {
			w.Write(m.file, m.text)
		} else if err := os.WriteFile(path(m.file), []byte(m.text), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	rename := func(from, to string) {
		if err := os.Rename(path(from), path(to)); err != nil {
			w.t.Fatal(err)
		}
	}
	if m.file == "" {
		m.file = fmt.Sprintf("conf.d/%s-%d.ini", name, batch)
		m.seconds++
		fresh[name] = true
		rewrite()
		return "comes"
	}
	switch op := r.IntN(10); op {
	case 0:
		if err := os.Remove(path(m.file)); err != nil {
			w.t.Fatal(err)
		}
		*m = modelled{seconds: m.seconds, copies: m.copies, wait: m.wait, uses: m.uses}
		return "goes"
	case 1, 2:
		m.seconds++
		fresh[name] = true
		rewrite()
		return "has another command"
	case 3:
		m.wait++
		rewrite()
		return "has another stopwaitsecs"
	case 4:
		if m.stopped {
			return ""
		}
		m.copies = 1 + r.IntN(3)
		rewrite()
		return fmt.Sprintf("has %d processes", m.copies)
	case 5:
		f, err := os.OpenFile(path(m.file), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			w.t.Fatal(err)
		}
		defer f.Close()
		fmt.Fprintln(f, "; a comment")
		return "has a comment"
	case 6:
		if m.broken {
			return ""
		}
		to := fmt.Sprintf("extra/%s-%d.ini", name, batch)
		rename(m.file, to)
		m.file = to
		return "moves"
	case 7:
		m.broken = true
		w.Write(m.file, "[program:"+name+"]\ncommand=/bin/sleep 1\npriority=high\n")
		return "breaks"
	case 8:
		other := fmt.Sprintf("p%03d", r.IntN(len(model)))
		o := model[other]
		if o.file == "" || o.broken || m.broken || touched[other] {
			return ""
		}
		touched[other] = true
		rename(m.file, "swap")
		rename(o.file, m.file)
		rename("swap", o.file)
		m.file, o.file = o.file, m.file
		return "swaps its file with " + other
	default:
		method := "supervisor.stopProcessGroup"
		if m.stopped {
			method = "supervisor.startProcessGroup"
		}
		if _, err := w.Call(method, name); err != nil {
			w.t.Fatalf("%s %s: %v", method, name, err)
		}
		m.stopped, fresh[name] = !m.stopped, true
		return "is stopped or started by hand"
	}
}

// agreesWith waits until the daemon is as the model says.
func (w *fixture) agreesWith(model map[string]*modelled, what string) map[string]seen {
	w.t.Helper()
	want := make(map[string]seen)
	content := make(map[string][]byte) // as the daemon takes it
	for name, m := range model {
		if m.file == "" {
			continue
		}
		content[filepath.Join(w.Dir, m.file)] = []byte(m.text)
		for i := range m.copies {
			s := seen{state: "RUNNING", command: fmt.Sprintf("/bin/sleep %d", m.seconds)}
			if m.stopped {
				s = seen{state: "STOPPED"}
			}
			want[fmt.Sprintf("%s:%d", name, i)] = s
		}
	}
	var got map[string]seen
	var wrong []string
	if !oracle.Eventually(oracle.Deadline, func() bool {
		got, wrong = w.processes(), nil
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
		w.t.Fatalf("%s: %s; state %v; log:\n%s", what, strings.Join(wrong, "; "), w.state(), w.Log())
	}
	cfg, err := spec.Load(host.New(), w.Config, spec.Options{Content: content})
	if err != nil {
		w.t.Fatal(err)
	}
	groups := make([]*spec.Group, len(cfg.Groups))
	for i := range cfg.Groups {
		groups[i] = &cfg.Groups[i]
	}
	hash := spec.Fingerprint(groups)
	var state map[string]any
	if !oracle.Eventually(oracle.Deadline, func() bool {
		state = w.state()
		return state["applied"] == hash && state["desired"] == hash
	}) {
		w.t.Fatalf("%s: the hash is %s, the daemon says %v; log:\n%s", what, hash, state, w.Log())
	}
	return got
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
