package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"supervisord/rpc/page"
	"supervisord/runtime"
	"supervisord/runtime/notice"
	"supervisord/runtime/usage"
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
	rows      uint64 // the same for anything that is said of one, but its figures
	files     uint64 // for the reconciler's state
	listeners uint64
	print     uint64 // of the listeners
	overall   overall
	history   *usage.History
	account   *account // has the memory of all this
	// health and chips are the summary, drawn when the first stream wants it: health by
	// whether it is for the overview, and for those who may only read.
	summary summary
	health  [2][2]func() string
	chips   func() string
	// news is what streams are sent on the overview that have seen the drawing before this
	// one, made once for all of them: for those who may act, and those who may only read.
	news [2]func() []byte
}

// summary is what stands above the table.
type summary struct {
	health page.Health
	chips  []page.Chip
}

// drawnItem is one line of the table, as it is now and was drawn when anything but its
// figures last changed.
type drawnItem struct {
	item    page.Item
	print   uint64
	version uint64
	figures uint64    // the version in which the figures were others
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
		if b.now != nil { // of a life that a handover has ended
			b.now.account.end()
		}
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
		b.now.account.end()
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

// run draws whenever something has changed. What processes take is measured while it runs.
func (b *board) run(ctx context.Context) {
	for filesToo := true; ctx.Err() == nil; {
		processes, files, figures := b.server.opt.Processes.Changed(), b.server.opt.Config.Changed(), b.server.measured()
		if !b.redraw(ctx, filesToo) {
			const again = time.Second // there may be memory for it then
			pause(ctx, again)
			filesToo = true // they may have changed meanwhile
			continue
		}
		pause(ctx, livePace)
		select {
		case <-ctx.Done():
		case <-processes:
		case <-files:
		case <-figures:
		}
		select {
		case <-files:
			filesToo = true
		default:
			filesToo = false
		}
	}
}

// measured is closed when there is something new of what processes take.
func (s *Server) measured() <-chan struct{} {
	if s.opt.Usage == nil {
		return nil
	}
	return s.opt.Usage.Changed()
}

// history is what processes have taken of late.
func (s *Server) history(ctx context.Context) *usage.History {
	if s.opt.Usage == nil {
		return new(usage.History)
	}
	return s.opt.Usage.History(ctx)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// redraw reports whether it could look.
func (b *board) redraw(ctx context.Context, filesToo bool) bool {
	b.mu.Lock()
	before := b.now
	b.mu.Unlock()
	next, err := b.draw(ctx, before, filesToo)
	if err != nil || next == before {
		return err == nil
	}
	b.mu.Lock()
	news := ctx.Err() == nil // else the last reader has left meanwhile
	if news {
		b.now = next
	}
	b.mu.Unlock()
	if !news {
		next.account.end()
		return true
	}
	before.account.end()
	b.drawn.Tell()
	return true
}

// draw makes a drawing; it is before itself if nothing differs. What the reconciler says is
// asked for only if it may have changed: it compares all definitions for that. A drawing has
// its memory as a request has, and gives it back when its account ends.
func (b *board) draw(ctx context.Context, before *drawing, filesToo bool) (d *drawing, err error) {
	account := &account{memory: b.server.memory}
	ctx = context.WithValue(ctx, accountKey{}, account)
	defer func() {
		account.complete()
		if err != nil || d == before {
			account.end()
		}
	}()
	o, err := b.server.processes(ctx)
	if err != nil {
		return nil, err
	}
	if before == nil || filesToo {
		o.reconcile = b.server.reconcileState(ctx)
	} else {
		o.reconcile = before.overall.reconcile
	}
	d = &drawing{overall: o, print: listenersPrint(o.infos), history: b.server.history(ctx), account: account}
	items := page.Items(o.rows)
	page.WithFigures(items, d.history)
	if before == nil {
		d.version, d.files, d.listeners = 1, 1, 1
		d.begin(items)
	} else {
		d.version, d.shape, d.rows, d.files, d.listeners = before.version+1, before.shape, before.rows, before.files, before.listeners
		if !d.goOn(items, before) {
			d.begin(items)
		}
		if before.overall.reconcile != o.reconcile {
			d.files = d.version
		}
		if before.print != d.print {
			d.listeners = d.version
		}
	}
	switch {
	case d.rows == d.version || d.files == d.version || d.listeners == d.version:
		if err := d.drawItems(ctx); err != nil {
			return nil, err
		}
		d.stamp = d.stampOf()
		b.server.drawParts(d, before)
	case d.figuresChanged():
		d.stamp, d.summary, d.health, d.chips = before.stamp, before.summary, before.health, before.chips
	default:
		return before, nil
	}
	for kind := range d.news {
		d.news[kind] = sync.OnceValue(func() []byte { return d.overview(d.version-1, kind) })
	}
	return d, nil
}

// begin has a drawing show other processes than the one before, which is news as a whole.
func (d *drawing) begin(items []page.Item) {
	d.shape, d.rows = d.version, d.version
	d.items, d.places = make([]drawnItem, len(items)), make(map[string]int, len(items))
	for i, item := range items {
		d.places[item.Key()] = i
		d.items[i] = drawnItem{item: item, print: item.Print(), version: d.version, figures: d.version}
	}
}

// goOn has a drawing show the processes of the one before as they are now. It reports false
// if they are others.
func (d *drawing) goOn(items []page.Item, before *drawing) bool {
	if len(before.items) != len(items) {
		return false
	}
	d.places, d.items = before.places, make([]drawnItem, len(items))
	for i, item := range items {
		was := &before.items[i]
		if was.item.Key() != item.Key() {
			return false
		}
		one := *was
		one.item = item
		if item.Figures != was.item.Figures {
			one.figures = d.version
		}
		if !item.Equal(was.item) {
			one.version, one.print, one.html = d.version, item.Print(), [2]string{}
			d.rows = d.version
		}
		d.items[i] = one
	}
	return true
}

func (d *drawing) figuresChanged() bool {
	return slices.ContainsFunc(d.items, func(one drawnItem) bool { return one.figures == d.version })
}

// drawItems draws the rows that have changed, of the same processes.
func (d *drawing) drawItems(ctx context.Context) error {
	if d.shape == d.version {
		return nil
	}
	now, drawn := time.Now(), 0
	for i := range d.items {
		one := &d.items[i]
		if one.version != d.version {
			continue
		}
		for k, readOnly := range []bool{false, true} {
			one.html[k] = string(page.Rows([]page.Item{one.item}, now, readOnly))
			drawn += len(one.html[k])
		}
	}
	return d.account.take(ctx, int64(2*drawn)) // once more as it is sent
}

func (d *drawing) stampOf() string {
	stamp := newStamp()
	for i := range d.items {
		stamp.add(d.items[i].print)
	}
	return stamp.of(d.overall.reconcile, d.print)
}

// drawParts prepares what is drawn of a drawing once for all who want it. While the summary
// is that of the drawing before, so is what was drawn of it.
func (s *Server) drawParts(d, before *drawing) {
	d.summary = summary{page.HealthOf(d.overall.rows, d.overall.reconcile), page.Chips(d.overall.rows, page.Choice{})}
	if before != nil && reflect.DeepEqual(d.summary, before.summary) {
		d.health, d.chips = before.health, before.chips
		return
	}
	// What is drawn is drawn when it is first asked for, and outlives this drawing.
	frame, chips, total := page.Frame{Health: d.summary.health}, d.summary.chips, len(d.overall.rows)
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
			d.health[i][j] = sync.OnceValue(func() string {
				f.Now = time.Now()
				return drawn(page.Status(f))
			})
		}
	}
	d.chips = sync.OnceValue(func() string { return drawn(page.ChipsOf(chips, total)) })
}

// listenersPrint is equal for listeners that are equal.
func listenersPrint(all []runtime.Info) uint64 {
	print := fnv.New64a()
	for i := range all {
		if f := &all[i]; f.Listener != nil {
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
			if message := l.news(d); len(message) > 0 && !l.send(message) {
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

// news are the events about what is newer than what was seen; none if that is nothing to
// the page that is open.
func (l *liveStream) news(d *drawing) []byte {
	if l.page == "overview" {
		if l.seen == d.version-1 {
			return d.news[l.kind]()
		}
		return d.overview(l.seen, l.kind)
	}
	var b bytes.Buffer
	reload := d.shape > l.seen
	switch l.page {
	case "process":
		place, there := d.places[l.name]
		reload = reload || !there || d.items[place].version > l.seen || d.files > l.seen
		if there && d.items[place].figures > l.seen {
			event(&b, "figures", d.stamp, inJSON(map[string][]string{l.name: d.figuresOf(place, true)}))
		}
	case "files":
		reload = reload || d.files > l.seen
	case "listeners":
		reload = reload || d.listeners > l.seen
	}
	if d.rows > l.seen || d.files > l.seen {
		event(&b, "parts", d.stamp, inJSON(map[string]string{"health": d.health[0][l.kind]()}))
	}
	if reload {
		event(&b, "reload", d.stamp, "{}")
	}
	return b.Bytes()
}

// overview is what is news to an overview for which a drawing was seen.
func (d *drawing) overview(seen uint64, kind int) []byte {
	var b bytes.Buffer
	rows, figures := map[string]string{}, map[string][]string{}
	for i := range d.items {
		one := &d.items[i]
		if one.version > seen {
			rows[one.item.Key()] = one.html[kind]
		}
		if one.figures > seen && one.item.Row != nil {
			figures[one.item.Key()] = d.figuresOf(i, false)
		}
	}
	reload := d.shape > seen
	if len(rows) > 0 && !reload {
		event(&b, "rows", d.stamp, inJSON(rows))
	}
	if len(figures) > 0 && !reload {
		event(&b, "figures", d.stamp, inJSON(figures))
	}
	if d.rows > seen || d.files > seen {
		event(&b, "parts", d.stamp, inJSON(map[string]string{"health": d.health[1][kind](), "chips": d.chips()}))
	}
	if reload {
		event(&b, "reload", d.stamp, "{}")
	}
	return b.Bytes()
}

// figuresOf are the figures of a line, as the script puts them in their places.
func (d *drawing) figuresOf(place int, all bool) []string {
	item := &d.items[place].item
	list := []string{item.Figures.CPU, item.Figures.Memory, item.Figures.Graph}
	if all && item.Row != nil {
		list = append(list, page.TakesOf(d.history, *item.Row).MemoryGraph)
	}
	return list
}

// event appends one event; data is one line.
func event(b *bytes.Buffer, name, id, data string) {
	fmt.Fprintf(b, "event: %s\nid: %s\ndata: %s\n\n", name, id, data)
}

// inJSON is one line, in which < stays what it is.
func inJSON(parts any) string {
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
	return s.of(o.reconcile, listenersPrint(o.infos))
}
