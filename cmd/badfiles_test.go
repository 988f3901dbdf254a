package cmd

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// TestBadFilesAreSeen: whoever starts a daemon that cannot use one of its files is told
// in one line, in the background too, and so is whoever looks at it later.
func TestBadFilesAreSeen(t *testing.T) {
	t.Parallel()
	const config = oracle.Prelude + `
[include]
files=conf.d/*.ini
`
	for _, detached := range []bool{false, true} {
		name, start := "foreground", oracle.StartDaemon
		if detached {
			name, start = "background", oracle.StartDetached
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range map[string]string{
				"conf.d/good.ini":  "[program:good]\ncommand=/bin/cat\nautorestrat=true\n",
				"conf.d/bad.ini":   "[program:bad]\ncommand=/bin/cat\nstartsecs=soon\n",
				"conf.d/worse.ini": "[program:worse\n",
			} {
				path := filepath.Join(dir, file)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			d := start(t, oracle.Ours, dir, config)
			const bad = "bad.ini:3: [program:bad] startsecs: invalid literal for int() with base 10: 'soon' (a whole number, such as 10)"
			want := "2 included files are invalid; their previous content, if any, is in force (supervisorctl files); the first: " + d.Dir + "/conf.d/" + bad + "\n"
			if got := d.Stderr(); got != want {
				t.Errorf("standard error:\n%swant\n%s", got, want)
			}
			files := d.Ctl(oracle.Ours, "files").Stdout
			for _, want := range []string{
				"conf.d/good.ini", "applied, 1 warning", "warning: good.ini:3: [program:good] autorestrat: the key is unknown", bad,
			} {
				if !strings.Contains(files, want) {
					t.Errorf("%q is missing in\n%s", want, files)
				}
			}
			if out := d.Ctl(oracle.Ours, "diff").Stdout; !strings.HasSuffix(out, "2 files are invalid: supervisorctl files\n") {
				t.Errorf("diff prints\n%s", out)
			}
			if out := d.Ctl(oracle.Ours, "status").Stdout; strings.Contains(out, "invalid") {
				t.Errorf("status prints to a pipe\n%s", out)
			}
			for path, want := range map[string]string{
				"/metrics": `supervisord_config_files{state="invalid"} 2`, "/": "invalid: " + d.Dir + "/conf.d/bad.ini:3:",
			} {
				resp, err := d.HTTPClient().Get("http://localhost" + path)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || !strings.Contains(string(body), want) {
					t.Errorf("%s: %v, and %q is missing in\n%s", path, err, want, body)
				}
			}
		})
	}
}
