package capture

import "bytes"

const (
	bel = 0x07
	esc = 0x1b
)

// stripper removes the terminal's control sequences (ESC [ …) and operating
// system commands (ESC ] … BEL or ESC \). A sequence that a line break or any
// other control character cuts off ends there, so a stray one cannot swallow
// what follows. Other escapes are left as they are.
//
// Source: contract/config.md section 12, strip_ansi.
// Differs: a sequence may be divided between reads, and ends at any final byte
// (contract/differences.md row 36).
type stripper struct{ in sequence }

// sequence is where in a sequence the output so far has ended.
type sequence int

const (
	ground    sequence = iota
	escape             // after ESC, which is held back
	csi                // after ESC [
	osc                // after ESC ]
	oscEscape          // after an ESC within that
)

// strip returns p without sequences. It may overwrite p.
func (s *stripper) strip(p []byte) []byte {
	if len(p) == 0 || s.in == ground && bytes.IndexByte(p, esc) < 0 {
		return p
	}
	if s.in == oscEscape && p[0] != '\\' {
		s.in = escape
	}
	if s.in == escape && p[0] != '[' && p[0] != ']' {
		// The escape that was held back is text after all.
		s.in = ground
		p = append([]byte{esc}, p...)
	}
	out := p[:0] // never overtakes what is still to be read
	for i := 0; i < len(p); {
		rest := p[i:]
		switch s.in {
		case ground:
			n := bytes.IndexByte(rest, esc)
			if n < 0 {
				return append(out, rest...)
			}
			out = append(out, rest[:n]...)
			i += n + 1
			s.in = escape
		case escape:
			switch rest[0] {
			case '[':
				s.in = csi
				i++
			case ']':
				s.in = osc
				i++
			default:
				out = append(out, esc)
				s.in = ground
			}
		case csi:
			switch c := rest[0]; {
			case c >= 0x20 && c < 0x40: // parameters
				i++
			case c >= 0x40 && c < 0x7f: // the final byte
				i++
				s.in = ground
			default:
				s.in = ground
			}
		case osc:
			switch c := rest[0]; {
			case c == bel:
				i++
				s.in = ground
			case c == esc:
				i++
				s.in = oscEscape
			case c < 0x20:
				s.in = ground
			default:
				i++
			}
		case oscEscape:
			if rest[0] == '\\' {
				i++
				s.in = ground
			} else {
				s.in = escape
			}
		}
	}
	return out
}

// finish ends any sequence and returns what was held back.
func (s *stripper) finish() []byte {
	held := s.in == escape
	s.in = ground
	if held {
		return []byte{esc}
	}
	return nil
}
