package value

import (
	"fmt"
	"slices"
	"strings"

	"supervisord/runtime/state"
)

// Autorestart says what becomes of a process that left RUNNING by itself.
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
	for _, mode := range []KillMode{KillProcess, KillGroup, KillCgroup} {
		if strings.EqualFold(s, mode.String()) {
			return mode, nil
		}
	}
	return 0, fmt.Errorf("invalid 'killmode' value %s", PyRepr(s))
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
