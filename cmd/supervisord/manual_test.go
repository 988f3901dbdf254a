package main

import (
	"bytes"
	"testing"

	"supervisord/cmd/internal/mdoc"
)

func TestManualPage(t *testing.T) {
	mdoc.Test(t, "../internal/pages", "supervisord.8", map[string]string{"OPTIONS": mdoc.Options(helpText("supervisord"))})
}

func TestExplain(t *testing.T) {
	for _, row := range []struct {
		key, want string
		exit      int
	}{
		{"[program:web] startsecs", `[program:x] startsecs
    Seconds it must stay up to count as started.
    type     integer, in seconds: a whole number, such as 10
    default  1
    since    Supervisor 3.0
    change   In force at once; the process keeps its pid.
`, 0},
		{"supervisord.user", `[supervisord] user
    Become this user at start; default: do not change.
    type     the name or number of a user on this machine
    example  supervisord
    since    Supervisor 3.0
    change   In force after a reload, which restarts everything.
`, 0},
		{"stopwaitsec", "", 2},
		{"a.b.c", "", 2},
	} {
		var out bytes.Buffer
		if exit := explain(&out, row.key); exit != row.exit || out.String() != row.want {
			t.Errorf("--explain %q printed, with exit status %d, want %d:\n%s\nwant:\n%s", row.key, exit, row.exit, out.String(), row.want)
		}
	}
}
