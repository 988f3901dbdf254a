package value

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"supervisord/runtime/bound"
	"supervisord/runtime/state"
)

// seed adds the texts of the tables that are meant for the named parsers.
func seed(f *testing.F, parsers ...string) {
	for _, row := range valueRows() {
		if slices.Contains(parsers, row.parser) {
			f.Add(row.text)
		}
	}
}

// FuzzExpand: a text with its percent signs doubled expands to itself; what
// expands cannot outgrow its widths; an error names the text.
func FuzzExpand(f *testing.F) {
	seed(f, "expand")
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, text string) {
		defer b.Input(t)()
		if !utf8.ValidString(text) {
			return // files that are not UTF-8 are refused before
		}
		if got, err := Expand(strings.ReplaceAll(text, "%", "%%"), valueNames, "s"); got != text || err != nil {
			t.Errorf("%q doubled expands to %q, %v", text, got, err)
		}
		got, err := Expand(text, valueNames, "s")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "Format string "+PyRepr(text)+" for 's' ") {
				t.Errorf("Expand(%q): error %q", text, err)
			}
			return
		}
		if !strings.Contains(text, "%") && got != text {
			t.Errorf("Expand(%q) = %q without a percent sign", text, got)
		}
		if limit := len(text) * 2 * maxField; len(got) > limit {
			t.Errorf("Expand(%q) has %d bytes, above %d", text, len(got), limit)
		}
		if !utf8.ValidString(got) {
			t.Errorf("Expand(%q) = %q is not UTF-8", text, got)
		}
	})
}

// FuzzSplit: words that are quoted and joined split into the same words.
func FuzzSplit(f *testing.F) {
	seed(f, "split")
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, text string) {
		defer b.Input(t)()
		words, err := Split(text)
		if err != nil {
			if !strings.ContainsAny(text, `"'\`) {
				t.Errorf("Split(%q): %v, without a quote or a backslash", text, err)
			}
			return
		}
		quoted := make([]string, len(words))
		for i, word := range words {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		again, err := Split(strings.Join(quoted, " "))
		if err != nil || !slices.Equal(again, words) {
			t.Errorf("Split(%q) = %q; quoted again it is %q, %v", text, words, again, err)
		}
	})
}

// FuzzParseEnv: variables that are written out with quotes read as the same;
// advice is given only for what is accepted, and spoken of what is there.
func FuzzParseEnv(f *testing.F) {
	seed(f, "environment")
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, text string) {
		defer b.Input(t)()
		env, err := ParseEnv(text)
		if err != nil {
			return
		}
		var pairs []string
		for key, value := range env {
			if key == "" {
				t.Errorf("ParseEnv(%q) has a variable without a name", text)
			}
			if strings.Trim(value, `"'`) != value {
				t.Errorf("ParseEnv(%q): the value %q kept a quote", text, value)
			}
			quote := `"`
			if strings.Contains(value, `"`) {
				quote = "'"
			}
			if strings.Contains(value, quote) {
				return // both quotes inside: nothing can write that
			}
			pairs = append(pairs, key+" = "+quote+value+quote)
		}
		if slices.ContainsFunc(slices.Collect(maps.Keys(env)), func(key string) bool {
			tokens, err := envTokens(key)
			return err != nil || len(tokens) != 1 || tokens[0] != key
		}) {
			return // a name that a comment interrupted stands for itself only there
		}
		again, err := ParseEnv(strings.Join(pairs, ",\n"))
		if err != nil || !maps.Equal(again, env) {
			t.Errorf("ParseEnv(%q) = %q; written out it is %q, %v", text, env, again, err)
		}
		for _, advice := range EnvAdvice(text) {
			if advice == "" {
				t.Errorf("EnvAdvice(%q) has an empty line", text)
			}
		}
	})
}

// FuzzValues: what a parser accepts reads the same when written plainly.
func FuzzValues(f *testing.F) {
	seed(f, "integer", "bytes", "boolean", "octal", "exitcodes", "autorestart", "signal", "loglevel", "inetport", "name", "repr")
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, text string) {
		defer b.Input(t)()
		if n, err := ParseInt(text); err == nil {
			if again, err := ParseInt(strconv.FormatInt(n, 10)); again != n || err != nil {
				t.Errorf("ParseInt(%q) = %d, written out %d, %v", text, n, again, err)
			}
			if size, err := ParseBytes(text); size != n || err != nil {
				t.Errorf("%q is the integer %d and the size %d, %v", text, n, size, err)
			}
		}
		if n, err := ParseOctal(text); err == nil {
			if again, err := ParseOctal(strconv.FormatInt(int64(n), 8)); again != n || err != nil {
				t.Errorf("ParseOctal(%q) = %d, written out %d, %v", text, n, again, err)
			}
		}
		if codes, err := ParseExitCodes(text); err == nil {
			for _, code := range codes {
				if code < 0 || code > 255 {
					t.Errorf("ParseExitCodes(%q) = %d", text, codes)
				}
			}
		}
		if on, err := ParseBool(text); err == nil {
			if restart, err := ParseAutorestart(text); err != nil || (restart == RestartAlways) != on {
				t.Errorf("%q is the boolean %v and the autorestart %v, %v", text, on, restart, err)
			}
		}
		if sig, err := ParseSignal(text); err == nil && sig != 0 {
			if again, err := ParseSignal(state.SignalName(sig)); again != sig || err != nil {
				t.Errorf("ParseSignal(%q) = %d, whose name is %s", text, sig, state.SignalName(sig))
			}
		}
		if level, err := ParseLogLevel(text); err == nil && level != strings.ToLower(text) {
			t.Errorf("ParseLogLevel(%q) = %q", text, level)
		}
		if _, port, err := ParseInetPort(text); err == nil && (port < 1 || port > 65535) {
			t.Errorf("ParseInetPort(%q): port %d", text, port)
		}
		if name, err := ParseName(text); err == nil {
			if again, err := ParseName(name); again != name || err != nil || strings.ContainsAny(name, " :/") {
				t.Errorf("ParseName(%q) = %q, which is read as %q, %v", text, name, again, err)
			}
		}
		if d, err := ParseDuration(text); err == nil && d < 0 {
			t.Errorf("ParseDuration(%q) = %v", text, d)
		}
		if r, err := ParseRemovals(text); err == nil && (r.N < 0 || r.Percent && r.N > 100) {
			t.Errorf("ParseRemovals(%q) = %+v", text, r)
		}
		if repr := PyRepr(text); strings.ContainsAny(repr, "\n\r\t\x00") || len(repr) < len("''") {
			t.Errorf("PyRepr(%q) = %s", text, repr)
		}
	})
}
