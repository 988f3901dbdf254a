package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"supervisord/cmd/internal/oracle"
	"supervisord/rpc/xmlrpc"
	"supervisord/runtime/state"
	"supervisord/spec/value"
)

// script is a server that gives the answers a test wants and keeps a record of
// what it was asked.
type script struct {
	answers map[string]any // by method; a value, a *xmlrpc.Fault or an http.HandlerFunc

	wrap   http.HandlerFunc                  // serves everything instead, if set
	stream http.HandlerFunc                  // serves GET, if set
	onCall func(method string, params []any) // is told of each call, if set

	mu    sync.Mutex
	calls []string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.wrap != nil:
		s.wrap(w, r)
		return
	case r.Method != http.MethodPost && s.stream != nil:
		s.stream(w, r)
		return
	case r.Method != http.MethodPost:
		http.NotFound(w, r)
		return
	}
	method, params, err := decodeCall(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.record(method, params)
	if s.onCall != nil {
		s.onCall(method, params)
	}
	answer, known := s.answers[method]
	if !known && method == "supervisor.getVersion" {
		answer, known = "3.0", true
	}
	if !known {
		answer = xmlrpc.NewFault(xmlrpc.UnknownMethod, "")
	}
	switch answer := answer.(type) {
	case http.HandlerFunc:
		answer(w, r)
	case *xmlrpc.Fault:
		reply(w, xmlrpc.EncodeFault(answer))
	default:
		body, err := response(answer)
		if err != nil {
			panic(err)
		}
		reply(w, body)
	}
}

// reply is what the original's client needs: a length, and the type it checks.
func reply(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.Write(body)
}

// record notes a call of Supervisor's. Left out are the up-check, which the
// original repeats as it likes, a call that is made again because of a 401, and
// the reconcile namespace, which is not the original's to know.
func (s *script) record(method string, params []any) {
	short, ok := strings.CutPrefix(method, "supervisor.")
	if !ok || short == "getVersion" {
		return
	}
	var words []string
	for _, p := range params {
		words = append(words, fmt.Sprintf("%#v", p))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	call := short + "(" + strings.Join(words, ", ") + ")"
	if n := len(s.calls); n > 0 && s.calls[n-1] == call {
		return
	}
	s.calls = append(s.calls, call)
}

// recorded is every call that was noted.
func (s *script) recorded() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.calls, " ")
}

// serve starts the script on a unix socket and returns its path.
func (s *script) serve(t *testing.T) string {
	t.Helper()
	path := filepath.Join(shortDir(t), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: s}}
	server.Start()
	t.Cleanup(server.Close)
	return path
}

// shortDir is a directory whose name is short enough for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// answered is one command and what the server answers to it.
type answered struct {
	command string
	answers map[string]any
	stdin   string
	options string // before the command
	// differs says in a sentence why ours is meant to differ; our output is then
	// in the golden file beside the original's.
	differs string
}

func fault(code xmlrpc.Code, extra string) *xmlrpc.Fault { return xmlrpc.NewFault(code, extra) }

func answers(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m["supervisor."+pairs[i].(string)] = pairs[i+1]
	}
	return m
}

func results(codes ...xmlrpc.Code) []any {
	var all []any
	for i, code := range codes {
		text := "OK"
		if code != xmlrpc.Success {
			text = fault(code, "g:p").Text
		}
		all = append(all, xmlrpc.Struct{
			{Name: "name", Value: fmt.Sprint("p", i)}, {Name: "group", Value: "g"},
			{Name: "status", Value: code}, {Name: "description", Value: text},
		})
	}
	return all
}

func info(group, name string, state int, statename, description string, pid int) xmlrpc.Struct {
	return xmlrpc.Struct{
		{Name: "name", Value: name}, {Name: "group", Value: group}, {Name: "state", Value: state},
		{Name: "statename", Value: statename}, {Name: "description", Value: description},
		{Name: "pid", Value: pid}, {Name: "start", Value: 1}, {Name: "stop", Value: 0}, {Name: "now", Value: 5},
		{Name: "exitstatus", Value: 0}, {Name: "spawnerr", Value: ""}, {Name: "logfile", Value: ""},
		{Name: "stdout_logfile", Value: ""}, {Name: "stderr_logfile", Value: ""},
	}
}

// processes has one process in every state.
func processes() []any {
	return []any{
		info("a", "a", 0, "STOPPED", "Not started", 0),
		info("b", "b", 10, "STARTING", "", 11),
		info("b", "c", 20, "RUNNING", "pid 12, uptime 0:00:01", 12),
		info("d", "d", 30, "BACKOFF", "Exited too quickly (process log may have details)", 0),
		info("e", "e", 40, "STOPPING", "", 13),
		info("f", "f", 100, "EXITED", "Nov 22 06:14 AM", 0),
		info("g", strings.Repeat("long", 12), 200, "FATAL", "can't parse command 'ö'", 0),
		info("h", "h", 1000, "UNKNOWN", "", 0),
	}
}

func configured(group, name string, inuse, autostart bool, groupPrio, prio int) xmlrpc.Struct {
	return xmlrpc.Struct{
		{Name: "name", Value: name}, {Name: "group", Value: group}, {Name: "inuse", Value: inuse},
		{Name: "autostart", Value: autostart}, {Name: "group_prio", Value: groupPrio},
		{Name: "process_prio", Value: prio}, {Name: "exitcodes", Value: []int{0}},
	}
}

func changed(added, changed, removed []string) []any { return []any{[]any{added, changed, removed}} }

// updatingAnswers answers a whole update of several groups.
func updatingAnswers(pairs ...any) map[string]any {
	m := answers("reloadConfig", changed([]string{"new", "fresh"}, []string{"edited"}, []string{"gone", "lost"}),
		"stopProcessGroup", results(xmlrpc.Success), "removeProcessGroup", true, "addProcessGroup", true,
		"getAllProcessInfo", []any{info("edited", "p", 20, "RUNNING", "", 1), info("gone", "gone", 20, "RUNNING", "", 1)})
	for method, answer := range answers(pairs...) {
		m[method] = answer
	}
	return m
}

// answeredRows is every fault at every command, and the answers that no real
// server gives on demand.
func answeredRows() []answered {
	var rows []answered
	add := func(command string, answers map[string]any) {
		rows = append(rows, answered{command: command, answers: answers})
	}
	for _, code := range xmlrpc.Codes {
		f := fault(code, "x")
		add("start cat", answers("startProcess", f))
		add("stop g:cat", answers("stopProcess", f))
		add("signal HUP cat", answers("signalProcess", f))
		add("clear cat", answers("clearProcessLogs", f))
		add("start all", answers("startAllProcesses", results(code, xmlrpc.Success)))
		add("stop g:*", answers("stopProcessGroup", results(xmlrpc.Success, code)))
	}
	for _, code := range []xmlrpc.Code{
		xmlrpc.UnknownMethod, xmlrpc.ShutdownState, xmlrpc.BadName, xmlrpc.NoFile, xmlrpc.Failed,
		xmlrpc.AlreadyAdded, xmlrpc.StillRunning, xmlrpc.CantReread,
	} {
		f := fault(code, "it's \"x\"\\\té\x7f")
		add("status", answers("getAllProcessInfo", f))
		add("pid", answers("getPID", f))
		add("pid cat two", answers("getProcessInfo", f))
		add("tail cat", answers("readProcessStdoutLog", f))
		add("maintail", answers("readLog", f))
		add("avail", answers("getAllConfigInfo", f))
		add("reread", answers("reloadConfig", f))
		add("update", answers("reloadConfig", f))
		add("add x y", answers("addProcessGroup", f))
		add("remove x y", answers("removeProcessGroup", f))
		add("reload", answers("restart", f))
		add("shutdown", answers("shutdown", f))
		add("version", answers("getSupervisorVersion", f))
		add("start g:*", answers("startProcessGroup", f))
	}
	every := answers("getAllProcessInfo", processes(), "getProcessInfo", info("a", "a", 20, "RUNNING", "", 3))
	for _, names := range []string{
		"", " a", " b", " b:*", " b:", " b:c", " a:a", " b b:c b:c", " nope a", " nope nope:* c", " :", " :x", " a:*",
		" all", " nope all", " b:c nope", " e d", " f", " g:*", " h nope", " b:b:c", "\tb:c  \t a",
	} {
		add("status"+names, every)
	}
	add("pid all", every)
	add("pid a", every)
	add("pid a all", every)
	add("status", answers("getAllProcessInfo", []any{}))
	add("avail", answers("getAllConfigInfo", []any{
		configured("a", "a", true, true, 999, 999), configured("g", "b", false, false, -1, 7),
		configured("g", strings.Repeat("long", 12), true, false, 1, 1)}))
	add("reread", answers("reloadConfig", changed(nil, nil, nil)))
	add("reread", answers("reloadConfig", changed([]string{"z", "a"}, []string{"y", "b"}, []string{"x", "c"})))
	for _, names := range []string{"", " all", " gone", " new gone", " nope", " nope edited", " nope all", " edited:*"} {
		add("update"+names, updatingAnswers())
	}
	add("update", updatingAnswers("stopProcessGroup", results(xmlrpc.Failed, xmlrpc.Success)))
	add("update", updatingAnswers("stopProcessGroup", fault(xmlrpc.BadName, "g")))
	add("update", updatingAnswers("removeProcessGroup", fault(xmlrpc.StillRunning, "g")))
	add("update edited", updatingAnswers("removeProcessGroup", fault(xmlrpc.StillRunning, "edited")))
	add("update", updatingAnswers("addProcessGroup", fault(xmlrpc.AlreadyAdded, "g")))
	add("update", answers("reloadConfig", changed(nil, nil, nil)))
	for _, command := range []string{"status", "start x", "tail -f x", "version", "fg x", "maintail -f", "restart x"} {
		add(command, answers("getVersion", "2.9"))
		add(command, answers("getVersion", fault(xmlrpc.UnknownMethod, "")))
		add(command, answers("getVersion", fault(xmlrpc.ShutdownState, "")))
	}
	add("restart a b:*", answers("stopProcess", fault(xmlrpc.NotRunning, "a"), "startProcess", true,
		"stopProcessGroup", results(xmlrpc.Success, xmlrpc.Success), "startProcessGroup", results(xmlrpc.Success, xmlrpc.SpawnError)))
	add("restart all", answers("stopAllProcesses", results(xmlrpc.Success), "startAllProcesses", results(xmlrpc.Success)))
	add("signal 9 all", answers("signalAllProcesses", results(xmlrpc.Success, xmlrpc.BadSignal)))
	add("signal 9 g:* a", answers("signalProcessGroup", results(xmlrpc.BadSignal), "signalProcess", true))
	add("clear all", answers("clearAllProcessLogs", results(xmlrpc.Success, xmlrpc.Failed)))
	for _, tail := range []string{
		"a", "-5 a", "--5 a", "-0 a", "-+7 a stderr", "-1_0 a", "-1__0 a", "-_1 a", "-1_ a", "-x a nope", "-x a", "- a",
		"a STDOUT", "a b c", "-f a b c d", "-f", "-5", "a b", "-5 a stderr extra", "-5 a b stderr", "-f a bad",
	} {
		add("tail "+tail, answers("readProcessStdoutLog", "out\n", "readProcessStderrLog", "err"))
	}
	for _, tail := range []string{"", " -5", " --5", " 5", " -x", " -", " a b", " -f x", " -1_0"} {
		add("maintail"+tail, answers("readLog", "line é\n"))
	}
	for _, fg := range []string{"a", "a:*", "", "a b"} {
		add("fg "+fg, answers("getProcessInfo", info("a", "a", 10, "STARTING", "", 3)))
	}
	add("fg a", answers("getProcessInfo", fault(xmlrpc.BadName, "a")))
	add("fg a", answers("getProcessInfo", fault(xmlrpc.Failed, "a")))
	add("pid a b:c", answers("getProcessInfo", info("a", "a", 0, "STOPPED", "", 0)))
	for _, command := range []string{
		"help", "help help", "help nope", "help EOF", "?", "?pid", "? pid", "!ls", "bogus", "status;version", "Status", "1x",
		"_", "quit", "exit now", "EOF", "open", "open foo", "open unix:", "open http", "add", "remove", "shutdown x",
		"reload x", "version x", "avail x", "reread x", "start", "stop", "restart", "signal", "signal HUP", "clear",
		"help add", "help avail", "help clear", "help exit", "help fg", "help maintail", "help open", "help pid", "help quit",
		"help reload", "help remove", "help reread", "help restart", "help shutdown", "help signal", "help start",
		"help status", "help stop", "help tail", "help update", "help version", "help help me", "unknown\tx", "é",
	} {
		add(command, answers("startProcess", true))
	}
	rows = append(rows, answered{command: "clear g:*", differs: "the original prints None for the process",
		answers: answers("clearProcessLogs", fault(xmlrpc.BadName, "g:*"))})
	rows = append(rows, answered{command: "start a", differs: "the original knows of no upgrade, and shows a ValueError",
		answers: answers("startProcess", fault(xmlrpc.Failed, state.Upgrading))})
	for _, answer := range []struct {
		stdin   string
		command string
	}{{"y\n", "shutdown"}, {"Yes", "reload"}, {"n\n", "shutdown"}, {"", "reload"}, {"\n", "reload"}} {
		rows = append(rows, answered{command: answer.command, stdin: answer.stdin, options: "-i",
			answers: answers("shutdown", true, "restart", true)})
	}
	rows = append(rows, answered{stdin: "version\n  \n\nstart a\nstop nope\n?open\nbogus x\nshutdown\nno\nversion", answers: answers(
		"getAllProcessInfo", processes(), "getSupervisorVersion", "4.2.5", "startProcess", true,
		"stopProcess", fault(xmlrpc.BadName, "nope"))})
	rows = append(rows, answered{stdin: "quit now\nversion\n", answers: answers("getAllProcessInfo", []any{})})
	rows = append(rows, answered{stdin: "reload\ny\nEOF\nversion\n", answers: answers("getAllProcessInfo", []any{}, "restart", true)})
	return append(rows, brokenRows()...)
}

// brokenRows are servers that answer HTTP, and not as they should.
func brokenRows() []answered {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	hangUp := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		conn.Close()
	})
	var rows []answered
	for _, broken := range []http.HandlerFunc{status(401), status(404), status(500), hangUp} {
		rows = append(rows,
			answered{command: "status", answers: answers("getVersion", broken)},
			answered{command: "start a", answers: answers("startProcess", broken)},
			answered{command: "update", answers: answers("reloadConfig", broken)},
			answered{command: "shutdown", answers: answers("shutdown", broken)})
	}
	return rows
}

// TestAnswers holds output, exit status, and the calls that the server saw.
func TestAnswers(t *testing.T) {
	t.Parallel()
	var rows []goldenRow
	for _, row := range answeredRows() {
		rows = append(rows, goldenRow{name: row.command, differs: row.differs, play: row.play})
	}
	holdAgainst(t, "testdata/answers.txt", rows)
}

// play runs the row's command and returns what there was to see.
func (row answered) play(t *testing.T, kind oracle.Kind) string {
	t.Helper()
	s := &script{answers: row.answers}
	socket := s.serve(t)
	args := append([]string{"-s", "unix://" + socket}, strings.Fields(row.options)...)
	if row.command != "" {
		args = append(args, row.command)
	}
	out := ctl(t, kind, filepath.Dir(socket), row.stdin, args...)
	var b strings.Builder
	fmt.Fprintf(&b, "$ supervisorctl %s\n", strings.Join(args[2:], " "))
	if row.stdin != "" {
		fmt.Fprintf(&b, "stdin %q\n", row.stdin)
	}
	var methods []string
	for method, answer := range row.answers {
		if f, ok := answer.(*xmlrpc.Fault); ok {
			methods = append(methods, fmt.Sprintf("fault %s %d %s\n", method, f.Code, value.PyRepr(f.Text)))
		}
	}
	slices.Sort(methods)
	b.WriteString(strings.Join(methods, ""))
	b.WriteString(oracle.Normaliser{}.Text(strings.ReplaceAll(out.String(), socket, "<sock>")))
	fmt.Fprintf(&b, "calls %s\n", s.recorded())
	return b.String()
}

// response is the document that answers a call with v.
func response(v any) ([]byte, error) {
	b, err := xmlrpc.AppendValue(xmlrpc.AppendResponseStart(nil), v)
	return xmlrpc.AppendResponseEnd(b), err
}

// decodeCall reads a call.
func decodeCall(r io.Reader) (method string, params []any, err error) {
	doc, err := io.ReadAll(r)
	if err != nil {
		return "", nil, err
	}
	return xmlrpc.CallOptions{}.Decode(string(doc))
}
