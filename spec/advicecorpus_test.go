package spec

import (
	"slices"
	"strings"
	"testing"
)

// classes of warning, by what is in their text, in the order in which they are tried.
var classes = []struct{ name, text string }{
	{"Supervisor's own: redirect_stderr with a file", "the file is not used, since redirect_stderr=true"},
	{"Supervisor's own: syslog as a file", "syslog as the name of a file"},
	{"Supervisor's own: AUTO without rotation", "AUTO log is never rotated"},
	{"no file matches an include", "no file matches "},
	{"a server without RPC interface", "there is no [rpcinterface:supervisor]"},
	{"RPC interface under another name", "clients look for the standard RPC interface"},
	{"serverurl of no server here", "no server of this file is at "},
	{"serverurl without a server", "there is no server in this file"},
	{"every address, no password", "on every address without a password"},
	{"a shell's words without a shell", "no shell runs the command"},
	{"a glued comment", "is a part of the value"},
	{"a shell's variable in a value", " is not expanded"},
	{"a key in the wrong section", "the key has no effect here: it belongs to"},
	{"an unknown key", "the key is unknown"},
	{"a section without meaning", "the section has no effect"},
	{"a section in two places", "the section is also in"},
	{"another value twice", "replaces the value from"},
	{"one log of two writers", "after a rotation "},
	{"it goes into the background", "goes into the background"},
	{"it goes into the background", "starts its program in the background"},
	{"no executable", "there is no executable"},
	{"a command that cannot be parsed", "can't parse command"},
	{"a value cut by a comment", "which is taken for a comment"},
	{"an indented line", "is indented and so goes on"},
	{"a header that is not closed", "is read as an option of this section"},
	{"environment that ends early", "ends before"},
	{"environment that is not what it seems", "the value of "},
	{"numbers out of range", "counts as 0"},
	{"no process at all", "no process is made"},
	{"an empty command", "command is empty"},
	{"text after a header", "after the header is ignored"},
	{"include in an included file", "an [include] in an included file"},
	{"the start-order plug-in's keys", "start-order plug-in"},
	{"dependencies with commas", "with commas it is not understood"},
	{"options of the RPC interface", "the standard RPC interface takes no options"},
}

// TestCorpusAdvice counts the warnings about real files by their class; with -v it
// prints them all, and the counts. One of no class fails: who
// adds a class looks at what real files make of it.
func TestCorpusAdvice(t *testing.T) {
	counts, files := map[string]int{}, map[string][]string{}
	forCorpus(t, func(t *testing.T, want expectation, h *memHost) {
		cfg, err := Load(h, "/base/here/supervisord.conf", corpusOptions)
		var advice []*Error
		if failed, ok := err.(*LoadError); ok {
			advice = failed.Advice()
		} else {
			advice = cfg.Advice
		}
		for _, e := range advice {
			at := slices.IndexFunc(classes, func(c struct{ name, text string }) bool { return strings.Contains(e.Text, c.text) })
			if at < 0 {
				t.Errorf("of no class: %s", e.Report())
				continue
			}
			name := classes[at].name
			counts[name]++
			if list := files[name]; !slices.Contains(list, want.ID) {
				files[name] = append(list, want.ID)
			}
			t.Logf("%s: %s", want.ID, e.Report())
		}
	})
	told := map[string]bool{}
	for _, c := range classes {
		if !told[c.name] {
			told[c.name] = true
			t.Logf("%4d in %3d files: %s", counts[c.name], len(files[c.name]), c.name)
		}
	}
}
