package rpc

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"supervisord/rpc/page"
	"supervisord/runtime"
	"supervisord/runtime/hang"
	"supervisord/runtime/logfile"
	"supervisord/runtime/state"
	"supervisord/runtime/trust"
	"supervisord/spec"
)

// boards are the pages beside Supervisor's, by their path; all but act are asked for by GET.
var boards = map[string]func(*Server, http.ResponseWriter, *http.Request){
	"process":   (*Server).serveProcess,
	"files":     (*Server).serveFiles,
	"listeners": (*Server).serveListeners,
	"act":       (*Server).serveAct,
	"live":      (*Server).serveLive,
	"log":       (*Server).serveLog,
}

// serveBoard answers a request for one of our pages.
func (s *Server) serveBoard(w http.ResponseWriter, r *http.Request, name string) {
	method := http.MethodGet
	if name == "act" {
		method = http.MethodPost
	}
	if r.Method != method {
		w.Header().Set("Allow", method)
		httpError(w, http.StatusMethodNotAllowed)
		return
	}
	if err := r.ParseForm(); err != nil {
		httpError(w, http.StatusBadRequest)
		return
	}
	boards[name](s, w, r)
}

// wantsOverview reports whether a request for / is for our page. Who does not say that it
// can show HTML, and who follows an old link, gets Supervisor's.
func wantsOverview(r *http.Request) bool {
	return r.Method == http.MethodGet && acceptsHTML(r) && !r.URL.Query().Has("action")
}

// overall is what all pages start from.
type overall struct {
	infos     []runtime.Info
	rows      []page.Row
	reconcile page.Reconcile
	mood      state.Mood
}

// overall asks for the state of everything. Nothing in it waits for a disk.
func (s *Server) overall(ctx context.Context) (overall, error) {
	o, err := s.processes(ctx)
	if err == nil {
		o.reconcile = s.reconcileState()
	}
	return o, err
}

// processes is overall without what the reconciler says.
func (s *Server) processes(ctx context.Context) (overall, error) {
	all, err := s.opt.Processes.Snapshot(ctx)
	if err != nil {
		return overall{}, err
	}
	const perRow = 2 << 10 // bytes, about
	if err := accountOf(ctx).take(ctx, int64(len(all))*perRow); err != nil {
		return overall{}, err
	}
	o := overall{infos: all, rows: make([]page.Row, len(all)), mood: s.opt.Processes.Mood()}
	expected := s.definitions.of(s.opt.Config.Desired())
	for i := range all {
		o.rows[i] = page.RowOf(&all[i], expected.exit(&all[i]))
	}
	return o, nil
}

// definitions finds what the configuration says of a process.
type definitions struct {
	mu     sync.Mutex // guards the following
	config *spec.Config
	index  index
}

// index is every process of a configuration. It is never changed once made.
type index map[runtime.Select]definition

type definition struct {
	group   *spec.Group
	process *spec.Process
}

// of is the index of a configuration, which is kept for the next time.
func (d *definitions) of(c *spec.Config) index {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.config == c {
		return d.index
	}
	d.config, d.index = c, make(index)
	if c == nil {
		return d.index
	}
	for i := range c.Groups {
		g := &c.Groups[i]
		for j := range g.Processes {
			d.index[runtime.Select{Group: g.Name, Process: g.Processes[j].Name}] = definition{g, &g.Processes[j]}
		}
	}
	return d.index
}

// exit reports whether the way in which a process ended last is one that its definition
// expects.
func (x index) exit(p *runtime.Info) bool {
	return !state.Exited.Failed(p.ExitStatus, x.exitCodes(p))
}

// exitCodes are the exit statuses that a definition expects; nil where there is none.
func (x index) exitCodes(p *runtime.Info) []int {
	if def, known := x[runtime.Select{Group: p.Group, Process: p.Name}]; known {
		return def.process.ExitCodes
	}
	return nil
}

// frame is what all pages have. self is the address of the page.
func (s *Server) frame(r *http.Request, o overall, tab, title, self string) page.Frame {
	return page.Frame{
		Title: title, Tab: tab, Self: self,
		Identifier: s.opt.Identification, Host: s.host, Version: s.opt.Version, Release: s.opt.Release, Build: s.opt.Build, Message: r.Form.Get("message"),
		Stamp: stampOf(o),
		Now:   time.Now(), Health: page.HealthOf(o.rows, o.reconcile, o.mood), ReadOnly: readOnly(r.Context()),
	}
}

// serveOverview shows all processes.
func (s *Server) serveOverview(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		httpError(w, http.StatusBadRequest)
		return
	}
	o, err := s.overall(r.Context())
	if err != nil {
		s.pageError(w, err)
		return
	}
	choice := page.Choice{State: r.Form.Get("state"), Text: r.Form.Get("q"), Sort: r.Form.Get("sort")}
	p := page.Overview{Choice: choice, Chips: page.Chips(o.rows, choice), Total: len(o.rows), Signals: signals}
	p.Frame = s.frame(r, o, "overview", s.opt.Identification, "./")
	if rows := choice.Of(o.rows); choice.Sort == "" {
		p.Items = page.Items(rows)
	} else {
		for i := range rows {
			p.Items = append(p.Items, page.Item{Row: &rows[i]})
		}
	}
	page.WithFigures(p.Items, s.history(r.Context()))
	choice.Sorted(p.Items)
	s.draw(w, r, http.StatusOK, p)
}

// find is the process that a request names, which it answers with 404 if there is none.
func (s *Server) find(w http.ResponseWriter, r *http.Request) (runtime.Info, bool) {
	n := spec.ParseNamespec(r.Form.Get("name"))
	info, err := s.opt.Processes.Info(r.Context(), n.Group, n.Process)
	if err != nil || n.WholeGroup() {
		httpErrorMessage(w, http.StatusNotFound, "Not Found: there is no such process")
		return info, false
	}
	return info, true
}

// signals are those that the page offers.
var signals = []string{"HUP", "INT", "TERM", "QUIT", "USR1", "USR2", "WINCH", "CONT", "KILL"}

// serveProcess shows one process.
func (s *Server) serveProcess(w http.ResponseWriter, r *http.Request) {
	info, ok := s.find(w, r)
	if !ok {
		return
	}
	ctx := r.Context()
	o, err := s.overall(ctx)
	if err != nil {
		s.pageError(w, err)
		return
	}
	p := page.Process{Info: info, Signals: signals}
	config := s.opt.Config.Desired()
	definitions := s.definitions.of(config)
	p.Row = page.RowOf(&info, definitions.exit(&info))
	p.Takes = page.TakesOf(s.history(ctx), p.Row)
	p.Frame = s.frame(r, o, "process", p.Row.Name, "process?name="+url.QueryEscape(p.Row.Name)+"&stream="+url.QueryEscape(r.Form.Get("stream")))
	if def, known := definitions[runtime.Select{Group: info.Group, Process: info.Name}]; known {
		p.ExitCodes = def.process.ExitCodes
		for _, k := range config.Settings(def.group, def.process) {
			p.Settings = append(p.Settings, page.Setting{Key: k.Key, Value: k.Value, Unit: k.Unit, File: k.File, Line: k.Line, Default: k.Default})
		}
	}
	if o.reconcile.Known() && o.reconcile.Phase != "synced" {
		for _, a := range s.lastPlan(ctx, o.reconcile.Told).actions {
			if a.Group == info.Group && (a.Process == "" || a.Process == info.Name) {
				p.Pending = append(p.Pending, a)
			}
		}
		p.Compare()
	}
	if p.Log, err = s.logOf(ctx, info, r.Form.Get("stream"), r.Form.Get("q")); err != nil {
		s.pageError(w, err)
		return
	}
	s.draw(w, r, http.StatusOK, p)
}

// logPath is a log of a process by the name of its stream.
func logPath(info runtime.Info, stream string) string {
	if stream == "stderr" {
		return info.StderrLog
	}
	return info.StdoutLog
}

// logOf is what a page shows of a log. The error is a want of memory.
func (s *Server) logOf(ctx context.Context, info runtime.Info, stream, words string) (page.Log, error) {
	l := page.Log{Stream: "stdout", Words: words, Streams: []string{"stdout"}}
	if info.StderrLog != "" {
		l.Streams = append(l.Streams, "stderr")
	}
	if stream == "stderr" && info.StderrLog != "" {
		l.Stream = stream
	}
	path := logPath(info, l.Stream)
	if path == "" {
		l.Problem = "This process has no log of its own here."
		return l, nil
	}
	size := int64(48 << 10)
	if words != "" {
		size = 1 << 20
	}
	tail, err := hang.Ask(ctx, s.disks, filepath.Dir(path), func() (logTail, error) {
		part, next, overflow, err := logfile.OpenTail(path, 0, size)
		return logTail{part, next, overflow}, err
	})
	var text string
	if err == nil {
		text, err = s.wholeText(ctx, s.textOf(ctx, path, tail.Part))
	}
	switch {
	case memoryFault(err) != nil:
		return l, err
	case errors.Is(err, fs.ErrNotExist):
		l.Problem, l.Follow = "Nothing has been written to "+path+" yet.", words == ""
	case err != nil:
		l.Problem = path + " cannot be read: " + err.Error()
	default:
		l.Lines, l.Next, l.Follow = page.Lines(text, tail.overflow, words), tail.next, words == ""
	}
	return l, nil
}

// serveLog gives a log as text: whole, or from an offset on for as long as the client
// listens.
func (s *Server) serveLog(w http.ResponseWriter, r *http.Request) {
	info, ok := s.find(w, r)
	if !ok {
		return
	}
	stream := "stdout"
	if r.Form.Get("stream") == "stderr" {
		stream = "stderr"
	}
	path := logPath(info, stream)
	if from := r.Form.Get("from"); from != "" {
		offset, err := strconv.ParseInt(from, 10, 64)
		if err != nil || offset < 0 {
			httpError(w, http.StatusBadRequest)
			return
		}
		w.Header().Set("X-Accel-Buffering", "no")
		s.stream(w, r, path, offset)
		return
	}
	if path == "" {
		httpError(w, http.StatusNotFound)
		return
	}
	text, err := s.openText(r.Context(), path, func() (*logfile.Part, error) { return logfile.OpenPart(path, 0, 0) })
	if err != nil {
		httpErrorMessage(w, http.StatusNotFound, "Not Found: the log cannot be read")
		return
	}
	if text.size() > shortLog { // it takes as long as its reader likes
		if err := lasts(r.Context(), streaming); err != nil {
			w.Header().Set("Connection", "close")
			httpErrorMessage(w, http.StatusServiceUnavailable, "Service Unavailable: "+err.Error())
			return
		}
	}
	w.Header().Set("Content-Type", "text/plain;charset=utf-8")
	w.Header().Set("Content-Length", strconv.FormatInt(text.size(), 10))
	w.Header().Set("Content-Disposition", `attachment; filename="`+fileName(namespec(info.Group, info.Name))+"-"+stream+`.log"`)
	protectBoard(w)
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	text.read(context.WithoutCancel(r.Context()), func(p []byte) error {
		// A log may be larger than a line takes in the time for a reply: each piece has that time.
		if err := control.SetWriteDeadline(time.Now().Add(s.opt.BodyTimeout)); err != nil {
			return err
		}
		_, err := w.Write(p)
		return err
	})
}

// fileName is a name that no system takes for anything else.
func fileName(name string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			return c
		}
		return '_'
	}, name)
}

// serveFiles shows the configuration and what the reconciler makes of it.
func (s *Server) serveFiles(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	o, err := s.overall(ctx)
	if err != nil {
		s.pageError(w, err)
		return
	}
	p := page.Files{Frame: s.frame(r, o, "files", "Files", "files"), Reconcile: o.reconcile}
	if o.reconcile.Known() {
		if o.reconcile.Phase != "synced" {
			var next plan
			next, p.DiffError = s.plan(ctx)
			p.Plan, p.Diff = next.id, next.actions
		}
		p.Files, p.History = s.watched(ctx), s.updates(ctx)
		slices.SortStableFunc(p.Files, page.ByUrgency)
	}
	for i := range p.Files {
		f := &p.Files[i]
		if line := page.MistakeLine(f.Path, f.Reason); line > 0 {
			if content, err := s.readSource(ctx, f.Path); err == nil {
				f.Source = page.Source(content, line)
			}
		}
	}
	s.draw(w, r, http.StatusOK, p)
}

// readSource reads a configuration file that the reconciler has named. It waits for no
// disk that does not answer.
func (s *Server) readSource(ctx context.Context, path string) ([]byte, error) {
	const most = 1 << 20 // bytes
	if err := accountOf(ctx).take(ctx, most); err != nil {
		return nil, err
	}
	return hang.Ask(ctx, s.disks, filepath.Dir(path), func() ([]byte, error) {
		f, err := trust.OpenFile(path, os.O_RDONLY, 0)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			return nil, logfile.ErrNotRegular
		}
		return io.ReadAll(io.LimitReader(f, most))
	})
}

// serveListeners shows the event listeners.
func (s *Server) serveListeners(w http.ResponseWriter, r *http.Request) {
	o, err := s.overall(r.Context())
	if err != nil {
		s.pageError(w, err)
		return
	}
	p := page.Listeners{Frame: s.frame(r, o, "listeners", "Listeners", "listeners")}
	definitions := s.definitions.of(s.opt.Config.Desired())
	for i := range o.infos {
		f := &o.infos[i]
		if f.Listener == nil {
			continue
		}
		l := page.Listener{
			Row: o.rows[i], Pool: f.Group, Protocol: strings.ToLower(f.Listener.State.String()),
			Waiting: f.Listener.Waiting, Dropped: f.Listener.Dropped, Busy: f.Listener.Since,
		}
		if def, known := definitions[runtime.Select{Group: f.Group, Process: f.Name}]; known && def.group.Listener != nil {
			l.Events, l.Buffer = def.group.Listener.Events, def.group.Listener.BufferSize
		}
		p.Listeners = append(p.Listeners, l)
	}
	s.draw(w, r, http.StatusOK, p)
}

// draw answers with a page, compressed where the client can take it so.
func (s *Server) draw(w http.ResponseWriter, r *http.Request, status int, data any) {
	doc := newDocument(r.Context())
	err := compressed(w, r, doc, func(out io.Writer) error { return page.Draw(out, data) })
	if err != nil {
		doc.discard()
		s.pageError(w, err)
		return
	}
	noCache(w)
	protectBoard(w)
	doc.send(w, status, "text/html;charset=utf-8")
}

// compressors are kept from one page to the next.
var compressors = sync.Pool{New: func() any {
	const quick = 3 // a third less than with gzip.BestSpeed, in little more time
	z, _ := gzip.NewWriterLevel(nil, quick)
	return z
}}

// compressed has write fill a document, through gzip if the client takes that.
func compressed(w http.ResponseWriter, r *http.Request, doc io.Writer, write func(io.Writer) error) error {
	const piece = 8 << 10 // templates write word by word
	w.Header().Add("Vary", "Accept, Accept-Encoding")
	if !takesGzip(r) {
		out := bufio.NewWriterSize(doc, piece)
		if err := write(out); err != nil {
			return err
		}
		return out.Flush()
	}
	w.Header().Set("Content-Encoding", "gzip")
	z := compressors.Get().(*gzip.Writer)
	defer compressors.Put(z)
	z.Reset(doc)
	out := bufio.NewWriterSize(z, piece)
	err := write(out)
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		w.Header().Del("Content-Encoding")
	}
	return err
}

// packedFiles are the files of our own pages, compressed.
var packedFiles = sync.OnceValue(func() map[string][]byte {
	files := make(map[string][]byte)
	for _, name := range []string{"page.css", "page.js"} {
		var b bytes.Buffer
		data, err := fs.ReadFile(ui, name)
		if err != nil {
			continue
		}
		z := gzip.NewWriter(&b)
		z.Write(data)
		z.Close() // nothing fails in memory
		files[name] = b.Bytes()
	}
	return files
})

// takesGzip reports whether the client says that it can decompress.
func takesGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(strings.Join(r.Header["Accept-Encoding"], ","), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			return strings.Trim(strings.ReplaceAll(weight, " ", ""), "q=.0") != "" || !strings.Contains(weight, "0")
		}
	}
	return false
}

// protectBoard keeps a page from being framed, from loading anything from elsewhere, and
// from running or showing anything but our own files.
func protectBoard(w http.ResponseWriter) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("X-Frame-Options", "DENY")
	w.Header().Set("Referrer-Policy", "same-origin")
}
