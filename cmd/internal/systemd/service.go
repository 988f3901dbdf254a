package systemd

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Service is what a service manager asks of a process. The zero value is a process that
// none has started. It can be handed on, as JSON, to the process that takes this one's
// place.
type Service struct {
	// Notify is the address of the socket that is to be told what happens, a path or
	// "@" and an abstract name; "" for none.
	Notify string `json:"notify,omitempty"`
	// Watchdog is how long the manager goes without a Watchdog before it takes the
	// process for stuck; 0 for ever.
	Watchdog time.Duration `json:"watchdog,omitempty"`
	// Sockets are the descriptors that the process was given.
	Sockets []Socket `json:"sockets,omitempty"`
	// Variables are those of the environment that were meant for this process, and would
	// mislead its children.
	Variables []string `json:"variables,omitempty"`
}

// Socket is a descriptor that the manager has opened.
type Socket struct {
	FD   int    `json:"fd"`
	Name string `json:"name,omitempty"` // what the manager calls it, as a rule its socket unit
}

// String names it for people.
func (s Socket) String() string {
	if s.Name == "" {
		return fmt.Sprintf("descriptor %d", s.FD)
	}
	return fmt.Sprintf("descriptor %d (%s)", s.FD, s.Name)
}

// firstSocket is the number of the first descriptor that is given.
const firstSocket = 3

// Variables that a manager may set. Those of a kind are meant for the process whose pid
// one of them says.
var (
	watchdogVariables = []string{"WATCHDOG_USEC", "WATCHDOG_PID"}
	socketVariables   = []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID"}
)

// Read reads the variables of the process pid. What is meant for another is as if it
// were not there; what cannot be understood is so, too, and has an error of one line.
func Read(getenv func(string) string, pid int) (s Service, errs []error) {
	use := func(names ...string) {
		for _, name := range names {
			if getenv(name) != "" {
				s.Variables = append(s.Variables, name)
			}
		}
	}
	ours := func(variable string) bool { return getenv(variable) == strconv.Itoa(pid) }
	if address := getenv("NOTIFY_SOCKET"); address != "" {
		if err := checkAddress(address); err != nil {
			errs = append(errs, fmt.Errorf("NOTIFY_SOCKET=%s is ignored: %w", address, err))
		} else {
			s.Notify = address
			use("NOTIFY_SOCKET")
		}
	}
	if text := getenv("WATCHDOG_USEC"); text != "" && s.Notify != "" && (getenv("WATCHDOG_PID") == "" || ours("WATCHDOG_PID")) {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 || n > math.MaxInt64/int64(time.Microsecond) {
			errs = append(errs, fmt.Errorf("WATCHDOG_USEC=%s is ignored: not a number of microseconds", text))
		} else {
			s.Watchdog = time.Duration(n) * time.Microsecond
			use(watchdogVariables...)
		}
	}
	if text := getenv("LISTEN_FDS"); text != "" && ours("LISTEN_PID") {
		const most = 1 << 16
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > most {
			errs = append(errs, fmt.Errorf("LISTEN_FDS=%s is ignored: not a number of descriptors", text))
		} else {
			s.Sockets = sockets(n, getenv("LISTEN_FDNAMES"))
			use(socketVariables...)
		}
	}
	return s, errs
}

// sockets are n descriptors with their names, as far as they have some.
func sockets(n int, names string) []Socket {
	var name []string
	if names != "" {
		name = strings.Split(names, ":")
	}
	list := make([]Socket, n)
	for i := range list {
		list[i].FD = firstSocket + i
		if i < len(name) {
			list[i].Name = name[i]
		}
	}
	return list
}

// Environ is an environment, as KEY=value, without the variables that were meant for
// this process.
func (s Service) Environ(environ []string) []string {
	var list []string
	for _, v := range environ {
		if key, _, _ := strings.Cut(v, "="); !slices.Contains(s.Variables, key) {
			list = append(list, v)
		}
	}
	return list
}
