package value

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Env is a set of environment variables. Keys are unique.
type Env map[string]string

// Equal reports whether two environments hold the same variables.
func (e Env) Equal(f Env) bool {
	if len(e) != len(f) {
		return false
	}
	for key, value := range e {
		if other, ok := f[key]; !ok || other != value {
			return false
		}
	}
	return true
}

// ParseEnv reads an environment= value: KEY=VALUE pairs between commas. It is
// read in steps of four tokens, key, =, value, separator, whatever the
// separator is; quotes around a value are dropped, and of two equal keys the
// later wins. EnvAdvice tells what a user would not expect of that.
//
// Source: contract/config.md section 4.1, the rules of 4.3.0.
func ParseEnv(s string) (Env, error) {
	tokens, err := envTokens(s)
	if err != nil {
		return nil, err
	}
	return parsePairs(s, tokens)
}

// parsePairs reads the tokens of s.
func parsePairs(s string, tokens []string) (Env, error) {
	env, failure := Env{}, &envError{value: s}
	for len(tokens) > 0 {
		if len(tokens) < 3 || tokens[1] != "=" {
			return nil, failure
		}
		env[tokens[0]] = strings.Trim(tokens[2], `"'`)
		failure.last, failure.end = tokens[0], ""
		if len(tokens) > 3 && tokens[3] != "," {
			failure.end = earlyEnd(tokens[2], tokens[3])
		}
		tokens = tokens[min(4, len(tokens)):]
	}
	return env, nil
}

// envError says that a value is no list of KEY=VALUE pairs.
type envError struct {
	value string
	last  string // the key of the last good pair, "" before the first
	end   string // how its value ends, where no comma follows
}

// Error is Supervisor's text.
func (e *envError) Error() string {
	return fmt.Sprintf("Unexpected end of key/value pairs in value '%s'", e.value)
}

// Plain says the same without the value, which may be secret.
func (e *envError) Plain() string {
	switch {
	case e.last == "":
		return "the value does not begin with a KEY=VALUE pair"
	case e.end != "":
		return "the value of " + e.last + e.end + ", and no KEY=VALUE pair follows"
	}
	return "the value of " + e.last + " is not followed by a comma and another KEY=VALUE pair"
}

// EnvAdvice names the places where an environment= value that ParseEnv accepts
// says something else than it seems to: a key that keeps its quotes, or a value
// that ends early because of a character that must be quoted; what comes after
// such a one is not looked at. No value is shown: it may be secret.
//
// Source: contract/differences.md row 38.
func EnvAdvice(s string) []string {
	tokens, err := envTokens(s)
	if err != nil {
		return nil
	}
	if _, err := parsePairs(s, tokens); err != nil {
		return nil
	}
	var advice []string
	for ; len(tokens) > 0; tokens = tokens[min(4, len(tokens)):] {
		key := tokens[0]
		if key[0] == '"' || key[0] == '\'' {
			advice = append(advice, fmt.Sprintf("the quotes are part of the name %s", key))
		}
		if len(tokens) > 3 && tokens[3] != "," {
			return append(advice, "the value of "+key+earlyEnd(tokens[2], tokens[3]))
		}
	}
	return advice
}

// earlyEnd says where a value ends, given the token after it.
func earlyEnd(value, next string) string {
	isSign := func(token string) bool { return utf8.RuneCountInString(token) == 1 && !isEnvWord(token[0]) }
	switch {
	case isSign(next):
		return " ends before " + PyRepr(next)
	case isSign(value):
		return " is " + PyRepr(value) + " alone"
	}
	return " ends where a comma is missing"
}

// envTokens cuts an environment= value into tokens. A run of word characters is
// one, a quoted text with its quotes is one, and any other character is one by
// itself. # begins a comment up to the end of the line, and a word that it
// interrupts continues after it.
func envTokens(s string) ([]string, error) {
	var tokens []string
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			i++
		case c == '#':
			i = lineAfter(s, i)
		case c == '"' || c == '\'':
			n := strings.IndexByte(s[i+1:], c)
			if n < 0 {
				return nil, errNoClosingQuotation
			}
			tokens = append(tokens, s[i:i+n+2])
			i += n + 2
		case isEnvWord(c):
			var word string
			word, i = envWord(s, i)
			tokens = append(tokens, word)
		default:
			_, n := utf8.DecodeRuneInString(s[i:])
			tokens = append(tokens, s[i:i+n])
			i += n
		}
	}
	return tokens, nil
}

// envWord is the word that begins at s[i], and where it ends. A quote inside a
// word is an ordinary character.
func envWord(s string, i int) (word string, end int) {
	start := i
	for i < len(s) {
		switch c := s[i]; {
		case isEnvWord(c) || c == '"' || c == '\'':
			i++
		case c == '#':
			word += s[start:i]
			i = lineAfter(s, i)
			start = i
		default:
			return word + s[start:i], i
		}
	}
	return word + s[start:], i
}

// lineAfter is where the line after the one that holds s[i] begins.
func lineAfter(s string, i int) int {
	if n := strings.IndexByte(s[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(s)
}

// isEnvWord reports whether c may stand in a word of an environment= value.
func isEnvWord(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' ||
		strings.IndexByte("_/.+-():", c) >= 0
}
