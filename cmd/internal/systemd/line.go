package systemd

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Line is one message to a service manager: KEY=value, and what belongs to it on
// further lines.
type Line string

const (
	// Ready says that the service works, after its start or a reload.
	Ready Line = "READY=1"
	// Stopping says that it is ending. Nothing can take it back.
	Stopping Line = "STOPPING=1"
	// Watchdog says that it is not stuck.
	Watchdog Line = "WATCHDOG=1"
)

// Reloading says that the service is not ready, until the next Ready; now is the time of
// CLOCK_MONOTONIC, by which the manager knows whether the reload that it has asked for
// is meant.
func Reloading(now time.Duration) Line {
	return Line(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Microseconds()))
}

// MainPID says which process of the service is the one that is waited for.
func MainPID(pid int) Line { return Line(fmt.Sprintf("MAINPID=%d", pid)) }

// ExtendTimeout asks for a start, a reload or an end that is under way to be allowed d
// more from now on, unless it is allowed longer already.
func ExtendTimeout(d time.Duration) Line {
	return Line(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds()))
}

// Status is one line for people. What is longer than 1000 bytes is cut, since a manager
// takes no message above 4096.
func Status(text string) Line {
	const most, cut = 1000, "..."
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "\uFFFD")
	if len(text) > most {
		end := most - len(cut)
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + cut
	}
	return Line("STATUS=" + text)
}

// key is what the line is about.
func (l Line) key() string {
	key, _, _ := strings.Cut(string(l), "=")
	return key
}

// outdates reports whether a line is of no use once l is sent.
func (l Line) outdates(earlier Line) bool {
	switch l.key() {
	case "RELOADING", "STOPPING":
		switch earlier.key() {
		case "READY", "RELOADING":
			return true
		}
	}
	return l.key() == earlier.key()
}
