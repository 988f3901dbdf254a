package dialect

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/bound"
	"supervisord/spec/internal/debian"
)

// reading is what one side reads in a file: sections of keys and values, or the
// text of the error.
type reading struct {
	Sections map[string]map[string]string `json:"sections,omitempty"`
	Error    string                       `json:"error,omitempty"`
}

// dialectRow is a file and what is read in it, by us and by Supervisor.
type dialectRow struct {
	name, file string
	want       reading
	// differs says why Supervisor reads something else.
	differs string
}

// one is a reading of a section s.
func one(pairs ...string) reading {
	s := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		s[pairs[i]] = pairs[i+1]
	}
	return reading{Sections: map[string]map[string]string{"s": s}}
}

func dialectRows() []dialectRow {
	return []dialectRow{
		{"inline comment after a space", "[s]\nk=v ;c\nl=v #c\n", one("k", "v", "l", "v"), ""},
		{"inline comment after a tab", "[s]\nk=v\t;c\n", one("k", "v"), ""},
		{"inline comment after a no-break space", "[s]\nk=v\u00a0;c\n", one("k", "v"), ""},
		{"no comment without a space", "[s]\nk=v;c\nl=v#c\nm=;c\n", one("k", "v;c", "l", "v#c", "m", ";c"), ""},
		{"comment where the value would be", "[s]\nk= ;c\n", one("k", ""), ""},
		{"quotes do not protect", "[s]\ncommand=bash -c \"foo ; bar\"\n", one("command", `bash -c "foo`), ""},
		{"the leftmost comment wins", "[s]\nk=a;b ;c #d\n", one("k", "a;b"), "Supervisor searches by rounds and keeps a;b ;c"},
		{"comment at the beginning of a line", "[s]\n;k=v\n#k=v\n  ; x\n", one(), ""},
		{"rem is no comment", "[s]\nrem=1\n", one("rem", "1"), ""},
		{"both delimiters, the first counts", "[s]\na=b:c\nm:a=b\nurl=http://x:1\nn : o\n", one("a", "b:c", "m", "a=b", "url", "http://x:1", "n", "o"), ""},
		{"quotes stay", "[s]\nk=\"v\"\nl='v'\nm=`v`\nn=\"\"\"v\"\"\"\n", one("k", `"v"`, "l", "'v'", "m", "`v`", "n", `"""v"""`), ""},
		{"quoted keys", "[s]\n\"k\"=v\n`l`=w\n\"\"\"m\"\"\"=x\n", one(`"k"`, "v", "`l`", "w", `"""m"""`, "x"), ""},
		{"a dash is a key", "[s]\n-=v\n- = w\n", one("-", "w"), ""},
		{"backslash joins nothing", "[s]\nk=a\\\nl=b\\\\\n", one("k", `a\`, "l", `b\\`), ""},
		{"continuation", "[s]\nk=v\n w\n\tx\n", one("k", "v\nw\nx"), ""},
		{"continuation of an empty value", "[s]\nk=\n w\n", one("k", "\nw"), ""},
		{"continuation that looks like more", "[s]\nk=v\n [t]\n l=w\n", one("k", "v\n[t]\nl=w"), ""},
		{"continuation across a comment", "[s]\nk=v\n w\n# full\n x\n", one("k", "v\nw\nx"), ""},
		{"continuation with a comment", "[s]\nk=v ; one\n w ; two\n", one("k", "v\nw"), ""},
		{"blank line in a value", "[s]\nk=v\n\n w\n", one("k", "v\n\nw"), ""},
		{"blank lines at the end of a value", "[s]\nk=v\n\n\n", one("k", "v"), ""},
		{"blank lines and nothing else", "[s]\nk=\n\n\n", one("k", ""), ""},
		{"equal indent is no continuation", "[s]\n  k=v\n  l=w\n", one("k", "v", "l", "w"), ""},
		{"less indent is no continuation", "[s]\n    k=v\n  l=w\n", one("k", "v", "l", "w"), ""},
		{"indent grows step by step", "[s]\nk=v\n  w\n    x\n y\n", one("k", "v\nw\nx\ny"), ""},
		{"a tab counts as one", "[s]\n\tk=v\n  w\n", one("k", "v\nw"), ""},
		{"indented header", "  [s]\nk=v\n", one("k", "v"), ""},
		{"later value wins", "[s]\nk=1\nk=2\n", one("k", "2"), ""},
		{"keys in lower case", "[s]\nKey=1\nKEY=2\n", one("key", "2"), ""},
		{"spaces in keys", "[s]\na b = c\n", one("a b", "c"), ""},
		{"section twice", "[s]\na=1\n[t]\n[s]\nb=2\na=3\n", reading{Sections: map[string]map[string]string{"s": {"a": "3", "b": "2"}, "t": {}}}, ""},
		{"text after a header", "[s]xyz\nk=v\n", one("k", "v"), ""},
		{"comment after a header", "[s] ; x\nk=v\n", one("k", "v"), ""},
		{"greedy header", "[a]b]\nk=v\n", reading{Sections: map[string]map[string]string{"a]b": {"k": "v"}}}, ""},
		{"bracket as a name", "[]]\nk=v\n", reading{Sections: map[string]map[string]string{"]": {"k": "v"}}}, ""},
		{"spaces in a header stay", "[ s ]\nk=v\n", reading{Sections: map[string]map[string]string{" s ": {"k": "v"}}}, ""},
		{"dots in a header mean nothing", "[a]\nk=v\n[a.b]\n", reading{Sections: map[string]map[string]string{"a": {"k": "v"}, "a.b": {}}}, ""},
		{"many options", manyOptions("s", 300), manyOptionsRead("s", 300), ""},
		{"DEFAULT", "[DEFAULT]\nk=v\nl=w\n[s]\nl=x\n", one("k", "v", "l", "x"), ""},
		{"DEFAULT after the section", "[s]\nl=x\n[DEFAULT]\nk=v\nl=w\n", one("k", "v", "l", "x"), ""},
		{"DEFAULT twice", "[DEFAULT]\nk=1\n[s]\n[DEFAULT]\nk=2\n", one("k", "2"), ""},
		{"default is not DEFAULT", "[default]\nk=v\n[s]\n", reading{Sections: map[string]map[string]string{"default": {"k": "v"}, "s": {}}}, ""},
		{"carriage returns", "[s]\r\nk=v\r\n w\r\n\r\n", one("k", "v\nw"), ""},
		{"carriage returns here and there", "[s]\nk=v\r\nl=w\n\r\nm=x\r\n", one("k", "v", "l", "w", "m", "x"), ""},
		{"carriage returns alone", "[s]\rk=v\rl=w", one("k", "v", "l", "w"), ""},
		{"no line end at the end", "[s]\nk=v", one("k", "v"), ""},
		{"nothing", "", reading{Sections: map[string]map[string]string{}}, ""},
		{"comments only", "; a\n# b\n\n", reading{Sections: map[string]map[string]string{}}, ""},
		{"vertical tabs and form feeds", "[s]\nk=a\x0bb\x0c;c\n", one("k", "a\x0bb"), ""},
		{"separators are white space", "[s]\nk=v\x1f;c\n\x1c w\n", one("k", "v\nw"), ""},
		{"other scripts", "[s]\nключ=значение\n", one("ключ", "значение"), ""},
		{"NUL", "[s]\nk=a\x00b\n", one("k", "a\x00b"), ""},
		{"empty value", "[s]\nk=\nl:\n", one("k", "", "l", ""), ""},
		{"value of delimiters", "[s]\nk===\nl=:\n", one("k", "==", "l", ":"), ""},
		{"percent signs mean nothing yet", "[s]\nk=%(a)s %% %\n", one("k", "%(a)s %% %"), ""},

		{"no delimiter", "[s]\nk\n", reading{Error: "Source contains parsing errors: 'conf'\n\t[line  2]: 'k\\n'"}, ""},
		{"no delimiter at the end", "[s]\na=b\nk", reading{Error: "Source contains parsing errors: 'conf'\n\t[line  3]: 'k'"}, ""},
		{"no key", "[s]\n=v\n", reading{Error: "Source contains parsing errors: 'conf'\n\t[line  2]: '=v\\n'"}, ""},
		{"no key ends the option before it", "[s]\na=b\n=v\n w\n", reading{Error: "Source contains parsing errors: 'conf'\n\t[line  3]: '=v\\n'\n\t[line  4]: ' w\\n'"}, ""},
		{"several bad lines", "[s]\nit's\n\ta\n\"b\"\n'\"\nc=d\n", reading{Error: "Source contains parsing errors: 'conf'\n\t[line  2]: \"it's\\n\"\n\t[line  3]: '\\ta\\n'\n\t[line  4]: '\"b\"\\n'\n\t[line  5]: '\\'\"\\n'"}, ""},
		{"a bad line leaves the option open", "[s]\na=b\nc\n d\n", reading{Error: "Source contains parsing errors: 'conf'\n\t[line  3]: 'c\\n'"}, ""},
		{"line 100", "[s]\n" + strings.Repeat("a=b\n", 98) + "k\n", reading{Error: "Source contains parsing errors: 'conf'\n\t[line 100]: 'k\\n'"}, ""},
		{"open bracket later", "[s]\n[t\n", reading{Error: "Source contains parsing errors: 'conf'\n\t[line  2]: '[t\\n'"}, ""},
		{"key before any header", "k=v\n[s]\n", reading{Error: "File contains no section headers.\nfile: 'conf', line: 1\n'k=v\\n'"}, ""},
		{"text after comments before any header", "; c\n\n  k=v ; x\n", reading{Error: "File contains no section headers.\nfile: 'conf', line: 3\n'  k=v ; x\\n'"}, ""},
		{"open bracket first", "[a\n", reading{Error: "File contains no section headers.\nfile: 'conf', line: 1\n'[a\\n'"}, ""},
		{"empty bracket first", "[]\n", reading{Error: "File contains no section headers.\nfile: 'conf', line: 1\n'[]\\n'"}, ""},
		{"empty bracket", "[s]\n[]\n", reading{Error: "Source contains parsing errors: 'conf'\n\t[line  2]: '[]\\n'"}, ""},
		{"empty bracket with a sign", "[s]\n[]=v\n[]x:w\n", one("[]", "v", "[]x", "w"), ""},
		{"byte-order mark", "\ufeff[s]\nk=v\n", reading{Error: "File contains no section headers.\nfile: 'conf', line: 1\n'\\ufeff[s]\\n'"}, ""},

		{"byte-order mark and nothing", "\ufeff", reading{Error: "File contains no section headers.\nfile: 'conf', line: 1\n'\\ufeff'"}, ""},

		{"not UTF-8", "[s]\n\xff\n", reading{Error: "'utf-8' codec can't decode byte 0xff in position 4: invalid start byte"}, ""},
		{"Latin-1", "[s]\nk=caf\xe9\n", reading{Error: "'utf-8' codec can't decode byte 0xe9 in position 9: invalid continuation byte"}, ""},
		{"cut at the end", "[s]\nk=\xe2\x82", reading{Error: "'utf-8' codec can't decode bytes in position 0-1: unexpected end of data"}, ""},
		{"cut inside", "[s]\nk=\xf0\x90\x80x", reading{Error: "'utf-8' codec can't decode bytes in position 6-8: invalid continuation byte"}, ""},
		{"surrogate", "[s]\nk=\xed\xa0\x80", reading{Error: "'utf-8' codec can't decode byte 0xed in position 6: invalid continuation byte"}, ""},
		{"overlong", "[s]\nk=\xc0\x80", reading{Error: "'utf-8' codec can't decode byte 0xc0 in position 6: invalid start byte"}, ""},
		{"far down", "[s]\n" + strings.Repeat(";", 9000) + "\xff", reading{Error: "'utf-8' codec can't decode byte 0xff in position 812: invalid start byte"}, ""},
		{"after a character that a chunk cuts", "[s]\n;" + strings.Repeat("é", 4100) + "\xff", reading{Error: "'utf-8' codec can't decode byte 0xff in position 14: invalid start byte"}, ""},
		{"no header, then not UTF-8", "k\n" + strings.Repeat(";", 9000) + "\xff", reading{Error: "File contains no section headers.\nfile: 'conf', line: 1\n'k\\n'"}, ""},
		{"not UTF-8 soon after no header", "k\n\xff", reading{Error: "'utf-8' codec can't decode byte 0xff in position 2: invalid start byte"}, ""},
	}
}

// ourReading reads a file, and puts its sections together as Load does.
func ourReading(file string) reading {
	doc := Parse([]byte(file), noKeys)
	if errs := doc.Mistakes("conf"); len(errs) > 0 {
		return reading{Error: errs[0].Text}
	}
	r := reading{Sections: map[string]map[string]string{}}
	defaults := map[string]string{}
	for _, s := range doc.Sections {
		into := defaults
		if s.Name != "DEFAULT" {
			if r.Sections[s.Name] == nil {
				r.Sections[s.Name] = map[string]string{}
			}
			into = r.Sections[s.Name]
		}
		for _, o := range s.Options {
			into[o.Name] = o.Value
		}
	}
	for _, s := range r.Sections {
		for name, value := range defaults {
			if _, own := s[name]; !own {
				s[name] = value
			}
		}
	}
	return r
}

// noKeys knows no section.
func noKeys(string) []string { return nil }

// manyOptions is a section with so many options, a third of which stand twice.
func manyOptions(name string, n int) string {
	var b strings.Builder
	b.WriteString("[" + name + "]\n")
	for i := range n {
		fmt.Fprintf(&b, "k%d=%d\n", i%(n-n/3), i)
	}
	return b.String()
}

// manyOptionsRead is what is read of it.
func manyOptionsRead(name string, n int) reading {
	values := map[string]string{}
	for i := range n {
		values[fmt.Sprintf("k%d", i%(n-n/3))] = fmt.Sprint(i)
	}
	return reading{Sections: map[string]map[string]string{name: values}}
}

func TestManyOptions(t *testing.T) {
	const n = 3 * maxOptions
	doc := Parse([]byte(manyOptions("s", n)+"[t]\nk1=t\n"+manyOptions("s", 10)), noKeys)
	if len(doc.Sections) != 3 {
		t.Fatalf("%d sections, want 3", len(doc.Sections))
	}
	options := doc.Sections[0].Options
	if len(options) != n-n/3 {
		t.Fatalf("%d options, want %d", len(options), n-n/3)
	}
	for i, o := range options {
		last := i
		if i < n/3 {
			last = i + n - n/3
		}
		if want := (Option{fmt.Sprintf("k%d", i), fmt.Sprint(last), last + 2}); o != want {
			t.Fatalf("option %d is %+v, want %+v", i, o, want)
		}
	}
	if got := Parse([]byte("[s]\n"+strings.Repeat("k=v\n", 2*maxOptions+1)), noKeys).Sections[0].Options; len(got) != 1 {
		t.Errorf("one option %d times", len(got))
	}
}

func TestDialect(t *testing.T) {
	for _, row := range dialectRows() {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, ourReading(row.file)); diff != "" {
				t.Errorf("%q (-want +got):\n%s", row.file, diff)
			}
		})
	}
}

// TestDialectDebian holds Debian's Supervisor against the same rows.
func TestDialectDebian(t *testing.T) {
	debian.Require(t)
	rows := dialectRows()
	var files []string
	for _, row := range rows {
		files = append(files, row.file)
	}
	for i, theirs := range readBySupervisor(t, files) {
		same := cmp.Equal(rows[i].want, theirs)
		if rows[i].differs == "" && !same {
			t.Errorf("%s: %q (-ours +Supervisor's):\n%s", rows[i].name, rows[i].file, cmp.Diff(rows[i].want, theirs))
		}
		if rows[i].differs != "" && same {
			t.Errorf("%s: the row says that %s, but it agrees", rows[i].name, rows[i].differs)
		}
	}
}

// readBySupervisor asks Debian's Supervisor to read files.
func readBySupervisor(t testing.TB, files []string) []reading {
	t.Helper()
	var encoded []string
	for _, file := range files {
		encoded = append(encoded, base64.StdEncoding.EncodeToString([]byte(file)))
	}
	var readings []reading
	debian.Ask(t, debian.Script(t, "dialect.py"), encoded, &readings)
	for i := range readings {
		if readings[i].Error == "" && readings[i].Sections == nil {
			readings[i].Sections = map[string]map[string]string{}
		}
	}
	return readings
}

// TestLines checks that every header and every key is told with its own line.
func TestLines(t *testing.T) {
	doc := Parse([]byte("; one\n[s]\r\na=1\n\n\tb=2\n [x\nc=3\n[t]\na=\n\n more\n\n[s]\na=2\na=3\n"), noKeys)
	var got []string
	for _, s := range doc.Sections {
		got = append(got, fmt.Sprintf("[%s]:%d", s.Name, s.Line))
		for _, k := range s.Options {
			got = append(got, fmt.Sprintf("%s=%q:%d", k.Name, k.Value, k.Line))
		}
	}
	want := []string{"[s]:2", `a="1\n\nb=2\n[x":3`, `c="3":7`, "[t]:8", `a="\n\nmore":9`, "[s]:13", `a="3":15`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// written is a document as a file that says the same.
func written(doc *Document) string {
	var b strings.Builder
	for _, s := range doc.Sections {
		fmt.Fprintf(&b, "[%s]\n", s.Name)
		for _, k := range s.Options {
			fmt.Fprintf(&b, "%s=%s\n", k.Name, strings.ReplaceAll(k.Value, "\n", "\n\x1f"))
		}
	}
	return b.String()
}

// FuzzParse reads anything: it never fails otherwise than by an error, and what it
// reads, written down plainly, is read the same.
func FuzzParse(f *testing.F) {
	for _, row := range dialectRows() {
		f.Add([]byte(row.file))
	}
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, content []byte) {
		defer b.Input(t)()
		checkParse(t, content)
	})
}

// TestParseIsTotal reads every short text of the characters that mean something to
// Supervisor, to ini.v1 or to Unicode, alone and in a section.
func TestParseIsTotal(t *testing.T) {
	pieces := strings.Split("[ ] = : ; # \" \"\"\" ' ` - \\ . a é \ufeff \x00 \x1c \u0085 \u2028 \r \n \t \xff", " ")
	pieces = append(pieces, " ")
	for _, a := range pieces {
		for _, b := range pieces {
			for _, c := range pieces {
				checkParse(t, []byte(a+b+c))
				checkParse(t, []byte("[s]\nk=v\n"+a+b+c))
			}
		}
	}
}

// checkParse demands that what is read stands in lines that there are and, written
// down plainly, is read the same.
func checkParse(t *testing.T, content []byte) {
	t.Helper()
	doc := Parse(content, noKeys)
	lines := bytes.Count(content, []byte("\n")) + bytes.Count(content, []byte("\r")) + 1
	last := 0
	for _, s := range doc.Sections {
		if s.Name == "" || s.Line <= last || s.Line > lines {
			t.Fatalf("section %q in line %d after line %d of %d", s.Name, s.Line, last, lines)
		}
		last = s.Line
		for _, k := range s.Options {
			if k.Name == "" || k.Line <= s.Line || k.Line > lines {
				t.Fatalf("key %q in line %d of [%s] in line %d of %d", k.Name, k.Line, s.Name, s.Line, lines)
			}
		}
	}
	for _, e := range doc.Mistakes("conf") {
		if e.Line < 1 || e.Line > lines || e.Text == "" || e.Plain != "" && strings.Contains(e.Plain, "\n") {
			t.Fatalf("error %+v of a file of %d lines", e, lines)
		}
	}
	again := Parse([]byte(written(doc)), noKeys)
	if len(again.Mistakes("conf")) > 0 || len(again.Sections) != len(doc.Sections) {
		t.Fatalf("written down as %q, it is read as %+v", written(doc), again)
	}
	for i, s := range doc.Sections {
		if !slices.EqualFunc(s.Options, again.Sections[i].Options, func(a, b Option) bool { return a.Name == b.Name && a.Value == b.Value }) {
			t.Fatalf("[%s] has %v, and written down %v", s.Name, s.Options, again.Sections[i].Options)
		}
	}
}

func TestMistakes(t *testing.T) {
	knows := func(section string) []string {
		if section == "program:web" {
			return []string{"command", "user"}
		}
		return nil
	}
	for _, test := range []struct{ file, plain, hint string }{
		{"password=x\n[s]\n", "the line 'password=…' stands before any section header", "begin the file with a section such as [program:name]"},
		{"program:web]\n", "the line 'program:web]' stands before any section header", "a header is [name], with both brackets on one line"},
		{"\ufeff[s]\n", "the line '\\ufeff[s]' stands before any section header", "save the file as UTF-8 without a byte-order mark"},
		{"[s]\nk\n", "the line 'k' is neither a header nor an option", "write key=value; a line that continues a value must be indented"},
		{"[s]\n=v\n", "the line '=v' is neither a header nor an option", "put the name of the key before the sign"},
		{"[s]\n// no\n", "the line '// no' is neither a header nor an option", "a comment begins with ; or #"},
		{"[s]\n[t\n", "the line '[t' is neither a header nor an option", "a header is [name], with both brackets on one line"},
		{"[s]\n<<<<<<< HEAD\n", "the line '<<<<<<< HEAD' is neither a header nor an option",
			"git or another tool left a conflict in the file; keep one side and remove the markers"},
		{"[s]\n{% if x %}\n", "the line '{% if x %}' is neither a header nor an option", "the file looks like a template that was not rendered"},
		{"[s]\n\xff\n", "", "save the file as UTF-8"},
	} {
		doc := Parse([]byte(test.file), knows)
		m := doc.Mistakes("conf")
		if len(m) == 0 || m[0].Plain != test.plain || m[0].Hint != test.hint {
			t.Errorf("%q: %+v, want %q and %q", test.file, m, test.plain, test.hint)
		}
		if hides := strings.Contains(test.file, "[t") || strings.Contains(test.file, "\xff"); doc.MayHideSections() != hides {
			t.Errorf("%q: may hide sections: %v", test.file, !hides)
		}
	}
}

func TestNotes(t *testing.T) {
	knows := func(section string) []string { return map[string][]string{"program:web": {"command", "user"}}[section] }
	doc := Parse([]byte("[program:web]\ncommand=\"a ;b\"\n user=x\n [program:web]\n[x\n[x=1\nuser=a\nuser=b\n[t] u\npassword=a #b\n"), knows)
	type notes struct {
		Truncated, Continued, Unclosed []Note
		Repeated                       []Repeat
	}
	want := notes{
		Truncated: []Note{{"program:web", "command", 2, `;b"`}, {"t", "password", 10, "#b"}},
		Continued: []Note{{"program:web", "command", 3, "user…"}, {"program:web", "command", 4, "[program:web]"}},
		Unclosed:  []Note{{"program:web", "", 6, "[x=1"}},
		Repeated:  []Repeat{{"program:web", "user", 7, 8}},
	}
	if diff := cmp.Diff(want, notes{doc.Truncated, doc.Continued, doc.Unclosed, doc.Repeated}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if doc.Sections[1].After != "u" {
		t.Errorf("after the header stands %q", doc.Sections[1].After)
	}
}
