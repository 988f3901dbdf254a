package capture

import "time"

// A quiet pipe wakes its reader as soon as there is a byte in it. One that is written
// line by line without a break would do so for each line; it is left to fill for a
// moment instead and then read, over and over, until it is found empty.
const (
	busyAfter  = 8                      // so many small, frequent reads in succession make a pipe busy,
	quietAfter = 2                      // so many empty ones quiet
	small      = 4 << 10                // bytes; a page and more pays for its wake-up
	frequent   = 100 * time.Microsecond // after the read before, at most,
	perByte    = 40 * time.Nanosecond   // and so much later for each byte that was read

	firstPause = 100 * time.Microsecond
	minPause   = 20 * time.Microsecond
	maxPause   = 400 * time.Microsecond
)

// pace decides how long a pipe is left to fill. The zero value is that of a quiet one.
type pace struct {
	pause time.Duration // 0 while the pipe is quiet
	last  time.Time     // when it was read
	count int           // of reads in succession: small and frequent while it is quiet, empty while it is busy
}

// next is how long to leave the pipe before it is read again, after a read at now that
// gave n bytes of the room that it has; 0 is until there is something in it.
func (p *pace) next(n, room int, now time.Time) time.Duration {
	if p.pause == 0 {
		if n < small && now.Sub(p.last) <= frequent+time.Duration(n)*perByte {
			p.count++
		} else {
			p.count = 0
		}
		p.last = now
		if p.count == busyAfter {
			p.pause, p.count = firstPause, 0
		}
		return p.pause
	}
	if n > 0 {
		p.count = 0
	} else if p.count++; p.count == quietAfter {
		*p = pace{}
		return 0
	}
	switch {
	case n >= room/2: // the writer is not to wait
		p.pause = max(p.pause/2, minPause)
	case n < room/4:
		p.pause = min(p.pause*2, maxPause)
	}
	return p.pause
}
