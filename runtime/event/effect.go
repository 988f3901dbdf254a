package event

import (
	"fmt"
	"log/slog"
	"time"

	"supervisord/runtime/state"
)

// Kind says what an Effect asks for.
type Kind uint8

// The kinds of effect.
const (
	Log     Kind = iota // write Line to the activity log
	Send                // write Data to the stdin of Listener, then tell Written
	Print               // write Data to the daemon's own standard output
	Restart             // stop the process of Listener and start it again
)

// Effect is one thing that the loop must do.
type Effect struct {
	Kind     Kind
	Listener int    // Send, Restart: index into the pool's listeners
	Data     []byte // Send: the caller's to keep. Print: valid until the pool's next call
	Line     Line   // Log
}

// lineKind says which text a Line has.
type lineKind uint8

const (
	lineSent lineKind = iota
	lineRebuffered
	lineEPIPE
	lineOverflow
	lineState
	lineUnknown
	lineBadResult
	lineProcessed
	lineRejected
	lineFailed
	lineStalled
	lineNotReady
	lineAnswered
	lineRestart
	lineStdinClosed
	lineBurst
)

// Line is a line for the activity log. Its text is made when asked for, so that
// a debug line which nobody wants costs nothing.
//
// Source: contract/events.md sections 4 and 5.
type Line struct {
	Level slog.Level

	kind     lineKind
	name     string // of the listener's process, or of the pool
	detail   string
	serial   int64
	size, of int // of the buffer
	waited   time.Duration
	from, to state.Listener
}

// String is the text. Those up to lineFailed are Supervisor's, byte for byte.
func (l Line) String() string {
	switch l.kind {
	case lineSent:
		return fmt.Sprintf("event %d sent to listener %s", l.serial, l.name)
	case lineRebuffered:
		return fmt.Sprintf("rebuffering event %d for pool %s (buf size=%d, max=%d)", l.serial, l.name, l.size, l.of)
	case lineEPIPE:
		return fmt.Sprintf("epipe occurred while sending event %d to listener %s, listener state unchanged", l.serial, l.name)
	case lineOverflow:
		return fmt.Sprintf("pool %s event buffer overflowed, discarding event %d", l.name, l.serial)
	case lineState:
		return fmt.Sprintf("%s: %v -> %v", l.name, l.from, l.to)
	case lineUnknown:
		return l.name + ": has entered the UNKNOWN state and will no longer receive events, " +
			"this usually indicates the process violated the eventlistener protocol"
	case lineBadResult:
		return fmt.Sprintf("%s: bad result line: '%s'", l.name, l.detail)
	case lineProcessed:
		return l.name + ": event was processed"
	case lineRejected:
		return l.name + ": event was rejected"
	case lineFailed:
		return l.name + ": event caused an error"
	case lineStalled:
		return fmt.Sprintf("listener %s has not answered for %s, %s waiting", l.name, seconds(l.waited), events(l.size))
	case lineNotReady:
		return fmt.Sprintf("listener %s has not said READY for %s, %s waiting", l.name, seconds(l.waited), events(l.size))
	case lineAnswered:
		return fmt.Sprintf("listener %s answered after %s", l.name, seconds(l.waited))
	case lineRestart:
		return fmt.Sprintf("restarting listener %s: %s for %s (stall_timeout)", l.name, l.detail, seconds(l.waited))
	case lineStdinClosed:
		return fmt.Sprintf("listener %s has closed its standard input and will receive no more events", l.name)
	case lineBurst:
		return fmt.Sprintf("pool %s discarded %s while its buffer was full", l.name, events(l.size))
	}
	return ""
}

func seconds(d time.Duration) string { return fmt.Sprintf("%ds", int64(d/time.Second)) }

func events(n int) string {
	if n == 1 {
		return "1 event"
	}
	return fmt.Sprintf("%d events", n)
}
