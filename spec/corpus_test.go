package spec

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// corpusSize is the number of files that the corpus must hold.
const corpusSize = 216

// expectation is one answer of Supervisor's own parser, as the corpus records it.
type expectation struct {
	ID            string            `json:"id"`
	Mode          string            `json:"mode"`
	Env           map[string]string `json:"env"`
	Result        json.RawMessage   `json:"result"`
	Supervisorctl json.RawMessage   `json:"supervisorctl"`
}

// outcome is what both sides say of a file.
type outcome struct {
	OK       bool     `json:"ok"`
	Kind     string   `json:"kind"`
	Error    string   `json:"error"`
	Warnings []string `json:"parse_warnings"`
	Infos    []string `json:"parse_infos"`
}

// TestCorpus compares what Load makes of real files with what Supervisor's own
// parser made of them, field by field. It needs the folder of the corpus in
// SUPERVISOR_CORPUS.
func TestCorpus(t *testing.T) {
	compared := forCorpus(t, func(t *testing.T, want expectation, h *memHost) {
		var theirs outcome
		unmarshal(t, want.Result, &theirs)
		cfg, err := Load(h, "/base/here/supervisord.conf", corpusOptions)
		if !theirs.OK {
			if err == nil {
				t.Fatalf("accepted; Supervisor says %q", theirs.Error)
			}
			if theirs.Kind == "usage" && err.Error() != tokens(theirs.Error) {
				t.Errorf("error %q\nwant  %q", err, tokens(theirs.Error))
			}
			return
		}
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		var wantState map[string]any
		unmarshal(t, want.Result, &wantState)
		for _, key := range []string{"ok", "stubs", "parse_warnings", "parse_infos"} {
			delete(wantState, key)
		}
		if diff := cmp.Diff(withPaths(wantState), roundTrip(t, withoutOurs(Normal(cfg, true)))); diff != "" {
			t.Errorf("state differs (-Supervisor +ours):\n%s", diff)
		}
		if diff := cmp.Diff(withPaths(theirs.Warnings), withPaths(append([]string{}, cfg.Warnings...))); diff != "" {
			t.Errorf("warnings differ (-Supervisor +ours):\n%s", diff)
		}
		if diff := cmp.Diff(withPaths(theirs.Infos), withPaths(append([]string{}, cfg.Infos...))); diff != "" {
			t.Errorf("infos differ (-Supervisor +ours):\n%s", diff)
		}
	})
	t.Logf("compared %d files", compared)
}

// TestCorpusCtl does the same for what supervisorctl takes from a file.
func TestCorpusCtl(t *testing.T) {
	forCorpus(t, func(t *testing.T, want expectation, h *memHost) {
		if want.Mode == "included" {
			content := h.files["/base/here/conf.d/app.conf"]
			h.files = map[string]string{"/base/here/supervisord.conf": content}
		}
		var theirs struct {
			outcome
			ServerURL   string  `json:"serverurl"`
			Username    *string `json:"username"`
			Password    *string `json:"password"`
			Prompt      string  `json:"prompt"`
			HistoryFile *string `json:"history_file"`
		}
		unmarshal(t, want.Supervisorctl, &theirs)
		ctl, err := LoadCtl(h, "/base/here/supervisord.conf")
		if !theirs.OK {
			if err == nil {
				t.Fatalf("accepted; Supervisor says %q", theirs.Error)
			}
			if theirs.Kind == "usage" && err.Error() != tokens(theirs.Error) {
				t.Errorf("error %q\nwant  %q", err, tokens(theirs.Error))
			}
			return
		}
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		text := func(s *string) string {
			if s == nil {
				return ""
			}
			return tokens(*s)
		}
		wanted := &Ctl{
			ServerURL: tokens(theirs.ServerURL), Username: text(theirs.Username), Password: text(theirs.Password),
			Prompt: theirs.Prompt, HistoryFile: text(theirs.HistoryFile),
		}
		if diff := cmp.Diff(wanted, ctl); diff != "" {
			t.Errorf("differs (-Supervisor +ours):\n%s", diff)
		}
	})
}

// corpusOptions accept every Python reference, as the recorder did.
var corpusOptions = Options{Resolve: func(_, _ string) bool { return true }}

// forCorpus stages every file of the corpus and calls test for it.
func forCorpus(t *testing.T, test func(t *testing.T, want expectation, h *memHost)) int {
	t.Helper()
	dir := os.Getenv("SUPERVISOR_CORPUS")
	if dir == "" {
		t.Log("SUPERVISOR_CORPUS names no folder: nothing to compare")
		return 0
	}
	paths, err := filepath.Glob(filepath.Join(dir, "open", "*.conf"))
	if err != nil || len(paths) != corpusSize {
		t.Fatalf("the corpus in %s has %d files (error %v), want %d", dir, len(paths), err, corpusSize)
	}
	for _, path := range paths {
		id := strings.TrimSuffix(filepath.Base(path), ".conf")
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		recorded, err := os.ReadFile(filepath.Join(dir, "expected", id+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var want expectation
		unmarshal(t, recorded, &want)
		t.Run(id, func(t *testing.T) { test(t, want, stage(want, string(content))) })
	}
	return len(paths)
}

// includingMain is the main file around a fragment of the corpus.
const includingMain = "[supervisord]\n\n[include]\nfiles = conf.d/*.conf\n"

// stage puts a file where the recorder had it.
func stage(want expectation, content string) *memHost {
	h := &memHost{cwd: "/base/cwd", env: want.Env, files: map[string]string{"/base/here/supervisord.conf": content}}
	if want.Mode == "included" {
		h.files = map[string]string{
			"/base/here/supervisord.conf": includingMain,
			"/base/here/conf.d/app.conf":  content,
		}
	}
	return h
}

// tokens puts the real paths in place of the recorder's tokens.
func tokens(s string) string {
	return strings.NewReplacer("@HERE@", "/base/here", "@CWD@", "/base/cwd", "@BASE@", "/base").Replace(s)
}

// withPaths is tokens in every text of a value.
func withPaths(v any) any {
	switch v := v.(type) {
	case string:
		return tokens(v)
	case []string:
		list := []string{}
		for _, s := range v {
			list = append(list, tokens(s))
		}
		return list
	case []any:
		list := []any{}
		for _, item := range v {
			list = append(list, withPaths(item))
		}
		return list
	case map[string]any:
		m := map[string]any{}
		for key, item := range v {
			m[tokens(key)] = withPaths(item)
		}
		return m
	}
	return v
}

func unmarshal(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

// roundTrip is a value as a reader of its JSON sees it.
func roundTrip(t *testing.T, v any) any {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var back any
	unmarshal(t, data, &back)
	return back
}

// withoutOurs takes depends_on away, which real files have for other programs' sake and which
// Supervisor's answer cannot have.
func withoutOurs(normal map[string]any) map[string]any {
	groups, _ := normal["groups"].([]any)
	for _, g := range groups {
		processes, _ := g.(map[string]any)["processes"].([]any)
		for _, p := range processes {
			delete(p.(map[string]any), "depends_on")
		}
	}
	return normal
}
