package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"supervisord/runtime/mainlog"
	"supervisord/runtime/notice"
	"supervisord/runtime/usage"
	"supervisord/spec"
)

const (
	// livePace is how long what changed again waits for more.
	livePace = 250 * time.Millisecond
	// liveBeat is how often a stream shows that it lives. The script is told, and takes the
	// connection for lost when it has heard nothing for two and a half of them.
	liveBeat = 10 * time.Second
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
	now     *drawing      // nil while nobody reads
	first   chan struct{} // is closed when the first drawing, which is being made, is done; nil where none is
}

// join counts a reader and gives what there is. running ends with what tells of news. The
// first one draws; who comes meanwhile waits for that for as long as he likes.
func (b *board) join(ctx context.Context) (d *drawing, running context.Context, err error) {
	for {
		b.mu.Lock()
		if b.now != nil && b.running.Err() == nil {
			b.readers++
			d, running = b.now, b.running
			b.mu.Unlock()
			return d, running, nil
		}
		under := b.first
		if under == nil {
			b.first = make(chan struct{})
		}
		b.mu.Unlock()
		if under == nil {
			if err := b.begin(ctx); err != nil {
				return nil, nil, err
			}
			continue
		}
		select {
		case <-under:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// begin makes the first drawing, and has run go on with it.
func (b *board) begin(ctx context.Context) error {
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		close(b.first)
		b.first = nil
	}()
	first, err := b.draw(ctx, nil, true)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now != nil { // of a life that a handover or a panic has ended
		b.now.account.end()
	}
	b.now = first
	b.running, b.stop = context.WithCancel(b.server.base)
	go b.run(b.running, b.stop)
	return nil
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
// What it shows was written by programs and people: a defect in showing it ends the streams,
// whose readers come back and draw in requests of their own, and nothing else.
func (b *board) run(ctx context.Context, stop context.CancelFunc) {
	defer stop()
	defer func() {
		if p := recover(); p != nil {
			b.server.log.Log(ctx, mainlog.LevelCritical, fmt.Sprintf("the web page panicked: %v\n%s", p, debug.Stack()))
		}
	}()
	files := b.server.opt.Config.Changed() // each is taken before what it tells of is looked at
	for filesToo := true; ctx.Err() == nil; {
		processes, figures := b.server.opt.Processes.Changed(), b.server.measured()
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
			filesToo, files = true, b.server.opt.Config.Changed()
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

// serveLive is a stream of what changes on a page, until its reader goes.
func (s *Server) serveLive(w http.ResponseWriter, r *http.Request) {
	if err := lasts(r.Context(), streaming); err != nil {
		w.Header().Set("Connection", "close")
		w.Header().Set("Retry-After", "30")
		httpErrorMessage(w, http.StatusServiceUnavailable, "Service Unavailable: "+err.Error())
		return
	}
	d, running, err := s.board.join(r.Context())
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
	if from, err := strconv.ParseInt(r.Form.Get("from"), 10, 64); err == nil && from >= 0 {
		n := spec.ParseNamespec(l.name)
		info, err := s.opt.Processes.Info(r.Context(), n.Group, n.Process)
		if path := logPath(info, r.Form.Get("stream")); err == nil && path != "" {
			ctx, stop := context.WithCancel(r.Context())
			l.log = s.appended(ctx, path, from)
			defer func() {
				stop()
				for range l.log { // until nobody reads it
				}
			}()
		}
	}
	l.run(r, running, &s.board, d)
}

// liveStream is one stream.
type liveStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	page    string        // which page is open
	name    string        // of the process, on the page of one
	kind    int           // index of drawnItem.html
	log     <-chan []byte // what is appended to the log that is shown; nil for none
	seen    uint64        // version
}

// run tells of news until its reader goes, or running ends.
func (l *liveStream) run(r *http.Request, running context.Context, b *board, d *drawing) {
	l.seen = d.version
	var first bytes.Buffer
	first.WriteString("retry: 2000\n")
	if stamp := r.Header.Get("Last-Event-ID"); stamp != d.stamp && (stamp != "" || r.Form.Get("stamp") != d.stamp) {
		event(&first, "reload", d.stamp, "{}")
	} else {
		event(&first, "hello", d.stamp, "{}")
	}
	var beats bytes.Buffer
	event(&beats, "beat", "", strconv.Itoa(int(liveBeat/time.Millisecond)))
	first.Write(beats.Bytes())
	if !l.send(first.Bytes()) {
		return
	}
	log := l.log
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
		case <-running.Done():
			return
		case <-next:
		case text, goesOn := <-log:
			if !goesOn {
				log = nil
				continue
			}
			var b bytes.Buffer
			event(&b, "log", "", inJSON(string(text)))
			if !l.send(b.Bytes()) {
				return
			}
		case <-beat.C:
			if !l.send(beats.Bytes()) {
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

// event appends one event; data is one line. Without an id it says nothing of a state.
func event(b *bytes.Buffer, name, id, data string) {
	fmt.Fprintf(b, "event: %s\n", name)
	if id != "" {
		fmt.Fprintf(b, "id: %s\n", id)
	}
	fmt.Fprintf(b, "data: %s\n\n", data)
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
