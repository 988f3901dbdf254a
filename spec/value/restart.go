package value

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// GiveUp says when attempts to start a process come to an end. Ours beyond Supervisor.
type GiveUp int

// The values of give_up.
const (
	GiveUpRetries GiveUp = iota // Supervisor's way: startretries decides
	GiveUpNever
)

// String is the value of give_up in a file.
func (g GiveUp) String() string {
	if g == GiveUpNever {
		return "never"
	}
	return "startretries"
}

// ParseGiveUp reads startretries or never, in any case.
func ParseGiveUp(s string) (GiveUp, error) {
	return parseWord("give_up", s, GiveUpRetries, GiveUpNever)
}

// ParseFactor reads backoff_factor: how many times longer each wait is than the one before;
// 0 for none.
func ParseFactor(s string) (float64, error) {
	f, err := strconv.ParseFloat(Strip(s), 64)
	if err != nil || !(f == 0 || f >= 1 && f <= 100) {
		return 0, fmt.Errorf("not a valid factor: %s", PyRepr(s))
	}
	return f, nil
}

// Percent is a share of a hundred.
type Percent int

// String is the share as a file would give it.
func (p Percent) String() string { return strconv.Itoa(int(p)) + "%" }

// ParsePercent reads a share from 0% to 100%; the sign may be left out.
func ParsePercent(s string) (Percent, error) {
	n, err := ParseInt(strings.TrimSuffix(Strip(s), "%"))
	if err != nil || n < 0 || n > 100 {
		return 0, fmt.Errorf("not a valid percentage: %s", PyRepr(s))
	}
	return Percent(n), nil
}

// CrashLimit is how often a process may end within a time; the zero value sets no limit.
type CrashLimit struct {
	N      int           `json:",omitzero"`
	Within time.Duration `json:",omitzero"`
}

// String is the limit as a file would give it, "" for none.
func (l CrashLimit) String() string {
	if l.N == 0 {
		return ""
	}
	return strconv.Itoa(l.N) + "/" + ShowDuration(l.Within)
}

// ShowDuration is a duration as a file would give it.
func ShowDuration(d time.Duration) string {
	if d != 0 && d%time.Minute == 0 {
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
}

// maxCrashes bounds how many ends are remembered.
const maxCrashes = 1000

// ParseCrashLimit reads a number of ends and a time, such as 5/10m; 0 is no limit.
func ParseCrashLimit(s string) (CrashLimit, error) {
	if Strip(s) == "0" {
		return CrashLimit{}, nil
	}
	number, within, _ := strings.Cut(s, "/")
	n, err := ParseInt(number)
	d, notTime := ParseDuration(within)
	if err != nil || notTime != nil || n < 1 || n > maxCrashes || d == 0 {
		return CrashLimit{}, fmt.Errorf("not a valid crash limit: %s", PyRepr(s))
	}
	return CrashLimit{N: int(n), Within: d}, nil
}
