package reconcile

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/reconcile/watch"
	"supervisord/spec"
)

// TestVerifyModel edits the files of 200 programs at random. A fifth of the contents fail in
// one way or another, and the daemon is restarted or killed now and then. At rest each file
// is in force, or rejected with what was proved before running; and no process has
// another pid whose own definition has not changed.
//
// VERIFY_EDITS is the number of edits, 100 if it is not set; VERIFY_SEED chooses them.
func TestVerifyModel(t *testing.T) {
	number := func(name string, def int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return def
	}
	edits, seed := number("VERIFY_EDITS", 100), number("VERIFY_SEED", int(time.Now().UnixNano()&0xffff))
	t.Logf("VERIFY_SEED=%d", seed)
	const settings = "settle=20ms\nrescan=0\nsettle_removals=0\nmax_removals=100%\nverify=30s\nverify_stable=300ms\non_failure=revert\n"
	inBubble(t, settings, nil, func(w *fixture, hint *fakeWatcher) {
		m := &verifyModel{
			verifier: &verifier{fixture: w, settings: settings, hint: hint}, r: rand.New(rand.NewPCG(uint64(seed), 0)),
			files: make(map[string]*modelFile), pids: make(map[string]int),
		}
		m.plug()
		for i := range 40 {
			m.files[fmt.Sprintf("f%02d.ini", i)] = &modelFile{}
		}
		for i := 0; i < edits && !t.Failed(); i++ {
			m.edit()
			if m.r.IntN(2) == 0 { // the next edit comes at once: some of it waits for its turn then
				time.Sleep(100 * time.Millisecond)
				if err := w.rec.AtRest(context.Background()); err != nil {
					t.Fatal(err)
				}
			} else {
				time.Sleep(2 * time.Minute)
			}
			synctest.Wait()
			m.check(i)
			switch m.r.IntN(50) {
			case 0:
				m.reborn(i, false)
			case 1:
				m.reborn(i, true)
			}
		}
	})
}

// modelFile is a file as it is to be: programs with their commands.
type modelFile struct {
	written map[string]string // on the disk; nil where there is no file
	proved  map[string]string // what ran last
}

// verifyModel knows what must come of each edit.
type verifyModel struct {
	*verifier
	r     *rand.Rand
	files map[string]*modelFile
	pids  map[string]int    // of each program, when all was at rest last
	was   map[string]string // the commands that ran then
	note  string            // what was done last
}

// plug gives the processes of the table their fates.
func (m *verifyModel) plug() {
	table := m.table
	table.fate = func(p spec.Process) string {
		if strings.HasPrefix(filepath.Base(p.Command), "crash") {
			pid := table.pids
			time.AfterFunc(200*time.Millisecond, func() { // and is started again
				table.mu.Lock()
				defer table.mu.Unlock()
				if g := table.groups[p.Name]; g != nil && g.procs[p.Name].pid == pid {
					table.pids++
					q := g.procs[p.Name]
					q.crashed, q.pid = q.crashed+1, table.pids
					table.notice.Tell()
				}
			})
		}
		return fate(p)
	}
}

// content is what a file may say: mostly what runs.
func (m *verifyModel) content(f *modelFile, file string) map[string]string {
	c := make(map[string]string)
	if f.written != nil {
		maps.Copy(c, f.written)
	}
	fails := m.r.IntN(5) == 0
	for name, command := range c { // what failed is not left as it was by chance
		if fateFails(command) {
			c[name] = fmt.Sprintf("v%d", m.r.IntN(5))
		}
	}
	for range 1 + m.r.IntN(3) {
		name := fmt.Sprintf("%s-%d", strings.TrimSuffix(file, ".ini"), m.r.IntN(5))
		switch m.r.IntN(6) {
		case 0:
			delete(c, name)
		case 1:
			c[name] = fmt.Sprintf("once%d", m.r.IntN(3))
		default:
			c[name] = fmt.Sprintf("v%d", m.r.IntN(5))
		}
	}
	if fails {
		name := fmt.Sprintf("%s-%d", strings.TrimSuffix(file, ".ini"), m.r.IntN(5))
		c[name] = []string{"bad", "slow", "crash"}[m.r.IntN(3)] + strconv.Itoa(m.r.IntN(3))
	}
	return c
}

func fateFails(command string) bool {
	return strings.HasPrefix(command, "bad") || strings.HasPrefix(command, "slow") || strings.HasPrefix(command, "crash")
}

func anyFails(c map[string]string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(c)), fateFails)
}

// edit is one commit of a few files.
func (m *verifyModel) edit() {
	m.was = m.running()
	m.note = ""
	names := slices.Sorted(maps.Keys(m.files))
	for _, at := range m.r.Perm(len(names))[:1+m.r.IntN(3)] {
		name := names[at]
		f := m.files[name]
		if f.written != nil && m.r.IntN(10) == 0 {
			m.note += "rm " + name + "; "
			m.sh("rm conf.d/" + name)
			f.written, f.proved = nil, nil
			continue
		}
		f.written = m.content(f, name)
		m.writeFile(name, f.written)
		if !anyFails(f.written) {
			f.proved = f.written
		}
	}
	m.hint.hints <- watch.Hint{Trigger: TriggerWatch}
}

func (m *verifyModel) writeFile(name string, c map[string]string) {
	var text strings.Builder
	for _, program := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintf(&text, "[program:%s]\ncommand=/bin/%s\n", program, c[program])
	}
	m.note += fmt.Sprintf("write %s %v; ", name, c)
	m.write("conf.d/"+name, "; "+m.note[max(0, len(m.note)-20):]+"\n"+text.String()) // each content is another
}

// reborn ends the daemon and begins another.
func (m *verifyModel) reborn(i int, killed bool) {
	time.Sleep(2 * keepDelay) // one that is killed knows what it has written
	m.restart(killed)
	m.plug()
	time.Sleep(2 * time.Minute)
	synctest.Wait()
	m.note = fmt.Sprintf("restart, killed %v; ", killed)
	m.pids, m.was = nil, nil
	m.check(i)
}

// running are the commands of all processes, with the state of what is to run and does not.
func (m *verifyModel) running() map[string]string {
	commands := make(map[string]string)
	for _, a := range m.table.Groups() {
		command := filepath.Base(a.Group.Processes[0].Command)
		if state := a.Processes[0].State; state != "RUNNING" && !strings.HasPrefix(command, "once") {
			command += " " + state
		}
		commands[a.Group.Name] = command
	}
	return commands
}

// check looks at what there is once all is at rest.
func (m *verifyModel) check(i int) {
	m.t.Helper()
	want := make(map[string]string)
	tried := make(map[string]string) // what the files say, for those that are rejected
	states := make(map[string]FileState)
	for _, s := range m.rec.Files() {
		states[filepath.Base(s.Path)] = s
	}
	for name, f := range m.files {
		state := states[name].State
		rejected := f.written != nil && anyFails(f.written)
		switch {
		case f.written == nil && state != "", rejected && state != FileRejected, f.written != nil && !rejected && state != FileApplied:
			m.t.Errorf("%d: %s: %s is %q: %s", i, m.note, name, state, states[name].Reason)
		}
		maps.Copy(want, f.proved)
		if rejected {
			for program := range f.proved {
				tried[program] = "nothing"
			}
			maps.Copy(tried, f.written)
		}
	}
	now := m.running()
	equal(m.t, fmt.Sprintf("%d: %s: what runs", i, m.note), now, want)
	pids := make(map[string]int)
	for program, command := range now {
		pid := m.table.pidOf(program, program)
		pids[program] = pid
		same := m.was[program] == command && (tried[program] == "" || tried[program] == command)
		if before, known := m.pids[program]; known && same && before != pid {
			m.t.Errorf("%d: %s: %s=%s had pid %d and has %d", i, m.note, program, command, before, pid)
		}
	}
	m.pids = pids
	if wrong := slices.Concat(m.table.wrong, m.table.stale()); len(wrong) > 0 {
		m.t.Errorf("%d: %s: %v", i, m.note, wrong)
	}
	if s := m.rec.State(); s.Phase != Synced && s.Phase != Held {
		m.t.Errorf("%d: %s: %s %s", i, m.note, s.Phase, s.Reason)
	}
}
