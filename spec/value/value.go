package value

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The parsers of this file turn the text of one value into the value. Their
// errors carry Supervisor's text and nothing else: no section, no key.
//
// Source: contract/config.md section 4.

// ParseInt reads an integer as Python's int does: an optional sign, white space
// around it, single underscores between digits, decimal digits of any script.
// What does not fit 64 bits becomes the nearest number that does: Supervisor
// takes any magnitude, and no key can tell the difference.
func ParseInt(s string) (int64, error) {
	n, ok := parseBase(s, 10)
	if !ok {
		return 0, fmt.Errorf("invalid literal for int() with base 10: %s", firstRunes(PyRepr(s), 200))
	}
	return n, nil
}

// Int is the nearest int: where that has 32 bits, what does not fit them becomes the
// nearest number that does, as ParseInt has it with 64.
func Int(n int64) int { return int(min(max(n, math.MinInt), math.MaxInt)) }

// ParseBytes reads a size in bytes: an integer, which KB, MB or GB in any case
// may follow (1024-based). Negative sizes are accepted.
func ParseBytes(s string) (int64, error) {
	s = strings.ToLower(s)
	unit := int64(1)
	for i, suffix := range []string{"kb", "mb", "gb"} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = rest, 1<<(10*(i+1))
			break
		}
	}
	n, err := ParseInt(s)
	if err != nil {
		return 0, err
	}
	switch {
	case n > math.MaxInt64/unit:
		return math.MaxInt64, nil
	case n < math.MinInt64/unit:
		return math.MinInt64, nil
	}
	return n * unit, nil
}

// ParseBool reads yes, true, on, 1 or no, false, off, 0 in any case.
func ParseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "yes", "true", "on", "1":
		return true, nil
	case "no", "false", "off", "0":
		return false, nil
	}
	return false, fmt.Errorf("not a valid boolean value: %s", PyRepr(s))
}

// ParseOctal reads an octal number, with or without a leading 0 or 0o.
func ParseOctal(s string) (int, error) {
	n, ok := parseBase(s, 8)
	if !ok {
		return 0, fmt.Errorf("%s can not be converted to an octal type", s)
	}
	return Int(n), nil
}

// ParseExitCodes reads a comma-separated list of numbers from 0 to 255. Order
// and duplicates stay; an empty value is an empty list.
func ParseExitCodes(s string) ([]int, error) {
	if s == "" {
		return nil, nil
	}
	items := strings.Split(s, ",")
	codes := make([]int, len(items))
	for i, item := range items {
		n, err := ParseInt(item)
		if err != nil || n < 0 || n > 255 {
			return nil, fmt.Errorf("not a valid list of exit codes: %s", PyRepr(s))
		}
		codes[i] = int(n)
	}
	return codes, nil
}

// ParseInetPort reads PORT, :PORT, *:PORT or HOST:PORT. The host is in lower
// case; "" is every address.
func ParseInetPort(s string) (host string, port int, err error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		if port, err = ParsePort(s); err != nil {
			return "", 0, fmt.Errorf("not a valid port number: %s ", PyRepr(s))
		}
		return "", port, nil
	}
	if s[i+1:] == "" {
		return "", 0, errors.New("no port number specified in ''")
	}
	if port, err = ParsePort(s[i+1:]); err != nil {
		return "", 0, err
	}
	if host = strings.ToLower(s[:i]); host == "*" {
		host = ""
	}
	return host, port, nil
}

// ParsePort reads a number from 1 to 65535: a port, and the range of
// socket_backlog.
func ParsePort(s string) (int, error) {
	n, err := ParseInt(s)
	switch {
	case err != nil:
		return 0, err
	case n < 1:
		return 0, fmt.Errorf("%d is below lower bound (1)", n)
	case n > 65535:
		return 0, fmt.Errorf("%d is above upper bound (65535)", n)
	}
	return int(n), nil
}

// ParseName reads the name of a process or group: white space around it is
// dropped, and it must hold no space, colon or slash.
func ParseName(s string) (string, error) {
	name := Strip(s)
	for _, c := range []string{" ", ":", "/"} {
		if strings.Contains(name, c) {
			return "", fmt.Errorf("Invalid name: %s because of character: '%s'", PyRepr(s), c)
		}
	}
	return name, nil
}

// ParseDuration reads a length of time of [reconcile]: a number, which ms, s or
// m may follow; a bare number is seconds. The number may have a fraction; it is
// never negative.
//
// Source: reconciler.md, Configuration.
func ParseDuration(s string) (time.Duration, error) {
	number, unit := strings.ToLower(Strip(s)), time.Second
	for _, u := range []struct {
		suffix string
		length time.Duration
	}{{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}} {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, unit = Strip(rest), u.length
			break
		}
	}
	for _, c := range number {
		if (c < '0' || c > '9') && c != '.' {
			return 0, fmt.Errorf("not a valid duration: %s", PyRepr(s))
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n*float64(unit) >= math.MaxInt64 {
		return 0, fmt.Errorf("not a valid duration: %s", PyRepr(s))
	}
	return time.Duration(math.Round(n * float64(unit))), nil
}

// Removals is the value of max_removals: a count, or a share in percent.
type Removals struct {
	N       int
	Percent bool
}

// String is the value as a file would give it.
func (r Removals) String() string {
	if r.Percent {
		return strconv.Itoa(r.N) + "%"
	}
	return strconv.Itoa(r.N)
}

// ParseRemovals reads max_removals: a count from 0, or a share from 0% to 100%.
//
// Source: reconciler.md, Configuration.
func ParseRemovals(s string) (Removals, error) {
	number, percent := strings.CutSuffix(Strip(s), "%")
	n, err := ParseInt(number)
	if err != nil || n < 0 || percent && n > 100 {
		return Removals{}, fmt.Errorf("not a valid count or percentage: %s", PyRepr(s))
	}
	return Removals{N: Int(n), Percent: percent}, nil
}

// Rollout is how many processes of a program an update restarts at a time: a number, or a
// share in percent. The zero value is all of them. Ours beyond Supervisor.
type Rollout struct {
	N       int  `json:",omitzero"`
	Percent bool `json:",omitzero"`
}

// String is the value as a file would give it.
func (r Rollout) String() string {
	if r == (Rollout{}) {
		return "100%"
	}
	return Removals(r).String()
}

// Of is how many of n that is: one at least.
func (r Rollout) Of(n int) int {
	switch {
	case r == (Rollout{}):
		return max(1, n)
	case r.Percent:
		return max(1, n*r.N/100)
	}
	return r.N
}

// ParseRollout reads rollout: a number from 1, or a share from 1% to 100%.
func ParseRollout(s string) (Rollout, error) {
	r, err := ParseRemovals(s)
	switch {
	case err != nil || r.N == 0:
		return Rollout{}, fmt.Errorf("not a valid number or percentage: %s", PyRepr(s))
	case r == Removals{N: 100, Percent: true}:
		return Rollout{}, nil
	}
	return Rollout(r), nil
}

// parseBase reads an integer in base 8 or 10 as Python's int does, staying at
// the ends of int64. The prefix 0o is accepted in base 8.
func parseBase(s string, base int64) (n int64, ok bool) {
	s = stripNumber(s)
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	if base == 8 && len(s) > 1 && s[0] == '0' && (s[1] == 'o' || s[1] == 'O') {
		s = strings.TrimPrefix(s[2:], "_")
	}
	digitBefore, tooBig := false, false
	for _, r := range s {
		if r == '_' && digitBefore {
			digitBefore = false
			continue
		}
		d := digit(r)
		if d < 0 || d >= base {
			return 0, false
		}
		digitBefore = true
		if tooBig = tooBig || n > (math.MaxInt64-d)/base; !tooBig {
			n = n*base + d
		}
	}
	switch {
	case tooBig && negative:
		n = math.MinInt64
	case tooBig:
		n = math.MaxInt64
	case negative:
		n = -n
	}
	return n, digitBefore
}

// stripNumber drops the white space around a number: what C calls white space,
// and Unicode's beyond ASCII, as Python's int has it.
func stripNumber(s string) string {
	return strings.TrimFunc(s, func(r rune) bool {
		return r >= '\t' && r <= '\r' || r == ' ' || r >= utf8.RuneSelf && IsSpace(r)
	})
}

// digit is the value of a decimal digit of any script, or -1. Unicode keeps the
// ten digits of a script together and in order, and every range of its table
// begins with a zero.
func digit(r rune) int64 {
	if r >= '0' && r <= '9' {
		return int64(r - '0')
	}
	if r < utf8.RuneSelf {
		return -1
	}
	for _, x := range unicode.Nd.R16 {
		if uint16(r) >= x.Lo && uint16(r) <= x.Hi && r <= math.MaxUint16 {
			return int64(r-rune(x.Lo)) % 10
		}
	}
	for _, x := range unicode.Nd.R32 {
		if uint32(r) >= x.Lo && uint32(r) <= x.Hi {
			return int64(r-rune(x.Lo)) % 10
		}
	}
	return -1
}

// firstRunes is the first n characters of s; all of them when n is negative.
func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
