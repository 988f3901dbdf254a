package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"supervisord/runtime"
	"supervisord/runtime/launch"
	"supervisord/runtime/trust"
)

// runningTable is the file in the state directory that says what runs, for the daemon
// that comes after one which was killed. It begins with who writes it; a line is
// appended for each process before it begins, when it has begun and when it has
// ended, so that a thousand starts cost two thousand lines, and now and then it
// is replaced by a short one. It need not outlive the machine, so nothing is
// synced. A last line that was cut is ignored.
//
// What another user could have written is not read: to end a process that stands in
// it, a daemon of root asks nobody.
//
// Source: reconciler.md, After the daemon itself was killed.
type runningTable struct {
	dir  trust.Dir // its path is "" where there is no state directory, or no telling processes apart
	self launch.Identity
	log  *slog.Logger

	mu      sync.Mutex // guards queue and limit, for as long as it takes to append
	queue   []entry
	limit   int           // above which it is made shorter
	waiting chan struct{} // capacity one: there is something in the queue

	goesOn bool // this process goes on as the daemon that kept the table: it is run that begins it

	// Owned by open, then by run.
	file   *os.File // nil after a failure: the next write is of the whole
	lines  int
	runs   map[place]runtime.Survivor
	begins map[place]runtime.Survivor // announced, and not heard of since
	warned bool
	lost   bool // another daemon keeps the file
}

// entry is a change to be written.
type entry struct {
	runtime.RunChange
	announced chan<- struct{} // closed once it is written; nil for what has begun or ended
}

// place is where one process of the configuration runs.
type place struct{ group, name string }

// line is one line of the file; one of its fields is set.
type line struct {
	Daemon *launch.Identity  `json:"daemon,omitempty"`
	Begins *runtime.Survivor `json:"begins,omitempty"`
	Runs   *runtime.Survivor `json:"runs,omitempty"`
	Ended  *endedLine        `json:"ended,omitempty"`
}

type endedLine struct {
	Group string `json:"group"`
	Name  string `json:"name"`
	PID   int    `json:"pid"`
}

// errOtherDaemon means that the daemon which keeps the table lives.
var errOtherDaemon = errors.New("another supervisord with the same configuration is running")

// tableFile is its name.
const tableFile = "running.json"

// dyingTime is how long a daemon that was killed may take to be gone.
const dyingTime = time.Second

// newRunningTable makes a table in a directory; "" is none.
func newRunningTable(dir string, log *slog.Logger) *runningTable {
	t := &runningTable{log: log, limit: queueLimit, waiting: make(chan struct{}, 1),
		runs: make(map[place]runtime.Survivor), begins: make(map[place]runtime.Survivor)}
	var err error
	if t.self, err = launch.Identify(os.Getpid()); err == nil && dir != "" {
		t.dir = trust.Dir{Path: dir, UID: os.Geteuid()}
	}
	return t
}

// open reads what the daemon before left running and begins a table of our own,
// in which that stands too. After errOtherDaemon the table is not kept.
func (t *runningTable) open() ([]runtime.Survivor, error) {
	if t.dir.Path == "" {
		return nil, nil
	}
	for limit := time.Now().Add(dyingTime); ; time.Sleep(dyingTime / 50) {
		data, err := trust.Read(t.dir, tableFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.failed(err)
		}
		clear(t.runs)
		clear(t.begins)
		other := t.read(data)
		if other == t.self || !launch.Alive(other) {
			break
		}
		if time.Now().After(limit) {
			t.dir = trust.Dir{}
			return nil, fmt.Errorf("%w as pid %d", errOtherDaemon, other.PID)
		}
	}
	// One that was announced is written down by its number from now on, in the
	// place of what it followed, if it is to be found at all.
	for _, v := range runtime.FindAnnounced(slices.Collect(maps.Values(t.begins))) {
		t.runs[place{v.Group, v.Name}] = v
	}
	clear(t.begins)
	t.rewrite()
	return slices.Collect(maps.Values(t.runs)), nil
}

// goOn begins the table anew with what was handed over, which the queue has: no start that
// was announced is under way any more. The file is not that of the process if that could
// not keep the table before, since another daemon does.
func (t *runningTable) goOn() {
	data, err := trust.Read(t.dir, tableFile)
	if other := t.read(data); err == nil && other != t.self && launch.Alive(other) {
		t.lost = true
		return
	}
	clear(t.runs)
	clear(t.begins)
	t.write()
	if t.file == nil { // there was nothing to write
		t.rewrite()
	}
}

// read takes over what a file says and returns who wrote it.
func (t *runningTable) read(data []byte) (writer launch.Identity) {
	for lines := bufio.NewReader(bytes.NewReader(data)); ; {
		text, err := lines.ReadBytes('\n')
		if err != nil {
			return writer // what has no end was cut
		}
		var l line
		switch {
		case json.Unmarshal(text, &l) != nil:
		case l.Daemon != nil:
			writer = *l.Daemon
		case l.Begins != nil && l.Begins.Boot == t.self.BootID:
			t.begins[place{l.Begins.Group, l.Begins.Name}] = *l.Begins
		case l.Runs != nil && l.Runs.Boot == t.self.BootID:
			t.began(*l.Runs)
		case l.Ended != nil:
			t.remove(*l.Ended)
		}
	}
}

// mayRun reports whether the table in another daemon's directory knows of anything that
// has begun since the machine has. One that cannot be read may.
func mayRun(dir trust.Dir) bool {
	data, err := trust.Read(dir, tableFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	t := newRunningTable("", slog.New(slog.DiscardHandler))
	if err != nil || t.self.BootID == "" {
		return true
	}
	t.read(data)
	return len(t.runs)+len(t.begins) > 0
}

func (t *runningTable) began(v runtime.Survivor) {
	s := place{v.Group, v.Name}
	delete(t.begins, s)
	t.runs[s] = v
}

// remove is of a process that is gone; its successor may stand there already.
func (t *runningTable) remove(e endedLine) {
	s := place{e.Group, e.Name}
	if t.runs[s].PID == e.PID {
		delete(t.runs, s)
	}
}

// changed notes a change. It never blocks.
func (t *runningTable) changed(c runtime.RunChange) { t.enqueue(entry{RunChange: c}) }

// announce notes a process that is about to begin, and returns when that is
// written, or the disk has been given enough time.
func (t *runningTable) announce(c runtime.RunChange) {
	if t.dir.Path == "" {
		return
	}
	written := make(chan struct{})
	t.enqueue(entry{c, written})
	select {
	case <-written:
	case <-time.After(patience):
	}
}

// patience is how long a start waits for a disk that does not answer.
const patience = 100 * time.Millisecond

func (t *runningTable) enqueue(e entry) {
	t.mu.Lock()
	t.queue = append(t.queue, e)
	if len(t.queue) > t.limit {
		t.queue = newest(t.queue)
		t.limit = queueLimit + 2*len(t.queue)
	}
	t.mu.Unlock()
	select {
	case t.waiting <- struct{}{}:
	default:
	}
}

// queueLimit is how long the queue may be before what is out of date in it is dropped:
// a disk that hangs for days must not cost all memory.
const queueLimit = 1000

// newest leaves of each process the last changes, which is all that a table tells in the
// end. Four are more than what one launch and the end of the one before make.
func newest(queue []entry) []entry {
	count := make(map[place]int)
	var kept []entry
	for _, e := range slices.Backward(queue) {
		at := place{e.Group, e.Name}
		if count[at]++; count[at] <= 4 {
			kept = append(kept, e)
		} else if e.announced != nil {
			close(e.announced) // its launch goes on, as it would have after a while
		}
	}
	slices.Reverse(kept)
	return kept
}

// forget notes that a survivor is gone, or no concern of ours.
func (t *runningTable) forget(v runtime.Survivor) {
	t.changed(runtime.RunChange{Group: v.Group, Name: v.Name, PID: v.PID})
}

// run writes changes until done is closed, and then those that are there still.
func (t *runningTable) run(done <-chan struct{}) {
	if t.goesOn && t.dir.Path != "" {
		t.goOn()
	}
	for {
		select {
		case <-t.waiting:
			t.write()
		case <-done:
			t.write()
			t.close()
			return
		}
	}
}

// write writes what is in the queue, at once.
func (t *runningTable) write() {
	t.mu.Lock()
	changes := t.queue
	t.queue = nil
	t.mu.Unlock()
	for _, c := range changes {
		if c.announced != nil {
			defer close(c.announced)
		}
	}
	if t.dir.Path == "" || t.lost || len(changes) == 0 {
		return
	}
	var text []byte
	for _, c := range changes {
		switch {
		case c.announced != nil:
			v := c.Remember(t.self.BootID)
			t.begins[place{c.Group, c.Name}] = v
			text = appendLine(text, line{Begins: &v})
		case c.Runs:
			v := c.Remember(t.self.BootID)
			t.began(v)
			text = appendLine(text, line{Runs: &v})
		default:
			e := endedLine{c.Group, c.Name, c.PID}
			t.remove(e)
			text = appendLine(text, line{Ended: &e})
		}
	}
	t.lines += len(changes)
	if t.file == nil || t.lines > 1000+5*len(t.runs) {
		t.rewrite()
		return
	}
	if _, err := t.file.Write(text); err != nil {
		t.failed(err)
	}
}

func appendLine(text []byte, l line) []byte {
	data, err := json.Marshal(l)
	if err != nil {
		panic(err) // it is of plain values
	}
	return append(append(text, data...), '\n')
}

// whole says what runs and nothing else.
func (t *runningTable) whole() []byte {
	text := appendLine(nil, line{Daemon: &t.self})
	for _, v := range t.runs {
		text = appendLine(text, line{Runs: &v})
	}
	for _, v := range t.begins {
		text = appendLine(text, line{Begins: &v})
	}
	return text
}

// rewrite puts a file in place that is whole.
func (t *runningTable) rewrite() {
	file, err := trust.Replace(t.dir, tableFile, t.whole(), false)
	if err != nil {
		t.failed(err)
		return
	}
	if t.file != nil {
		t.file.Close()
	}
	t.file, t.lines, t.warned = file, len(t.runs), false
}

// failed has the next write be of the whole, and says so once.
func (t *runningTable) failed(err error) {
	if t.file != nil {
		t.file.Close()
		t.file = nil
	}
	if !t.warned {
		t.warned = true
		t.log.Warn("cannot record what runs, for the case that this daemon is killed: " + err.Error())
	}
}

// close leaves no file behind when nothing runs.
func (t *runningTable) close() {
	if t.file != nil {
		t.file.Close()
	}
	if t.dir.Path != "" && !t.lost && len(t.runs) == 0 {
		_ = trust.Remove(t.dir, tableFile) // else it says of nobody that he runs
	}
}
