package event

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/bound"
	"supervisord/runtime/state"
)

// hear feeds the pieces to a listener that is sent an event whenever it says
// READY, and lists what it said.
func hear(h Handler, pieces ...[]byte) []string {
	var p protocol
	p.reset()
	var said []string
	for _, data := range pieces {
		for len(data) > 0 {
			var t token
			t, data = p.next(data)
			switch t.kind {
			case tokenNone:
				if data != nil {
					panic("tokenNone left data behind")
				}
			case tokenReady:
				said = append(said, "ready")
				p.state, p.handler = state.Busy, h
			case tokenResult:
				said = append(said, fmt.Sprintf("result %d %q", t.length, t.body))
			case tokenBadResult:
				said = append(said, fmt.Sprintf("bad %q", t.line))
			case tokenViolation:
				said = append(said, "violation")
			}
			if len(p.held) > maxResultLine+1 || h == HandleDefault && len(p.body) > len(okBody) {
				panic(fmt.Sprintf("holds %d and %d bytes", len(p.held), len(p.body)))
			}
		}
	}
	return append(said, p.state.String())
}

func TestProtocol(t *testing.T) {
	long := strings.Repeat("x", maxResultLine+5)
	rows := []struct{ name, in, want string }{
		{"nothing", "", "ACKNOWLEDGED"},
		{"less than the word", "READY", "ACKNOWLEDGED"},
		{"short garbage waits", "junk\n", "ACKNOWLEDGED"},
		{"garbage", "READY!", "violation UNKNOWN"},
		{"carriage return", "READY\r\n", "violation UNKNOWN"},
		{"ready", "READY\n", "ready BUSY"},
		{"ok", "READY\nRESULT 2\nOK", `ready result 2 "OK" ACKNOWLEDGED`},
		{"and again", "READY\nRESULT 2\nOKREADY\nRESULT 4\nFAILREADY\n", `ready result 2 "OK" ready result 4 "FA" ready BUSY`},
		{"unfinished result", "READY\nRESULT 2\nO", "ready BUSY"},
		{"empty result at once", "READY\nRESULT 0\n", `ready result 0 "" ACKNOWLEDGED`},
		{"the word is not read", "READY\nJUNKXX 2\nOK", `ready result 2 "OK" ACKNOWLEDGED`},
		{"blanks and sign", "READY\nRESULT  +2 \r\nOK", `ready result 2 "OK" ACKNOWLEDGED`},
		{"underscore", "READY\nRESULT 0_2\nOK", `ready result 2 "OK" ACKNOWLEDGED`},
		{"no number", "READY\nRESULT x\nOK", `ready bad "RESULT x" UNKNOWN`},
		{"nothing to parse", "READY\n\n", `ready bad "" UNKNOWN`},
		{"short line", "READY\nRES\n", `ready bad "RES" UNKNOWN`},
		{"negative", "READY\nRESULT -1\n", `ready bad "RESULT -1" UNKNOWN`},
		{"fraction", "READY\nRESULT 2.0\n", `ready bad "RESULT 2.0" UNKNOWN`},
		{"beyond 64 bits", "READY\nRESULT 99999999999999999999\n", `ready bad "RESULT 99999999999999999999" UNKNOWN`},
		{"two underscores", "READY\nRESULT 1__0\n", `ready bad "RESULT 1__0" UNKNOWN`},
		{"endless line", "READY\n" + long, "ready bad \"" + long[:maxResultLine] + "\" UNKNOWN"},
		{"too long a line", "READY\n" + long + "\n", "ready bad \"" + long[:maxResultLine] + "\" UNKNOWN"},
		{"longest line", "READY\n" + long[:maxResultLine] + "\n", "ready bad \"" + long[:maxResultLine] + "\" UNKNOWN"},
		{"after the end", "READY\nRESULT x\nREADY\nREADY\n", `ready bad "RESULT x" UNKNOWN`},
		{"giant result", "READY\nRESULT 9000000000000000000\n" + long, "ready BUSY"},
	}
	for _, r := range rows {
		if got := strings.Join(hear(HandleDefault, []byte(r.in)), " "); got != r.want {
			t.Errorf("%s:\n got %s\nwant %s", r.name, got, r.want)
		}
	}
	if got := hear(HandlePrint, []byte("READY\nRESULT 12\nprocess:name")); got[1] != `result 12 "process:name"` {
		t.Errorf("printing handler: got %s", got)
	}
	if got := hear(HandlePrint, []byte("READY\nRESULT 16777217\n")); got[1] != `bad "RESULT 16777217"` {
		t.Errorf("printing handler: got %s", got)
	}
}

// A byte that is not expected while the listener is READY ends the conversation.
func TestTalkInReady(t *testing.T) {
	var p protocol
	p.reset()
	_, rest := p.next([]byte("READY\nx"))
	if tok, _ := p.next(rest); tok.kind != tokenViolation || p.state != state.ListenerUnknown {
		t.Errorf("got %v, state %v", tok, p.state)
	}
}

func FuzzProtocol(f *testing.F) {
	f.Add([]byte("READY\nRESULT 2\nOKREADY\nRESULT 4\nFAIL"), uint64(0), false)
	f.Add([]byte("READY\nJUNKXX 0\nREADY\nRESULT x\nmore"), uint64(0xffff), true)
	f.Add(append([]byte("READY\n"), bytes.Repeat([]byte{'1'}, maxResultLine+3)...), uint64(3), false)
	f.Add([]byte("READY\nRESULT 16777217\n"), uint64(5), true)
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, data []byte, cuts uint64, printing bool) {
		defer b.Input(t)()
		h := HandleDefault
		if printing {
			h = HandlePrint
		}
		whole := hear(h, data)
		var single, cut [][]byte
		begin := 0
		for i := range data {
			single = append(single, data[i:i+1])
			if cuts>>(i%64)&1 == 1 {
				cut = append(cut, data[begin:i])
				begin = i
			}
		}
		cut = append(cut, data[begin:])
		if diff := cmp.Diff(whole, hear(h, single...)); diff != "" {
			t.Errorf("byte by byte (-whole +bytes):\n%s", diff)
		}
		if diff := cmp.Diff(whole, hear(h, cut...)); diff != "" {
			t.Errorf("cut by %x (-whole +cut):\n%s", cuts, diff)
		}
	})
}

func TestPrinted(t *testing.T) {
	rows := []struct {
		in, want string
		ok       bool
	}{
		{"processname:x groupname:g pid:1 channel:stdout\none\ntwo\n", "x stdout | one\nx stdout | two\nx stdout | \n", true},
		{"processname:x channel:stderr\nno newline", "x stderr | no newline\n", true},
		{"processname:x channel:stderr\none\nno newline", "x stderr | one\nx stderr | no newline\n", true},
		{"processname:x channel:stdout\n\n", "x stdout | \nx stdout | \n", true},
		{"processname:x channel:stdout\none\n\n", "x stdout | one\nx stdout | \nx stdout | \n", true},
		{"processname:x channel:stdout\none\r\n", "x stdout | one\r\nx stdout | \n", true},
		{"processname:x channel:stdout\n", "x stdout | \n", true},
		{"processname: channel:stdout\nc", " stdout | c\n", true},
		{"processname:x processname:y channel:stdout\nc", "y stdout | c\n", true},
		{"OK", "", false},
		{"a b\nc", "", false},
		{"processname:x\nc", "", false},
		{"processname:x channel:a:b\nc", "", false},
	}
	for _, r := range rows {
		if got, ok := prefixLines([]byte(r.in)); string(got) != r.want || ok != r.ok {
			t.Errorf("prefixLines(%q) = %q, %v; want %q, %v", r.in, got, ok, r.want, r.ok)
		}
	}
}

func TestLookupHandler(t *testing.T) {
	rows := []struct {
		name string
		want Handler
		ok   bool
	}{
		{"", HandleDefault, true},
		{"supervisor.dispatchers:default_handler", HandleDefault, true},
		{"supervisor_stdout:event_handler", HandlePrint, true},
		{"other:handler", HandleDefault, false},
	}
	for _, r := range rows {
		if got, ok := LookupHandler(r.name); got != r.want || ok != r.ok {
			t.Errorf("LookupHandler(%q) = %v, %v", r.name, got, ok)
		}
	}
}
