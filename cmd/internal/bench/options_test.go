package main

import (
	"errors"
	"flag"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOptions(t *testing.T) {
	var out strings.Builder
	o, err := parseOptions([]string{"--against", "a", "--rounds", "3", "--rows", "^RSS", "--no-debian", "--sizes", "--json", "--against=b"}, &out)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, o.against); diff != "" {
		t.Error(diff)
	}
	if o.rounds != 3 || !o.noDebian || !o.sizes || !o.json || !o.rows.MatchString("RSS at 0") || o.rows.MatchString("the RSS") || out.Len() != 0 {
		t.Errorf("got %+v, %q", o, &out)
	}
	if o, err := parseOptions(nil, &out); err != nil || o.rounds != 5 || o.noDebian || o.sizes || o.json || o.against != nil || !o.rows.MatchString("x") {
		t.Errorf("by default %+v, %v", o, err)
	}
}

func TestWrongOptions(t *testing.T) {
	rows := []struct{ args, want string }{
		{"--rounds 0", "--rounds 0: at least one"},
		{"--rounds -1", "--rounds -1: at least one"},
		{"--rounds x", `invalid value "x"`},
		{"--rows (", "missing closing )"},
		{"--against=", "no path"},
		{"start", `not an option: "start"`},
		{"--row x", "flag provided but not defined"},
	}
	for _, r := range rows {
		t.Run(r.args, func(t *testing.T) {
			var out strings.Builder
			if _, err := parseOptions(strings.Fields(r.args), &out); err == nil || !strings.Contains(out.String(), r.want) {
				t.Errorf("%v, said %q, want %q", err, &out, r.want)
			}
		})
	}
	var help strings.Builder
	if _, err := parseOptions([]string{"--help"}, &help); !errors.Is(err, flag.ErrHelp) || !strings.Contains(help.String(), "-against PATH") {
		t.Errorf("%v, said %q", err, &help)
	}
}
