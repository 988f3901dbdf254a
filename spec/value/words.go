package value

import (
	"fmt"
	"strings"
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
