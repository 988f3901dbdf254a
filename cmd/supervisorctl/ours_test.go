package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"supervisord/cmd/internal/host"
	"supervisord/cmd/internal/oracle"
	"supervisord/rpc/xmlrpc"
)

// emptyHost is a machine without files.
type emptyHost struct{ *host.Host }

func (emptyHost) Stat(string) (fs.FileInfo, error) { return nil, fs.ErrNotExist }

// action is one entry of reconcile.diff.
func action(what, group, process, reason string, changes ...string) xmlrpc.Struct {
	keys := []any{}
	for i := 0; i < len(changes); i += 3 {
		keys = append(keys, xmlrpc.Struct{
			{Name: "key", Value: changes[i]}, {Name: "old", Value: changes[i+1]}, {Name: "new", Value: changes[i+2]},
		})
	}
	return xmlrpc.Struct{
		{Name: "action", Value: what}, {Name: "group", Value: group}, {Name: "process", Value: process},
		{Name: "reason", Value: reason}, {Name: "file", Value: "/etc/a.conf"}, {Name: "changes", Value: keys},
	}
}

func reconcileState(phase, reason string, autoupdate bool) xmlrpc.Struct {
	return xmlrpc.Struct{
		{Name: "phase", Value: phase}, {Name: "generation", Value: 4}, {Name: "desired", Value: "aa"}, {Name: "applied", Value: "bb"},
		{Name: "reason", Value: reason}, {Name: "since", Value: 0}, {Name: "autoupdate", Value: autoupdate},
		{Name: "directories", Value: []any{}},
	}
}

// with is answers and those of the reconcile namespace.
func with(base map[string]any, pairs ...any) map[string]any {
	for i := 0; i < len(pairs); i += 2 {
		base["reconcile."+pairs[i].(string)] = pairs[i+1]
	}
	return base
}

// setting is a key of reconcile.explain.
func setting(key, value, file string, line, generation int) xmlrpc.Struct {
	return xmlrpc.Struct{{Name: "key", Value: key}, {Name: "value", Value: value}, {Name: "unit", Value: ""}, {Name: "file", Value: file},
		{Name: "line", Value: line}, {Name: "default", Value: line == 0}, {Name: "generation", Value: generation}}
}

// settled answers wait: everything runs and agrees.
func settled(pairs ...any) map[string]any {
	return with(answers("getAllProcessInfo", []any{
		info("web", "web", 20, "RUNNING", "pid 3, uptime 0:00:09", 3),
		info("once", "once", 100, "EXITED", "Nov 22 06:14 AM", 0),
		info("byhand", "byhand", 0, "STOPPED", "Not started", 0),
	}, "getAllConfigInfo", []any{
		configured("web", "web", true, true, 1, 1), configured("once", "once", true, true, 1, 1),
		configured("byhand", "byhand", true, false, 1, 1),
	}), append([]any{"getState", reconcileState("synced", "", true), "diff", []any{}}, pairs...)...)
}

func oursRows() []answered {
	every := func() map[string]any {
		return answers("getAllProcessInfo", processes(), "getPID", 9, "getSupervisorVersion", "4.3.0",
			"getProcessInfo", info("a", "a", 20, "RUNNING", "", 3), "startProcess", true, "stopProcess", true,
			"getAllConfigInfo", []any{configured("a", "a", true, true, 999, 1)})
	}
	diff := []any{
		action("remove", "gone", "", "no file defines it"),
		action("restart", "web", "web_1", "command differs", "command", "/bin/a", "/bin/b", "environment KEY", "secret", "other"),
		action("inplace", "two", "", "", "priority", "1", "2", "environment", "", ""),
		action("numprocs", "pool", "", "", "numprocs", "2", "4"),
		action("restart", "many", "many_00", "command differs", "command", "a", "b"),
		action("restart", "many", "many_01", "command differs", "command", "a", "b"),
		action("restart", "many", "many_02", "command differs", "command", "a", "b"),
		action("restart", "many", "many_03", "command differs", "command", "a", "b"),
		action("restart", "many", "many_04", "command differs", "command", "a", "c"),
		action("numprocs", "many", "many_05", "the process is new in the group"),
		action("numprocs", "many", "many_06", "the process is new in the group"),
	}
	fatal := info("web", "web", 200, "FATAL", "Exited too quickly (process log may have details)", 0)
	var rows []answered
	add := func(command string, answers map[string]any) {
		rows = append(rows, answered{command: command, answers: answers})
	}
	for _, command := range []string{
		"status -o json b:*", "status b:c -ojson nope", "status -o yaml", "status -o", "status long*", "status g:l*", "status ?", "status [ab]",
		"status x*", "status b:? a", "status --state=FATAL", "status --state FATAL,unknown", "status --state=NOPE", "status --state",
		"status --state=STARTING nope b:*", "status --state=RUNNING -o json", "version -o json", "version -o json x", "pid -o json",
		"pid a -o json", "pid all -o json", "avail -o json", "start b:*", "start [ab]", "start x* b:?", "stop ?:?", "restart b*",
		"reread -o json", "status --problems", "status b:* --problems",
	} {
		add(command, every())
	}
	for _, command := range []string{"diff", "diff web", "diff -o json", "diff all web"} {
		add(command, with(every(), "diff", diff))
	}
	add("diff", with(every(), "diff", []any{}))
	add("diff -o json", with(every(), "diff", []any{}))
	planned := func(actions []any) xmlrpc.Struct {
		return xmlrpc.Struct{{Name: "plan", Value: "69a54fa8e3a3aa08"}, {Name: "actions", Value: actions}, {Name: "reach", Value: xmlrpc.Struct{
			{Name: "restarted", Value: []string{"web:web_1", "db"}}, {Name: "ended", Value: []string{"gone"}}, {Name: "started", Value: []string{}},
			{Name: "following", Value: []any{xmlrpc.Struct{{Name: "process", Value: "pool:a"}, {Name: "of", Value: "db"}}}},
			{Name: "dependents", Value: []any{xmlrpc.Struct{{Name: "process", Value: "two"}, {Name: "of", Value: "db"}}}},
			{Name: "wait_seconds", Value: 70}, {Name: "removals", Value: 1}, {Name: "held", Value: ""},
		}}}
	}
	for _, command := range []string{"diff", "diff web", "diff --tree /srv/tree", "diff -o json", "diff --tree"} {
		add(command, with(every(), "plan", planned(diff[:2])))
	}
	add("diff", with(every(), "plan", planned([]any{})))
	add("diff --tree /srv/tree", with(every(), "plan", fault(xmlrpc.Failed, "FAILED: the tree cannot be read: /srv/tree: no such file or directory")))
	add("diff x", with(every(), "diff", fault(xmlrpc.BadName, "no such group: x")))
	add("diff", with(every(), "diff", fault(xmlrpc.CantReread, "a.conf:1: [program:a] command: bad\nb.conf:2: [program:b] user: bad")))
	for _, command := range []string{"diff", "files", "history", "autoupdate", "autoupdate on", "wait", "diff -o json"} {
		add(command, every())
	}
	explaining := func(state string, code int, next []any, ends, health, depends []any) map[string]any {
		a := answers("getAllProcessInfo", []any{info("web", "web_1", code, state, "pid 3, uptime 0:00:09", 3), info("g", "x", 0, "STOPPED", "Not started", 0)})
		a["reconcile.explain"] = xmlrpc.Struct{{Name: "group", Value: "web"}, {Name: "name", Value: "web_1"}, {Name: "user_stopped", Value: state == "STOPPED"},
			{Name: "next", Value: next}, {Name: "settings", Value: []any{
				setting("command", "/bin/web", "/etc/a.conf", 2, 0), setting("environment TOKEN", "set", "/etc/a.conf", 4, 12), setting("stopwaitsecs", "10", "", 0, 0)}}}
		a["processes.getExits"], a["processes.getHealth"], a["processes.getDependencies"] = ends, health, depends
		return a
	}
	for _, r := range []struct {
		state string
		code  int
		next  []any
	}{{"RUNNING", 20, nil}, {"STOPPED", 0, diff[1:2]}} {
		for _, command := range []string{"explain web:web_1", "explain web:* -o json", "explain web:web_1 nope", "explain"} {
			add(command, explaining(r.state, r.code, append([]any{}, r.next...),
				[]any{xmlrpc.Struct{{Name: "group", Value: "web"}, {Name: "name", Value: "web_1"}, {Name: "how", Value: "terminated by SIGKILL"}, {Name: "signal", Value: "SIGKILL"}, {Name: "core", Value: false}, {Name: "oom", Value: true}}},
				[]any{xmlrpc.Struct{{Name: "group", Value: "web"}, {Name: "name", Value: "web_1"}, {Name: "ready", Value: "no"}, {Name: "health", Value: "failing"}, {Name: "complaint", Value: "status 503"}}},
				[]any{xmlrpc.Struct{{Name: "group", Value: "web"}, {Name: "name", Value: "web_1"}, {Name: "statename", Value: r.state}, {Name: "waiting", Value: "db"}, {Name: "restart_with", Value: []string{}},
					{Name: "needs", Value: []any{xmlrpc.Struct{{Name: "text", Value: "db"}, {Name: "met", Value: false}, {Name: "targets", Value: []string{"db"}}}}}}}))
		}
	}
	add("explain a", every())
	drifting := []any{
		xmlrpc.Struct{{Name: "kind", Value: "stopped"}, {Name: "group", Value: "web"}, {Name: "name", Value: "web_1"}, {Name: "text", Value: "it was stopped by hand"}},
		xmlrpc.Struct{{Name: "kind", Value: "removed"}, {Name: "group", Value: "g"}, {Name: "name", Value: ""}, {Name: "text", Value: "it was removed by hand: the files still define it"}},
	}
	for _, command := range []string{"drift", "drift -o json", "drift x"} {
		add(command, with(every(), "getDrift", drifting))
	}
	add("drift", with(every(), "getDrift", []any{}))
	add("drift -o json", with(every(), "getDrift", []any{}))
	add("drift", every())
	for _, command := range []string{"reset", "reset a", "reset b:*", "reset all", "reset a nope:*"} {
		forgotten := every()
		forgotten["processes.reset"], forgotten["processes.resetAll"] = true, []any{
			xmlrpc.Struct{{Name: "name", Value: "a"}, {Name: "group", Value: "a"}, {Name: "status", Value: 80}, {Name: "description", Value: "OK"}}}
		if strings.Contains(command, "*") {
			forgotten["processes.reset"] = fault(xmlrpc.BadName, "nope")
		}
		add(command, forgotten)
	}
	add("reset a", every())
	listening := every()
	listening["events.getListeners"] = []any{
		xmlrpc.Struct{{Name: "group", Value: "b"}, {Name: "name", Value: "c"}, {Name: "state", Value: 20}, {Name: "statename", Value: "BUSY"},
			{Name: "waiting", Value: 3}, {Name: "dropped", Value: 2}, {Name: "since", Value: 1795373397}},
		xmlrpc.Struct{{Name: "group", Value: "c"}, {Name: "name", Value: "c"}, {Name: "state", Value: 10}, {Name: "statename", Value: "READY"},
			{Name: "waiting", Value: 0}, {Name: "dropped", Value: 0}, {Name: "since", Value: 0}},
	}
	add("status -o json b:*", listening)
	add("status b:*", listening)
	probed := every()
	probed["processes.getHealth"] = []any{
		xmlrpc.Struct{{Name: "group", Value: "b"}, {Name: "name", Value: "c"}, {Name: "ready", Value: "yes"}, {Name: "health", Value: "failing"},
			{Name: "complaint", Value: "status 503"},
			{Name: "status_text", Value: "3 clients"}},
	}
	add("status -o json b:*", probed)
	deaf := every()
	deaf["events.getListeners"] = fault(xmlrpc.Failed, "deaf")
	add("status -o json b:*", deaf)
	file := func(path, state, reason string, changed int, programs ...string) xmlrpc.Struct {
		return xmlrpc.Struct{{Name: "path", Value: path}, {Name: "state", Value: state}, {Name: "programs", Value: append([]string{}, programs...)},
			{Name: "changed", Value: changed}, {Name: "reason", Value: reason}}
	}
	many := strings.Split(strings.Repeat("p ", 39)+"p", " ")
	for i := range many {
		many[i] += strconv.Itoa(i + 1)
	}
	files := []any{
		file("/etc/sv/supervisord.conf", "applied", "", 1795373397),
		file("/etc/sv/conf.d/a.conf", "applied", "", 1795373397, "a", "b"),
		file("/etc/sv/conf.d/many.conf", "applied", "", 1795373397, many...),
		append(file("/etc/sv/conf.d/odd.conf", "applied", "", 1795373397, "odd"), xmlrpc.Member{Name: "warnings", Value: []string{
			"odd.conf:3: [program:odd] autorestrat: the key is unknown and has no effect (did you mean autorestart?)"}}),
		file("/etc/sv/conf.d/b.conf", "invalid", "/etc/sv/conf.d/b.conf:1: [program:c] startsecs: it is wrong", 0),
		file("/etc/sv/conf.d/a.conf.bak", "ignored", "a name like this is never read as configuration", 1795373397),
		file("/etc/sv/team", "held", "it is on another mount than before", 0, "t"),
		file("/etc/sv/conf.d", "applied", "", 1795373397, append([]string{"a", "b", "odd"}, many...)...),
	}
	update := func(generation, time int, trigger, caller, result string, took int, done ...string) xmlrpc.Struct {
		actions, reasons := []string{}, []string{} // servers of earlier versions give no reasons
		for _, d := range done {
			action, reason, told := strings.Cut(d, ": ")
			actions = append(actions, action)
			if told {
				reasons = append(reasons, reason)
			}
		}
		entry := xmlrpc.Struct{{Name: "generation", Value: generation}, {Name: "time", Value: time}, {Name: "trigger", Value: trigger},
			{Name: "caller", Value: caller}, {Name: "actions", Value: actions},
			{Name: "result", Value: result}, {Name: "duration_ms", Value: took}}
		if len(reasons) > 0 {
			entry = append(entry, xmlrpc.Member{Name: "reasons", Value: reasons})
		}
		return entry
	}
	const lost = "failed: web: cannot be stopped"
	history := []any{
		update(12, 1795373397, "update", "uid 0", "applied", 1250, "add x: it is new in the files", "remove y: it is gone from the files"),
		update(11, 1795373300, "watch", "", lost, 3000, "inplace z", "numprocs pool"),
		update(10, 1795373290, "watch", "", lost, 10),
		update(10, 1795373280, "watch", "", lost, 12),
		update(10, 1795373270, "watch", "", lost, 11),
		update(10, 1795373200, "watch", "", "overtaken", 5, "restart web:web: command differs: a running child keeps what it was started with",
			"restart pool:a: command differs: a running child keeps what it was started with"),
		update(1, 1795373000, "start", "", "applied", 0),
	}
	add("diff", with(every(), "diff", []any{}, "getFiles", files)) // which are not all that they should be
	for _, command := range []string{
		"files", "files -o json", "files x", "history", "history -o json 1", "history 5", "history x", "history 0", "history 1 2",
		"autoupdate", "autoupdate on", "autoupdate off -o json", "autoupdate maybe",
	} {
		add(command, with(every(), "getFiles", files, "getHistory", history, "getState", reconcileState("synced", "", false), "setAutoupdate", true))
	}
	applied := xmlrpc.Struct{{Name: "ok", Value: false}, {Name: "generation", Value: 2}, {Name: "result", Value: "failed"},
		{Name: "lines", Value: []string{"x: stopped", "x: updated process group"}}, {Name: "actions", Value: []any{action("restart", "x", "x", "why")}}}
	for _, command := range []string{"update", "update -o json", "update x", "update nope"} {
		add(command, with(updatingAnswers("reloadConfig", changed([]string{"x"}, nil, nil)), "apply", applied))
	}
	for _, command := range []string{"update --plan 69a5", "update --plan=69a5 x", "update --plan 69a5 -o json", "update --plan", "update --plan="} {
		add(command, with(every(), "applyPlan", applied))
	}
	add("update --plan 69a5", with(every(), "applyPlan", fault(xmlrpc.Conflict, "CONFLICT: it is another")))
	add("update --plan 69a5", every())
	add("update -o json", updatingAnswers())
	add("update -o json", with(updatingAnswers(), "apply", fault(xmlrpc.ShutdownState, "")))
	add("update", with(updatingAnswers(), "apply", fault(xmlrpc.CantReread, "it's bad")))
	for _, command := range []string{"wait", "wait -t 1 web", "wait -o json", "wait byhand -t0", "wait nope -t 0", "wait -t x", "wait w* -t 0"} {
		add(command, settled())
	}
	add("wait -t 0", settled("getState", reconcileState("held", "too many removals", true)))
	away := reconcileState("synced", "", true)
	away[len(away)-1].Value = []any{
		xmlrpc.Struct{{Name: "path", Value: "/old"}, {Name: "real", Value: ""}}, // as a daemon before ours gives it
		xmlrpc.Struct{{Name: "path", Value: "/empty"}, {Name: "real", Value: ""}, {Name: "awaited", Value: false}},
		xmlrpc.Struct{{Name: "path", Value: "/srv/programs"}, {Name: "real", Value: ""}, {Name: "awaited", Value: true}},
	}
	add("wait -t 0", settled("getState", away))
	add("wait -t 0 -o json", settled("diff", []any{action("add", "new", "", "it is new")}))
	add("wait -t 0 web", settled("diff", []any{action("add", "new", "", "it is new")}))
	unhealthy := settled()
	unhealthy["supervisor.getAllProcessInfo"] = []any{fatal}
	add("wait -t 100", unhealthy) // FATAL ends it at once
	add("completion bash x", every())
	add("completion", every())
	for _, line := range []string{".", ".sta", "status .", "status .b", "status b:.", "signal .", "signal .USR", "signal HUP .b:c", "start .b:c", "update .", "autoupdate .o", "help .wa", "nope .x", "status a .g"} {
		line = strings.TrimSpace(line)
		add("completion words "+line, every())
	}
	pastRows(add, every)
	intentRows(add, every)
	return rows
}

// TestOurs holds what Supervisor does not have.
func TestOurs(t *testing.T) {
	t.Parallel()
	var rows []goldenRow
	for _, row := range oursRows() {
		rows = append(rows, goldenRow{name: row.command, alone: true, play: func(t *testing.T, kind oracle.Kind) string {
			text := row.play(t, kind)
			if strings.Contains(text, "secret") {
				t.Error("a value of an environment is shown")
			}
			return text
		}})
	}
	holdAgainst(t, "testdata/ours.txt", rows)
}

// TestJSONIsJSON: with -o json standard output is JSON or nothing, also when
// the server is not there.
func TestJSONIsJSON(t *testing.T) {
	t.Parallel()
	socket := (&script{answers: settled()}).serve(t)
	for _, url := range []string{"unix://" + socket, "unix:///nope"} {
		for _, command := range []string{"status", "status nope", "pid", "version", "avail", "diff", "files", "history", "autoupdate", "update", "wait -t 0",
			"history show 12", "diff 11 12", "pause", "pause web --for 2h", "resume web", "disable", "disable web", "enable web", "revert web"} {
			out := ctl(t, oracle.Ours, filepath.Dir(socket), "", append([]string{"-s", url}, strings.Fields(command+" -o json")...)...)
			if out.Stdout != "" && !json.Valid([]byte(out.Stdout)) {
				t.Errorf("%s at %s: not JSON: %s", command, url, out.Stdout)
			}
			if url == "unix:///nope" && out.Exit == 0 {
				t.Errorf("%s without a server exits 0", command)
			}
		}
	}
}

// TestExitStatuses: our own commands end in one way with the same status, as README has
// it. Only where the status is the answer, every reason for having none is one.
func TestExitStatuses(t *testing.T) {
	t.Parallel()
	old := (&script{answers: answers("getAPIVersion", "3.0")}).serve(t) // Supervisor, as far as these commands know
	dead := filepath.Join(shortDir(t), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	for _, r := range []struct {
		command                         string
		noSocket, refused, lacking, odd int
	}{
		{"files", exitNotRunning, exitRefused, exitNoNamespace, exitUsage},
		{"history", exitNotRunning, exitRefused, exitNoNamespace, exitUsage},
		{"autoupdate", exitNotRunning, exitRefused, exitNoNamespace, exitUsage},
		{"diff", exitDiffFailed, exitDiffFailed, exitDiffFailed, exitDiffFailed},
		{"drift", exitDiffFailed, exitDiffFailed, exitDiffFailed, exitUsage},
		{"explain x", exitNotRunning, exitRefused, exitNoNamespace, exitUsage},
		{"wait -t 0", exitUsage, exitUsage, exitUsage, exitUsage},
		{"reset x", exitNotRunning, exitRefused, exitNoNamespace, exitUsage},
		{"history show 1", exitNotRunning, exitRefused, exitNoNamespace, exitUsage},
		{"diff 1 2", exitDiffFailed, exitDiffFailed, exitDiffFailed, exitDiffFailed},
		{"pause", exitNotRunning, exitRefused, exitNoNamespace, exitUsage},
		{"pause x --for 2h", exitNotRunning, exitRefused, exitNoNamespace, exitUsage},
		{"resume x", exitNotRunning, exitRefused, exitNoNamespace, exitUsage},
		{"disable x", exitNotRunning, exitRefused, exitNoNamespace, exitUsage},
		{"enable x", exitNotRunning, exitRefused, exitNoNamespace, exitUsage},
		{"revert x", exitNotRunning, exitRefused, exitNoNamespace, exitUsage},
		{"unpin x", exitNotRunning, exitRefused, exitNoNamespace, exitUsage},
	} {
		odd := map[string]string{"diff": "diff -o yaml", "wait -t 0": "wait -t x", "reset x": "reset", "explain x": "explain",
			"pause": "pause x --for 2x", "pause x --for 2h": "pause x", "resume x": "resume", "disable x": "disable -o yaml", "enable x": "enable",
			"diff 1 2": "diff 1 2 -o yaml"}[r.command]
		if odd == "" {
			odd = r.command + " odd"
		}
		for _, now := range []struct {
			socket, command string
			want            int
		}{{"/nope", r.command, r.noSocket}, {dead, r.command, r.refused}, {old, r.command, r.lacking}, {old, odd, r.odd}} {
			if out := ctl(t, oracle.Ours, filepath.Dir(old), "", append([]string{"-s", "unix://" + now.socket}, strings.Fields(now.command)...)...); out.Exit != now.want {
				t.Errorf("%s at %s: exit status %d, want %d\n%v", now.command, now.socket, out.Exit, now.want, out)
			}
		}
	}
}

// TestWaitForTheDaemon: wait bears a daemon that is not there yet.
func TestWaitForTheDaemon(t *testing.T) {
	t.Parallel()
	path := filepath.Join(shortDir(t), "s")
	s := &script{answers: settled()}
	done := make(chan oracle.Output, 1) // the one result
	go func() {
		done <- ctl(t, oracle.Ours, filepath.Dir(path), "", "-s", "unix://"+path, "wait", "-t", "30")
	}()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: s}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	if out := <-done; out.Exit != 0 || out.Stdout != "" {
		t.Errorf("%v", out)
	}
}

// TestWaitUntil: wait looks again until what was missing is there.
func TestWaitUntil(t *testing.T) {
	t.Parallel()
	s := &script{answers: settled("getState", reconcileState("applying", "", true))}
	var looks atomic.Int32
	inner := &script{answers: settled()}
	s.wrap = func(w http.ResponseWriter, r *http.Request) {
		if looks.Add(1) > 6 {
			inner.ServeHTTP(w, r)
			return
		}
		(&script{answers: s.answers}).ServeHTTP(w, r)
	}
	socket := s.serve(t)
	if out := ctl(t, oracle.Ours, filepath.Dir(socket), "", "-s", "unix://"+socket, "wait"); out.Exit != 0 || out.Stdout != "" {
		t.Errorf("%v", out)
	}
}

// TestWaitSeesAnUpdateMeanwhile: an update that begins and ends while wait looks is no
// reason to go by what was before it.
func TestWaitSeesAnUpdateMeanwhile(t *testing.T) {
	t.Parallel()
	state := reconcileState("synced", "", true)
	for i := range state {
		if state[i].Name == "generation" {
			state[i].Value = 5
		}
	}
	after := &script{answers: settled("getState", state)}
	after.answers["supervisor.getAllProcessInfo"] = []any{info("web", "web", 200, "FATAL", "Exited too quickly", 0)}
	var updated atomic.Bool
	before := &script{answers: settled(), onCall: func(method string, _ []any) { updated.Store(method == "reconcile.diff") }}
	s := &script{wrap: func(w http.ResponseWriter, r *http.Request) {
		if updated.Load() {
			after.ServeHTTP(w, r)
		} else {
			before.ServeHTTP(w, r)
		}
	}}
	socket := s.serve(t)
	out := ctl(t, oracle.Ours, filepath.Dir(socket), "", "-s", "unix://"+socket, "wait")
	if out.Exit != 1 || !strings.Contains(out.Stdout, "FATAL") {
		t.Errorf("%v", out)
	}
}

// TestWaitBearsADaemonThatComesBack: wait goes on while the daemon ends and
// begins anew, as after a reload.
func TestWaitBearsADaemonThatComesBack(t *testing.T) {
	t.Parallel()
	hangUp := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	}
	ending := &script{answers: settled("getState", fault(xmlrpc.ShutdownState, ""))}
	cut := &script{wrap: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "<?xml version='1.0'?><methodResponse>")
	}}
	steps := []http.Handler{ending, http.HandlerFunc(hangUp), cut, &script{answers: settled()}}
	var next atomic.Int32
	s := &script{wrap: func(w http.ResponseWriter, r *http.Request) {
		steps[min(int(next.Add(1)), len(steps))-1].ServeHTTP(w, r)
	}}
	socket := s.serve(t)
	if out := ctl(t, oracle.Ours, filepath.Dir(socket), "", "-s", "unix://"+socket, "wait"); out.Exit != 0 || out.Stdout != "" {
		t.Errorf("%v", out)
	}
}

// TestAdvice: a person at a terminal is told what is wrong with the socket; a
// pipe is told nothing.
func TestAdvice(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	dead := filepath.Join(dir, "dead")
	l, err := net.Listen("unix", dead)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	unauthorized := (&script{wrap: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }}).serve(t)
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"-s", "unix:///nope/s"}, "hint: There is no directory /nope."},
		{[]string{"-s", "unix://" + dir + "/s"}, "hint: There is no socket " + dir + "/s."},
		{[]string{"-s", "unix://" + dead}, "hint: The socket " + dead + " exists, but nothing listens on it"},
		{[]string{"-s", "unix://" + unauthorized}, "hint: Give a name and a password with -u and -p"},
		{[]string{"-s", "unix://" + unauthorized, "-u", "x"}, "hint: The server does not accept this name and password"},
	} {
		args := append(row.args, "status")
		term := inTerminal(t, oracle.Ours, dir, args...)
		term.wait()
		if shown := strings.ReplaceAll(term.shown(), "\n", ""); !strings.Contains(shown, row.want) {
			t.Errorf("%q shows no %q:\n%s", args, row.want, term.shown())
		}
		if out := ctl(t, oracle.Ours, dir, "", args...); out.Stderr != "" {
			t.Errorf("%q writes to a pipe: %s", args, out.Stderr)
		}
	}
}

// TestWaitForATypo: a person who waits for what nobody names hears so at once; a script
// does not.
func TestWaitForATypo(t *testing.T) {
	t.Parallel()
	socket := (&script{answers: settled()}).serve(t)
	dir := shortDir(t)
	args := []string{"-s", "unix://" + socket, "wait", "-t", "0", "wbe"}
	term := inTerminal(t, oracle.Ours, dir, args...)
	term.wait()
	for _, want := range []string{"hint: there is no wbe yet; waiting up to 0s", "hint: wbe: did you mean web?"} {
		if !strings.Contains(term.shown(), want) {
			t.Errorf("no %q:\n%s", want, term.shown())
		}
	}
	if out := ctl(t, oracle.Ours, dir, "", args...); out.Stderr != "" {
		t.Errorf("a pipe gets: %s", out.Stderr)
	}
}

// TestWatchSocket: where another daemon answers, a person is told where.
func TestWatchSocket(t *testing.T) {
	socket := filepath.Join(shortDir(t), "s")
	if text := watchSocket("unix:///nope", socket); text != "" {
		t.Errorf("a missing socket: %q", text)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if text := watchSocket("unix:///nope", socket); !strings.Contains(text, "use -s unix://"+socket) {
		t.Errorf("a socket that is listened at: %q", text)
	}
	if text := watchSocket("unix://"+socket, socket); text != "" {
		t.Errorf("the socket itself: %q", text)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if text := watchSocket("unix:///nope", socket); text != "" {
		t.Errorf("a dead socket: %q", text)
	}
}

func TestForbidden(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"The socket " + path + " belongs to ", "has mode 0600", "Try sudo"} {
		if text := permissionDenied(path); !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
	if text := permissionDenied(dir + "/x/s"); !strings.Contains(text, "is closed to") {
		t.Errorf("a path that cannot be looked at: %q", text)
	}
}
