package manual

import (
	"strings"
	"testing"

	"supervisord/spec"
)

// TestEveryKeyIsExplained: each key that a section knows has a meaning, a type and what
// a change of it does.
func TestEveryKeyIsExplained(t *testing.T) {
	keys := 0
	for _, s := range Sections() {
		if s.Meaning == "" {
			t.Errorf("nothing says what [%s] is for", s.Kind)
		}
		for _, e := range s.Keys {
			keys++
			if e.Meaning == "" || e.Type == "" || e.Effect == "" {
				t.Errorf("[%s] %s is not explained: %+v", s.Kind, e.Name, e)
			}
			if e.Default == "" && e.Example == "" {
				t.Errorf("[%s] %s has neither a default nor an example", s.Kind, e.Name)
			}
		}
	}
	if keys < 150 {
		t.Errorf("there are only %d keys", keys)
	}
}

// TestSectionsAreKnown: each kind of section that has keys is one by which a section of
// a file is found.
func TestSectionsAreKnown(t *testing.T) {
	for _, s := range Sections() {
		if name := strings.Replace(s.Kind, ":x", ":web", 1); spec.KindOf(name) != s.Kind {
			t.Errorf("the kind of [%s] is %q, want %q", name, spec.KindOf(name), s.Kind)
		}
	}
}

func TestFind(t *testing.T) {
	for words, want := range map[string]string{
		"stopwaitsecs":              "program:x",
		"priority":                  "program:x eventlistener:x",
		"[program:web] user":        "program:x",
		"program.user":              "program:x",
		"unix_http_server password": "unix_http_server",
		"program.events":            "",
		"user program x":            "",
		"":                          "",
	} {
		var kinds []string
		for _, e := range Find(words) {
			kinds = append(kinds, e.Section)
		}
		if got := strings.Join(kinds, " "); got != want {
			t.Errorf("%q is found in %q, want %q", words, got, want)
		}
	}
}
