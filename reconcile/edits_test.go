package reconcile

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// editsProgram is what the model of random edits knows of one program.
type editsProgram struct {
	file    string // below the root; "" when there is none
	command string // in force
	stop    int    // stopwaitsecs
	logged  bool   // its log is in the directory logs
	group   string // that has it; "" for none
	broken  bool   // its file cannot be used; moving such a file is deleting it
	uses    int    // how often it was edited
}

// editsSettle is how long files must stay as they are before anything is done.
const editsSettle = 150 * time.Millisecond

// edits is a fixture and a model of it.
type edits struct {
	*fixture
	r        *rand.Rand
	programs map[string]*editsProgram
	names    []string            // of all programs
	groups   map[string][]string // the members of each, by name; each is in a file of its own

	// of one batch:
	number  int
	away    bool            // extra is not there
	touched map[string]bool // programs and groups that were edited, or must not be now
	fresh   map[string]bool // programs that get a new pid
	did     []string
}

// TestRandomEdits edits files at random, as a simple model does in memory, and
// compares the two after each batch: which programs run, with which command,
// and that no process was touched that need not be. Among the edits are groups across
// files, files that become unusable without changing, a directory that is held while a
// live file has a section of it, and writers that keep a file open. RECONCILE_EDITS sets
// the number of batches, RECONCILE_SEED repeats a run.
//
// Source: reconciler.md, When it does not act.
func TestRandomEdits(t *testing.T) {
	t.Parallel()
	batches := 12
	if s := os.Getenv("RECONCILE_EDITS"); s != "" {
		var err error
		if batches, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(os.Getpid())
	if s := os.Getenv("RECONCILE_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	w := newFixture(t, "", nil)
	w.write("main.conf", "[supervisord]\n[include]\nfiles = conf.d/*.ini extra/*.ini\n[reconcile]\nstatedir="+w.root+"/state\nsettle="+editsSettle.String()+"\nsettle_removals=0\nrescan=0\nmax_removals=100%\n")
	w.sh("mkdir extra logs")
	e := &edits{fixture: w, r: rand.New(rand.NewPCG(seed, 3)), programs: make(map[string]*editsProgram), groups: make(map[string][]string)}
	const n = 60
	for i := range n {
		name := fmt.Sprintf("p%02d", i)
		p := &editsProgram{command: name, logged: i%5 == 0}
		e.programs[name] = p
		if i%2 == 0 {
			p.file = "conf.d/" + name + ".ini"
			w.write(p.file, e.text(name))
		}
		e.names = append(e.names, name)
	}
	w.start()
	before := e.agree()
	for batch := range batches {
		e.number, e.touched, e.fresh, e.did = batch, make(map[string]bool), make(map[string]bool), nil
		switch kind := e.r.IntN(6); {
		case kind == 0:
			e.aroundUnusable()
		case kind == 1:
			e.aroundHeld()
		case kind == 2 && runtime.GOOS == "linux": // elsewhere nobody knows that a file is open
			e.aroundWriter()
		default:
			e.edit()
		}
		t.Logf("batch %d: %v", batch, e.did)
		after := e.agree()
		for key, pid := range before {
			_, name, _ := strings.Cut(key, ":")
			if now, there := after[key]; there && !e.fresh[name] && now != pid {
				t.Errorf("batch %d: %s was touched without need", batch, key)
			}
		}
		before = after
		if e.r.IntN(10) == 0 { // all is forgotten, so that each may be edited again
			for _, p := range e.programs {
				p.uses = 0
			}
			if _, err := w.rec.Apply(context.Background(), nil, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// text is the file of a program.
func (e *edits) text(name string) string {
	p := e.programs[name]
	keys := []string{"command=/bin/" + p.command, fmt.Sprint("stopwaitsecs=", p.stop)}
	if p.logged {
		keys = append(keys, "stdout_logfile="+e.root+"/logs/"+name)
	}
	return ini(name, keys...)
}

// may reports whether a program may be edited now, so that it does not flap.
func (e *edits) may(name string) bool {
	p := e.programs[name]
	return !e.touched[name] && !e.touched[p.group] && p.uses < flapLimit-1
}

// pick is a program of some kind that may be edited; nil for none. It is touched from now on.
func (e *edits) pick(kind func(p *editsProgram) bool) (name string, p *editsProgram) {
	for _, i := range e.r.Perm(len(e.names)) {
		if name := e.names[i]; e.may(name) && kind(e.programs[name]) {
			e.touched[name] = true
			e.programs[name].uses++
			return name, e.programs[name]
		}
	}
	return "", nil
}

// note says what was done.
func (e *edits) note(format string, args ...any) { e.did = append(e.did, fmt.Sprintf(format, args...)) }

// edit does a few edits.
func (e *edits) edit() {
	for range 1 + e.r.IntN(5) {
		e.editOne()
	}
	for range e.r.IntN(2) {
		e.regroup()
	}
}

// editOne does one thing to a program, in the model and on the disk.
func (e *edits) editOne() {
	name, p := e.pick(func(*editsProgram) bool { return true })
	if p == nil {
		return
	}
	if p.file == "" {
		p.file, p.command = fmt.Sprintf("conf.d/%s-%d.ini", name, e.number), fmt.Sprint("c", e.number)
		e.fresh[name] = true
		e.write(p.file, e.text(name))
		e.note("%s comes", name)
		return
	}
	switch op := e.r.IntN(7); {
	case op == 0 && p.group == "": // a group cannot name what is not there
		e.sh("rm " + p.file)
		*p = editsProgram{logged: p.logged, uses: p.uses}
		e.note("%s goes", name)
	case op == 1:
		p.command, p.broken, e.fresh[name] = fmt.Sprint("c", e.number), false, true
		if err := os.WriteFile(e.root+"/"+p.file, []byte(e.text(name)), 0o644); err != nil {
			e.t.Fatal(err)
		}
		e.note("%s has another command", name)
	case op == 2:
		p.stop, p.broken = e.number, false
		e.write(p.file, e.text(name))
		e.note("%s has another stopwaitsecs", name)
	case op == 3:
		e.sh("echo '; x' >>" + p.file + "; touch " + p.file)
		e.note("%s has a comment", name)
	case op >= 4 && p.broken:
	case op == 4 && !e.away:
		to := fmt.Sprintf("extra/%s-%d.ini", name, e.number)
		e.sh("mv " + p.file + " " + to)
		p.file = to
		e.note("%s moves", name)
	case op == 5:
		p.broken = true
		e.write(p.file, "[program:"+name+"]\ncommand=/bin/no\npriority=high\n")
		e.note("%s breaks", name)
	case op == 6 && p.uses < flapLimit-1: // with a use to spare, for a swap that is seen half done
		other, q := e.pick(func(q *editsProgram) bool { return q.file != "" && !q.broken && q.uses < flapLimit-2 })
		if q == nil {
			return
		}
		began := time.Now()
		for _, mv := range [][2]string{{p.file, "t"}, {q.file, p.file}, {"t", q.file}} {
			e.rename(mv[0], mv[1])
		}
		if time.Since(began) >= editsSettle { // on a busy machine one of them may have been missing for that long
			e.fresh[name], e.fresh[other] = true, true
			p.uses++
			q.uses++
		}
		p.file, q.file = q.file, p.file
		e.note("%s swaps its file with %s", name, other)
	}
}

func (e *edits) rename(from, to string) {
	e.t.Helper()
	if err := os.Rename(e.root+"/"+from, e.root+"/"+to); err != nil {
		e.t.Fatal(err)
	}
}

// regroup makes a group of programs in other files, or takes one away. Programs that
// come into a group, or out of it, are others than before.
func (e *edits) regroup() {
	group := fmt.Sprint("g", e.r.IntN(3))
	if e.touched[group] {
		return
	}
	if members := e.groups[group]; members != nil {
		for _, name := range members {
			if !e.may(name) {
				return
			}
		}
		for _, name := range members {
			e.touched[name], e.fresh[name], e.programs[name].group = true, true, ""
			e.programs[name].uses++
		}
		delete(e.groups, group)
		e.sh("rm conf.d/" + group + ".ini")
		e.note("%s of %v goes", group, members)
	} else {
		for range 2 + e.r.IntN(2) {
			if name, p := e.pick(func(p *editsProgram) bool { return p.file != "" && !p.broken && p.group == "" }); p != nil {
				p.group, e.fresh[name] = group, true
				e.groups[group] = append(e.groups[group], name)
			}
		}
		if e.groups[group] == nil {
			return
		}
		e.write("conf.d/"+group+".ini", "[group:"+group+"]\nprograms="+strings.Join(e.groups[group], ",")+"\n")
		e.note("%s comes: %v", group, e.groups[group])
	}
	e.touched[group] = true
}

// aroundUnusable does edits while the directory is away that some programs log to: those
// stay as they are, and so do the groups that they are in.
func (e *edits) aroundUnusable() {
	e.note("logs is away")
	shown := ""
	for name, p := range e.programs {
		if p.logged {
			e.touched[name] = true
			if p.group != "" {
				e.touched[p.group] = true
			}
			if p.file != "" && !p.broken {
				shown = p.file
			}
		}
	}
	e.rename("logs", "logs-away")
	e.look()
	if shown != "" {
		e.eventually(shown+" is "+FileInvalid, func() bool { return e.file(shown).State == FileInvalid })
	}
	e.edit()
	e.becomes(e.want())
	e.rename("logs-away", "logs")
	e.look()
}

// look has the reconciler look although no file says anything new.
func (e *edits) look() { e.sh("cp main.conf t; echo '; x' >>t; mv t main.conf") }

// aroundHeld does edits while extra is missing: its programs stay as they are, but for
// one that a live file defines meanwhile.
func (e *edits) aroundHeld() {
	e.note("extra is away")
	inExtra := func(p *editsProgram) bool { return strings.HasPrefix(p.file, "extra/") }
	rival, p := e.pick(inExtra)
	n := 0
	for name, p := range e.programs {
		if inExtra(p) {
			e.touched[name] = true
			n++
		}
	}
	if n < 2 { // a directory that comes back without any file is held until a person decides
		p = nil
	}
	e.away = true
	e.rename("extra", "extra-away")
	e.edit()
	if p != nil {
		e.sh("rm extra-away/" + filepath.Base(p.file))
		p.file, p.command, p.broken, e.fresh[rival] = fmt.Sprintf("conf.d/%s-%d.ini", rival, e.number), fmt.Sprint("live", e.number), false, true
		e.write(p.file, e.text(rival))
		e.note("%s has a live rival", rival)
		p.uses = flapLimit // if it went, what is still waited for would be in force for a minute
	}
	e.becomes(e.want())
	e.away = false
	e.rename("extra-away", "extra")
}

// aroundWriter does edits while somebody has a file open for writing, in which half of
// the new content is: what it said before stays in force.
func (e *edits) aroundWriter() {
	name, p := e.pick(func(p *editsProgram) bool { return p.file != "" && !p.broken && !strings.HasPrefix(p.file, "extra/") })
	if p == nil {
		return
	}
	e.note("%s is open for writing", name)
	f, err := os.Create(e.root + "/" + p.file)
	if err != nil {
		e.t.Fatal(err)
	}
	defer f.Close()
	write := func(text string) {
		if _, err := f.WriteString(text); err != nil {
			e.t.Fatal(err)
		}
	}
	write("[program:" + name + "]\ncommand=/bin/half\n")
	e.eventually(p.file+" is "+FileHeld, func() bool { return e.file(p.file).State == FileHeld })
	e.edit()
	e.becomes(e.want())
	p.command, e.fresh[name] = fmt.Sprint("c", e.number), true
	write(strings.TrimPrefix(e.text(name), "[program:"+name+"]\n"))
}

// want is the table in short, as groups gives it.
func (e *edits) want() string {
	var list []string
	for name, p := range e.programs {
		if p.file == "" {
			continue
		}
		text := name
		switch {
		case p.group != "":
			text = p.group + ":" + name + "=" + p.command
		case p.command != name:
			text += "=" + p.command
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// agree waits until table and files are as the model says, and returns the pids by
// GROUP:PROGRAM. A move alone changes nothing, and must be seen before the next edit.
func (e *edits) agree() map[string]int {
	e.t.Helper()
	e.becomes(e.want())
	pids := make(map[string]int)
	for name, p := range e.programs {
		if p.file == "" {
			continue
		}
		state := FileApplied
		if p.broken {
			state = FileInvalid
		}
		e.eventually(p.file+" is "+state, func() bool { return e.file(p.file).State == state })
		group := name
		if p.group != "" {
			group = p.group
		}
		pids[group+":"+name] = e.table.pidOf(group, name)
	}
	return pids
}
