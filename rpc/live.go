package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"supervisord/rpc/page"
	"supervisord/runtime/notice"
)

const (
	// livePace is how long what changed again waits for more.
	livePace = 250 * time.Millisecond
	// liveBeat is how often a stream on which nothing happens shows that it lives.
	liveBeat = 30 * time.Second
	// livePatience is how long a browser may leave what it is sent.
	livePatience = 30 * time.Second
)

// board is what open pages are told. While there is one, a goroutine looks at what has
// changed, draws it once for all, and wakes the streams, each of which sends at its own
// pace what is newer than what it sent last. So a slow reader delays nobody, and nothing
// is queued for it. While no page is open nothing is looked at.
type board struct {
	server *Server
	drawn  notice.Notice

	mu      sync.Mutex // guards the following
	readers int
	running context.Context // of run
	stop    context.CancelFunc
	now     *drawing // nil while nobody reads
}

// drawing is the table as it was drawn last. It is never changed once made. Versions count
// drawings: what has a higher one than a stream's last is news to it.
type drawing struct {
	version   uint64
	stamp     string // equal for equal contents, in other lives of the daemon too
	items     []drawnItem
	places    map[string]int
	shape     uint64 // the version in which the processes were others
	files     uint64 // the same for the reconciler's state
	listeners uint64
	print     uint64 // of the listeners
	overall   overall
	// health and chips are drawn when the first stream wants them: health by whether it is
	// for the overview, and for those who may only read.
	health [2][2]func() string
	chips  func() string
}

// drawnItem is one line of the table.
type drawnItem struct {
	item    page.Item
	print   uint64
	version uint64
	html    [2]string // for those who may act, and those who may only read; empty for what never changed
}

// join counts a reader and gives what there is.
func (b *board) join(ctx context.Context) (*drawing, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now == nil || b.running.Err() != nil {
		first, err := b.draw(ctx, nil, true)
		if err != nil {
			return nil, err
		}
		run, stop := context.WithCancel(b.server.base)
		b.now, b.running, b.stop = first, run, stop
		go b.run(run)
	}
	b.readers++
	return b.now, nil
}

// leave ends what join began.
func (b *board) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.readers--; b.readers == 0 {
		b.stop()
		b.now = nil
	}
}

// latest is what was drawn last, and what is closed when there is something newer.
func (b *board) latest() (*drawing, <-chan struct{}) {
	next := b.drawn.Next()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now, next
}

// run draws whenever something has changed.
func (b *board) run(ctx context.Context) {
	for filesToo := true; ctx.Err() == nil; {
		processes, files := b.server.opt.Processes.Changed(), b.server.opt.Config.Changed()
		b.redraw(ctx, filesToo)
		pause(ctx, livePace)
		select {
		case <-ctx.Done():
		case <-processes:
		case <-files:
		}
		select {
		case <-files:
			filesToo = true
		default:
			filesToo = false
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (b *board) redraw(ctx context.Context, filesToo bool) {
	b.mu.Lock()
	before := b.now
	b.mu.Unlock()
	next, err := b.draw(ctx, before, filesToo)
	if err != nil {
		return // the daemon ends
	}
	b.mu.Lock()
	news := ctx.Err() == nil && next != before // else the last reader has left meanwhile
	if news {
		b.now = next
	}
	b.mu.Unlock()
	if news {
		b.drawn.Tell()
	}
}

// draw makes a drawing; it is before itself if nothing differs. What the reconciler says is
// asked for only if it may have changed: it compares all definitions for that.
func (b *board) draw(ctx context.Context, before *drawing, filesToo bool) (*drawing, error) {
	o, err := b.server.processes(ctx)
	if err != nil {
		return nil, err
	}
	if before == nil || filesToo {
		o.reconcile = b.server.reconcileState(ctx)
	} else {
		o.reconcile = before.overall.reconcile
	}
	items := page.Items(o.rows)
	d := &drawing{items: make([]drawnItem, len(items)), overall: o, print: listenersPrint(o.facts)}
	if before != nil {
		d.version, d.shape, d.files, d.listeners = before.version+1, before.shape, before.files, before.listeners
	} else {
		d.version = 1
	}
	same := before != nil && len(before.items) == len(items)
	for i, item := range items {
		d.items[i] = drawnItem{item: item, version: d.version}
		same = same && before.items[i].item.Key() == item.Key()
	}
	changed := !same
	if !same {
		d.shape = d.version
		d.places = make(map[string]int, len(items))
		for i, item := range items {
			d.places[item.Key()] = i
			d.items[i].print = item.Print()
		}
	} else {
		d.places = before.places
		for i, item := range items {
			if item.Equal(before.items[i].item) {
				d.items[i] = before.items[i]
				continue
			}
			changed = true
			d.items[i].print = item.Print()
			for k, readOnly := range []bool{false, true} {
				if d.items[i].html[k], err = page.Rows([]page.Item{item}, time.Now(), readOnly); err != nil {
					return nil, err
				}
			}
		}
	}
	if before == nil || before.overall.reconcile != o.reconcile {
		d.files, changed = d.version, true
	}
	if before == nil || before.print != d.print {
		d.listeners, changed = d.version, true
	}
	if !changed {
		return before, nil
	}
	stamp := newStamp()
	for i := range d.items {
		stamp.add(d.items[i].print)
	}
	d.stamp = stamp.of(o.reconcile, d.print)
	b.server.drawParts(d)
	return d, nil
}

// drawParts prepares what is drawn of a drawing once for all who want it.
func (s *Server) drawParts(d *drawing) {
	frame := page.Frame{Now: time.Now(), Health: page.HealthOf(d.overall.rows, d.overall.reconcile)}
	drawn := func(html string, err error) string {
		if err != nil {
			s.log.Error(fmt.Sprintf("Web interface error:%v", err))
		}
		return html
	}
	for i, tab := range []string{"", "overview"} {
		for j, readOnly := range []bool{false, true} {
			f := frame
			f.Tab, f.ReadOnly = tab, readOnly
			d.health[i][j] = sync.OnceValue(func() string { return drawn(page.Status(f)) })
		}
	}
	d.chips = sync.OnceValue(func() string { return drawn(page.ChipsOf(d.overall.rows)) })
}

// listenersPrint is equal for listeners that are equal.
func listenersPrint(all []page.Facts) uint64 {
	print := fnv.New64a()
	for _, f := range all {
		if f.Listener != nil {
			fmt.Fprintln(print, f.Group, f.Name, f.State, *f.Listener)
		}
	}
	return print.Sum64()
}

// serveLive is a stream of what changes on a page, until its reader goes.
func (s *Server) serveLive(w http.ResponseWriter, r *http.Request) {
	if err := lasts(r.Context(), streaming); err != nil {
		w.Header().Set("Connection", "close")
		w.Header().Set("Retry-After", "30")
		httpErrorMessage(w, http.StatusServiceUnavailable, "Service Unavailable: "+err.Error())
		return
	}
	d, err := s.board.join(r.Context())
	if err != nil {
		s.pageError(w, err)
		return
	}
	defer s.board.leave()
	noCache(w)
	protectBoard(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	l := liveStream{w: w, control: http.NewResponseController(w), page: r.Form.Get("page"), name: r.Form.Get("name")}
	if readOnly(r.Context()) {
		l.kind = 1
	}
	l.run(r, &s.board, d)
}

// liveStream is one stream.
type liveStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	page    string // which page is open
	name    string // of the process, on the page of one
	kind    int    // index of drawnItem.html
	seen    uint64 // version
}

func (l *liveStream) run(r *http.Request, b *board, d *drawing) {
	l.seen = d.version
	var first bytes.Buffer
	first.WriteString("retry: 2000\n")
	if stamp := r.Header.Get("Last-Event-ID"); stamp != d.stamp && (stamp != "" || r.Form.Get("stamp") != d.stamp) {
		event(&first, "reload", d.stamp, "{}")
	} else {
		event(&first, "hello", d.stamp, "{}")
	}
	if !l.send(first.Bytes()) {
		return
	}
	beat := time.NewTicker(liveBeat)
	defer beat.Stop()
	for {
		d, next := b.latest()
		if d != nil && d.version > l.seen {
			if message := l.news(d); !l.send(message) {
				return
			}
			l.seen = d.version
		}
		select {
		case <-r.Context().Done():
			return
		case <-next:
		case <-beat.C:
			if !l.send([]byte(":\n\n")) {
				return
			}
		}
	}
}

// send writes to the reader, who is given up if he does not take it.
func (l *liveStream) send(p []byte) bool {
	if l.control.SetWriteDeadline(time.Now().Add(livePatience)) != nil {
		return false
	}
	if _, err := l.w.Write(p); err != nil {
		return false
	}
	return l.control.Flush() == nil
}

// news are the events about what is newer than what was seen.
func (l *liveStream) news(d *drawing) []byte {
	var b bytes.Buffer
	overview := 0
	if l.page == "overview" {
		overview = 1
	}
	parts := map[string]string{"health": d.health[overview][l.kind]()}
	reload := false
	switch l.page {
	case "overview":
		if reload = d.shape > l.seen; reload {
			break
		}
		rows := map[string]string{}
		for i := range d.items {
			if d.items[i].version > l.seen {
				rows[d.items[i].item.Key()] = d.items[i].html[l.kind]
			}
		}
		parts["chips"] = d.chips()
		if len(rows) > 0 {
			event(&b, "rows", d.stamp, inJSON(rows))
		}
	case "process":
		place, there := d.places[l.name]
		reload = !there || d.shape > l.seen || d.items[place].version > l.seen || d.files > l.seen
	case "files":
		reload = d.files > l.seen || d.shape > l.seen
	case "listeners":
		reload = d.listeners > l.seen || d.shape > l.seen
	}
	event(&b, "parts", d.stamp, inJSON(parts))
	if reload {
		event(&b, "reload", d.stamp, "{}")
	}
	return b.Bytes()
}

// event appends one event; data is one line.
func event(b *bytes.Buffer, name, id, data string) {
	fmt.Fprintf(b, "event: %s\nid: %s\ndata: %s\n\n", name, id, data)
}

// inJSON is one line, in which < stays what it is.
func inJSON(parts map[string]string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(parts); err != nil {
		return "{}"
	}
	return string(bytes.TrimSpace(b.Bytes()))
}

// stamp is in the making what a page is marked with, so that its stream knows whether
// something has changed in between: equal for what is drawn equal.
type stamp uint64

func newStamp() stamp { return 14695981039346656037 }

// add goes on as FNV does, a word at a time.
func (s *stamp) add(print uint64) { *s = (*s ^ stamp(print)) * 1099511628211 }

func (s stamp) of(r page.Reconcile, listeners uint64) string {
	rest := fnv.New64a()
	fmt.Fprintln(rest, r)
	s.add(rest.Sum64())
	s.add(listeners)
	return strconv.FormatUint(uint64(s), 36)
}

// stampOf is the stamp of a page.
func stampOf(o overall) string {
	s := newStamp()
	for _, item := range page.Items(slices.Clone(o.rows)) {
		s.add(item.Print())
	}
	return s.of(o.reconcile, listenersPrint(o.facts))
}
