package capture

import (
	"bytes"
	"regexp"
)

// maxLine bounds what is looked at of a line, in bytes.
const maxLine = 4 << 10

// seeker looks for a line that an expression matches, however the line comes. The zero
// value looks for none.
type seeker struct {
	want *regexp.Regexp // nil for none
	line []byte         // the line that is not over yet, as far as it is looked at
}

// seek sets what is looked for. It begins anew only where that is another expression.
func (s *seeker) seek(want *regexp.Regexp) {
	if want == nil || s.want == nil || want.String() != s.want.String() {
		*s = seeker{want: want}
	}
}

// found reports whether p brings such a line to its end.
func (s *seeker) found(p []byte) bool {
	for len(p) > 0 {
		part, rest, over := bytes.Cut(p, []byte("\n"))
		s.line = append(s.line, part[:min(len(part), maxLine-len(s.line))]...)
		if !over {
			return false
		}
		if s.want.Match(bytes.TrimSuffix(s.line, []byte("\r"))) {
			return true
		}
		s.line, p = s.line[:0], rest
	}
	return false
}
