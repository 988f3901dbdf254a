package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/cmd/internal/host"
	"supervisord/reconcile"
	"supervisord/rpc/xmlrpc"
	"supervisord/spec"
)

// TestReconcileFault: what a client is told depends on what went wrong, and nothing
// is said to one that has gone.
func TestReconcileFault(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	file := filepath.Join(t.TempDir(), "s.conf")
	if err := os.WriteFile(file, []byte("[supervisord]\nminfds=few\n[program:a]\nstartsecs=x\ncommand=cat\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, mistakes := spec.Load(host.New(), file, spec.Options{})
	for _, row := range []struct {
		ctx  context.Context
		err  error
		want string
	}{
		{t.Context(), fmt.Errorf("%w: x", reconcile.ErrBadName), "[10] BAD_NAME: no such group: x"},
		{t.Context(), fmt.Errorf("%w: 9: the last one is 7", reconcile.ErrNoGeneration), "[10] BAD_NAME: no such generation: 9: the last one is 7"},
		{t.Context(), fmt.Errorf("%w: /x: it is gone", reconcile.ErrTree), "[30] FAILED: the tree cannot be read: /x: it is gone"},
		{t.Context(), reconcile.ErrNotRunning, "[6] SHUTDOWN_STATE"},
		{t.Context(), errors.New("File contains no section headers."), "[92] CANT_REREAD: File contains no section headers."},
		{t.Context(), fmt.Errorf("cannot: %w", mistakes), "[92] CANT_REREAD: " +
			file + ":2: [supervisord] minfds: invalid literal for int() with base 10: 'few' (a whole number, such as 10)\n" +
			file + ":4: [program:a] startsecs: invalid literal for int() with base 10: 'x' (a whole number, such as 10)"},
		{gone, context.Canceled, "context canceled"},
	} {
		if got := reconcileFault(row.ctx, row.err).Error(); got != row.want {
			t.Errorf("%v: got %s, want %s", row.err, got, row.want)
		}
	}
}

// TestHistoryStructs: a client learns what was done, and why, in the same order.
func TestHistoryStructs(t *testing.T) {
	list := historyStructs([]reconcile.Entry{{Actions: []reconcile.Action{
		{Action: reconcile.Add, Group: "a", Reason: "it is new"}, {Action: reconcile.Restart, Group: "g", Process: "b", Reason: "command differs"},
	}}})
	got := map[string]any{}
	for _, m := range list[0].(xmlrpc.Struct) {
		got[m.Name] = m.Value
	}
	want := map[string][]any{"actions": {"add a", "restart g:b"}, "reasons": {"it is new", "command differs"}}
	for name, values := range want {
		if diff := cmp.Diff(any(values), got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestFileDiffStructs: a client learns how files differ, with an empty list where nothing does.
func TestFileDiffStructs(t *testing.T) {
	got := fileDiffStructs([]reconcile.FileDiff{{Path: "/a", Change: spec.Added}, {Path: "/b", Change: spec.Changed, Sections: []spec.SectionDiff{
		{Section: "program:b", Change: spec.Changed, Fields: []spec.Field{{Key: "command", Old: "x", New: "y"}}},
	}}})
	want := []any{
		xmlrpc.Struct{{Name: "path", Value: "/a"}, {Name: "change", Value: "added"}, {Name: "sections", Value: []any{}}},
		xmlrpc.Struct{{Name: "path", Value: "/b"}, {Name: "change", Value: "changed"}, {Name: "sections", Value: []any{
			xmlrpc.Struct{{Name: "section", Value: "program:b"}, {Name: "change", Value: "changed"}, {Name: "keys", Value: []any{
				xmlrpc.Struct{{Name: "key", Value: "command"}, {Name: "old", Value: "x"}, {Name: "new", Value: "y"}},
			}}},
		}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSaid: who says what he wants learns what is so now, whether that is new, and whether a
// restart forgets it; or why not.
func TestSaid(t *testing.T) {
	since := time.Unix(1795373397, 0)
	paused := reconcile.Intent{Kind: reconcile.Paused, Group: "g", Process: "x", Since: since, Until: since.Add(2 * time.Hour), By: "uid 0", Reason: "why"}
	for _, row := range []struct {
		said reconcile.Said
		want xmlrpc.Struct
	}{
		{reconcile.Said{Intent: paused, Changed: true, Kept: true}, xmlrpc.Struct{
			{Name: "kind", Value: "paused"}, {Name: "group", Value: "g"}, {Name: "name", Value: "x"}, {Name: "since", Value: int64(1795373397)}, {Name: "until", Value: int64(1795380597)},
			{Name: "by", Value: "uid 0"}, {Name: "reason", Value: "why"}, {Name: "changed", Value: true}, {Name: "kept", Value: true}}},
		{reconcile.Said{Intent: reconcile.Intent{Kind: reconcile.Disabled, Group: "g", By: "uid 0"}}, xmlrpc.Struct{
			{Name: "kind", Value: "disabled"}, {Name: "group", Value: "g"}, {Name: "name", Value: ""}, {Name: "since", Value: int64(0)}, {Name: "until", Value: int64(0)},
			{Name: "by", Value: "uid 0"}, {Name: "reason", Value: ""}, {Name: "changed", Value: false}, {Name: "kept", Value: false}}},
	} {
		got, err := asSaid(t.Context())(row.said, nil)
		if diff := cmp.Diff(row.want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	for _, row := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("g:x: %w paused by uid 0", reconcile.ErrWhole), "[30] FAILED: g:x: the whole group is paused by uid 0"},
		{fmt.Errorf("%w: gg (did you mean g?)", reconcile.ErrBadName), "[10] BAD_NAME: no such group: gg (did you mean g?)"},
		{reconcile.ErrNotRunning, "[6] SHUTDOWN_STATE"},
	} {
		if _, err := asSaid(t.Context())(reconcile.Said{}, row.err); err == nil || err.Error() != row.want {
			t.Errorf("%v: got %v, want %s", row.err, err, row.want)
		}
	}
}
