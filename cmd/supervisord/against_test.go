package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"supervisord/cmd/internal/host"
	"supervisord/spec"
)

// TestAgainst reads the trees base and head of each testdata/against/*.txtar and compares
// what --check --against says of them with the files after those. The first line of the
// comment may name options. -update rewrites what is wanted: read the difference.
func TestAgainst(t *testing.T) {
	eachArchive(t, "testdata/against", []string{"want.text", "want.markdown"}, func(t *testing.T, archive *txtar.Archive) map[string]string {
		return againstBoth(t, extract(t, archive.Files), strings.Contains(string(archive.Comment), "--root"))
	})
}

// againstBoth is what --check --against says of dir/head and dir/base as text, with its exit
// status, and as Markdown. On the way: head against itself is nothing, and JSON says as much
// as the text.
func againstBoth(t *testing.T, dir string, rooted bool) map[string]string {
	t.Helper()
	say := func(head, base string, f flags) (string, int) {
		f.against = filepath.Join(dir, base, "supervisord.conf")
		main := filepath.Join(dir, head, "supervisord.conf")
		if rooted {
			f.root, f.againstRoot = filepath.Join(dir, head), filepath.Join(dir, base)
			main, f.against = "/etc/supervisord.conf", "/etc/supervisord.conf"
		}
		var out, errs bytes.Buffer
		status := checkAgainst(&out, &errs, userHost{host.New()}, main, spec.Options{}, f)
		return strings.ReplaceAll(out.String()+errs.String(), dir, "DIR"), status
	}
	text, status := say("head", "base", flags{})
	markdown, again := say("head", "base", flags{markdown: true})
	if again != status {
		t.Errorf("exit status %d, with --markdown %d", status, again)
	}
	data, again := say("head", "base", flags{json: true})
	var object struct {
		Changed bool
		Errors  []spec.Error
		Actions []struct{ Group string }
		Reach   *struct{ Restarted, Ended []string }
	}
	if err := json.Unmarshal([]byte(data), &object); err != nil || again != status {
		t.Fatalf("exit status %d, with --json %d and %v:\n%s", status, again, err, data)
	}
	for _, a := range object.Actions {
		if !strings.Contains(text, a.Group) || !strings.Contains(markdown, a.Group) {
			t.Errorf("only the object tells of %s", a.Group)
		}
	}
	if object.Reach != nil {
		for _, side := range []string{"head", "base"} {
			if same, status := say(side, side, flags{}); status == 1 {
				t.Errorf("%s against itself is:\n%s", side, same)
			}
		}
	}
	return map[string]string{"want.text": text + fmt.Sprintf("exit %d\n", status), "want.markdown": markdown}
}

// TestAgainstHidesSecrets: a comment on a pull request is read by many.
func TestAgainstHidesSecrets(t *testing.T) {
	const text = "[supervisord]\n[inet_http_server]\nport=127.0.0.1:9001\nusername=u\npassword=hush%[1]d\n" +
		"[program:a]\ncommand=/bin/cat %%(ENV_HOME)s%[1]d\nenvironment=TOKEN=\"secret%[1]d\"\n"
	dir := extract(t, []txtar.File{
		{Name: "base/supervisord.conf", Data: fmt.Appendf(nil, text, 1)}, {Name: "head/supervisord.conf", Data: fmt.Appendf(nil, text, 2)},
	})
	for _, f := range []flags{{}, {markdown: true}, {json: true}} {
		var out bytes.Buffer
		f.against = dir + "/base/supervisord.conf"
		status := checkAgainst(&out, &out, userHost{host.New()}, dir+"/head/supervisord.conf", spec.Options{}, f)
		if status != 1 || !strings.Contains(out.String(), "environment TOKEN") || !strings.Contains(out.String(), "%(ENV_HOME)s2") {
			t.Errorf("exit status %d and:\n%s", status, &out)
		}
		for _, secret := range []string{"secret", "hush", "/root"} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("%s is shown in:\n%s", secret, &out)
			}
		}
	}
}

// TestAgainstWrongly: what cannot be compared is said.
func TestAgainstWrongly(t *testing.T) {
	dir := extract(t, []txtar.File{{Name: "supervisord.conf", Data: []byte("[supervisord]\n")}})
	for _, test := range []struct{ args, want string }{
		{"--against x", "option --against requires --check"},
		{"--check --root x", "option --root requires --against"},
		{"--check --markdown", "option --markdown requires --against"},
		{"--check --against x --here", "options --here and --show-secrets have no effect with --against"},
		{"--check --against x --json --markdown", "options --json and --markdown cannot be combined"},
		{"--check --watch a --watch b --against x", "option --against compares one --watch with another directory"},
	} {
		if _, err := parseFlags(host.New(), strings.Fields(test.args)); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.args, err, test.want)
		}
	}
	for base, want := range map[string]string{
		dir + "/missing.conf": "Error: --against DIR/missing.conf: no such file or directory\n",
		dir:                   "Error: --against DIR: it takes a file where -c does, and a directory where --watch does\n",
		"/dev/null":           "Error: --against /dev/null: it is not a regular file\n",
	} {
		var out, errs bytes.Buffer
		status := checkAgainst(&out, &errs, host.New(), dir+"/supervisord.conf", spec.Options{}, flags{against: base})
		if got := strings.ReplaceAll(errs.String(), dir, "DIR"); status != 2 || got != want || out.Len() > 0 {
			t.Errorf("%s: exit status %d and %q, want %q", base, status, got, want)
		}
	}
}
