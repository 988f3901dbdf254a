package cmd

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// TestUnusable makes something unusable on which a file depends that does not
// change, beside the original: what runs keeps its pid and runs nowhere else,
// whoever asks for an update, and however. The original refuses the whole update; we
// apply the rest, say what was left as it is, and exit 1 as well.
//
// Source: reconciler.md, When it does not act.
func TestUnusable(t *testing.T) {
	t.Parallel()
	logged := func(name string) string {
		return "[program:" + name + "]\ncommand=/bin/sleep 1000\nstderr_logfile=NONE\nstdout_logfile={{.Dir}}/logs/" + name + ".log\n"
	}
	rows := []struct {
		name, broken, error string
		files               map[string]string
		running             string
	}{
		{"the file of a member goes", "rm conf.d/a.ini", "names unknown program or fcgi-program a",
			map[string]string{"g.ini": "[group:g]\nprograms=a,b\n", "a.ini": sleeper("a", 1000), "b.ini": sleeper("b", 1000)}, "g:a, g:b"},
		{"the file of a member is renamed to a name that is not included", "mv conf.d/b.ini conf.d/b.off", "names unknown program or fcgi-program b",
			map[string]string{"g.ini": "[group:g]\nprograms=a,b\n", "a.ini": sleeper("a", 1000), "b.ini": sleeper("b", 1000)}, "g:a, g:b"},
		{"the section of a member goes", `sed -i 's/program:b/x-program:b/' conf.d/ab.ini`, "names unknown program or fcgi-program b",
			map[string]string{"g.ini": "[group:g]\nprograms=a,b\n", "ab.ini": sleeper("a", 1000) + sleeper("b", 1000)}, "g:a, g:b"},
		{"the directory of a log goes", "mv logs logs2", "does not exist",
			map[string]string{"a.ini": logged("a"), "b.ini": sleeper("b", 1000)}, "a:a, b:b"},
		{"the directory of a member's log goes", "mv logs logs2", "does not exist",
			map[string]string{"g.ini": "[group:g]\nprograms=a,b\n", "a.ini": logged("a"), "b.ini": sleeper("b", 1000)}, "g:a, g:b"},
		{"the directory of one log of two in a file goes", "mv logs logs2", "does not exist",
			map[string]string{"ab.ini": logged("a") + sleeper("b", 1000)}, "a:a, b:b"},
	}
	for _, r := range rows {
		for _, kind := range oracle.Kinds(t) {
			t.Run(r.name+"/"+kind.String(), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				shell(t, dir, "mkdir conf.d logs")
				real, err := filepath.EvalSymlinks(dir)
				if err != nil {
					t.Fatal(err)
				}
				for name, text := range r.files {
					if err := os.WriteFile(dir+"/conf.d/"+name, []byte(strings.ReplaceAll(text, "{{.Dir}}", real)), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				config := oracle.Prelude + "[include]\nfiles=conf.d/*.ini\n"
				if kind == oracle.Ours {
					config += "[reconcile]\nsettle=100ms\nrescan=300ms\nstatedir={{.Dir}}/state\n"
				}
				w := &fixture{t, oracle.StartDaemon(t, kind, dir, config)}
				oracle.WaitFor(t, "the programs to run", func() bool { return namesOf(w.namespecs()) == r.running })
				before := w.namespecs()

				w.sh(r.broken)
				others := []string{"x", "y"}
				for i, client := range []oracle.Kind{oracle.Ours, oracle.Debian} {
					if client == oracle.Debian && !oracle.Present(t) || kind == oracle.Debian && client == oracle.Ours {
						continue
					}
					w.Write("conf.d/"+others[i]+".ini", sleeper(others[i], 1000))
					if kind == oracle.Ours {
						w.decided()
					}
					for _, args := range [][]string{{"reread"}, {"update"}, {"update", others[i]}, {"update", "g", "a", "b"}, {"update", "all"}} {
						out := w.Ctl(client, args...)
						if !strings.Contains(out.Stdout+out.Stderr, r.error) {
							t.Errorf("%s %v does not say why: %v", client, args, out)
						}
						if client == oracle.Ours && out.Exit != 1 && args[0] == "update" {
							t.Errorf("%v: %v", args, out)
						}
					}
				}
				after := w.namespecs()
				for name, pid := range before {
					if after[name] != pid {
						t.Errorf("%s had pid %d and has %d", name, pid, after[name])
					}
				}
				want := r.running
				if kind == oracle.Ours {
					want += ", x:x"
					if oracle.Present(t) {
						want += ", y:y"
					}
				}
				if got := namesOf(after); got != want {
					t.Errorf("%s run, want %s; log:\n%s", got, want, w.Log())
				}
			})
		}
	}
}

// namespecs are the pids of all processes that run, by GROUP:NAME.
func (w *fixture) namespecs() map[string]int {
	w.t.Helper()
	all, err := w.Call("supervisor.getAllProcessInfo")
	if err != nil {
		w.t.Fatal(err)
	}
	pids := make(map[string]int)
	for _, info := range all.([]any) {
		m := info.(map[string]any)
		if pid := m["pid"].(int); pid != 0 {
			pids[fmt.Sprintf("%s:%s", m["group"], m["name"])] = pid
		}
	}
	return pids
}

func namesOf(pids map[string]int) string { return strings.Join(slices.Sorted(maps.Keys(pids)), ", ") }
