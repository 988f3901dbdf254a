package value

import (
	"errors"
	"strings"
)

// What splitting into words can fail with, in Python's words.
var (
	errNoClosingQuotation = errors.New("No closing quotation")
	errNoEscapedCharacter = errors.New("No escaped character")
)

// Split cuts a command into words as a POSIX shell would, and does nothing else
// that a shell does: quotes group, a backslash takes the next character as it
// is, and variables, patterns, ~, ; and | mean nothing. Between double quotes a
// backslash escapes only a double quote and itself. Space, tab, carriage return
// and newline separate words.
//
// Source: contract/process.md section 4.
func Split(command string) ([]string, error) {
	var (
		words  []string
		word   strings.Builder
		inWord bool // a word has begun, if only by an empty pair of quotes
		quote  byte // the quote that is open, or 0
	)
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case c == '\\' && quote != '\'':
			i++
			if i == len(command) {
				return nil, errNoEscapedCharacter
			}
			if quote == '"' && command[i] != '"' && command[i] != '\\' {
				word.WriteByte('\\')
			}
			word.WriteByte(command[i])
			inWord = true
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				word.WriteByte(c)
			}
		case c == '"' || c == '\'':
			quote, inWord = c, true
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errNoClosingQuotation
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
