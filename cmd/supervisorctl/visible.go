package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// visible turns what others wrote (programs into their logs, servers into their
// answers) into text that cannot act on a terminal that reads UTF-8, nor show itself
// in another order than it has. Lines, tabs, printed characters and colours stay as
// they are; every other control character, every character that turns the direction
// of writing, and every byte that is no UTF-8 is shown as an escape of Go's. A
// carriage return before a newline is part of it; any other is shown, for it would let
// what follows overwrite what is there.
//
// It depends only on the text: in whatever pieces the text comes, the output is
// the same. The zero value is ready.
type visible struct {
	// pending is the beginning of a character or a sequence, not yet decided on, at
	// most longestSGR bytes.
	pending  []byte
	coloured bool // a colour is on
}

// longestSGR is the most bytes of a sequence that is taken for a colour.
const longestSGR = 64

// colourOff gives a terminal its usual colours back.
const colourOff = "\x1b[0m"

// add appends to shown what the next piece of the text shows.
func (v *visible) add(shown, piece []byte) []byte {
	text := append(v.pending, piece...)
	shown, rest := v.show(shown, text, false)
	v.pending = append(v.pending[:0], rest...)
	return shown
}

// end appends what is still pending, and turns colours off that the text left on.
func (v *visible) end(shown []byte) []byte {
	shown, _ = v.show(shown, v.pending, true)
	v.pending = v.pending[:0]
	if v.coloured {
		shown = append(shown, colourOff...)
		v.coloured = false
	}
	return shown
}

// show appends what the text shows, up to a rest that more text may change the
// meaning of; final means that no more comes.
func (v *visible) show(shown, text []byte, final bool) (_, rest []byte) {
	for len(text) > 0 {
		n := bytes.IndexFunc(text, func(r rune) bool { return r == utf8.RuneError || isUnsafe(r) })
		if n < 0 {
			return append(shown, text...), nil
		}
		shown, text = append(shown, text[:n]...), text[n:]
		switch {
		case text[0] == '\x1b':
			size, undecided := sgr(text)
			switch {
			case undecided && !final:
				return shown, text
			case size > 0:
				v.coloured = !isOff(text[:size])
				shown, text = append(shown, text[:size]...), text[size:]
				continue
			}
		case text[0] == '\r':
			switch {
			case len(text) == 1 && !final:
				return shown, text
			case len(text) > 1 && text[1] == '\n':
				text = text[1:]
				continue
			}
		case !final && !utf8.FullRune(text):
			return shown, text
		}
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			shown = fmt.Appendf(shown, `\x%02x`, text[0])
		case isUnsafe(r):
			shown = append(shown, escape(r)...)
		default: // the replacement character itself
			shown = append(shown, text[:size]...)
		}
		text = text[size:]
	}
	return shown, nil
}

// isUnsafe reports whether a character can do more to a terminal than be seen.
func isUnsafe(r rune) bool {
	if ' ' <= r && r <= '~' || r == '\n' || r == '\t' { // nearly all
		return false
	}
	return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}

// escape is how an unsafe character is shown. None of them stands bare in JSON but
// those whose escape is JSON's too.
func escape(r rune) string {
	if r > unicode.MaxASCII-1 {
		return fmt.Sprintf(`\u%04x`, r)
	}
	return strings.Trim(fmt.Sprintf("%+q", r), "'")
}

// sgr is the size of the sequence that sets colours and the like at the beginning of a
// text, 0 where there is none. undecided means that more text may make it one.
func sgr(text []byte) (size int, undecided bool) {
	const begin = "\x1b["
	if n := min(len(text), len(begin)); string(text[:n]) != begin[:n] {
		return 0, false
	}
	for i := len(begin); i < longestSGR; i++ {
		if i >= len(text) {
			return 0, true
		}
		switch c := text[i]; {
		case '0' <= c && c <= ';': // digits, a colon, a semicolon
		case c == 'm' && !conceals(string(text[len(begin):i])):
			return i + 1, false
		default:
			return 0, false
		}
	}
	return 0, false
}

// conceals reports whether the parameters of a colour sequence hide the text that
// follows.
func conceals(parameters string) bool {
	fields := strings.Split(parameters, ";")
	for i := 0; i < len(fields); i++ {
		field, _, whole := strings.Cut(strings.TrimLeft(fields[i], "0"), ":")
		switch field {
		case "8":
			return true
		case "38", "48", "58": // a colour by its number, 5;N, or by its parts, 2;R;G;B
			if i+1 == len(fields) || whole {
				continue
			}
			switch strings.TrimLeft(fields[i+1], "0") {
			case "5":
				i += 2
			case "2":
				i += 4
			}
		}
	}
	return false
}

// isOff reports whether a colour sequence turns all colours off.
func isOff(sequence []byte) bool { return len(bytes.Trim(sequence, "\x1b[0m")) == 0 }

// showable reports whether a terminal shows the text as it is.
func showable(text string) bool {
	var v visible
	return string(v.end(v.add(nil, []byte(text)))) == text
}

// terminalWriter writes to a terminal through visible. Any goroutine may write.
type terminalWriter struct {
	w  io.Writer
	mu sync.Mutex
	v  visible
}

// toTerminal is w as it is to be written to where it is a terminal.
func toTerminal(w io.Writer) io.Writer { return &terminalWriter{w: w} }

func (t *terminalWriter) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := t.w.Write(t.v.add(nil, p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// endText ends the text that was written to w, so that nothing of it touches what is
// written next.
func endText(w io.Writer) {
	if t, ok := w.(*terminalWriter); ok {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.w.Write(t.v.end(nil))
	}
}

// another is w for another text, whose characters may come between those of w's own.
func another(w io.Writer) io.Writer {
	if t, ok := w.(*terminalWriter); ok {
		return toTerminal(t.w)
	}
	return w
}
