package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
	"supervisord/rpc/xmlrpc"
)

// generationOf is the answer of reconcile.getGeneration for an update with one entry.
func generationOf(number int, reason string, actions []any, files ...any) xmlrpc.Struct {
	return xmlrpc.Struct{{Name: "generation", Value: number}, {Name: "files", Value: append([]any{}, files...)}, {Name: "forgotten", Value: ""},
		{Name: "entries", Value: []any{entryOf(number, reason, "", actions...)}}}
}

// entryOf is an entry of the history.
func entryOf(number int, reason, revision string, actions ...any) xmlrpc.Struct {
	return xmlrpc.Struct{{Name: "generation", Value: number}, {Name: "time", Value: 1795373397}, {Name: "trigger", Value: "update"}, {Name: "caller", Value: "uid 0"},
		{Name: "result", Value: "applied"}, {Name: "duration_ms", Value: 1250}, {Name: "reason", Value: reason}, {Name: "revision", Value: revision},
		{Name: "actions", Value: append([]any{}, actions...)}}
}

func fileDiffOf(path, change string, sections ...any) xmlrpc.Struct {
	return xmlrpc.Struct{{Name: "path", Value: path}, {Name: "change", Value: change}, {Name: "sections", Value: append([]any{}, sections...)}}
}

// sectionOf is a section that differs, by keys with their old and new values.
func sectionOf(name, change string, keys ...string) xmlrpc.Struct {
	list := []any{}
	for k := range slices.Chunk(keys, 3) {
		list = append(list, xmlrpc.Struct{{Name: "key", Value: k[0]}, {Name: "old", Value: k[1]}, {Name: "new", Value: k[2]}})
	}
	return xmlrpc.Struct{{Name: "section", Value: name}, {Name: "change", Value: change}, {Name: "keys", Value: list}}
}

// forgottenAnswer is what is said of an update of which the files are not known any more.
const forgottenAnswer = "no such generation any more: 3: the contents of the files are kept from generation 9 on"

// pastRows tell of earlier updates.
func pastRows(add func(string, map[string]any), every func() map[string]any) {
	files := []any{
		fileDiffOf("/etc/sv/conf.d/new.conf", "added", sectionOf("program:new", "added")),
		fileDiffOf("/etc/sv/conf.d/old.conf", "removed", sectionOf("program:old", "removed")),
		fileDiffOf("/etc/sv/conf.d/web.conf", "changed",
			sectionOf("program:web", "changed", "command", "/bin/a", "/bin/b", "environment", "secret", "other", "umask", "", "022"), sectionOf("group:g", "removed")),
		fileDiffOf("/etc/sv/conf.d/words.conf", "changed"),
	}
	actions := []any{
		action("restart", "web", "web_1", "command differs", "command", "/bin/a", "/bin/b", "environment KEY", "secret", "other"),
		action("restart", "web", "web_2", "command differs", "command", "/bin/a", "/bin/b", "environment KEY", "secret", "other"),
		action("add", "new", "", "it is new in the files"),
	}
	known := generationOf(12, "", actions, files...)
	failed := entryOf(12, "", "0123abc")
	failed[4].Value = "failed: /etc/sv/conf.d/web.conf: web is FATAL (Exited too quickly: exit status 1), after this output: \"no module named http.servr\""
	twice := generationOf(12, "", actions, files[:1]...)
	twice[3].Value = append(twice[3].Value.([]any), failed)
	past := generationOf(3, "it was asked for", actions[2:])
	past[2].Value = "the contents of the files are kept from generation 9 on"
	for _, r := range []struct {
		command string
		answer  any
	}{
		{"history show 12", known}, {"history show 12 -o json", known}, {"history show 12", twice},
		{"history show 5", generationOf(5, "/etc/sv/conf.d/web.conf: web is FATAL", actions[2:])},
		{"history show 3", past}, {"history show 3", fault(xmlrpc.BadName, forgottenAnswer)},
		{"history show 99", fault(xmlrpc.BadName, "no such generation: 99: the last one is 12")},
		{"history show", known}, {"history show x", known}, {"history show -1", known}, {"history show 1 2", known},
	} {
		add(r.command, with(every(), "getGeneration", r.answer))
	}
	add("history show 12", every())
	for _, r := range []struct {
		command string
		answer  any
	}{
		{"diff 11 12", files}, {"diff 11 12 -o json", files}, {"diff 12 12", []any{}}, {"diff 12 12 -o json", []any{}},
		{"diff 3 12", fault(xmlrpc.BadName, forgottenAnswer)}, {"diff 12 99", fault(xmlrpc.BadName, "no such generation: 99: the last one is 12")},
	} {
		add(r.command, with(every(), "diffGenerations", r.answer, "diff", fault(xmlrpc.BadName, "no such group: 12")))
	}
	add("diff 11 12", every())
	add("diff 12", with(every(), "diff", fault(xmlrpc.BadName, "no such group: 12")))

	back := xmlrpc.Struct{{Name: "ok", Value: true}, {Name: "generation", Value: 13}, {Name: "result", Value: "applied"},
		{Name: "lines", Value: []string{"old: added process group"}}, {Name: "actions", Value: actions[2:]}}
	for _, command := range []string{"revert conf.d/old.conf", "revert old", "revert 11", "revert old -o json", "revert", "revert a b"} {
		add(command, with(every(), "revert", back))
	}
	add("revert nope", with(every(), "revert", fault(xmlrpc.BadName, "no such group: nope")))
	add("revert 3", with(every(), "revert", fault(xmlrpc.CantReread, "generation 3 is not known any more: 9 is the first that is")))
	add("revert old", every())
	for _, command := range []string{"unpin old", "unpin"} {
		add(command, with(every(), "unpin", true))
	}
	add("unpin nope", with(every(), "unpin", fault(xmlrpc.BadName, "no such group: no file is pinned by the name of nope")))

	// A rejected file tells what the program wrote last; diff of its programs says so, too.
	rejected := []any{xmlrpc.Struct{{Name: "path", Value: "/etc/sv/conf.d/web.conf"}, {Name: "state", Value: "rejected"}, {Name: "programs", Value: []string{"web"}},
		{Name: "changed", Value: 1795373397}, {Name: "reason", Value: "web is FATAL (Exited too quickly: exit status 1), after this output: " +
			"\"Traceback:\" \"No module named http.servr\"; what ran before is in force until the file changes, or update NAME tries it again"}}}
	add("files", with(every(), "getFiles", rejected))
	for _, command := range []string{"diff", "diff web", "diff db"} {
		list := actions[:1]
		if command != "diff web" {
			list = []any{}
		}
		add(command, with(every(), "getFiles", rejected, "diff", list))
	}
}

// intent is one of reconcile.getIntents, whose pause is over after so many seconds.
func intent(kind, group, name string, until int, reason string, known bool) xmlrpc.Struct {
	i := xmlrpc.Struct{{Name: "kind", Value: kind}, {Name: "group", Value: group}, {Name: "name", Value: name}, {Name: "since", Value: 1795373397},
		{Name: "until", Value: 0}, {Name: "by", Value: "uid 0 via unix socket"}, {Name: "reason", Value: reason}, {Name: "known", Value: known}}
	if until > 0 {
		i[4].Value = 1795373397 + until
	}
	return i
}

// said is the answer to who says what he wants.
func said(kind, group, name string, until int, reason string, changed, kept bool) xmlrpc.Struct {
	i := intent(kind, group, name, until, reason, false)
	return append(i[:len(i)-1], xmlrpc.Member{Name: "changed", Value: changed}, xmlrpc.Member{Name: "kept", Value: kept})
}

// intentRows are about what people want of groups and processes.
func intentRows(add func(string, map[string]any), every func() map[string]any) {
	list := []any{
		intent("paused", "b", "", 7200, "a heap dump", true), intent("disabled", "a", "a", 0, "", true),
		intent("paused", "g", "x", 86400, "", false), intent("disabled", "gone", "", 0, "", false),
	}
	for _, command := range []string{
		"pause", "pause -o json", "disable", "disable -o json", "status b:* a -o json", "diff", "diff -o json",
	} {
		add(command, with(every(), "getIntents", list, "diff", []any{action("restart", "b", "c", "command differs"), action("add", "new", "", "it is new")}))
	}
	add("pause", with(every(), "getIntents", []any{}))
	add("disable -o json", with(every(), "getIntents", []any{}))
	off := with(every(), "getIntents", list, "getState", reconcileState("synced", "", true), "diff", []any{})
	off["supervisor.getAllProcessInfo"] = []any{info("a", "a", 0, "STOPPED", "disabled", 0)}
	add("wait -t 0", off) // what is disabled is not waited for
	add("wait -t 0 a", off)

	paused, already := said("paused", "b", "", 7200, "a heap dump", true, true), said("disabled", "a", "", 0, "", false, true)
	for _, command := range []string{
		"pause b --for 2h --reason a heap dump", "pause --for=2h b --reason=why", "pause b g:x --for 1d -o json", "pause b --for 90", "pause b --for 1.5h",
		"pause b --for 2x", "pause b --for 0", "pause b --for -2h", "pause b --for 367d", "pause b --for 500ms", "pause b --for", "pause b", "pause --for 2h",
		"pause b --reason why", "pause b --for 2h --reason", "pause --reason a heap dump b --for 2h", "pause b --for 2h --reason one\ntwo",
	} {
		add(command, with(every(), "pause", paused))
	}
	const unknown = "no such group: cta (did you mean cat?)"
	add("pause cta --for 2h", with(every(), "pause", fault(xmlrpc.BadName, unknown)))
	add("pause cta b --for 2h -o json", with(every(), "pause", fault(xmlrpc.BadName, unknown)))
	add("pause b --for 2h", with(every(), "pause", said("paused", "b", "", 7200, "", true, false)))
	for _, command := range []string{"resume b", "resume b g:x", "resume", "resume b -o json"} {
		add(command, with(every(), "resume", said("paused", "b", "", 0, "", true, true)))
	}
	add("resume b", with(every(), "resume", said("paused", "b", "", 0, "", false, true)))
	add("resume b:c", with(every(), "resume", fault(xmlrpc.Failed, "b:c: the whole group is paused by uid 0 until 2026-11-22 20:49 UTC")))
	for _, command := range []string{"disable a", "disable a -o json"} {
		add(command, with(every(), "disable", said("disabled", "a", "", 0, "", true, true)))
		add(command, with(every(), "disable", already))
	}
	add("disable cta", with(every(), "disable", fault(xmlrpc.BadName, unknown)))
	add("disable a", with(every(), "disable", fault(xmlrpc.ShutdownState, "")))
	for _, command := range []string{"enable a", "enable", "enable a b:c -o json"} {
		add(command, with(every(), "enable", said("disabled", "a", "", 0, "", true, true)))
	}
	add("enable a", with(every(), "enable", already))
	add("enable cta", with(every(), "enable", fault(xmlrpc.BadName, unknown)))
	for _, command := range []string{"pause", "pause a --for 2h", "resume a", "disable", "disable a", "enable a"} { // of Supervisor
		add(command, every())
	}
}

// TestPauseOnTheCommandLine: a shell's word may be a whole reason, and a request says just
// what was asked for.
func TestPauseOnTheCommandLine(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"pause", "web", "--for", "2h", "--reason", "a heap  dump\nof web"},
		{"pause", "--reason=a heap dump of web", "--for=120m", "web"},
		{"--for", "7200", "--reason", "a heap dump of web", "pause", "web"},
	} {
		calls := make(chan []any, 1) // the one call
		s := &script{answers: with(settled(), "pause", said("paused", "web", "", 7200, "a heap dump of web", true, true))}
		s.onCall = func(method string, params []any) {
			if method == "reconcile.pause" {
				calls <- params
			}
		}
		socket := s.serve(t)
		out := ctl(t, oracle.Ours, filepath.Dir(socket), "", append([]string{"-s", "unix://" + socket}, args...)...)
		if want := "web: paused by uid 0 via unix socket until 2026-11-22 20:49: a heap dump of web\n"; out.Stdout != want || out.Exit != 0 {
			t.Errorf("%q: %v", args, out)
			continue
		}
		if got := <-calls; got[0] != "web" || got[1] != 7200 || got[2] != "a heap dump of web" {
			t.Errorf("%q asks for %q", args, got)
		}
	}
}

// TestParseLength: what is a time for pause, and what is none.
func TestParseLength(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30m": 30 * time.Minute, "2h": 2 * time.Hour, "3d": 72 * time.Hour, "1h30m": 90 * time.Minute, "90": 90 * time.Second, "0.5d": 12 * time.Hour,
		"1s": time.Second, "366d": 366 * 24 * time.Hour,
	} {
		if got, ok := parseLength(text); !ok || got != want {
			t.Errorf("%s is %s, %v; want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "2x", "h", "d", "-2h", "0", "0s", "999ms", "367d", "1e9", "NaN", "Inf", "infd", "2 h", "1d2h", strings.Repeat("9", 400)} {
		if got, ok := parseLength(text); ok {
			t.Errorf("%q is %s", text, got)
		}
	}
}
