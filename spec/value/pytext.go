package value

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// PyRepr quotes text the way Python's repr does, which is how Supervisor shows
// a value in a message: single quotes unless the text holds ' and no ", a
// backslash before the quote and before itself, \n \r \t, and \xNN, \uNNNN or
// \UNNNNNNNN for what cannot be printed. A byte that is not UTF-8 is shown as
// the lone surrogate that Python would decode it to.
//
// Source: contract/differences.md section 4.
func PyRepr(s string) string {
	quote := '\''
	if strings.ContainsRune(s, '\'') && !strings.ContainsRune(s, '"') {
		quote = '"'
	}
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteRune(quote)
	for i, r := range s {
		switch {
		case r == quote || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == utf8.RuneError && notUTF8(s[i:]):
			fmt.Fprintf(&b, `\udc%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			writeEscape(&b, r)
		}
	}
	b.WriteRune(quote)
	return b.String()
}

// pyASCII is PyRepr with everything beyond ASCII escaped (Python's ascii).
func pyASCII(s string) string {
	var b strings.Builder
	for _, r := range PyRepr(s) {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
		} else {
			writeEscape(&b, r)
		}
	}
	return b.String()
}

func writeEscape(b *strings.Builder, r rune) {
	switch {
	case r < 0x100:
		fmt.Fprintf(b, `\x%02x`, r)
	case r < 0x10000:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}

// notUTF8 reports whether s begins with a byte that decodes to nothing, as
// opposed to a replacement character that stands in the text.
func notUTF8(s string) bool {
	_, n := utf8.DecodeRuneInString(s)
	return n == 1
}

// IsSpace reports what Python's str.isspace does: Unicode's white space and the
// four ASCII separators 0x1c to 0x1f.
func IsSpace(r rune) bool {
	return r >= 0x1c && r <= 0x1f || unicode.IsSpace(r)
}

// Strip removes white space at both ends, as Python's str.strip does.
func Strip(s string) string { return strings.TrimFunc(s, IsSpace) }
