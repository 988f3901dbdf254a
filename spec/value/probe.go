package value

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Probe is how one finds out whether a program is ready, or healthy. The zero value is
// none. Ours beyond Supervisor.
type Probe struct {
	Kind ProbeKind `json:",omitzero"`
	// Target is what is probed: HOST:PORT, the path of a socket or a file, a URL, a
	// command, the number of a descriptor, or a regular expression.
	Target string `json:",omitzero"`
	// Codes are the statuses of a good answer, as 200-299,401; "" for those of success.
	Codes string `json:",omitzero"`
}

// ProbeKind is the word of a probe.
type ProbeKind string

// The kinds of probe.
const (
	ProbeTCP   ProbeKind = "tcp"   // a connection can be made
	ProbeUnix  ProbeKind = "unix"  // the same, to a unix socket
	ProbeHTTP  ProbeKind = "http"  // a request is answered well
	ProbeHTTPS ProbeKind = "https" // the same, over TLS
	ProbeExec  ProbeKind = "exec"  // a command exits with 0
	ProbeFile  ProbeKind = "file"  // there is a regular file, or a socket

	// By these the program itself says that it is ready, and nobody looks.
	ProbeNotify ProbeKind = "notify" // with READY=1, as systemd has it
	ProbeFD     ProbeKind = "fd"     // with a newline on a descriptor, as s6 has it
	ProbeLog    ProbeKind = "log"    // with a line of its output
)

// Told reports whether the program itself says what is asked for.
func (p Probe) Told() bool {
	return p.Kind == ProbeNotify || p.Kind == ProbeFD || p.Kind == ProbeLog
}

// FD is the descriptor on which the program says that it is ready; 0 for none.
func (p Probe) FD() int {
	if p.Kind != ProbeFD {
		return 0
	}
	n, _ := strconv.Atoi(p.Target)
	return n
}

// String is the probe as a file would give it, "" for none.
func (p Probe) String() string {
	switch {
	case p.Kind == "":
		return ""
	case p.Kind == ProbeNotify:
		return string(p.Kind)
	case p.Codes != "":
		return p.Target + " [" + p.Codes + "]"
	case p.Kind == ProbeHTTP || p.Kind == ProbeHTTPS:
		return p.Target
	}
	return string(p.Kind) + ":" + p.Target
}

// ParseHealth reads the value of health=: the probes that check from outside.
func ParseHealth(s string) (Probe, error) {
	p, err := ParseReady(s)
	if err != nil || !p.Told() {
		return p, err
	}
	return Probe{}, fmt.Errorf("not a valid probe: %s: %s reports readiness and cannot check health", PyRepr(Strip(s)), p.Kind)
}

// ParseReady reads the value of ready=.
func ParseReady(s string) (Probe, error) {
	s = Strip(s)
	if s == "" {
		return Probe{}, nil
	}
	word, rest, _ := strings.Cut(s, ":")
	p := Probe{Kind: ProbeKind(strings.ToLower(word)), Target: Strip(rest)}
	var err error
	switch p.Kind {
	case ProbeTCP:
		p.Target, err = tcpTarget(p.Target)
	case ProbeHTTP, ProbeHTTPS:
		err = p.parseURL(s)
	case ProbeUnix, ProbeFile:
		if !path.IsAbs(p.Target) {
			err = errors.New("the path is not absolute")
		}
	case ProbeExec:
		var argv []string
		if argv, err = Split(p.Target); err == nil && len(argv) == 0 {
			err = errors.New("there is no command")
		}
	case ProbeNotify:
		if strings.Contains(s, ":") {
			err = errors.New("notify takes no argument")
		}
	case ProbeFD:
		p.Target, err = descriptor(p.Target)
	case ProbeLog:
		if _, err = regexp.Compile(p.Target); p.Target == "" {
			err = errors.New("there is no regular expression")
		}
	default:
		err = errors.New("no such probe")
	}
	if err != nil {
		return Probe{}, fmt.Errorf("not a valid probe: %s: %v", PyRepr(s), err)
	}
	return p, nil
}

// lastDescriptor is the highest number that a program can be given a descriptor under.
const lastDescriptor = 255

// descriptor parses the number of a descriptor that a program can be given.
func descriptor(s string) (string, error) {
	switch n, err := strconv.Atoi(s); {
	case err != nil || n < 0 || n > lastDescriptor:
		return "", fmt.Errorf("there is no descriptor %s: use 3 to %d", PyRepr(s), lastDescriptor)
	case n < 3:
		return "", fmt.Errorf("descriptor %d is standard %s", n, [...]string{"input", "output", "error"}[n])
	default:
		return strconv.Itoa(n), nil
	}
}

// tcpTarget completes [HOST:]PORT.
func tcpTarget(s string) (string, error) {
	host, port := "", s
	if at := strings.LastIndex(s, ":"); at >= 0 {
		host, port = s[:at], s[at+1:]
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("there is no port " + PyRepr(port))
	}
	switch bracketed := strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]"); {
	case host == "":
		host = "localhost"
	case strings.ContainsAny(host, " /") || strings.Contains(host, ":") != bracketed:
		return "", errors.New("there is no host " + PyRepr(host))
	}
	return host + ":" + port, nil
}

// parseURL reads a URL and the accepted statuses in brackets after it.
func (p *Probe) parseURL(s string) error {
	if before, codes, ok := strings.Cut(s, " "); ok {
		codes = Strip(codes)
		if !strings.HasPrefix(codes, "[") || !strings.HasSuffix(codes, "]") {
			return errors.New("put the statuses in brackets")
		}
		s, p.Codes = before, strings.ReplaceAll(codes[1:len(codes)-1], " ", "")
		if _, err := ParseStatuses(p.Codes); err != nil {
			return err
		}
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return errors.New("it is not a URL")
	}
	if u.User != nil {
		return errors.New("a user name and a password are not allowed here")
	}
	u.Scheme, u.Fragment = string(p.Kind), ""
	p.Target = u.String()
	return nil
}

// Statuses are ranges of HTTP statuses, each with its ends.
type Statuses [][2]int

// Has reports whether a status is among them.
func (s Statuses) Has(status int) bool {
	for _, r := range s {
		if r[0] <= status && status <= r[1] {
			return true
		}
	}
	return false
}

// ParseStatuses reads statuses and ranges of them, such as 200-299,401; none are those of
// success, 200-299.
func ParseStatuses(s string) (Statuses, error) {
	if s == "" {
		return Statuses{{200, 299}}, nil
	}
	var all Statuses
	for part := range strings.SplitSeq(s, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		a, err := strconv.Atoi(first)
		b, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil || a < 100 || b > 599 || a > b {
			return nil, errors.New("there are no statuses " + PyRepr(part))
		}
		all = append(all, [2]int{a, b})
	}
	return all, nil
}

// OnUnhealthy says what happens to a process that is not healthy.
type OnUnhealthy int

// The values of on_unhealthy.
const (
	UnhealthyRestart OnUnhealthy = iota
	UnhealthyStop
	UnhealthyReport // nothing but a line in the log, and what clients see
)

// String is the value of on_unhealthy in a file.
func (o OnUnhealthy) String() string {
	return [...]string{"restart", "stop", "report"}[o]
}

// ParseOnUnhealthy reads restart, stop or report, in any case.
func ParseOnUnhealthy(s string) (OnUnhealthy, error) {
	return parseWord("on_unhealthy", s, UnhealthyRestart, UnhealthyStop, UnhealthyReport)
}
