package value

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"supervisord/runtime/state"
)

// Autorestart says what happens to a process that left RUNNING by itself.
type Autorestart int

// The values of autorestart.
const (
	RestartUnexpected Autorestart = iota // the default
	RestartNever
	RestartAlways
)

// String is the value of autorestart in a file.
func (a Autorestart) String() string {
	switch a {
	case RestartNever:
		return "false"
	case RestartAlways:
		return "true"
	}
	return "unexpected"
}

// ParseAutorestart reads a boolean or the word unexpected, in any case.
func ParseAutorestart(s string) (Autorestart, error) {
	low := strings.ToLower(s)
	if low == "unexpected" {
		return RestartUnexpected, nil
	}
	always, err := ParseBool(low)
	if err != nil {
		return 0, fmt.Errorf("invalid 'autorestart' value %s", PyRepr(low))
	}
	if always {
		return RestartAlways, nil
	}
	return RestartNever, nil
}

// KillMode says how far a stop reaches. Ours beyond Supervisor.
type KillMode int

// The values of killmode.
const (
	KillProcess KillMode = iota // Supervisor's way: stopasgroup and killasgroup decide
	KillGroup                   // the process group
	KillCgroup                  // everything in the process's own cgroup
)

// String is the value of killmode in a file.
func (k KillMode) String() string {
	switch k {
	case KillGroup:
		return "group"
	case KillCgroup:
		return "cgroup"
	}
	return "process"
}

// ParseKillMode reads process, group or cgroup, in any case.
func ParseKillMode(s string) (KillMode, error) {
	return parseWord("killmode", s, KillProcess, KillGroup, KillCgroup)
}

// OnExit says what the end of a process means for the daemon. Ours beyond Supervisor.
type OnExit int

// The values of on_exit.
const (
	OnExitIgnore   OnExit = iota // Supervisor's way: nothing
	OnExitShutdown               // the daemon shuts down
)

// String is the value of on_exit in a file.
func (o OnExit) String() string {
	if o == OnExitShutdown {
		return "shutdown"
	}
	return "ignore"
}

// ParseOnExit reads ignore or shutdown, in any case.
func ParseOnExit(s string) (OnExit, error) {
	return parseWord("on_exit", s, OnExitIgnore, OnExitShutdown)
}

// ExitWhen says when the daemon ends by itself. Ours beyond Supervisor.
type ExitWhen int

// The values of exit_when.
const (
	ExitNever   ExitWhen = iota // Supervisor's way
	ExitOnFatal                 // a process has gone FATAL
	ExitOnIdle                  // every program has ended by itself, and nothing is to be started
)

// String is the value of exit_when in a file.
func (w ExitWhen) String() string {
	switch w {
	case ExitOnFatal:
		return "fatal"
	case ExitOnIdle:
		return "idle"
	}
	return "never"
}

// ParseExitWhen reads never, fatal or idle, in any case.
func ParseExitWhen(s string) (ExitWhen, error) {
	return parseWord("exit_when", s, ExitNever, ExitOnFatal, ExitOnIdle)
}

// ParseMetrics reads password or open, in any case: whether monitoring needs no password.
func ParseMetrics(s string) (open bool, err error) {
	if strings.EqualFold(s, "open") {
		return true, nil
	}
	if strings.EqualFold(s, "password") {
		return false, nil
	}
	return false, fmt.Errorf("invalid 'metrics' value %s", PyRepr(s))
}

// ParseMetricsPort reads the number of a port; 0 is none.
func ParseMetricsPort(s string) (int, error) {
	n, err := ParseInt(s)
	if err == nil && (n < 0 || n > 65535) {
		err = fmt.Errorf("%d is not a port", n)
	}
	return int(n), err
}

// ParseURLPath reads the path of a URL, without a query.
func ParseURLPath(s string) (string, error) {
	if u, err := url.Parse(s); err != nil || !strings.HasPrefix(s, "/") || u.Path != s {
		return "", fmt.Errorf("%s is not a path", PyRepr(s))
	}
	return s, nil
}

// parseWord reads one of a few values by its word, in any case.
func parseWord[T fmt.Stringer](key, s string, values ...T) (none T, err error) {
	for _, v := range values {
		if strings.EqualFold(s, v.String()) {
			return v, nil
		}
	}
	return none, fmt.Errorf("invalid '%s' value %s", key, PyRepr(s))
}

// ParseSignal reads a signal: its number, or its name in any case, with or
// without SIG. 0 is accepted, which sends nothing.
//
// Differs: Supervisor also takes the names SIG_IGN, SIG_DFL, SIG_BLOCK and their
// like, which are no signals (contract/differences.md row 44).
func ParseSignal(s string) (int, error) {
	if n, ok := parseBase(s, 10); ok {
		if n == 0 {
			return 0, nil
		}
		for _, sig := range state.Signals {
			if int64(sig.Number) == n {
				return sig.Number, nil
			}
		}
		return 0, fmt.Errorf("value %s is not a valid signal number", PyRepr(s))
	}
	name := strings.ToUpper(Strip(s))
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	for _, sig := range state.Signals {
		if sig.Name == name {
			return sig.Number, nil
		}
	}
	return 0, fmt.Errorf("value %s is not a valid signal name", PyRepr(s))
}

// ParseLogLevel reads critical, error, warn, info, debug, trace or blather in
// any case and gives it in lower case.
func ParseLogLevel(s string) (string, error) {
	low := strings.ToLower(s)
	if slices.ContainsFunc(state.Levels[:], func(l state.Level) bool { return l.Name == low }) {
		return low, nil
	}
	return "", fmt.Errorf("bad logging level name %s", PyRepr(s))
}
