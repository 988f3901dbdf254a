package watch

import "time"

// noise decides how long notices are left alone after some that did not matter. A program
// that writes its log beside the configuration causes thousands a second, each of which
// wakes this process up. Those that are left in the kernel's queue cost less: of one file
// they become one there, and those of several are taken together.
type noise struct {
	last   time.Time // when the last one came
	count  int       // of them without an interruption
	rest   time.Duration
	listen time.Time // until then there is no other rest
}

// noiseBegins is how many there are before the first rest. Fewer go before most changes that
// matter, where files are written under another name and renamed.
const noiseBegins = 16

// How long notices are left alone: twice as long each time, as long as they go on.
const (
	shortestRest = time.Millisecond
	longestRest  = 50 * time.Millisecond
	noiseOver    = 4 * longestRest // without one
	// listening is which part of a rest all is listened to that has gathered in it.
	listening = 8
)

// unheeded notes one that did not matter, and says how long to leave the next alone.
func (n *noise) unheeded(now time.Time) time.Duration {
	if now.Sub(n.last) > noiseOver {
		n.heeded()
	}
	n.last = now
	if n.count++; n.count <= noiseBegins || now.Before(n.listen) {
		return 0
	}
	n.rest = min(max(2*n.rest, shortestRest), longestRest)
	n.listen = now.Add(n.rest + n.rest/listening)
	return n.rest
}

// heeded notes one that did.
func (n *noise) heeded() { *n = noise{} }
