package capture

import (
	"bytes"
	"strings"
	"sync"
)

// tailBytes is how much of the end of a channel's output is kept in memory.
const tailBytes = 1 << 10

// tail is the end of what a channel has said. The stream's goroutine adds to it; any other
// may read it.
type tail struct {
	mu  sync.Mutex
	end []byte
	cut bool // there was more
}

// add notes what was said. It holds less than twice of what is kept, so that little is moved.
func (t *tail) add(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if over := len(p) - tailBytes; over > 0 {
		p, t.end, t.cut = p[over:], t.end[:0], true
	}
	t.end = append(t.end, p...)
	if over := len(t.end) - tailBytes; over >= tailBytes/2 {
		t.end, t.cut = append(t.end[:0], t.end[over:]...), true
	}
}

// lines are the last lines, at most n, without those that are empty. One whose beginning is
// not known any more is left out, unless it is the only one.
func (t *tail) lines(n int) (list []string) {
	t.mu.Lock()
	end, cut := t.end, t.cut
	if over := len(end) - tailBytes; over > 0 {
		end, cut = end[over:], true
	}
	if at := bytes.IndexByte(end, '\n'); cut && at >= 0 && at+1 < len(end) {
		end = end[at+1:]
	}
	text := string(end)
	t.mu.Unlock()
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" {
			list = append(list, line)
		}
	}
	return list[max(0, len(list)-n):]
}

// LastLines are the last lines of the output so far, at most n and 1 KiB, if Settings.Tail
// has them kept. They are as they were written, control characters and all. It may be called
// from any goroutine at any time, and waits for no disk.
func (s *Stream) LastLines(n int) []string { return s.tail.lines(n) }
