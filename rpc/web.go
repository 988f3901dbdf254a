package rpc

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime/logfile"
	"supervisord/runtime/state"
	"supervisord/spec"
	"supervisord/spec/value"
)

//go:embed ui
var embedded embed.FS

var (
	ui    = mustSub(embedded, "ui")
	pages = sync.OnceValue(func() *template.Template { return template.Must(template.ParseFS(ui, "*.html")) })
)

func mustSub(f fs.FS, dir string) fs.FS {
	sub, err := fs.Sub(f, dir)
	if err != nil {
		panic(err)
	}
	return sub
}

// statusRow is one process on the status page.
type statusRow struct {
	Shade, Class, State, Description, Name, Tail string
	Actions                                      []action
}

// action is one entry of a row's action list: a link where it only shows
// something, a button of a form where it changes something, and an invisible
// place where the state of the process has none.
type action struct{ Name, Href, Post string }

// serveStatus shows the status page, and runs the action that a form asks for.
//
// Source: contract/rpc.md section 8.
// Differs: only a POST changes anything. Supervisor acts on GET too, so that a
// link on any web page, a crawler or a prefetching browser can stop a program;
// here such a link leads to a page that asks, and an old bookmark still works. To a
// script, which nobody asks, the page is answered 405.
func (s *Server) serveStatus(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		httpError(w, http.StatusBadRequest)
		return
	}
	act, name := r.Form.Get("action"), r.Form.Get("processname")
	switch {
	case act == "":
		s.showStatus(w, r)
	case !knownAction(act, name):
		s.log.Error(fmt.Sprintf("Web interface error:unknown action %s", value.PyRepr(act)))
		httpError(w, http.StatusInternalServerError)
	case act != "refresh" && r.Method != http.MethodPost:
		status := http.StatusOK
		if !showsPages(r) {
			w.Header().Set("Allow", http.MethodPost)
			status = http.StatusMethodNotAllowed
		}
		s.render(w, r, status, "confirm.html", map[string]string{
			"Question": question(act, name), "Action": act, "Process": name, "Self": self(r),
		})
	default:
		message, err := s.runAction(r.Context(), act, name)
		if err != nil {
			s.log.Error(fmt.Sprintf("Web interface error:%v", err))
			httpError(w, http.StatusInternalServerError)
			return
		}
		s.redirect(w, r, message)
	}
}

// classic is where Supervisor's page is for people; / is ours for them.
const classic = "classic.html"

// acceptsHTML reports whether a client says that it can show a page.
func acceptsHTML(r *http.Request) bool {
	return strings.Contains(strings.ToLower(strings.Join(r.Header["Accept"], ",")), "text/html")
}

// showsPages reports whether somebody will see the page that answers a request. A
// script with curl or wget takes 200 for done.
func showsPages(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") != "" || acceptsHTML(r)
}

func knownAction(act, name string) bool {
	switch act {
	case "refresh", "stopall", "restartall":
		return true
	case "start", "stop", "restart", "clearlog":
		return name != ""
	}
	return false
}

// question is what the page asks that an old link leads to.
func question(act, name string) string {
	switch act {
	case "stopall":
		return "Stop all processes?"
	case "restartall":
		return "Restart all processes?"
	case "clearlog":
		return "Clear the logs of " + name + "?"
	}
	return strings.ToUpper(act[:1]) + act[1:] + " " + name + "?"
}

// redirect leads back to the status page with a message.
func (s *Server) redirect(w http.ResponseWriter, r *http.Request, message string) {
	httpServer := r.Context().Value(httpServerKey{}).(*httpServer)
	to := "/"
	if self(r) == classic {
		to += classic
	}
	w.Header().Set("Location", httpServer.baseURL(r)+to+"?message="+pyQuote(message))
	noCache(w)
	httpError(w, http.StatusSeeOther)
}

// self is where the page's links lead: to the page itself.
func self(r *http.Request) string {
	if strings.TrimLeft(r.URL.Path, "/") == classic {
		return classic
	}
	return "index.html"
}

// runAction runs an action to its end and says what came of it. The error is one that
// the page has no words for. A browser that goes away, as on an impatient reload,
// ends no action: a restart would stop half-way.
func (s *Server) runAction(ctx context.Context, act, name string) (message string, err error) {
	ctx = context.WithoutCancel(ctx)
	do := func(method string, args ...any) error {
		_, err := s.invoke(ctx, s.supervisorMethods, "supervisor."+method, args)
		return err
	}
	switch act {
	case "refresh":
		return "Page refreshed at " + time.Now().Format(time.ANSIC), nil
	case "stopall":
		return actionMessage("All stopped at "+time.Now().Format(time.ANSIC), do("stopAllProcesses"))
	case "restartall":
		err := do("stopAllProcesses")
		if err == nil {
			err = do("startAllProcesses")
		}
		return actionMessage("All restarted at "+time.Now().Format(time.ANSIC), err)
	}
	n := spec.ParseNamespec(name)
	if _, err := s.opt.Processes.Info(ctx, n.Group, n.Process); err != nil || n.WholeGroup() {
		return "No such process named " + name, nil
	}
	switch act {
	case "stop":
		return actionMessage("Process "+name+" stopped", do("stopProcess", name))
	case "clearlog":
		return actionMessage("Log for "+name+" cleared", do("clearProcessLogs", name))
	case "restart":
		var fault *xmlrpc.Fault
		if err := do("stopProcess", name); err != nil && !(errors.As(err, &fault) && fault.Code == xmlrpc.NotRunning) {
			return actionMessage("", err)
		}
		return startMessage(name, "restarted", do("startProcess", name))
	}
	return startMessage(name, "started", do("startProcess", name))
}

// actionMessage is the message of an action, or of the fault that it met.
func actionMessage(message string, err error) (string, error) {
	var fault *xmlrpc.Fault
	switch {
	case err == nil:
		return message, nil
	case errors.As(err, &fault):
		return fmt.Sprintf("unexpected rpc fault [%d] %s", fault.Code, fault.Text), nil
	}
	return "", err
}

// startMessage is the message of a start.
func startMessage(name, done string, err error) (string, error) {
	var fault *xmlrpc.Fault
	if errors.As(err, &fault) {
		if text, ok := startFaults[fault.Code]; ok {
			return fmt.Sprintf("ERROR: Process %s: %s", name, text), nil
		}
	}
	message, err := actionMessage("Process "+name+" "+done, err)
	if fault != nil {
		message = fmt.Sprintf("ERROR: Process %s: %s", name, message)
	}
	return message, err
}

var startFaults = map[xmlrpc.Code]string{
	xmlrpc.NoFile:              "no such file",
	xmlrpc.NotExecutable:       "file not executable",
	xmlrpc.AlreadyStarted:      "already started",
	xmlrpc.SpawnError:          "spawn error",
	xmlrpc.AbnormalTermination: "abnormal termination",
}

// showStatus lists every process.
func (s *Server) showStatus(w http.ResponseWriter, r *http.Request) {
	all, err := s.opt.Processes.Snapshot(r.Context())
	if err == nil {
		const perRow = 1 << 10 // bytes, about
		err = accountOf(r.Context()).take(r.Context(), int64(len(all))*perRow)
	}
	if err != nil {
		s.pageError(w, err)
		return
	}
	rows := make([]statusRow, len(all))
	for i, p := range all {
		name := namespec(p.Group, p.Name)
		rows[i] = statusRow{
			Class: statusClass(p.State), State: strings.ToLower(p.State.String()),
			Description: describe(p), Name: name, Tail: "tail.html?processname=" + pyQuote(name), Actions: actions(p.State, self(r), pyQuote(name)),
		}
		if i%2 == 1 {
			rows[i].Shade = "shade"
		}
	}
	s.render(w, r, http.StatusOK, "status.html", map[string]any{
		"Message": r.Form.Get("message"), "Rows": rows, "Self": self(r), "Version": s.opt.Version, "Year": time.Now().Year(),
		"Invalid": invalidReasons(s.opt.Config.ConfigFiles()),
	})
}

// invalidReasons are what the page says of files that cannot be used: for each why,
// and how many more there are than it has room for.
func invalidReasons(files []ConfigFile) (lines []string) {
	const most = 10
	invalid := 0
	for _, f := range files {
		if f.State != fileInvalid {
			continue
		}
		if invalid++; invalid <= most {
			lines = append(lines, "invalid: "+cmp.Or(f.Reason, f.Path))
		}
	}
	if invalid > most {
		lines = append(lines, fmt.Sprintf("%d more files are invalid: supervisorctl files", invalid-most))
	}
	return lines
}

func statusClass(p state.Process) string {
	switch p {
	case state.Running:
		return "statusrunning"
	case state.Fatal, state.Backoff:
		return "statuserror"
	}
	return "statusnominal"
}

// actions are what a process in a state offers; page is where they are, and name is quoted
// for a URL.
func actions(p state.Process, page, name string) []action {
	post := func(label, act string) action {
		return action{Name: label, Post: page + "?processname=" + name + "&action=" + act}
	}
	first, second := action{}, action{}
	switch p {
	case state.Running:
		first, second = post("Restart", "restart"), post("Stop", "stop")
	case state.Stopped, state.Exited, state.Fatal:
		first = post("Start", "start")
	}
	return []action{
		first, second, post("Clear Log", "clearlog"),
		{Name: "Tail -f Stdout", Href: "logtail/" + name},
		{Name: "Tail -f Stderr", Href: "logtail/" + name + "/stderr"},
	}
}

// serveTail shows the end of a process's standard output.
func (s *Server) serveTail(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		httpError(w, http.StatusBadRequest)
		return
	}
	name := r.Form.Get("processname")
	limit, err := strconv.ParseInt(r.Form.Get("limit"), 10, 64)
	if err != nil || limit < tailBytes {
		limit = tailBytes
	}
	const most = 8 << 20 // bytes; a page is no download
	limit = min(limit, most)
	page := map[string]any{"Name": name, "Text": "No process name found", "Limit": limit}
	if name == "" {
		page["Name"] = "None"
	} else {
		text, err := s.tailText(r.Context(), name, limit)
		if err != nil {
			s.pageError(w, err)
			return
		}
		page["Text"] = text
		page["Refresh"] = "tail.html?processname=" + pyQuote(name) + "&limit=" + strconv.FormatInt(limit, 10)
	}
	s.render(w, r, http.StatusOK, "tail.html", page)
}

// tailText is the end of a process's log as the page shows it. The error is a want
// of memory.
func (s *Server) tailText(ctx context.Context, name string, limit int64) (string, error) {
	info, err := s.processArg(ctx, Args{name})
	if err != nil {
		message, err := actionMessage("", toFault(err, name))
		if err != nil {
			message = err.Error()
		}
		return "ERROR: " + message, nil
	}
	if info.StdoutLog == "" {
		return "No file for " + name, nil
	}
	text, err := s.openText(ctx, info.StdoutLog, func() (*logfile.Part, error) { return logfile.OpenPart(info.StdoutLog, -limit, 0) })
	whole := ""
	if err == nil {
		whole, err = s.wholeText(ctx, text)
	}
	switch {
	case err == nil || memoryFault(err) != nil:
		return whole, err
	case errors.Is(err, fs.ErrNotExist):
		return "No file for " + name, nil
	}
	return "ERROR: unexpected rpc fault [30] FAILED", nil
}

// wholeText reads a part of a log for a page, and closes it.
func (s *Server) wholeText(ctx context.Context, text *logText) (string, error) {
	defer accountOf(ctx).closeNow(text)
	const copies = 4 // as bytes, as text, as valid text, and as HTML
	if err := accountOf(ctx).take(ctx, copies*text.size()); err != nil {
		return "", err
	}
	data := make([]byte, 0, text.size())
	if err := text.read(ctx, func(p []byte) error { data = append(data, p...); return nil }); err != nil {
		return "", err
	}
	return strings.ToValidUTF8(string(data), "\uFFFD"), nil
}

// render writes a page.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	page := newDocument(r.Context())
	if err := pages().ExecuteTemplate(page, name, data); err != nil {
		s.pageError(w, err)
		return
	}
	noCache(w)
	protect(w)
	page.send(w, status, "text/html;charset=utf-8")
}

// pageError says that a page cannot be shown.
func (s *Server) pageError(w http.ResponseWriter, err error) {
	if memoryFault(err) != nil {
		httpErrorMessage(w, http.StatusServiceUnavailable, "Service Unavailable: "+err.Error())
		return
	}
	s.log.Error(fmt.Sprintf("Web interface error:%v", err))
	httpError(w, http.StatusInternalServerError)
}

func noCache(w http.ResponseWriter) {
	w.Header().Set("Pragma", "no-cache")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")
}

// protect keeps a page from being framed, and from running anything: our pages
// have no script.
func protect(w http.ResponseWriter) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
}

// pyQuote is a text as Python quotes it for a URL: everything but ASCII letters,
// digits and "_.-~/" becomes %XX.
func pyQuote(s string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~/"
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(plain, s[i]) >= 0 {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	return b.String()
}

// types are the content types of our own files, whatever the machine says.
var types = map[string]string{".css": "text/css", ".png": "image/png", ".gif": "image/gif", ".html": "text/html",
	".js": "text/javascript;charset=utf-8", ".svg": "image/svg+xml"}

// serveFile serves our own files.
func (hs *httpServer) serveFile(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		httpError(w, http.StatusBadRequest)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	info, err := fs.Stat(ui, name)
	switch {
	case err != nil || strings.HasSuffix(r.URL.Path, "/"):
		httpError(w, http.StatusNotFound)
		return
	case info.IsDir():
		w.Header().Set("Location", hs.baseURL(r)+"/"+name+"/")
		httpError(w, http.StatusMovedPermanently)
		return
	}
	data, err := fs.ReadFile(ui, name)
	if err != nil {
		httpError(w, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", types[path.Ext(name)])
	if packed, there := packedFiles()[name]; there {
		w.Header().Set("Cache-Control", "no-cache") // of another release they fit another page
		w.Header().Set("Vary", "Accept-Encoding")
		if takesGzip(r) {
			w.Header().Set("Content-Encoding", "gzip")
			data = packed
		}
	}
	http.ServeContent(w, r, name, hs.server.started, strings.NewReader(string(data)))
}
