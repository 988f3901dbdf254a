package reconcile

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestRandomEdits edits files at random, as a simple model does in memory, and
// compares the two after each batch: which programs run, with which command,
// and that no process was touched that need not be. RECONCILE_EDITS sets the
// number of batches; each program is edited at most a few times, so that none
// flaps.
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
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	w := newFixture(t, "settle=150ms\nrescan=0\nmax_removals=100%\n", nil)
	w.write("main.conf", "[supervisord]\n[include]\nfiles = conf.d/*.ini extra/*.ini\n[reconcile]\nstatedir="+w.root+"/state\nsettle=150ms\nsettle_removals=0\nrescan=0\nmax_removals=100%\n")
	w.sh("mkdir extra")
	const n = 60
	type program struct {
		file    string // "" when there is none
		command string // in force
		pid     int
		broken  bool // its file cannot be used; moving such a file is deleting it
	}
	model := make(map[string]*program)
	for i := range n {
		name := fmt.Sprintf("p%02d", i)
		p := &program{}
		if i%2 == 0 {
			p.file, p.command = "conf.d/"+name+".ini", name
			w.write(p.file, ini(name))
		}
		model[name] = p
	}
	w.start()
	names := make([]string, 0, n)
	for name := range model {
		names = append(names, name)
	}
	slices.Sort(names)
	uses := make(map[string]int)
	for batch := range batches {
		for name, p := range model {
			p.pid = w.table.pidOf(name, name)
		}
		touched := make(map[string]bool)
		var did []string
		for range 1 + r.IntN(5) {
			name := names[r.IntN(len(names))]
			if touched[name] || uses[name] >= flapLimit-1 {
				continue
			}
			touched[name] = true
			uses[name]++
			p := model[name]
			op := r.IntN(7)
			did = append(did, fmt.Sprintf("%s:%d", name, op))
			switch {
			case p.file == "":
				p.file, p.command = fmt.Sprintf("conf.d/%s-%d.ini", name, batch), fmt.Sprint("c", batch)
				w.write(p.file, ini(name, "command=/bin/"+p.command))
				p.pid = 0
			case op == 0: // goes
				w.sh("rm " + p.file)
				*p = program{}
			case op == 1: // another command, in place
				p.command, p.pid, p.broken = fmt.Sprint("c", batch), 0, false
				if err := os.WriteFile(w.root+"/"+p.file, []byte(ini(name, "command=/bin/"+p.command)), 0o644); err != nil {
					t.Fatal(err)
				}
			case op == 2: // a key that counts in place
				p.broken = false
				w.write(p.file, ini(name, "command=/bin/"+p.command, fmt.Sprint("stopwaitsecs=", batch)))
			case op == 3: // nothing
				w.sh("echo '; x' >>" + p.file + "; touch " + p.file)
			case op >= 4 && p.broken:
			case op == 4: // another directory, another name
				to := fmt.Sprintf("extra/%s-%d.ini", name, batch)
				w.sh("mv " + p.file + " " + to)
				p.file = to
			case op == 5: // broken: what was, stays
				p.broken = true
				w.write(p.file, "[program:"+name+"\n")
			case op == 6: // two programs exchange files
				other := names[r.IntN(len(names))]
				q := model[other]
				if q.file == "" || q.broken || touched[other] || q == p {
					continue
				}
				touched[other] = true
				for _, mv := range [][2]string{{p.file, "t"}, {q.file, p.file}, {"t", q.file}} {
					if err := os.Rename(w.root+"/"+mv[0], w.root+"/"+mv[1]); err != nil {
						t.Fatal(err)
					}
				}
				p.file, q.file = q.file, p.file
			}
		}
		var want []string
		for name, p := range model {
			if p.command == "" {
				continue
			}
			text := name
			if p.command != name {
				text += "=" + p.command
			}
			want = append(want, text)
		}
		slices.Sort(want)
		t.Logf("batch %d: %v", batch, did)
		w.becomes(strings.Join(want, ", "))
		for _, p := range model { // a move alone changes nothing, and must be seen before the next edit
			state := FileApplied
			if p.broken {
				state = FileInvalid
			}
			if p.file != "" {
				w.eventually(p.file+" is "+state, func() bool { return w.file(p.file).State == state })
			}
		}
		for name, p := range model {
			if p.pid != 0 && w.table.pidOf(name, name) != p.pid {
				t.Errorf("batch %d: %s was touched without need", batch, name)
			}
		}
	}
}
