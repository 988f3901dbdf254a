package rpc

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/runtime/state"
)

// fakeReconciler says of one file that it is invalid.
type fakeReconciler struct {
	file   string
	id     string   // of what an update would do
	held   string   // why that waits for a person
	ended  []string // by it
	result string   // how an update fails, "" for none
	did    *[]string
}

func (r fakeReconciler) State(context.Context) (xmlrpc.Struct, error) {
	return xmlrpc.Struct{{Name: "phase", Value: "invalid"}, {Name: "generation", Value: 7}, {Name: "since", Value: int64(1)}, {Name: "autoupdate", Value: true}}, nil
}

func (r fakeReconciler) Diff(context.Context, []string) ([]any, error) {
	return []any{xmlrpc.Struct{
		{Name: "action", Value: "restart"}, {Name: "group", Value: "cat"}, {Name: "process", Value: "cat"}, {Name: "reason", Value: "command changed"},
		{Name: "changes", Value: []any{xmlrpc.Struct{{Name: "key", Value: "command"}, {Name: "old", Value: script}, {Name: "new", Value: "b"}}}},
	}}, nil
}

func (r fakeReconciler) Apply(_ context.Context, names []string) (xmlrpc.Struct, error) {
	if r.did != nil {
		*r.did = append(*r.did, "apply")
	}
	if r.result != "" {
		return xmlrpc.Struct{{Name: "ok", Value: false}, {Name: "result", Value: r.result}}, nil
	}
	return xmlrpc.Struct{{Name: "ok", Value: true}, {Name: "lines", Value: []any{"cat: updated process group"}}}, nil
}

func (r fakeReconciler) Plan(ctx context.Context, names []string, _ string) (xmlrpc.Struct, error) {
	actions, err := r.Diff(ctx, names)
	ended := []any{}
	for _, name := range r.ended {
		ended = append(ended, name)
	}
	return xmlrpc.Struct{{Name: "plan", Value: r.id}, {Name: "actions", Value: actions},
		{Name: "reach", Value: xmlrpc.Struct{{Name: "ended", Value: ended}, {Name: "held", Value: r.held}}}}, err
}

func (r fakeReconciler) ApplyPlan(ctx context.Context, plan string, names []string) (xmlrpc.Struct, error) {
	if plan == "moving" { // just now
		return nil, faultWith(xmlrpc.Conflict, "moved")
	}
	return r.Apply(ctx, names)
}

func (r fakeReconciler) Files(context.Context) ([]any, error) {
	return []any{xmlrpc.Struct{
		{Name: "path", Value: r.file}, {Name: "state", Value: "invalid"}, {Name: "reason", Value: r.file + ":2: [program:x] " + script},
		{Name: "warnings", Value: []any{script}}, {Name: "programs", Value: []any{"cat"}},
	}}, nil
}

func (r fakeReconciler) History(context.Context, int) ([]any, error) {
	return []any{xmlrpc.Struct{{Name: "generation", Value: 7}, {Name: "trigger", Value: "update"}, {Name: "caller", Value: script}, {Name: "actions", Value: []any{script}}, {Name: "result", Value: "applied"}},
		xmlrpc.Struct{{Name: "generation", Value: 6}, {Name: "revertible", Value: true}}, xmlrpc.Struct{{Name: "generation", Value: 5}, {Name: "revertible", Value: false}}}, nil
}

func (fakeReconciler) Generation(_ context.Context, number int) (xmlrpc.Struct, error) {
	if number != 7 {
		return nil, faultWith(xmlrpc.BadName, "no such generation: the last one is 7")
	}
	return xmlrpc.Struct{{Name: "generation", Value: number}}, nil
}

func (fakeReconciler) DiffGenerations(_ context.Context, from, to int) ([]any, error) {
	return []any{from, to}, nil
}

func (r fakeReconciler) SetAutoupdate(context.Context, bool) error { return nil }
func (fakeReconciler) Unpin(context.Context, string) error         { return nil }
func (r fakeReconciler) Revert(ctx context.Context, target string) (xmlrpc.Struct, error) {
	return r.Apply(ctx, []string{target})
}

// script is what must never reach a browser as it is.
const script = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`

func states(all []runtime.Info) string {
	var b strings.Builder
	for _, p := range all {
		fmt.Fprintln(&b, p.Group, p.Name, p.State)
	}
	return b.String()
}

// TestScriptIsText: nothing that programs, files or clients say is ever part of a page but
// as text, and no page may run or load what is not ours.
func TestScriptIsText(t *testing.T) {
	w, o := unixOnly(t)
	dir := filepath.Dir(o.Servers[0].Path)
	source := filepath.Join(dir, "x.ini")
	if err := os.WriteFile(source, []byte("[program:x]\ncommand="+script+"\nenvironment=\n  TOKEN=\"geheim\",\n; prod\n\n\u00a0 MORE=\"geheim\",\nDB=\"geheim\"\npriority=high\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Extra = []Namespace{ReconcileNamespace(fakeReconciler{file: source})}
	w.progress = Progress{Phase: "invalid", Generation: 7, Autoupdate: true, Reason: script}
	w.procs[0].Name, w.procs[0].Group, w.procs[0].State, w.procs[0].SpawnErr = script, script, state.Fatal, script
	w.procs[1].LastEnd = &runtime.End{How: script}
	w.procs[2].Listener = &runtime.ListenerInfo{}
	w.procs[2].Probed = &runtime.ProbeInfo{Health: "failing", Complaint: script}
	w.procs[3].State, w.procs[3].Waiting = state.Stopped, script
	cat := w.procs[1]
	cat.Runs = []runtime.Run{{PID: 7, Start: time.Now(), End: time.Now(), How: script}}
	if err := os.WriteFile(cat.StdoutLog, []byte("ERROR "+script+"\x1b[31m\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := dial(t, serve(t, o), 0)
	for _, path := range []string{
		"/", "/?message=" + url.QueryEscape(script), "/?state=" + url.QueryEscape(script) + "&q=" + url.QueryEscape(script) + "&sort=" + url.QueryEscape(script),
		"/process?name=cat", "/process?name=" + url.QueryEscape(script+":"+script), "/process?name=cat&stream=" + url.QueryEscape(script) + "&q=" + url.QueryEscape(script),
		"/files", "/listeners", "/classic.html",
	} {
		resp, body := c.do(t, "GET", path, "", "Accept", "text/html")
		policy := resp.Header.Get("Content-Security-Policy")
		if resp.StatusCode != 200 || resp.Header.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %s %v", path, resp.Status, resp.Header)
		}
		if strings.Contains(body, "<script>") || strings.Contains(body, "<img src=x") || strings.Contains(body, " style=") || strings.Contains(body, "<style") ||
			strings.Contains(body, "geheim") || strings.Contains(body, "\x1b") {
			t.Errorf("%s: %s", path, body)
		}
	}
	if _, body := c.do(t, "GET", "/files", ""); !strings.Contains(body, `class="wrong"`) || !strings.Contains(body, "environment= ***") {
		t.Errorf("the line with the mistake is not shown: %s", body)
	}
	resp, _ := c.do(t, "GET", "/log?name=cat", "")
	if resp.Header.Get("Content-Type") != "text/plain;charset=utf-8" || resp.Header.Get("X-Content-Type-Options") != "nosniff" ||
		resp.Header.Get("Content-Disposition") != `attachment; filename="cat-stdout.log"` {
		t.Errorf("a log: %v", resp.Header)
	}
}

// TestLogLinks: a log is had by the name of its process, and by nothing that is a path.
func TestLogLinks(t *testing.T) {
	_, o := unixOnly(t)
	c := dial(t, serve(t, o), 0)
	for _, name := range []string{"", "nope", "../../etc/passwd", "/etc/passwd", "cat/../nolog", "..%2f..%2fetc%2fpasswd", "two:*", "cat\x00", "nolog"} {
		if resp, body := c.do(t, "GET", "/log?name="+url.QueryEscape(name), ""); resp.StatusCode != 404 || strings.Contains(body, "root:") {
			t.Errorf("%q: %s %s", name, resp.Status, body)
		}
	}
	for _, query := range []string{"stream=/etc/passwd", "stream=../x"} {
		if resp, body := c.do(t, "GET", "/log?name=cat&"+query, ""); resp.StatusCode != 200 || body != "start\n" || strings.Contains(resp.Header.Get("Content-Disposition"), "/") {
			t.Errorf("%s: %s %q %v", query, resp.Status, body, resp.Header)
		}
	}
	for _, from := range []string{"-1", "x", "9223372036854775808"} {
		if resp, _ := c.do(t, "GET", "/log?name=cat&from="+from, ""); resp.StatusCode != 400 {
			t.Errorf("from %s: %s", from, resp.Status)
		}
	}
	for _, path := range []string{"/page.css", "/page.js", "/icon.svg"} {
		if resp, _ := c.do(t, "GET", path, ""); resp.StatusCode != 200 {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

// TestBoardActs: what the pages' forms do, and what they say of it, to people and to the script.
func TestBoardActs(t *testing.T) {
	for _, tc := range []struct {
		form string
		ok   bool
		says string // of a question too
	}{
		{"do=stop+cat", true, "cat stopped"},
		{"do=start+badcmd", false, "badcmd: no such file"},
		{"do=start+cat", false, "cat: already started"},
		{"do=restart+two:two_00", true, "two:two_00 restarted"},
		{"do=restart+stopped", true, "stopped restarted"},
		{"do=roll+two:*", true, "Restart, one after another, the group two?"},
		{"do=roll+two:*&confirm=yes", true, "The group two restarted one after another"},
		{"do=stop", true, "Stop all processes?"},
		{"do=stop&confirm=yes", true, "All processes stopped"},
		{"do=stop&name=cat&name=nolog", true, "Stop 2 processes?"},
		{"do=stop&name=cat&name=nolog&confirm=yes", true, "2 processes asked to stop"},
		{"do=stop&name=cat&name=stopped&confirm=yes", false, "stopped: not running"},
		{"do=signal+cat&signal=HUP", true, "cat signalled"},
		{"do=signal+cat&signal=NOPE", false, "cat: NOPE"},
		{"do=signal&name=cat&name=nolog&signal=HUP", true, "Send HUP to 2 processes?"},
		{"do=signal&name=cat&name=nolog&signal=HUP&confirm=yes", true, "2 processes signalled"},
		{"do=clear+cat", true, "cat cleared of logs"},
		{"do=stop+nope", false, "nope: bad name"},
		{"do=update", true, "cat: updated process group"},
		{"do=revert+7", true, "Take all files back to what they were in update 7?"},
		{"do=revert+7&confirm=yes", true, "cat: updated process group"},
		{"do=unpin+/etc/x.ini", true, "/etc/x.ini is in force again"},
		{"do=freeze", true, "Automatic updates are off until the daemon is restarted"},
	} {
		t.Run(tc.form, func(t *testing.T) {
			for _, accept := range []string{"text/html", "application/json"} {
				w, o := unixOnly(t) // anew: what was done is done
				o.Extra = []Namespace{ReconcileNamespace(fakeReconciler{})}
				c := dial(t, serve(t, o), 0)
				before, _ := w.Snapshot(t.Context())
				resp, body := c.do(t, "POST", "/act", tc.form, "Content-Type", "application/x-www-form-urlencoded", "Accept", accept)
				question := strings.HasSuffix(tc.says, "?")
				if after, _ := w.Snapshot(t.Context()); question && states(after) != states(before) {
					t.Errorf("it did not wait for the answer")
				}
				if accept == "application/json" {
					var said struct {
						OK           bool
						Message, Ask string
					}
					if err := json.Unmarshal([]byte(body), &said); err != nil || said.Message+said.Ask != tc.says || said.OK != (tc.ok && !question) {
						t.Errorf("%v: %s", err, body)
					}
					continue
				}
				message := ""
				if to, err := url.Parse(resp.Header.Get("Location")); err == nil {
					message = to.Query().Get("message")
				}
				if question && (resp.StatusCode != 200 || !strings.Contains(body, tc.says) || !strings.Contains(body, `name="confirm" value="yes"`)) ||
					!question && (resp.StatusCode != 303 || message != tc.says) {
					t.Errorf("%s %q %s", resp.Status, message, body)
				}
			}
		})
	}
}

// TestRollStartsNothing: who restarts a group, or all, one after another starts nothing that
// somebody has stopped.
func TestRollStartsNothing(t *testing.T) {
	for form, says := range map[string]string{
		"do=roll+two:*&confirm=yes":                 "The group two restarted one after another",
		"do=roll&name=cat&name=stopped&confirm=yes": "2 processes restarted one after another",
		"do=roll&confirm=yes":                       "All processes restarted one after another",
		"do=roll+stopped":                           "stopped: not running",
	} {
		w, o := unixOnly(t)
		c := dial(t, serve(t, o), 0)
		c.do(t, "POST", "/act", "do=stop+two:two_01", "Content-Type", "application/x-www-form-urlencoded")
		_, body := c.do(t, "POST", "/act", form, "Content-Type", "application/x-www-form-urlencoded", "Accept", "application/json")
		if !strings.Contains(body, says) {
			t.Errorf("%s: %s", form, body)
		}
		after, err := w.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range after {
			if (p.Name == "two_01" || p.Name == "stopped") && p.State.InRunning() {
				t.Errorf("%s: %s is %v", form, p.Name, p.State)
			}
		}
	}
}

// TestUpdateIsWhatWasShown: the page asks for the plan that it shows, is asked before one that
// ends several or was held, and is told in red of another one and of a failure.
func TestUpdateIsWhatWasShown(t *testing.T) {
	for _, tc := range []struct {
		form string
		r    fakeReconciler
		says string
		done bool
	}{
		{"plan=one", fakeReconciler{id: "one"}, `"message":"cat: updated process group","ok":true`, true},
		{"plan=one", fakeReconciler{id: "two"}, `"message":"Nothing was done: `, false},
		{"plan=one&confirm=yes", fakeReconciler{id: "two"}, `"message":"Nothing was done: `, false},
		{"plan=moving", fakeReconciler{id: "moving"}, `"message":"Nothing was done: `, false},
		{"plan=one", fakeReconciler{id: "one", held: "it removes 3 groups"}, `"ask":"Update, although it removes 3 groups? update: 1 to restart"`, false},
		{"plan=one&confirm=yes", fakeReconciler{id: "one", held: "it removes 3 groups"}, `"ok":true`, true},
		{"plan=one", fakeReconciler{id: "one", ended: []string{"a", "b"}}, `"ask":"Update? It ends 2 processes: 1 to restart"`, false},
		{"plan=one", fakeReconciler{id: "one", ended: []string{"a"}, result: "failed: cat"}, `"message":"failed: cat","ok":false`, true},
		{"", fakeReconciler{id: "one", held: "it removes 3 groups"}, `"ok":true`, true}, // who has seen none
	} {
		w, o := unixOnly(t)
		w.progress = Progress{Phase: "held", Held: 1}
		var did []string
		tc.r.did = &did
		o.Extra = []Namespace{ReconcileNamespace(tc.r)}
		c := dial(t, serve(t, o), 0)
		if _, body := c.do(t, "GET", "/files", "", "Accept", "text/html"); !strings.Contains(body, `name="plan" value="`+tc.r.id+`"`) {
			t.Errorf("%s: the plan is not on the page", tc.form)
		}
		_, body := c.do(t, "POST", "/act", "do=update&"+tc.form, "Content-Type", "application/x-www-form-urlencoded", "Accept", "application/json")
		if !strings.Contains(body, tc.says) || strings.Contains(tc.says, "Nothing") && !strings.Contains(body, `"ok":false`) || (len(did) > 0) != tc.done {
			t.Errorf("%s of %+v: %s %v", tc.form, tc.r, body, did)
		}
	}
}

// TestActsOnWhatIsShown: where a page shows some and none is selected, an action is about
// those; a restart of several starts nothing that is down; logs are cleared each for itself.
func TestActsOnWhatIsShown(t *testing.T) {
	for form, want := range map[string]struct{ says, down string }{
		"do=stop&q=two&confirm=yes":                    {"2 processes asked to stop", "badcmd quick stopped two_00 two_01"},
		"do=stop&state=running&q=cat&confirm=yes":      {"cat stopped", "badcmd cat quick stopped"},
		"do=stop&q=nobody&confirm=yes":                 {"No process is shown", "badcmd quick stopped"},
		"do=stop&q=two":                                {`"names":["two:two_00","two:two_01"]`, "badcmd quick stopped"},
		"do=stop&q=two&name=cat":                       {"cat stopped", "badcmd cat quick stopped"},
		"do=restart&confirm=yes":                       {"All processes restarted", "badcmd quick stopped"},
		"do=restart&name=cat&name=stopped&confirm=":    {"Restart what runs of 2 processes?", "badcmd quick stopped"},
		"do=restart&name=cat&name=stopped&confirm=yes": {"stopped: not running", "badcmd quick stopped"},
		"do=clear+two:*&confirm=yes":                   {"two:two_00: failed; two:two_01: failed", "badcmd quick stopped"},
	} {
		w, o := unixOnly(t)
		w.clearErr = errors.New("no")
		c := dial(t, serve(t, o), 0)
		_, body := c.do(t, "POST", "/act", form, "Content-Type", "application/x-www-form-urlencoded", "Accept", "application/json")
		all, err := w.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var down []string
		for _, p := range all {
			if !p.State.InRunning() {
				down = append(down, p.Name)
			}
		}
		if got := strings.Join(down, " "); !strings.Contains(body, want.says) || got != want.down {
			t.Errorf("%s: %s; down are %s", form, body, got)
		}
	}
}

// TestBoardPanics: a defect in showing a page ends its streams, and not the daemon.
func TestBoardPanics(t *testing.T) {
	w, o := unixOnly(t)
	s := serve(t, o)
	c := dial(t, s, 0)
	first := live(t, c, "page=overview")
	first.event()
	w.mu.Lock()
	all := w.procs
	w.procs = append(slices.Clone(all), nil)
	w.mu.Unlock()
	w.notice.Tell()
	for first.Scan() {
	}
	w.mu.Lock()
	w.procs = all
	w.mu.Unlock()
	if name, _, _ := live(t, c, "page=overview").event(); name != "reload" {
		t.Errorf("afterwards a page is told %s", name)
	}
}

// TestFilesAreTold: a page of the files draws itself anew when anything that is told of them is
// another, though the phase and its reason are the same; and processes are not looked at for it.
func TestFilesAreTold(t *testing.T) {
	w, o := unixOnly(t)
	w.progress = Progress{Phase: "pending", Reason: "1 group would change"}
	o.Extra = []Namespace{ReconcileNamespace(fakeReconciler{})}
	l := live(t, dial(t, serve(t, o), 0), "page=files")
	l.event()
	for range 3 {
		w.mu.Lock()
		w.told++
		w.mu.Unlock()
		w.notice.Tell()
		if name, _, _ := l.event(); name != "parts" {
			t.Errorf("it is told %s", name)
		}
		if name, _, _ := l.event(); name != "reload" {
			t.Errorf("then it is told %s", name)
		}
	}
}

// TestLogInTheStream: a page of a process is sent what is appended to its log in its only
// stream, in whole characters, and of a log that is not there yet once it is.
func TestLogInTheStream(t *testing.T) {
	w, o := unixOnly(t)
	c := dial(t, serve(t, o), 0)
	for _, tc := range []struct{ name, stream, path string }{
		{"cat", "stdout", w.procs[1].StdoutLog}, {"quick", "stdout", w.procs[3].StdoutLog},
	} {
		_, body := c.do(t, "GET", "/process?name="+tc.name, "")
		_, rest, _ := strings.Cut(body, `data-next="`)
		next, rest, _ := strings.Cut(rest, `"`)
		if !strings.HasPrefix(rest, " data-follow") {
			t.Errorf("the log of %s is not followed", tc.name)
		}
		l := live(t, c, "page=process&name="+tc.name+"&stream="+tc.stream+"&from="+next)
		l.event()
		f, err := os.OpenFile(tc.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, piece := range []string{"caf\xc3", "\xa9 <b>\n"} {
			if _, err := f.WriteString(piece); err != nil {
				t.Fatal(err)
			}
			var text string
			name, _, data := l.event()
			if err := json.Unmarshal([]byte(data), &text); err != nil || name != "log" {
				t.Fatalf("%v %s %s", err, name, data)
			}
			got += text
		}
		f.Close()
		if got != "café <b>\n" {
			t.Errorf("%s: %q", tc.name, got)
		}
		l.stop()
	}
}

// TestJoinsTogether: while one draws the first, others wait for it as long as they like.
func TestJoinsTogether(t *testing.T) {
	_, o := unixOnly(t)
	s := serve(t, o)
	s.board.first = make(chan struct{}) // somebody draws
	late, stop := context.WithCancel(t.Context())
	stop()
	if _, _, err := s.board.join(late); !errors.Is(err, context.Canceled) {
		t.Errorf("one who has gone is told %v", err)
	}
	joined := make(chan error)
	go func() {
		_, _, err := s.board.join(t.Context())
		joined <- err
	}()
	s.board.mu.Lock()
	close(s.board.first)
	s.board.first = nil
	s.board.mu.Unlock()
	if err := <-joined; err != nil {
		t.Error(err)
	}
	s.board.leave()
}

// TestRevertIsOffered: for an update to which one can go back, and for no other.
func TestRevertIsOffered(t *testing.T) {
	w, o := unixOnly(t)
	w.progress.Phase = "synced"
	o.Extra = []Namespace{ReconcileNamespace(fakeReconciler{})}
	_, body := dial(t, serve(t, o), 0).do(t, "GET", "/files", "", "Accept", "text/html")
	for number, want := range map[int]bool{7: false, 6: true, 5: false} {
		if offered := strings.Contains(body, fmt.Sprintf(`value="revert %d"`, number)); offered != want {
			t.Errorf("update %d: %v", number, offered)
		}
	}
}

// TestBoardIsNotOpenToOthers: a page of another origin changes nothing, asks nothing, and a
// GET does nothing.
func TestBoardIsNotOpenToOthers(t *testing.T) {
	w, o := unixOnly(t)
	c := dial(t, serve(t, o), 0)
	before, _ := w.Snapshot(t.Context())
	for _, header := range [][]string{
		{"Origin", "http://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Origin", "null"}, {"User-Agent", "Mozilla/5.0", "Referer", "http://evil.example/"},
	} {
		resp, _ := c.do(t, "POST", "/act", "do=stop+cat", append(header, "Content-Type", "application/x-www-form-urlencoded")...)
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%v: %s", header, resp.Status)
		}
	}
	if resp, _ := c.do(t, "GET", "/act?do=stop+cat", ""); resp.StatusCode != 405 || resp.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %s", resp.Status)
	}
	if resp, _ := c.do(t, "POST", "/act", "do=explode+cat", "Content-Type", "application/x-www-form-urlencoded"); resp.StatusCode != 400 {
		t.Errorf("what there is not: %s", resp.Status)
	}
	for _, form := range []string{
		"do=revert+<b>7</b>", "do=revert+0", "do=revert+-1", "do=revert+7%0a8", "do=revert+", "do=signal&signal=<b>HUP</b>", "do=signal&signal=NOPE", "do=signal",
	} {
		resp, body := c.do(t, "POST", "/act", form, "Content-Type", "application/x-www-form-urlencoded")
		if resp.StatusCode != 400 || strings.Contains(body, "<b>") {
			t.Errorf("%s: %s %s", form, resp.Status, body)
		}
	}
	resp, body := c.do(t, "POST", "/act", "do=stop+%3Cb%3E:*", "Content-Type", "application/x-www-form-urlencoded")
	if resp.StatusCode != 409 || strings.Contains(body, "<b>") || !strings.Contains(body, "&lt;b&gt;") {
		t.Errorf("a group with markup in its name: %s %s", resp.Status, body)
	}
	if after, _ := w.Snapshot(t.Context()); states(after) != states(before) {
		t.Errorf("something was done: %s", states(after))
	}
	resp, _ = c.do(t, "POST", "/act", "do=stop+cat", "Content-Type", "application/x-www-form-urlencoded", "Referer", c.base+"/evil")
	if to := resp.Header.Get("Location"); !strings.HasPrefix(to, "./?") {
		t.Errorf("it leads to %s", to)
	}
}

// TestWhichPage: a browser gets our page at /, everybody else, and whoever asks for it,
// Supervisor's.
func TestWhichPage(t *testing.T) {
	_, o := unixOnly(t)
	c := dial(t, serve(t, o), 0)
	const old = "<title>Supervisor Status</title>"
	for _, tc := range []struct {
		path, accept string
		old          bool
	}{
		{"/", "text/html,*/*", false}, {"/", "*/*", true}, {"/", "", true}, {"/index.html", "text/html", true}, {"/classic.html", "text/html", true},
		{"/?message=x", "text/html", false}, {"/?action=refresh", "application/json", true},
	} {
		resp, body := c.do(t, "GET", tc.path, "", "Accept", tc.accept)
		if is := strings.Contains(body, old) || resp.StatusCode == 303; is != tc.old {
			t.Errorf("%s with %q: Supervisor's is %v", tc.path, tc.accept, is)
		}
	}
	if resp, _ := c.do(t, "POST", "/classic.html?action=stop&processname=cat", "", "Host", "h"); !strings.HasPrefix(resp.Header.Get("Location"), "http://h/classic.html?message=") {
		t.Errorf("the classic page leads to %s", resp.Header.Get("Location"))
	}
	resp, body := c.do(t, "GET", "/", "", "Accept", "text/html", "Accept-Encoding", "br, gzip")
	z, err := gzip.NewReader(strings.NewReader(body))
	if err != nil || resp.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v %v", err, resp.Header)
	}
	if page, err := io.ReadAll(z); err != nil || !strings.Contains(string(page), "All is well") && !strings.Contains(string(page), "running") {
		t.Errorf("%v %s", err, page)
	}
	if resp, _ := c.do(t, "GET", "/", "", "Accept", "text/html", "Accept-Encoding", "gzip;q=0"); resp.Header.Get("Content-Encoding") != "" {
		t.Error("compressed for one who does not want it")
	}
}

// liveReader reads a stream of events.
type liveReader struct {
	t *testing.T
	*bufio.Scanner
	stop context.CancelFunc
}

func live(t *testing.T, c *client, query string, header ...string) *liveReader {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	req, err := http.NewRequestWithContext(ctx, "GET", c.base+"/live?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(err, resp)
	}
	t.Cleanup(func() { resp.Body.Close() })
	s := bufio.NewScanner(resp.Body)
	s.Buffer(nil, 1<<20)
	return &liveReader{t, s, stop}
}

// event waits for the next event.
func (l *liveReader) event() (name, id, data string) {
	l.t.Helper()
	for l.Scan() {
		switch field, value, _ := strings.Cut(l.Text(), ": "); {
		case field == "event":
			name = value
		case field == "id":
			id = value
		case field == "data" && name != "beat":
			return name, id, value
		}
	}
	l.t.Fatalf("the stream has ended: %v", l.Err())
	return
}

// TestLive: a stream tells of the rows that change, and of these alone; whoever has seen
// all is not told again, and nobody looks when nobody reads.
func TestLive(t *testing.T) {
	w, o := unixOnly(t)
	s := serve(t, o)
	c := dial(t, s, 0)
	var all []*liveReader
	live := func(t *testing.T, c *client, query string, header ...string) *liveReader {
		l := live(t, c, query, header...)
		all = append(all, l)
		return l
	}
	first := live(t, c, "page=overview")
	name, id, _ := first.event()
	if name != "reload" {
		t.Errorf("a page of an unknown state is told %s", name)
	}
	if name, same, _ := live(t, c, "page=overview&stamp="+id).event(); name != "hello" || same != id {
		t.Errorf("a page that is new is told %s %s", name, same)
	}
	other := live(t, c, "page=process&name=two:two_00", "Last-Event-ID", id)
	if name, _, _ := other.event(); name != "hello" {
		t.Errorf("one who comes back is told %s", name)
	}
	if _, err := w.Stop(t.Context(), runtime.Select{Group: "cat", Process: "cat"}, false); err != nil {
		t.Fatal(err)
	}
	name, _, data := first.event()
	var rows map[string]string
	if err := json.Unmarshal([]byte(data), &rows); err != nil || name != "rows" || len(rows) != 1 || !strings.Contains(rows["cat"], "stopped") {
		t.Errorf("%v %s %s", err, name, data)
	}
	if name, next, data := first.event(); name != "parts" || next == id || !strings.Contains(data, "stopped") {
		t.Errorf("%s %s", name, data)
	}
	if name, _, _ := other.event(); name != "parts" {
		t.Errorf("another process is told %s", name)
	}
	w.mu.Lock()
	w.procs = w.procs[:len(w.procs)-1]
	w.mu.Unlock()
	w.notice.Tell()
	first.event()
	if name, _, _ := first.event(); name != "reload" {
		t.Errorf("of one that is gone it is told %s", name)
	}
	for _, l := range all {
		l.stop()
	}
	eventually(t, "nobody looks", func() bool {
		s.board.mu.Lock()
		defer s.board.mu.Unlock()
		return s.board.now == nil && s.board.readers == 0
	})
}

// TestManyStreams: a thousand, or ten with FULL_SIZE, who open a stream and leave it get a
// share of the places, and keep nobody from a status.
func TestManyStreams(t *testing.T) {
	_, o := unixOnly(t)
	o.MaxConns = 32
	s := serve(t, o)
	c := dial(t, s, 0)
	open, crowd := 0, 1000
	if os.Getenv("FULL_SIZE") != "" {
		crowd = 10000
	}
	for range crowd {
		req, err := http.NewRequestWithContext(t.Context(), "GET", c.base+"/live?page=overview", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode == 200 {
			open++
			defer resp.Body.Close()
			continue
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable {
			t.Fatal(resp.Status)
		}
	}
	if most := o.MaxConns / 2; open == 0 || open > most {
		t.Errorf("%d of %d streams are open", open, crowd)
	}
	begun := time.Now()
	if resp, _ := c.do(t, "GET", "/", "", "Accept", "text/html"); resp.StatusCode != 200 {
		t.Errorf("%s after %v", resp.Status, time.Since(begun))
	}
}

// TestOrdersAreHeld: an upgrade waits for a restart of several that was begun on the page,
// none is begun meanwhile, and what does not end is named.
func TestOrdersAreHeld(t *testing.T) {
	_, o := unixOnly(t)
	s := serve(t, o)
	c := dial(t, s, 0)
	end, ok := s.orders.begin(&order{verb: "roll", names: []string{"two:*"}})
	if !ok {
		t.Fatal("it may not begin")
	}
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.HoldOrders(late); err == nil || !strings.Contains(err.Error(), "the group two") {
		t.Errorf("of what does not end it says %v", err)
	}
	held := make(chan func(), 1)
	go func() {
		goOn, err := s.HoldOrders(t.Context())
		if err != nil {
			t.Error(err)
		}
		held <- goOn
	}()
	eventually(t, "none may begin", func() bool {
		s.orders.mu.Lock()
		defer s.orders.mu.Unlock()
		return s.orders.held
	})
	select {
	case <-held:
		t.Error("the upgrade did not wait")
	default:
	}
	restart := func() string {
		resp, _ := c.do(t, "POST", "/act", "do=restart+cat", "Content-Type", "application/x-www-form-urlencoded")
		to, _ := url.Parse(resp.Header.Get("Location"))
		return to.Query().Get("message")
	}
	if said := restart(); !strings.Contains(said, "being upgraded") {
		t.Errorf("meanwhile a restart says %q", said)
	}
	end()
	(<-held)()
	if said := restart(); said != "cat restarted" {
		t.Errorf("afterwards a restart says %q", said)
	}
}

// TestFiguresOnThePage: what processes take is shown with a graph without script, is told to open
// pages without their rows, and is measured for nobody once nobody looks.
func TestFiguresOnThePage(t *testing.T) {
	w, o := unixOnly(t)
	o.Usage = fakeUsage(t, 101)
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	go o.Usage.Run(ctx)
	cat := w.procs[1]
	now := time.Now()
	cat.Runs = []runtime.Run{
		{PID: 7, Start: now.Add(-2 * time.Minute), Running: now.Add(-time.Minute), End: now.Add(-30 * time.Second), How: "terminated by SIGKILL", Status: -1, OOM: true},
		{PID: 101, Start: now.Add(-20 * time.Second)},
	}
	cat.Starts = 9
	s := serve(t, o)
	c := dial(t, s, 0)
	_, body := c.do(t, "GET", "/", "", "Accept", "text/html")
	row, _, _ := strings.Cut(body[strings.Index(body, `<tr data-key="cat"`):], "</tr>")
	for _, want := range []string{`<td class="mem">40 KB</td>`, `<td class="cpu"></td>`, `<td class="num">1 <small>of 8</small></td>`} {
		if !strings.Contains(row, want) {
			t.Errorf("no %s in %s", want, row)
		}
	}
	_, body = c.do(t, "GET", "/process?name=cat", "")
	for _, want := range []string{`data-takes="cat"`, "40 KB", "terminated by SIGKILL, out of memory", ">1m 30s<", ">1m<", ">running</td>"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page of a process has no %s: %s", want, body)
		}
	}
	d, _, err := s.board.join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.board.leave()

	next := *d
	next.version, next.items = d.version+1, append([]drawnItem(nil), d.items...)
	place := next.places["cat"]
	next.items[place].figures = next.version
	overview := string(next.overview(d.version, 0))
	if want := "event: figures\nid: " + next.stamp + "\ndata: {\"cat\":[\"\",\"40 KB\",\"\"]}\n\n"; overview != want {
		t.Errorf("%q is told, and not %q", overview, want)
	}
	l := liveStream{page: "files", seen: d.version}
	if told := l.news(&next); len(told) > 0 {
		t.Errorf("the files are told %q", told)
	}
}

// TestRebinding: a web page that has its own name point to this machine sees nothing of ours
// where there is no password, and changes nothing.
func TestRebinding(t *testing.T) {
	w := newFakeDaemon(t, shortDir(t))
	o := w.options(shortDir(t))
	o.Servers = o.Servers[1:2]
	o.Servers[0].Username, o.Servers[0].Password, o.Servers[0].HasAuth = "", "", false
	c := dial(t, serve(t, o), 0)
	before, _ := w.Snapshot(t.Context())
	for _, path := range []string{"/", "/process?name=cat", "/files", "/listeners", "/live?page=overview", "/log?name=cat", "/log?name=cat&from=0", "/page.js", "/classic.html"} {
		for _, host := range []string{"evil.example", "evil.example:9001", "localhost.evil.example"} {
			if resp, _ := c.do(t, "GET", path, "", "Host", host, "Accept", "text/html"); resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s as %s: %s", path, host, resp.Status)
			}
		}
	}
	resp, _ := c.do(t, "POST", "/act", "do=stop&confirm=yes", "Host", "evil.example", "Origin", "http://evil.example", "Content-Type", "application/x-www-form-urlencoded")
	if after, _ := w.Snapshot(t.Context()); resp.StatusCode != http.StatusForbidden || states(after) != states(before) {
		t.Errorf("an action: %s", resp.Status)
	}
}

// TestNewsAreShared: what a change brings is made once for all streams that have seen the
// drawing before, and its memory is counted until nobody looks any more.
func TestNewsAreShared(t *testing.T) {
	w, o := unixOnly(t)
	s := serve(t, o)
	ctx := context.WithValue(t.Context(), accountKey{}, (*account)(nil))
	before, _, err := s.board.join(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Stop(t.Context(), runtime.Select{Group: "cat", Process: "cat"}, false); err != nil {
		t.Fatal(err)
	}
	var now *drawing
	eventually(t, "the change is drawn", func() bool {
		now, _ = s.board.latest()
		return now.version == before.version+1
	})
	news := func(seen uint64, kind int) []byte {
		l := liveStream{page: "overview", seen: seen, kind: kind}
		return l.news(now)
	}
	first, second, eye := news(before.version, 0), news(before.version, 0), news(before.version, 1)
	if &first[0] != &second[0] || bytes.Equal(first, eye) || !bytes.Contains(first, []byte("stopped")) {
		t.Errorf("%s is told to one, %s to another, and %s to one who may only look", first, second, eye)
	}
	if late := news(before.version-1, 0); !bytes.Contains(late, []byte("event: reload")) {
		t.Errorf("one who has seen nothing is told %s", late)
	}
	used := func() int64 {
		s.memory.mu.Lock()
		defer s.memory.mu.Unlock()
		return s.memory.used
	}
	if n := used(); n == 0 {
		t.Error("it takes no memory")
	}
	s.board.leave()
	eventually(t, "the memory is given back", func() bool { return used() == 0 })
}
