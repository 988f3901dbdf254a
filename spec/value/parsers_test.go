package value

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"supervisord/spec/internal/debian"
)

// valueNames are the names that expand has in the tables; testdata/values.py has
// the same.
var valueNames = (*Names)(nil).
	With(TextVar("here", "/etc/app"), TextVar("program_name", "it's"), TextVar("empty", ""), TextVar("one", "é")).
	WithEnv(Env{"HOME": "/root", "N": "42"}).
	With(IntVar("process_num", 7), IntVar("numprocs", 12), IntVar("minus", -3))

// valueParsers are the parsers of single values, by the names that the original's
// have in testdata/values.py.
var valueParsers = map[string]func(string) (any, error){
	"integer":   func(s string) (any, error) { return ParseInt(s) },
	"bytes":     func(s string) (any, error) { return ParseBytes(s) },
	"boolean":   func(s string) (any, error) { return ParseBool(s) },
	"octal":     func(s string) (any, error) { return ParseOctal(s) },
	"exitcodes": func(s string) (any, error) { c, err := ParseExitCodes(s); return append([]int{}, c...), err },
	"autorestart": func(s string) (any, error) {
		a, err := ParseAutorestart(s)
		return map[Autorestart]string{RestartAlways: "always", RestartNever: "never", RestartUnexpected: "unexpected"}[a], err
	},
	"signal":   func(s string) (any, error) { return ParseSignal(s) },
	"loglevel": func(s string) (any, error) { return ParseLogLevel(s) },
	"inetport": func(s string) (any, error) {
		host, port, err := ParseInetPort(s)
		return []any{host, port}, err
	},
	"name":        func(s string) (any, error) { return ParseName(s) },
	"environment": func(s string) (any, error) { return ParseEnv(s) },
	"split":       func(s string) (any, error) { w, err := Split(s); return append([]string{}, w...), err },
	"repr":        func(s string) (any, error) { return PyRepr(s), nil },
	"expand":      func(s string) (any, error) { return Expand(s, valueNames, "program:p.command") },
}

// answer is what one parser made of one text: a value as JSON, or an error.
type answer struct {
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"`
}

// askSupervisor gives texts to the parsers of Debian's Supervisor. Each question
// is the name of a parser in testdata/values.py and a text.
func askSupervisor(t testing.TB, questions [][2]string) []answer {
	t.Helper()
	var answers []answer
	debian.Ask(t, debian.Script(t, "values.py"), questions, &answers)
	if len(answers) != len(questions) {
		t.Fatalf("%d answers to %d questions", len(answers), len(questions))
	}
	return answers
}

// askOurs gives a text to one of our parsers.
func askOurs(t testing.TB, parser, text string) answer {
	t.Helper()
	value, err := valueParsers[parser](text)
	if err != nil {
		return answer{Error: err.Error()}
	}
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return answer{Value: data}
}

// sameAnswer compares two answers as data, not as JSON text.
func sameAnswer(t testing.TB, a, b answer) bool {
	t.Helper()
	return a.Error == b.Error && reflect.DeepEqual(decoded(t, a.Value), decoded(t, b.Value))
}

func decoded(t testing.TB, raw json.RawMessage) any {
	t.Helper()
	if raw == nil {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

func (a answer) String() string {
	if a.Error != "" {
		return "error: " + a.Error
	}
	return string(a.Value)
}

// valueRow is one text, one parser and what it gives, as the contract has it:
// want is JSON, or err is the error. A row with differs says why the original
// gives something else; the others hold for it too.
type valueRow struct {
	parser, text string
	want         string
	err          string
	differs      string
}

func (r valueRow) answer() answer {
	if r.err != "" {
		return answer{Error: r.err}
	}
	return answer{Value: json.RawMessage(r.want)}
}

func TestValues(t *testing.T) {
	for _, row := range valueRows() {
		if got := askOurs(t, row.parser, row.text); !sameAnswer(t, got, row.answer()) {
			t.Errorf("%s(%q) = %s, want %s", row.parser, row.text, got, row.answer())
		}
	}
}

func TestValuesDebian(t *testing.T) {
	debian.Require(t)
	var questions [][2]string
	for _, row := range valueRows() {
		questions = append(questions, [2]string{row.parser, row.text})
	}
	for i, got := range askSupervisor(t, questions) {
		row := valueRows()[i]
		same := sameAnswer(t, got, row.answer())
		switch {
		case row.differs == "" && !same:
			t.Errorf("the original's %s(%q) = %s, the table has %s", row.parser, row.text, got, row.answer())
		case row.differs != "" && same:
			t.Errorf("the original's %s(%q) is as ours, although the row says %q", row.parser, row.text, row.differs)
		}
	}
}

// fragments are what random texts are made of, for each parser: bits that mean
// something to it, so that random texts come near what people write.
var fragments = map[string][]string{
	"integer":     {"0", "1", "9", "12", "-", "+", "_", " ", "\t", "x", "٣", "\u00a0", "99999999999999999999", "é", "'", "\x1f"},
	"bytes":       {"0", "1", "50", "-", "_", " ", "KB", "mb", "Gb", "b", "k", "M", "x", ".5", "9999999999999999"},
	"boolean":     {"yes", "TRUE", "on", "1", "no", "False", "off", "0", " ", "y", "'", "ſ"},
	"octal":       {"0", "7", "8", "2", "o", "O", "0o", "-", "_", " ", "x", "٣", "+"},
	"exitcodes":   {"0", "1", "255", "256", ",", ",", " ", "-1", "_", "x", "\n"},
	"autorestart": {"unexpected", "UNEXPECTED", "true", "Off", " ", "1", "x"},
	"signal": {"SIG", "sig", "TERM", "hup", "KILL", "USR1", "RTMIN", "POLL", "IOT", "CLD", "9", "34", "64", "0", "32",
		" ", "_", "-", "x", "PWR", "io", "ſ"},
	"loglevel": {"critical", "ERROR", "warn", "ing", "info", "Debug", "trace", "blather", " ", "x"},
	"inetport": {":", ":", "*", "localhost", "127.0.0.1", "80", "9001", "0", "65535", "65536", "-1", " ", "x", "[::1]", "_"},
	"name":     {"a", "web", "-", ".", " ", ":", "/", "'", "\"", "\t", "\n", "\u00a0", "é", "\x1c"},
	"environment": {"A", "B", "KEY", "=", "=", ",", ",", "\"", "\"", "'", "'", " ", "\n", "\t", "#", "1", "/x/y.z", "$", "%", "\\",
		"é", "(", ":", ";", "\v", "\u2028"},
	"split": {"a", "b c", " ", " ", "\"", "\"", "'", "'", "\\", "\n", "\t", "é", "$", "#", ";", "\v"},
	"repr":  {"a", "'", "\"", "\\", "\n", "\t", "\r", "\x00", "\x7f", "é", "\u00a0", "\u2028", "\ue000", "\U0001f600", "\U000e0001", "\ufeff"},
	"expand": {"%", "%", "%", "%(here)", "%(process_num)", "%(numprocs)", "%(minus)", "%(ENV_N)", "%(zz)", "%(empty)", "%(one)",
		"%(program_name)", "(", ")", "s", "d", "i", "u", "x", "X", "o", "e", "f", "G", "c", "r", "a", "0", "5", "12", "#", "-", " ", "+",
		".", "*", "h", "l", "L", "é", "y", "text"},
}

// explained says why the original may answer otherwise than we do; "" where it
// may not.
func explained(parser, text string, ours, theirs answer) string {
	switch {
	case parser == "signal" && (ours.Error != "") != (theirs.Error != "") && strings.Contains(strings.ToUpper(text), "_"):
		return "SIG_IGN and its like are no signals (differences row 44)"
	case parser == "expand" && ours.Error != "" && strings.Contains(ours.Error, errNotEnough.Error()):
		return "a lone %s is a dump of every name in the original"
	case parser == "expand" && (strings.Contains(ours.Error, errWidth.Error()) || strings.Contains(ours.Error, errPrecision.Error())):
		return "a width or precision above 65536 is refused"
	case parser == "inetport" && strings.Contains(ours.Error, "922337203685477580"):
		return "a number beyond 64 bits is named by the nearest one within"
	}
	return ""
}

// TestValuesDifferential gives random texts to our parsers and to the
// original's. SPEC_DIFFERENTIAL_VALUES is how many texts each parser gets (200
// if it is not set); 20,000 take about a minute.
func TestValuesDifferential(t *testing.T) {
	debian.Require(t)
	count := 200
	if s := os.Getenv("SPEC_DIFFERENTIAL_VALUES"); s != "" {
		var err error
		if count, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	for parser := range valueParsers {
		t.Run(parser, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			questions := make([][2]string, count)
			for i := range questions {
				var b strings.Builder
				for range random.IntN(9) {
					b.WriteString(fragments[parser][random.IntN(len(fragments[parser]))])
				}
				questions[i] = [2]string{parser, b.String()}
			}
			for i, theirs := range askSupervisor(t, questions) {
				text := questions[i][1]
				ours := askOurs(t, parser, text)
				if !sameAnswer(t, ours, theirs) && explained(parser, text, ours, theirs) == "" {
					t.Errorf("%q: ours %s, the original %s", text, ours, theirs)
				}
			}
		})
	}
}

// TestFragments holds the two tables above together.
func TestFragments(t *testing.T) {
	for parser := range valueParsers {
		if len(fragments[parser]) == 0 {
			t.Errorf("no random texts are made for %s", parser)
		}
	}
}

// unexpanded is the error of expand for the subject of the tables.
func unexpanded(text, why string) string {
	return fmt.Sprintf("Format string %s for 'program:p.command' is badly formatted: %s", PyRepr(text), why)
}
