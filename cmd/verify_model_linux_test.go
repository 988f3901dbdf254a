//go:build amd64 || arm64 || riscv64

package cmd

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// TestVerifyDaemon edits the files of a daemon at random, a fifth of the contents failing in
// one way or another: what exits at once, is never ready, cannot be executed, or is of a user
// that there is not. Some exit later than verify_stable, which is no failure of the update.
// Now and then the daemon is killed or restarted, also while content is on trial. At rest each
// file is applied, rejected or invalid, in the last two cases with its former content running;
// and no process has another pid whose own definition has not changed.
//
// VERIFY_DAEMON_EDITS is the number of edits, of 200 programs in 40 files then; else it is a
// few of 12 in 4. RECONCILE_SEED chooses them.
func TestVerifyDaemon(t *testing.T) {
	t.Parallel()
	edits, files := 5, 4
	if n, err := strconv.Atoi(os.Getenv("VERIFY_DAEMON_EDITS")); err == nil {
		edits, files = n, 40
	}
	m := &verifyRun{r: seeded(t), files: make(map[string]*verifiedFile), each: max(3, files/8), stamp: 1_600_000_000}
	for i := range files {
		m.files[fmt.Sprintf("f%02d", i)] = &verifiedFile{}
	}
	m.fixture = started(t, "conf.d/*.ini", "settle=100ms\nmax_removals=100%\nverify=1m\nverify_stable=300ms\non_failure=revert\n", "", map[string]string{"conf.d/.keep": ""})
	counts := make(map[string]int)
	for i := range edits {
		m.note = fmt.Sprintf("edit %d: ", i)
		inTrial := m.r.IntN(20) == 0
		if inTrial {
			m.stored() // so that a kill finds the new content on trial alone
		}
		m.edit(inTrial)
		if inTrial {
			time.Sleep(time.Duration(m.r.Int64N(int64(2 * time.Second))))
			m.reborn(true)
			counts["kills in a trial"]++
		}
		m.rests(counts)
		switch m.r.IntN(16) {
		case 0:
			m.note += "restarted; "
			m.reborn(false)
			m.rests(nil)
		case 1:
			m.note += "killed; "
			m.stored() // likewise
			m.reborn(true)
			m.rests(nil)
		}
	}
	t.Logf("%d edits: %v", edits, counts)
}

// verifiedFile is a file as it is to be: programs with their definitions.
type verifiedFile struct {
	written map[string]string // on the disk; nil where there is no file
	inForce map[string]string // nil where nothing of it is
	known   bool              // something of it was proved
	sum     string            // of the content with that in force, in hex
	stamp   int               // when it changed last, by which it is seen that the daemon knows of it
}

// verifyRun is a daemon, and what must come of each edit.
type verifyRun struct {
	*fixture
	r       *rand.Rand
	files   map[string]*verifiedFile
	each    int            // programs of a file
	number  int            // of definitions
	stamp   int            // of the last write
	pids    map[string]int // at rest before the edit; nil where all may be others
	changed map[string]bool
	note    string
}

// The lines that make a definition what it is.
const (
	verifiedRuns  = "command=/bin/sleep %d\nstartsecs=0\n"
	verifiedLater = "command=/bin/sh -c 'sleep 1; exit 3' %d\nstartsecs=0\nautorestart=false\n"
)

var verifiedFails = []string{
	failing + "command=/bin/sh -c 'echo cannot work; exit 3' %d\nstartretries=0\n",
	failing + "command=/bin/sh -c 'exit 3' %d\nstartsecs=0\n",
	failing + "command=/bin/sleep %d\nready=log:never\nverify=2s\nready_timeout=1m\n",
	failing + "command=/nonexistent/program %d\nstartretries=0\n",
	failing + "command=/bin/sleep %d\nuser=nobody-by-that-name\n",
}

func verifiedUnusable(c map[string]string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(c)), func(def string) bool { return strings.Contains(def, "user=") })
}

func verifiedFailing(c map[string]string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(c)), fails)
}

// fails reports whether a definition is one of verifiedFails, which are marked.
func fails(def string) bool { return strings.HasPrefix(def, failing) }

const failing = "; fails\n"

// definition is a new one of that form.
func (m *verifyRun) definition(form string) string {
	m.number++
	return fmt.Sprintf(form, 1_000_000+m.number)
}

// content is what a file may say: mostly what runs.
func (m *verifyRun) content(name string, f *verifiedFile, mayFail bool) map[string]string {
	c := make(map[string]string)
	for program, def := range f.written {
		if fails(def) {
			def = m.definition(verifiedRuns)
		}
		c[program] = def
	}
	some := func() string { return fmt.Sprintf("%s-%d", name, m.r.IntN(m.each)) }
	for range 1 + m.r.IntN(3) {
		switch m.r.IntN(8) {
		case 0:
			delete(c, some())
		case 1:
			c[some()] = m.definition(verifiedLater)
		default:
			c[some()] = m.definition(verifiedRuns)
		}
	}
	if mayFail && m.r.IntN(5) == 0 {
		c[some()] = m.definition(verifiedFails[m.r.IntN(len(verifiedFails))])
	}
	return c
}

// edit is one commit of a few files. known is set where only what has been proved may fail.
func (m *verifyRun) edit(known bool) {
	m.changed = make(map[string]bool)
	names := slices.Sorted(maps.Keys(m.files))
	for _, at := range m.r.Perm(len(names))[:1+m.r.IntN(3)] {
		name := names[at]
		f := m.files[name]
		before := f.inForce
		path := filepath.Join(m.Dir, "conf.d", name+".ini")
		if f.written != nil && m.r.IntN(10) == 0 {
			m.note += "rm " + name + "; "
			if err := os.Remove(path); err != nil {
				m.t.Fatal(err)
			}
			*f = verifiedFile{}
			m.differs(before, nil)
			continue
		}
		f.written = m.content(name, f, f.known || !known)
		var text strings.Builder
		fmt.Fprintf(&text, "; %s%d\n", name, m.number)
		for _, program := range slices.Sorted(maps.Keys(f.written)) {
			fmt.Fprintf(&text, "[program:%s]\n%sstdout_logfile=NONE\nstderr_logfile=NONE\n", program, f.written[program])
		}
		m.note += fmt.Sprintf("%s %q; ", name, f.written)
		if err := os.WriteFile(path+".tmp", []byte(text.String()), 0o644); err != nil {
			m.t.Fatal(err)
		}
		m.stamp++ // each its own second
		f.stamp = m.stamp
		if at := time.Unix(int64(f.stamp), 0); os.Chtimes(path+".tmp", at, at) != nil {
			m.t.Fatal("no time can be set")
		}
		if err := os.Rename(path+".tmp", path); err != nil {
			m.t.Fatal(err)
		}
		if !verifiedUnusable(f.written) {
			m.differs(before, f.written)
		}
		if !verifiedFailing(f.written) {
			sum := sha256.Sum256([]byte(text.String()))
			f.inForce, f.known, f.sum = f.written, true, hex.EncodeToString(sum[:])
		}
	}
}

// differs notes which programs may have another pid.
func (m *verifyRun) differs(before, after map[string]string) {
	for _, c := range []map[string]string{before, after} {
		for program := range c {
			if before[program] != after[program] {
				m.changed[program] = true
			}
		}
	}
}

// reborn ends the daemon and begins another.
func (m *verifyRun) reborn(killed bool) {
	m.pids = nil
	if killed {
		m.Kill()
	} else {
		pid := m.PID()
		m.Signal(15)
		oracle.WaitFor(m.t, "the daemon's end", func() bool { return m.PID() != pid })
	}
	m.Again()
}

// rests waits until all is as it must be, and counts what became of the files.
func (m *verifyRun) rests(counts map[string]int) {
	m.t.Helper()
	var wrong []string
	if !oracle.Eventually(oracle.Deadline, func() bool { wrong = m.wrong(); return len(wrong) == 0 }) {
		m.t.Fatalf("%s: %s\nstate %v\nlog:\n%s", m.note, strings.Join(wrong, "; "), m.state(), m.Log())
	}
	pids, _ := m.running()
	for program, pid := range m.pids {
		if now, runs := pids[program]; runs && now != pid && !m.changed[program] {
			m.t.Errorf("%s: %s had pid %d and has %d", m.note, program, pid, now)
		}
	}
	m.pids = pids
	for _, f := range m.files {
		if counts != nil && f.written != nil {
			counts[f.state()]++
		}
	}
}

// stored waits until what was proved is in the state directory: a daemon that is killed knows
// no more than that.
func (m *verifyRun) stored() {
	m.t.Helper()
	var missing []string
	if !oracle.Eventually(oracle.Deadline, func() bool {
		missing = nil
		var record struct {
			Proved map[string]string `json:"proved"`
		}
		names, err := filepath.Glob(filepath.Join(m.Dir, "state", "*", "proof.json"))
		if err != nil || len(names) > 1 {
			m.t.Fatalf("%v, %v", names, err)
		}
		for _, name := range names { // none before anything was proved
			data, err := os.ReadFile(name)
			if err == nil {
				err = json.Unmarshal(data, &record)
			}
			if err != nil {
				m.t.Fatal(err)
			}
		}
		for name, f := range m.files {
			if len(f.inForce) > 0 && record.Proved[filepath.Join(m.Dir, "conf.d", name+".ini")] != f.sum {
				missing = append(missing, name)
			}
		}
		return len(missing) == 0
	}) {
		m.t.Fatalf("%s: what was proved of %v is not stored\nlog:\n%s", m.note, missing, m.Log())
	}
}

// state is what must become of a file.
func (f *verifiedFile) state() string {
	switch {
	case f.written == nil:
		return ""
	case verifiedUnusable(f.written):
		return "invalid"
	case verifiedFailing(f.written):
		return "rejected"
	}
	return "applied"
}

// wrong is what is not as it must be.
func (m *verifyRun) wrong() (list []string) {
	answer, err := m.Call("reconcile.getFiles")
	if err != nil {
		m.t.Fatal(err)
	}
	states := make(map[string]string)
	for _, f := range answer.([]any) {
		f := f.(map[string]any)
		name := strings.TrimSuffix(filepath.Base(f["path"].(string)), ".ini")
		states[name] = f["state"].(string)
		if file := m.files[name]; file != nil && f["changed"].(int) != file.stamp {
			list = append(list, name+" is not seen yet")
		}
		if reason := f["reason"].(string); strings.Contains(reason, "being verified") {
			list = append(list, reason)
		}
	}
	want := make(map[string]string)
	for name, f := range m.files {
		if states[name] != f.state() {
			list = append(list, fmt.Sprintf("%s is %q, want %q", name, states[name], f.state()))
		}
		for program, def := range f.inForce {
			if strings.HasPrefix(def, "command=/bin/sleep ") {
				want[program], _, _ = strings.Cut(strings.TrimPrefix(def, "command="), "\n")
			} else {
				want[program] = ""
			}
		}
	}
	_, commands := m.running()
	for program, command := range want {
		if command != "" && commands[program] != command {
			list = append(list, fmt.Sprintf("%s runs %q, want %q", program, commands[program], command))
		}
		delete(commands, program)
	}
	for program, command := range commands {
		list = append(list, fmt.Sprintf("%s runs %q, and must not", program, command))
	}
	if s := m.state(); s["phase"] == "pending" || s["phase"] == "applying" {
		list = append(list, fmt.Sprint(s["phase"], " ", s["reason"]))
	}
	return list
}
