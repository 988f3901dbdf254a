package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"supervisord/cmd/internal/host"
	"supervisord/spec"
)

// TestConcernsAreListed: what may be told of an installation stands in the list of
// differences, once.
func TestConcernsAreListed(t *testing.T) {
	for _, c := range concerns {
		if c.text() == "" {
			t.Errorf("no one difference begins %q", c.begins)
		}
	}
}

func TestMigrateCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "supervisord.conf")
	for _, row := range []struct {
		name, text    string
		exit          int
		told, notTold []string
	}{
		{"a program and nothing else", "[supervisord]\n[program:a]\ncommand=/bin/cat\n", 0,
			[]string{"What will be different here:", "- A changed file is in force as soon as", "  -> every file\n"},
			[]string{"POST", "event"}},
		{"what has its own ways", "[supervisord]\n[inet_http_server]\nport=127.0.0.1:1\n[program:a]\ncommand=/bin/cat\nstopasgroup=true\n" +
			"[eventlistener:l]\ncommand=/bin/cat\nevents=TICK_5\n[reconcile]\nautoupdate=false\n", 0,
			[]string{"- State is changed only by POST", "  -> [inet_http_server]\n", "- What is left of a process group", "  -> [program:a]\n", "  -> [eventlistener:l]\n"},
			[]string{"A changed file", "FastCGI"}},
		{"a mistake", "[supervisord]\n[program:a]\ncommand=/bin/cat\nstartsecs=soon\n", 2, []string{":4: [program:a] startsecs: "}, []string{"What will"}},
	} {
		if err := os.WriteFile(file, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if exit := migrateCheck(&out, host.New(), file, spec.Options{}); exit != row.exit {
			t.Errorf("%s: exit status %d, want %d", row.name, exit, row.exit)
		}
		for _, want := range row.told {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: nothing says %q:\n%s", row.name, want, out.String())
			}
		}
		for _, not := range row.notTold {
			if strings.Contains(out.String(), not) {
				t.Errorf("%s: %q is told:\n%s", row.name, not, out.String())
			}
		}
	}
}
