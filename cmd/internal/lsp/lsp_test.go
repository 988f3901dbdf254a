package lsp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"supervisord/spec"
)

// cursor takes a text with a ^ where the cursor is apart.
func cursor(text string) (whole string, line, character int) {
	before, after, _ := strings.Cut(text, "^")
	last := before[strings.LastIndex(before, "\n")+1:]
	return before + after, strings.Count(before, "\n"), width(last)
}

func TestComplete(t *testing.T) {
	const web = "[program:web]\ncommand=x\n"
	for _, row := range []struct {
		text       string
		has, hasnt string
	}{
		{"[^", "program:x", "command"},
		{web + "^", "stopwaitsecs", "socket"},
		{web + "sto^", "stopwaitsecs", "events"},
		{web + "autorestart=^", "unexpected", "stopwaitsecs"},
		{web + "autorestart = un^", "unexpected", "command"},
		{web + "environment=^", "", "true"},
		{"[fcgi-program:é😀]\n^", "socket", "files"},
		{"[eventlistener:l]\nevents=TICK_5,^", "PROCESS_STATE", "true"},
		{"[eventlistener:l]\nevents=TICK_5,\n  ^", "PROCESS_STATE", "true"},
		{web + "[group:g]\nprograms=^", "web", "true"},
		{"[nosuch]\n^", "", "command"},
		{web + "; sto^", "", "stopwaitsecs"},
		{"^", "", "command"},
	} {
		text, line, character := cursor(row.text)
		var labels []string
		for _, i := range placeAt(text, line, character).complete(text) {
			labels = append(labels, i.Label)
		}
		if row.has != "" && !slices.Contains(labels, row.has) || slices.Contains(labels, row.hasnt) {
			t.Errorf("at %q there is offered %q; %q is meant to be among it and %q not", row.text, labels, row.has, row.hasnt)
		}
	}
}

func TestExplain(t *testing.T) {
	for text, want := range map[string]string{
		"[program:web]\nstart^secs=5\n":              "Seconds it must stay up",
		"[program:web]\nstartsecs=5^\n":              "Seconds it must stay up",
		"[eventlistener:l]\nevents=TICK_5,\n  TI^CK": "Event types it receives",
		"[pro^gram:web]\n":                           "A program named x",
		"[program:web]\nnosuch^=5\n":                 "",
		"start^secs=5\n":                             "",
	} {
		whole, line, character := cursor(text)
		if got := placeAt(whole, line, character).explain(); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("at %q there is said %q, want %q", text, got, want)
		}
	}
}

// TestSession is one of an editor with the server: each message, and what comes back.
func TestSession(t *testing.T) {
	files := map[string]string{"/c/b.conf": "[program:other]\ncommand=x\n"}
	s := &Server{
		Read: func(path string) ([]byte, error) { return []byte(files[path]), nil },
	}
	s.Check = func(path string) (mistakes, warnings []*spec.Error, read []string) {
		if text, _ := s.Open(path); strings.Contains(text, "bad") {
			mistakes = append(mistakes, &spec.Error{File: path, Line: 2, Key: "bad", Text: "it is bad", Hint: "make it good"})
		}
		return mistakes, []*spec.Error{{File: "/c/b.conf", Line: 1, Text: "of another file"}}, []string{"/c/b.conf"}
	}
	var in, out bytes.Buffer
	id := 0
	ask := func(method, params string) {
		id++
		number := json.RawMessage(fmt.Sprint(id))
		if err := send(&in, message{ID: &number, Method: method, Params: json.RawMessage(params)}); err != nil {
			t.Fatal(err)
		}
	}
	tell := func(method, params string) {
		if err := send(&in, message{Method: method, Params: json.RawMessage(params)}); err != nil {
			t.Fatal(err)
		}
	}
	const doc = `"textDocument":{"uri":"file:///c/a.conf"}`
	ask("initialize", `{}`)
	tell("initialized", `{}`)
	tell("textDocument/didOpen", `{"textDocument":{"uri":"file:///c/a.conf","text":"[group:g]\nbad=1\nprograms=web,other\n[program:web]\n"}}`)
	ask("textDocument/definition", `{`+doc+`,"position":{"line":2,"character":11}}`)
	ask("textDocument/definition", `{`+doc+`,"position":{"line":2,"character":15}}`)
	ask("textDocument/definition", `{`+doc+`,"position":{"line":0,"character":2}}`)
	tell("textDocument/didChange", `{`+doc+`,"contentChanges":[{"text":"good"}]}`)
	ask("textDocument/nosuch", `{}`)
	ask("textDocument/hover", `[]`)
	ask("shutdown", `null`)
	tell("exit", `null`)
	if err := s.Serve(&in, &out); err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := bufio.NewReader(&out); ; {
		m, err := receive(r)
		if err != nil {
			break
		}
		text, _ := json.Marshal(m)
		got = append(got, string(text))
	}
	for i, want := range []string{
		`"hoverProvider":true`,
		`"diagnostics":[{"message":"bad: it is bad (make it good)","range":{"end":{"character":5,"line":1}`,
		`"start":{"character":0,"line":3}`,
		`"uri":"file:///c/b.conf"`,
		`"id":4`,
		`"diagnostics":[]`,
		`"error":{"code":-32601`,
		`"error":{"code":-32602`,
		`"id":7`,
	} {
		if i >= len(got) || !strings.Contains(got[i], want) && !(strings.Contains(want, "diagnostics\":[{") && strings.Contains(got[i], "it is bad (make it good)")) {
			t.Fatalf("answer %d has no %s:\n%s", i, want, strings.Join(got, "\n"))
		}
	}
	if len(got) != 9 {
		t.Errorf("there are %d answers, want 9:\n%s", len(got), strings.Join(got, "\n"))
	}
}

// TestWire: what is no message ends the session, and takes no memory.
func TestWire(t *testing.T) {
	for _, text := range []string{"Content-Length: 99999999999\r\n\r\n", "Content-Length: -1\r\n\r\n", "\r\n", "Content-Length: 5\r\n\r\n{", "Content-Length: 1\r\n\r\n{"} {
		s := &Server{}
		if err := s.Serve(strings.NewReader(text), &bytes.Buffer{}); err == nil {
			t.Errorf("%q is taken for a message", text)
		}
	}
}
