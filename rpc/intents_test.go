package rpc

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/rpc/xmlrpc"
)

// note is how the fake daemon takes what people want: of cat alone.
func (w *fakeDaemon) note(ctx context.Context, name, what string) (xmlrpc.Struct, error) {
	if name != "cat" {
		return nil, faultWith(xmlrpc.BadName, "no such group: "+name+" (did you mean cat?)")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, Caller(ctx)+": "+what)
	return xmlrpc.Struct{{Name: "group", Value: name}, {Name: "changed", Value: true}}, nil
}

func (w *fakeDaemon) Pause(ctx context.Context, name string, length time.Duration, reason string) (xmlrpc.Struct, error) {
	return w.note(ctx, name, fmt.Sprintf("pause %s %s %q", name, length, reason))
}

func (w *fakeDaemon) Resume(ctx context.Context, name string) (xmlrpc.Struct, error) {
	return w.note(ctx, name, "resume "+name)
}

func (w *fakeDaemon) Disable(ctx context.Context, name string, wait bool) (xmlrpc.Struct, error) {
	return w.note(ctx, name, "disable "+name+map[bool]string{true: ", waiting"}[wait])
}

func (w *fakeDaemon) Enable(ctx context.Context, name string) (xmlrpc.Struct, error) {
	return w.note(ctx, name, "enable "+name)
}

func (w *fakeDaemon) Intents(context.Context) ([]any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return asList(w.said), nil
}

func asList(list []string) []any {
	all := []any{}
	for _, s := range list {
		all = append(all, s)
	}
	return all
}

// ourSignatures is each method of reconcile.* that Supervisor's clients cannot know.
const ourSignatures = `
reconcile.apply struct array
reconcile.applyPlan struct string array
reconcile.diff array array
reconcile.diffGenerations array int int
reconcile.disable struct string boolean
reconcile.enable struct string
reconcile.getFiles array
reconcile.getGeneration struct int
reconcile.getHistory array int
reconcile.getIntents array
reconcile.getState struct
reconcile.pause struct string int string
reconcile.plan struct array string
reconcile.resume struct string
reconcile.revert struct string
reconcile.setAutoupdate boolean boolean
reconcile.unpin boolean string
`

// TestReconcileMethods: they are listed, and described as they are signed.
func TestReconcileMethods(t *testing.T) {
	w, o := unixOnly(t)
	o.HasSupervisorNamespace = false
	o.Extra = []Namespace{ReconcileNamespace(fakeReconciler{}), IntentNamespace(w)}
	c := dial(t, serve(t, o), 0)
	names, err := c.call("system.listMethods")
	if err != nil {
		t.Fatal(err)
	}
	got := "\n"
	for _, name := range names.([]any) {
		name := name.(string)
		if strings.HasPrefix(name, "system.") {
			continue
		}
		signature, err := c.call("system.methodSignature", name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got += strings.TrimRight(name+" "+strings.Trim(fmt.Sprint(signature), "[]"), " ") + "\n"
		help, err := c.call("system.methodHelp", name)
		text, tags, _ := strings.Cut(fmt.Sprint(help), "\n\n")
		if err != nil || len(text) < 20 || strings.Count(tags, "@param ")+strings.Count(tags, "@return ") != len(signature.([]any)) {
			t.Errorf("%s: the help is %q, %v", name, help, err)
		}
	}
	if diff := cmp.Diff(ourSignatures, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestIntentCalls: what becomes of good and bad parameters, and who is said to have asked.
func TestIntentCalls(t *testing.T) {
	w, o := unixOnly(t)
	var log activity
	o.Logger = log.logger(slog.LevelInfo)
	o.Extra = []Namespace{ReconcileNamespace(fakeReconciler{}), IntentNamespace(w)}
	c := dial(t, serve(t, o), 0)
	call := func(method string, params ...any) (any, error) { return c.call("reconcile."+method, params...) }
	const bad, badReason = "[2] INCORRECT_PARAMETERS", "[30] FAILED: a reason is one line of at most 200 characters"
	for _, row := range []struct {
		method string
		params []any
		want   string // the fault, or what was noted
	}{
		{"pause", []any{"cat", 7200, "a heap dump"}, `pause cat 2h0m0s "a heap dump"`},
		{"pause", []any{"cat", 1}, `pause cat 1s ""`},
		{"pause", []any{"cat", 366 * 24 * 3600, strings.Repeat("é", 200)}, `pause cat 8784h0m0s "` + strings.Repeat("é", 200) + `"`},
		{"pause", []any{"cat", 366*24*3600 + 1}, bad},
		{"pause", []any{"cat", 0}, bad},
		{"pause", []any{"cat", -1}, bad},
		{"pause", []any{"cat", "2x"}, bad},
		{"pause", []any{"cat"}, bad},
		{"pause", []any{7, 60}, bad},
		{"pause", []any{"cat", 60, 7}, bad},
		{"pause", []any{"cat", 60, "a", "b"}, bad},
		{"pause", []any{"cat", 60, "a\n2026-11-29 12:00:00,000 CRIT forged"}, badReason},
		{"pause", []any{"cat", 60, "a\tb"}, badReason},
		{"pause", []any{"cat", 60, "a\u202eb"}, badReason},
		{"pause", []any{"cat", 60, "a\u0085b"}, badReason},
		{"pause", []any{"cat", 60, strings.Repeat("x", 201)}, badReason},
		{"pause", []any{"cta", 60}, "[10] BAD_NAME: no such group: cta (did you mean cat?)"},
		{"resume", []any{"cat"}, "resume cat"},
		{"resume", []any{"cta"}, "[10] BAD_NAME: no such group: cta (did you mean cat?)"},
		{"resume", nil, bad},
		{"disable", []any{"cat"}, "disable cat, waiting"},
		{"disable", []any{"cat", false}, "disable cat"},
		{"disable", []any{"cta"}, "[10] BAD_NAME: no such group: cta (did you mean cat?)"},
		{"disable", nil, bad},
		{"enable", []any{"cat"}, "enable cat"},
		{"enable", []any{7}, bad},
		{"getIntents", []any{"cat"}, bad},
		{"getGeneration", []any{8}, "[10] BAD_NAME: no such generation: the last one is 7"},
		{"getGeneration", []any{-1}, bad},
		{"getGeneration", []any{"x"}, bad},
		{"getGeneration", nil, bad},
		{"diffGenerations", []any{1}, bad},
		{"diffGenerations", []any{1, -2}, bad},
	} {
		before := len(w.said)
		_, err := call(row.method, row.params...)
		got := fmt.Sprint(err)
		if err == nil && len(w.said) == before+1 {
			got = strings.TrimPrefix(w.said[before], "uid "+uid()+" via unix socket: ")
		} else if len(w.said) != before {
			t.Errorf("%s %v: %v, but something was noted: %q", row.method, row.params, err, w.said[before:])
		}
		if got != row.want {
			t.Errorf("%s %v: %s, want %s", row.method, row.params, got, row.want)
		}
	}
	if v, err := call("getGeneration", "7"); err != nil || fmt.Sprint(v) != "map[generation:7]" {
		t.Errorf("one generation: %v, %v", v, err)
	}
	if v, err := call("diffGenerations", 3, 7); err != nil || fmt.Sprint(v) != "[3 7]" {
		t.Errorf("two generations: %v, %v", v, err)
	}
	if v, err := call("getIntents"); err != nil || len(v.([]any)) != len(w.said) {
		t.Errorf("what people want: %v, %v", v, err)
	}
	for _, want := range []string{"cat paused by uid " + uid(), "cat resumed by uid " + uid(), "cat disabled by uid " + uid(), "cat enabled by uid " + uid()} {
		if !log.has(want) {
			t.Errorf("the log has no %q", want)
		}
	}
	if log.has("forged") || log.has("cta") {
		t.Errorf("the log has what was refused: %q", log.lines)
	}
}
