package capture

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/bound"
	"supervisord/runtime/exact"
)

const (
	begin = "<!--XSUPERVISOR:BEGIN-->"
	end   = "<!--XSUPERVISOR:END-->"
)

// scanned is what a scanner made of output, with neighbours of a kind joined.
type scanned struct {
	Log      string
	Inside   string
	Captures []string
}

// scan gives the chunks to a scanner, and finishes.
func scan(s scanner, chunks ...[]byte) scanned { return scanWith(s, func(*scanner) {}, chunks) }

// scanHandedOver has another scanner go on before each chunk.
func scanHandedOver(s scanner, chunks ...[]byte) scanned {
	return scanWith(s, func(s *scanner) {
		saved := Saved{Begun: true}
		s.save(&saved)
		data, err := exact.Marshal(saved)
		var read Saved
		if err == nil {
			err = exact.Unmarshal(data, &read)
		}
		if err == nil {
			err = read.Check()
		}
		if err != nil {
			panic(fmt.Sprintf("%x: %v", data, err))
		}
		s.restore(&read)
	}, chunks)
}

func scanWith(s scanner, between func(*scanner), chunks [][]byte) scanned {
	var got scanned
	emit := func(kind piece, p []byte) {
		switch kind {
		case plain:
			got.Log += string(p)
		case inside:
			got.Inside += string(p)
		case complete:
			got.Captures = append(got.Captures, string(p))
		}
	}
	for _, c := range chunks {
		between(&s)
		s.feed(bytes.Clone(c), emit)
	}
	between(&s)
	s.finish(emit)
	return got
}

// TestCapture: contract/events.md section 6.
func TestCapture(t *testing.T) {
	for _, row := range []struct {
		name, in string
		want     scanned
	}{
		{"no tag", "hello\n", scanned{Log: "hello\n"}},
		{"a short line is not lost", "bye\n", scanned{Log: "bye\n"}},
		{"a pair", "a" + begin + "b" + end + "c", scanned{"ac", "b", []string{"b"}}},
		{"an empty pair", begin + end, scanned{"", "", []string{""}}},
		{"two pairs", begin + "1" + end + "x" + begin + "2" + end, scanned{"x", "12", []string{"1", "2"}}},
		{"no end", "a" + begin + "b", scanned{"a", "b", nil}},
		{"a part of the end tag at the end", "a" + begin + "b" + end[:9], scanned{"a", "b" + end[:9], nil}},
		{"a part of the begin tag at the end", "a" + begin[:23], scanned{Log: "a" + begin[:23]}},
		{"an end tag outside is text", "a" + end + "b", scanned{Log: "a" + end + "b"}},
		{"a begin tag inside is text", begin + begin + end, scanned{"", begin, []string{begin}}},
		{"almost a tag", begin[:20] + begin + "x" + end, scanned{begin[:20], "x", []string{"x"}}},
		{"a tag after its first byte", "<" + begin + "<" + end, scanned{"<", "<", []string{"<"}}},
		{"sequences are kept", "\x1b[31m" + begin + "\x1b[32m" + end, scanned{"\x1b[31m", "\x1b[32m", []string{"\x1b[32m"}}},
		{"binary", "\x00\xff" + begin + "\xfe\n" + end, scanned{"\x00\xff", "\xfe\n", []string{"\xfe\n"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, scan(scanner{captureMax: 1000}, []byte(row.in))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(row.want, scan(scanner{captureMax: 1000}, bytewise([]byte(row.in))...)); diff != "" {
				t.Errorf("byte by byte (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNothingWaitsForATag: what cannot be a tag is given out at once
// (contract/differences.md row 26).
func TestNothingWaitsForATag(t *testing.T) {
	for _, row := range []struct{ in, out string }{
		{"x", "x"}, {"a line\n", "a line\n"}, {"<", ""}, {"a<!--", "a"}, {"<!-\n", "<!-\n"}, {"<b", "<b"}, {"<!<", "<!"},
	} {
		s := scanner{captureMax: 10}
		var got string
		s.feed([]byte(row.in), func(_ piece, p []byte) { got += string(p) })
		if got != row.out {
			t.Errorf("%q gives out %q, want %q", row.in, got, row.out)
		}
	}
}

// TestCaptureLimit: the rule for what is captured beyond the limit.
func TestCaptureLimit(t *testing.T) {
	for _, row := range []struct {
		name   string
		max    int64
		chunks []string
		want   string
	}{
		{"just enough", 6, []string{"abc", "def"}, "abcdef"},
		{"as many bytes go as come", 6, []string{"abc", "def", "gh"}, "cdefgh"},
		{"more bytes come than are there", 6, []string{"abc", "defgh"}, "defgh"},
		{"a chunk larger than the limit is whole", 20, []string{strings.Repeat("x", 50)}, strings.Repeat("x", 50)},
		{"and shrinks by what comes", 4, []string{"abcdefgh", "ij"}, "cdefghij"},
	} {
		t.Run(row.name, func(t *testing.T) {
			chunks := [][]byte{[]byte(begin)}
			for _, c := range row.chunks {
				chunks = append(chunks, []byte(c))
			}
			got := scan(scanner{captureMax: row.max}, append(chunks, []byte(end))...)
			if diff := cmp.Diff([]string{row.want}, got.Captures); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestStrip(t *testing.T) {
	for _, row := range []struct{ name, in, want string }{
		{"none", "plain\n", "plain\n"},
		{"colours", "\x1b[1;31mred\x1b[0m\n", "red\n"},
		{"cursor", "a\x1b[2Jb\x1b[10;20Hc\x1b[Kd\x1b[?25le", "abcde"},
		{"a final byte that the original does not know", "a\x1b[2Gb", "ab"},
		{"intermediate bytes", "a\x1b[!pb\x1b[0 qc", "abc"},
		{"title, ended by BEL", "a\x1b]0;title\ab", "ab"},
		{"hyperlink, ended by ESC \\", "\x1b]8;;http://x/\x1b\\link\x1b]8;;\x1b\\.", "link."},
		{"UTF-8 in a title", "\x1b]0;tïtle\ab", "b"},
		{"a line break ends a stray sequence", "a\x1b[31\nb\x1b]0;x\nc", "a\nb\nc"},
		{"a letter beyond ASCII ends a stray sequence", "a\x1b[31é", "aé"},
		{"an escape within a sequence begins another", "a\x1b[3\x1b[1mb", "ab"},
		{"an escape within a command begins another", "a\x1b]0;x\x1b[1mb", "ab"},
		{"and may be text", "a\x1b]0;x\x1bcb", "a\x1bcb"},
		{"other escapes stay", "a\x1b(Bb\x1b7c", "a\x1b(Bb\x1b7c"},
		{"two escapes", "\x1b\x1b[mx", "\x1bx"},
		{"an escape at the end", "a\x1b", "a\x1b"},
		{"a sequence at the end", "a\x1b[3", "a"},
		{"a command at the end", "a\x1b]3\x1b", "a"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := scan(scanner{strip: true}, []byte(row.in)).Log; got != row.want {
				t.Errorf("%q gives %q, want %q", row.in, got, row.want)
			}
			if got := scan(scanner{strip: true}, bytewise([]byte(row.in))...).Log; got != row.want {
				t.Errorf("%q byte by byte gives %q, want %q", row.in, got, row.want)
			}
		})
	}
}

// TestStripBetweenTags: a tag ends a sequence, so that what is captured does not
// depend on what stood before.
func TestStripBetweenTags(t *testing.T) {
	in := "a\x1b" + begin + "[1mb\x1b[3" + end + "1mc\x1b]0;x" + begin + "d" + end
	want := scanned{"a\x1b1mc", "[1mbd", []string{"[1mb", "d"}}
	if diff := cmp.Diff(want, scan(scanner{captureMax: 100, strip: true}, []byte(in))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func bytewise(p []byte) (chunks [][]byte) {
	for i := range p {
		chunks = append(chunks, p[i:i+1])
	}
	return chunks
}

// divided is p in chunks that a generator decides on.
func divided(p []byte, seed uint64) (chunks [][]byte) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	most := 1 + rnd.IntN(len(p)+1)
	for len(p) > 0 {
		n := 1 + rnd.IntN(min(most, len(p)))
		chunks = append(chunks, p[:n])
		p = p[n:]
	}
	return chunks
}

// FuzzScan: how output is divided into chunks changes nothing, and nothing is
// invented or, without stripping and an open end, lost.
func FuzzScan(f *testing.F) {
	for i, in := range []string{
		"", "hello\n", "a" + begin + "b" + end + "c", begin + begin[:7] + end[:8] + end, "\x1b[31mred\x1b[0m",
		"\x1b]0;t\x1b\\x" + begin + "\x1b[1m" + end + "\x1b", begin + "\x1b]" + end + "\x1b\x1b[<!-",
	} {
		f.Add([]byte(in), uint64(i), i%2 == 0, i%3 > 0)
	}
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, in []byte, seed uint64, strip, captures bool) {
		defer b.Input(t)()
		s := scanner{strip: strip}
		if captures {
			s.captureMax = 1 << 40
		}
		whole := scan(s, in)
		for _, chunks := range [][][]byte{divided(in, seed), bytewise(in)} {
			if diff := cmp.Diff(whole, scan(s, chunks...)); diff != "" {
				t.Errorf("%q as %q (-whole +divided):\n%s", in, chunks, diff)
			}
			if diff := cmp.Diff(whole, scanHandedOver(s, chunks...)); diff != "" {
				t.Errorf("%q as %q (-whole +handed over):\n%s", in, chunks, diff)
			}
		}
		if strip {
			if s.captureMax == 0 && bytes.IndexByte(in, esc) < 0 && whole.Log != string(in) {
				t.Errorf("%q became %q without an escape in it", in, whole.Log)
			}
			return
		}
		tags := 0
		if s.captureMax > 0 {
			tags = len(whole.Captures) * (len(begin) + len(end))
			if opened := len(in) - tags - len(whole.Log) - len(whole.Inside); opened == len(begin) {
				tags += opened // one without an end
			}
		}
		if sum := len(whole.Log) + len(whole.Inside) + tags; sum != len(in) {
			t.Errorf("%q: %d bytes became %d", in, len(in), sum)
		}
		if joined := strings.Join(whole.Captures, ""); !strings.HasPrefix(whole.Inside, joined) {
			t.Errorf("%q: captured %q of %q", in, joined, whole.Inside)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	text := strings.Repeat("2026-11-22 17:47:45,123 INFO some log line of the usual length, with <b>tags</b>\n", 1600)
	colours := strings.Repeat("\x1b[32m2026-11-22\x1b[0m \x1b[1;34mINFO\x1b[0m some log line of the usual length\n", 1800)
	for _, row := range []struct {
		name string
		in   string
		scan scanner
	}{
		{"plain", text, scanner{}},
		{"strip", text, scanner{strip: true}},
		{"strip-colours", colours, scanner{strip: true}},
		{"capture", text, scanner{captureMax: 1 << 20}},
		{"capture-strip-colours", colours, scanner{captureMax: 1 << 20, strip: true}},
	} {
		b.Run(row.name, func(b *testing.B) {
			buf := make([]byte, len(row.in))
			sum := 0
			emit := func(_ piece, p []byte) { sum += len(p) }
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, row.in) // the scanner may overwrite it
				row.scan.feed(buf, emit)
			}
			if sum == 0 {
				b.Fatal("nothing came out")
			}
		})
	}
}
