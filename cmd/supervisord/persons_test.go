package main

import (
	"context"
	"testing"

	"supervisord/runtime"
	"supervisord/spec"
)

// TestNotStopped: who disables is told of each that still runs, and of nothing that is down.
func TestNotStopped(t *testing.T) {
	of := func(kind runtime.Kind) error { return &runtime.Error{Kind: kind, Name: "b"} }
	one, group := spec.Namespec{Group: "g", Process: "b"}, spec.Namespec{Group: "g"}
	for _, tc := range []struct {
		of      spec.Namespec
		results []runtime.Result
		err     error
		want    string
	}{
		{of: one},
		{of: one, err: of(runtime.NotRunning)},
		{of: group, err: of(runtime.BadName)},
		{of: one, err: of(runtime.Failed), want: "[30] FAILED: disabled, but not stopped: g:b: failed"},
		{of: group, results: []runtime.Result{{Group: "g", Name: "a"}, {Group: "g", Name: "b", Err: of(runtime.NotRunning)}}},
		{of: group, results: []runtime.Result{
			{Group: "g", Name: "a"},
			{Group: "g", Name: "b", Err: of(runtime.Failed)},
			{Group: "g", Name: "c", Err: &runtime.Error{Kind: runtime.Failed, Name: "c", Detail: "no permission"}},
		}, want: "[30] FAILED: disabled, but not stopped: g:b: failed; g:c: no permission"},
		{of: group, err: context.Canceled, want: "context canceled"},
		{of: group, err: of(runtime.ShuttingDown), want: "b: shutting down"},
	} {
		got := ""
		if err := notStopped(tc.of, tc.results, tc.err); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%v %v: %q, want %q", tc.results, tc.err, got, tc.want)
		}
	}
}
