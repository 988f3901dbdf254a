package main

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"supervisord/runtime/bound"
)

// shownAs is what a text looks like that comes in these pieces.
func shownAs(pieces ...string) string {
	var v visible
	var out []byte
	for _, p := range pieces {
		out = v.add(out, []byte(p))
	}
	return string(v.end(out))
}

var visibleRows = []struct{ name, in, want string }{
	{"a line", "started\tin 3 ms\n", "started\tin 3 ms\n"},
	{"letters of all kinds", "Grüße, 日本, \u0639\u0631\u0628\u064a, 👩\u200d💻\n", "Grüße, 日本, \u0639\u0631\u0628\u064a, 👩\u200d💻\n"},
	{"colours", "\x1b[31mred\x1b[0m \x1b[1;38;5;8mgrey\x1b[m \x1b[38:2::1:2:3mrgb\x1b[00m", "\x1b[31mred\x1b[0m \x1b[1;38;5;8mgrey\x1b[m \x1b[38:2::1:2:3mrgb\x1b[00m"},
	{"a colour left on", "\x1b[31mred\n", "\x1b[31mred\n" + colourOff},
	{"a title", "\x1b]0;root@host\a\n", `\x1b]0;root@host\a` + "\n"},
	{"the clipboard", "\x1b]52;c;Zm9v\x1b\\", `\x1b]52;c;Zm9v\x1b\`},
	{"the screen cleared", "\x1b[2J\x1b[H", `\x1b[2J\x1b[H`},
	{"the cursor moved up", "a\x1b[1Ab", `a\x1b[1Ab`},
	{"a device asked for an answer", "\x1b[c\x1bZ\x05", `\x1b[c\x1bZ\x05`},
	{"a colour's look-alikes", "\x1b[>4m\x1b[?4m\x1b[31 m", `\x1b[>4m\x1b[?4m\x1b[31 m`},
	{"hidden text", "\x1b[8msecret \x1b[0;08mtoo \x1b[48;5;1;8mtoo", `\x1b[8msecret \x1b[0;08mtoo \x1b[48;5;1;8mtoo`},
	{"a colour without an end", "\x1b[" + strings.Repeat("1;", 40) + "m", `\x1b[` + strings.Repeat("1;", 40) + "m"},
	{"C1 controls", "\u009b2J \u0090 \u0085", `\u009b2J \u0090 \u0085`},
	{"C1 bytes", "\x9b2J \x90 \x85", `\x9b2J \x90 \x85`},
	{"bytes of another encoding", "caf\xe9\n", `caf\xe9` + "\n"},
	{"an overlong escape", "\xc0\x9b \xe0\x80\x9b", `\xc0\x9b \xe0\x80\x9b`},
	{"half a character", "\xe2\x9b", `\xe2\x9b`},
	{"the replacement character", "\ufffd\n", "\ufffd\n"},
	{"text turned round", "\u202egnp.exe \u2066x\u2069 \u200f\u061c", `\u202egnp.exe \u2066x\u2069 \u200f\u061c`},
	{"other separators of lines", "a\u2028b\u2029c\vd\fe", `a\u2028b\u2029c\vd\fe`},
	{"a progress bar", " 10%\r 20%\r\n", ` 10%\r 20%` + "\n"},
	{"lines of another system", "one\r\ntwo\r\n", "one\ntwo\n"},
	{"two returns", "one\r\r\n", `one\r` + "\n"},
	{"overstruck", "abc\b\b\bxyz\x7f", `abc\b\b\bxyz\u007f`},
	{"NUL and bell", "\x00\a", `\x00\a`},
	{"an escape at the end", "x\x1b", `x\x1b`},
	{"a return at the end", "x\r", `x\r`},
}

func TestVisible(t *testing.T) {
	for _, row := range visibleRows {
		if got := shownAs(row.in); got != row.want {
			t.Errorf("%s: %q shows %q, want %q", row.name, row.in, got, row.want)
		}
		if got := shownAs(strings.Split(row.in, "")...); got != row.want {
			t.Errorf("%s, a character at a time: %q shows %q, want %q", row.name, row.in, got, row.want)
		}
	}
}

// FuzzVisible: in whatever pieces a text comes, it shows the same; nothing that could
// act on a terminal is left; what is harmless is not touched.
func FuzzVisible(f *testing.F) {
	for i, row := range visibleRows {
		f.Add([]byte(row.in), uint64(i))
	}
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		defer b.Input(t)()
		var whole visible
		want := whole.end(whole.add(nil, text))
		if err := harmful(want); err != "" {
			t.Errorf("%q shows %q: %s", text, want, err)
		}
		var parted visible
		var got []byte
		random := rand.New(rand.NewPCG(seed, 0))
		for rest := text; len(rest) > 0; {
			n := 1 + random.IntN(min(len(rest), 8))
			got = parted.add(got, rest[:n])
			rest = rest[n:]
			if len(parted.pending) > longestSGR {
				t.Fatalf("%d bytes wait to be shown", len(parted.pending))
			}
		}
		if got = parted.end(got); !bytes.Equal(got, want) {
			t.Errorf("%q shows %q whole and %q in pieces", text, want, got)
		}
		if harmful(text) == "" && !bytes.Contains(text, []byte("\x1b")) && !bytes.Equal(want, text) {
			t.Errorf("%q is harmless and shows %q", text, want)
		}
		if again := shownAs(string(want)); again != string(want) {
			t.Errorf("%q shows %q, which shows %q", text, want, again)
		}
	})
}

// harmful says what of a text could act on a terminal, "" for nothing. It knows colours
// by another way than visible.
func harmful(text []byte) string {
	if !utf8.Valid(text) {
		return "it is no UTF-8"
	}
	for i, r := range string(text) {
		switch {
		case r == '\n' || r == '\t':
		case r == '\x1b':
			rest, ok := bytes.CutPrefix(text[i:], []byte("\x1b["))
			parameters, _, ended := bytes.Cut(rest, []byte("m"))
			if !ok || !ended || len(bytes.Trim(parameters, "0123456789;:")) > 0 {
				return "it has an escape that is no colour"
			}
		case unicode.IsControl(r):
			return "it has a control character"
		case unicode.Is(unicode.Bidi_Control, r):
			return "it turns text round"
		case r == '\u2028' || r == '\u2029':
			return "it has another end of a line"
		}
	}
	return ""
}

func BenchmarkVisible(b *testing.B) {
	text := []byte(strings.Repeat("2026-11-28 14:51:03,123 INFO \x1b[32mserved\x1b[0m GET /index.html in 12 ms\n", 500))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	var v visible
	var out []byte
	for b.Loop() {
		out = v.add(out[:0], text)
	}
}
