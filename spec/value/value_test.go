package value

import (
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"supervisord/runtime/state"

	"github.com/google/go-cmp/cmp"
)

func TestParseDuration(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration
	}{
		{"300ms", 300 * time.Millisecond},
		{"10s", 10 * time.Second},
		{"10", 10 * time.Second},
		{"2m", 2 * time.Minute},
		{"0", 0},
		{"0.5", 500 * time.Millisecond},
		{"1.5m", 90 * time.Second},
		{" 3 S ", 3 * time.Second},
		{"250 MS", 250 * time.Millisecond},
	}
	for _, test := range tests {
		if got, err := ParseDuration(test.text); got != test.want || err != nil {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", test.text, got, err, test.want)
		}
	}
	for _, text := range []string{"", "s", "ms", "-1", "+1", "1h", "1e3", "inf", "nan", ".", "1..2", "0x1", "1_0", "99999999999m"} {
		want := "not a valid duration: " + PyRepr(text)
		if got, err := ParseDuration(text); err == nil || err.Error() != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want error %q", text, got, err, want)
		}
	}
}

func TestParseRemovals(t *testing.T) {
	tests := []struct {
		text string
		want Removals
	}{
		{"50%", Removals{50, true}},
		{"100%", Removals{100, true}},
		{" 0 % ", Removals{0, true}},
		{"7", Removals{7, false}},
		{"5000", Removals{5000, false}},
	}
	for _, test := range tests {
		if got, err := ParseRemovals(test.text); got != test.want || err != nil {
			t.Errorf("ParseRemovals(%q) = %v, %v; want %v", test.text, got, err, test.want)
		}
	}
	for _, text := range []string{"", "%", "-1", "101%", "1.5%", "half", "50%%"} {
		want := "not a valid count or percentage: " + PyRepr(text)
		if got, err := ParseRemovals(text); err == nil || err.Error() != want {
			t.Errorf("ParseRemovals(%q) = %v, %v; want error %q", text, got, err, want)
		}
	}
}

// TestIntIsTheNearest: where an int has 32 bits, a larger number is the largest, and
// not what is left of it.
func TestIntIsTheNearest(t *testing.T) {
	for text, n := range map[string]int64{
		"40000000001": 1<<32 + 1, "-40000000001": -1<<32 - 1, "17777777777": math.MaxInt32, "-20000000000": math.MinInt32,
		"777777777777777777777": math.MaxInt64, "-1000000000000000000000": math.MinInt64, "17": 15,
	} {
		want := n // of 64 bits
		if math.MaxInt == math.MaxInt32 {
			want = min(max(n, math.MinInt32), math.MaxInt32)
		}
		if got, err := ParseOctal(text); int64(got) != want || err != nil {
			t.Errorf("ParseOctal(%q) = %d, %v; want %d", text, got, err, want)
		}
		if got := Int(n); int64(got) != want {
			t.Errorf("Int(%d) = %d, want %d", n, got, want)
		}
	}
	if got, err := ParseRemovals("4294967297"); got.N < math.MaxInt32 || err != nil {
		t.Errorf("ParseRemovals = %+v, %v", got, err)
	}
}

func TestSignalNames(t *testing.T) {
	for _, sig := range state.Signals {
		if n, err := ParseSignal(sig.Name); n != sig.Number || err != nil {
			t.Errorf("ParseSignal(%s) = %d, %v; want %d", sig.Name, n, err, sig.Number)
		}
		if n, err := ParseSignal(state.SignalName(sig.Number)); n != sig.Number || err != nil {
			t.Errorf("%s is shown as %s, which reads as %d, %v", sig.Name, state.SignalName(sig.Number), n, err)
		}
	}
	if got := state.SignalName(1000); got != "signal 1000" {
		t.Errorf("SignalName(1000) = %q", got)
	}
	if runtime.GOOS != "linux" {
		return
	}
	want := map[int]string{1: "SIGHUP", 6: "SIGABRT", 9: "SIGKILL", 15: "SIGTERM", 16: "SIGSTKFLT",
		17: "SIGCHLD", 29: "SIGPOLL", 34: "SIGRTMIN", 35: "signal 35", 64: "SIGRTMAX"}
	for n, name := range want {
		if got := state.SignalName(n); got != name {
			t.Errorf("SignalName(%d) = %q, want %q", n, got, name)
		}
	}
	for n := range 70 {
		_, err := ParseSignal(strings.Repeat(" ", n%2) + string(rune('0'+n/10)) + string(rune('0'+n%10)))
		if accepted, want := err == nil, n <= 31 || n == 34 || n == 64; accepted != want {
			t.Errorf("signal number %d: accepted %v, want %v", n, accepted, want)
		}
	}
}

func TestEnvAdvice(t *testing.T) {
	tests := []struct {
		text string
		want []string
	}{
		{`A=1,B="2"`, nil},
		{"A=1,", nil},
		{"A=$HOME", []string{"the value of A is '$' alone"}},
		{"A=a;B=c", []string{"the value of A ends before ';'"}},
		{`A="a"b C=1`, []string{"the value of A ends where a comma is missing"}},
		{`A="a"b,C=1`, nil}, // refused
		{`"A"=1`, []string{`the quotes are part of the name "A"`}},
		{"A=1 B C=2", []string{"the value of A ends where a comma is missing"}},
		{`A="x`, nil},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, EnvAdvice(test.text)); diff != "" {
			t.Errorf("EnvAdvice(%q) (-want +got):\n%s", test.text, diff)
		}
	}
}

func TestEnvErrorInShort(t *testing.T) {
	for text, want := range map[string]string{
		"A":                     "the value does not begin with a KEY=VALUE pair",
		"A=1,,B=2":              "the value of A is not followed by a comma and another KEY=VALUE pair",
		"P=/opt/bin:$P,\nO=x y": "the value of P ends before '$', and no KEY=VALUE pair follows",
		"A=$P,B=1":              "the value of A is '$' alone, and no KEY=VALUE pair follows",
		`A="a"b,C=1`:            "the value of A ends where a comma is missing, and no KEY=VALUE pair follows",
	} {
		_, err := ParseEnv(text)
		if e, ok := err.(*envError); !ok || e.Plain() != want {
			t.Errorf("ParseEnv(%q): %v, in short %q, want %q", text, err, e.Plain(), want)
		}
	}
}

func TestReprOfBytesThatAreNotText(t *testing.T) {
	if got, want := PyRepr("a\xff\xc3("), `'a\udcff\udcc3('`; got != want {
		t.Errorf("PyRepr = %s, want %s", got, want)
	}
	if got, want := PyRepr("\ufffd"), "'\ufffd'"; got != want {
		t.Errorf("PyRepr of a replacement character = %s, want %s", got, want)
	}
}

func TestDigits(t *testing.T) {
	for zero := range strings.SplitSeq("0 ٠ ۰ ० ০ ᠐ ０ 𝟎 𝟘 𝟬 𞥐", " ") {
		for i, first := range []rune(zero) {
			for d := range rune(10) {
				if got := digit(first + d); got != int64(d) {
					t.Errorf("digit(%c) = %d, want %d (%d)", first+d, got, d, i)
				}
			}
		}
	}
	for _, r := range "a½²Ⅷ /:" {
		if got := digit(r); got != -1 {
			t.Errorf("digit(%c) = %d, want none", r, got)
		}
	}
}

func TestNamesLayers(t *testing.T) {
	below := (*Names)(nil).With(TextVar("a", "below"), TextVar("b", "below")).WithEnv(Env{"X": "below", "Y": "below"})
	above := below.WithEnv(Env{"X": "above"}).With(TextVar("a", "above"))
	got, err := Expand("%(a)s %(b)s %(ENV_X)s %(ENV_Y)s", above, "s")
	if want := "above below above below"; got != want || err != nil {
		t.Errorf("Expand = %q, %v; want %q", got, err, want)
	}
	if got, err := Expand("%(a)s %(ENV_X)s", below, "s"); got != "below below" || err != nil {
		t.Errorf("the layer below changed: %q, %v", got, err)
	}
	if diff := cmp.Diff([]string{"ENV_X", "ENV_Y", "a", "b"}, above.all()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if got := below.WithEnv(nil); got != below {
		t.Error("an empty environment added a layer")
	}
	if got, err := Expand("%(ENV_)s", below.WithEnv(Env{"": "empty"}), "s"); got != "empty" || err != nil {
		t.Errorf("a variable without a name: %q, %v", got, err)
	}
}

func TestExpandErrorInShort(t *testing.T) {
	tests := []struct{ text, plain, hint string }{
		{"%(ENV_HOEM)s", "%(ENV_HOEM)s is not known here", "the environment has no variable HOEM; did you mean HOME?"},
		{"%(ENV_DATABASE_URL)s", "%(ENV_DATABASE_URL)s is not known here", "the environment has no variable DATABASE_URL"},
		{"%(programname)s", "%(programname)s is not known here", "did you mean %(program_name)s?"},
		{"%(x)s", "%(x)s is not known here",
			"known here: empty, here, minus, numprocs, one, process_num, program_name, ENV_X for each variable X of the environment"},
		{"%(program_name)_%(process_num)d", "cannot expand '%(program_name)_…': unsupported format character '_' (0x5f) at index 15",
			"write %(program_name)s"},
		{"x%(program_name)", "cannot expand '%(program_name)': incomplete format", "write %(program_name)s"},
		{"%(program_name)02d", "cannot expand '%(program_name)0…': %d format: a real number is required, not str", "write %(program_name)s"},
		{"%(one)s%", "cannot expand '%': incomplete format", "a literal percent sign is %%"},
		{"50%", "cannot expand '%': incomplete format", "a literal percent sign is %%"},
		{"%% $(date +%Y-%m-%d).tar.gz", "cannot expand '%Y-%m-%d).ta…': unsupported format character 'Y' (0x59) at index 12",
			"a literal percent sign is %%"},
	}
	for _, test := range tests {
		_, err := Expand(test.text, valueNames, "s")
		expand, ok := err.(*ExpandError)
		if !ok {
			t.Errorf("Expand(%q): %v", test.text, err)
			continue
		}
		if got := expand.Plain(false); got != test.plain {
			t.Errorf("%q: Plain() = %q, want %q", test.text, got, test.plain)
		}
		if got := expand.Hint(); got != test.hint {
			t.Errorf("%q: Hint() = %q, want %q", test.text, got, test.hint)
		}
	}
	if _, err := Expand("%(x)s", nil, "s"); err == nil || !strings.HasSuffix(err.Error(), "Available names: ") {
		t.Errorf("without any names: %v", err)
	}
}
