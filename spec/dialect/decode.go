package dialect

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// readChunk is how many bytes Supervisor decodes at a time. The positions in its
// messages about bad UTF-8 count from there.
const readChunk = 8192

// badUTF8 is the first place of a file that is not UTF-8.
type badUTF8 struct {
	offset int    // in the file
	line   int    // from 1
	chunk  int    // where the bytes that Supervisor was decoding begin
	text   string // what is wrong, in Supervisor's words
}

// decode turns the bytes of a file into text with \n line ends. Where they are
// not UTF-8 it gives the text up to there, and why.
//
// Source: contract/config.md section 2.
func decode(content []byte) (text string, bad *badUTF8) {
	if !utf8.Valid(content) {
		bad = findBadUTF8(content)
		content = content[:bad.offset]
	}
	text = string(content)
	if strings.IndexByte(text, '\r') >= 0 {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	}
	return text, bad
}

// findBadUTF8 decodes as Supervisor does: chunk by chunk, each together with the
// bytes of an unfinished character that the one before left over.
func findBadUTF8(b []byte) *badUTF8 {
	start := 0
	for end := 0; end < len(b); {
		end = min(end+readChunk, len(b))
		offset := start + validPrefix(b[start:end])
		if n, why := faultOf(b[offset:end]); why != "" {
			return newBadUTF8(b, offset, start, n, why)
		}
		start = offset
	}
	return newBadUTF8(b, start, start, len(b)-start, "unexpected end of data")
}

func newBadUTF8(b []byte, offset, chunk, n int, why string) *badUTF8 {
	what := fmt.Sprintf("byte 0x%02x in position %d", b[offset], offset-chunk)
	if n > 1 {
		what = fmt.Sprintf("bytes in position %d-%d", offset-chunk, offset-chunk+n-1)
	}
	return &badUTF8{
		offset: offset,
		line:   bytes.Count(b[:offset], []byte("\n")) + 1,
		chunk:  chunk,
		text:   "'utf-8' codec can't decode " + what + ": " + why,
	}
}

// validPrefix is the length of the UTF-8 text with which b begins.
func validPrefix(b []byte) int {
	n := 0
	for n < len(b) {
		r, size := utf8.DecodeRune(b[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	return n
}

// faultOf says of bytes that begin no character how many of them are at fault
// and why. Why is empty for a character that is only unfinished.
func faultOf(b []byte) (n int, why string) {
	switch {
	case !utf8.FullRune(b):
		return len(b), ""
	case b[0] < 0xc2 || b[0] > 0xf4:
		return 1, "invalid start byte"
	}
	n = 1
	for n < len(b) && !utf8.FullRune(b[:n]) {
		n++
	}
	return n - 1, "invalid continuation byte"
}
