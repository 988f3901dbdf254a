package capture

import (
	"regexp"
	"strings"
	"testing"
)

// TestSeeker: a line is found however it comes, once it is over, and no more is looked at
// of a long one than its beginning.
func TestSeeker(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for _, test := range []struct {
		expression string
		output     string
		want       bool
	}{
		{"^ready$", "ready\n", true},
		{"^ready$", "ready", false}, // it may go on
		{"^ready$", "ready\r\n", true},
		{"^ready$", "not ready\nready or not\n", false},
		{"^ready$", "a\n\nready\nb\n", true},
		{"on [0-9]+", "listening on 80 (tcp)\n", true},
		{"on [0-9]+", "listening on\n80\n", false},
		{"", "\n", true},
		{"^x+$", long + "y\n", true},
		{"y", long + "y\n", false},
		{"^y$", long + long + "\ny\n", true},
	} {
		for size := 1; size <= len(test.output); size = size*3 + 1 {
			var s seeker
			s.seek(regexp.MustCompile(test.expression))
			found := false
			for rest := test.output; rest != "" && !found; rest = rest[min(size, len(rest)):] {
				found = s.found([]byte(rest[:min(size, len(rest))]))
			}
			if found != test.want || cap(s.line) > 2*maxLine {
				t.Errorf("%q of %.40q in pieces of %d: %v, with room for %d", test.expression, test.output, size, found, cap(s.line))
			}
		}
	}
}

// TestSeekerGoesOn: what is looked for again is the same search, and something else a new
// one.
func TestSeekerGoesOn(t *testing.T) {
	var s seeker
	s.seek(regexp.MustCompile("^ready$"))
	s.found([]byte("rea"))
	s.seek(regexp.MustCompile("^ready$"))
	if !s.found([]byte("dy\n")) {
		t.Error("it has forgotten half a line")
	}
	s.found([]byte("rea"))
	s.seek(regexp.MustCompile("^dy$"))
	if !s.found([]byte("dy\n")) {
		t.Error("it has half a line of another search")
	}
}
