package capture

import (
	"slices"
	"testing"
	"time"
)

// TestPace: which reads make a pipe busy and quiet again, and how long it is left to
// fill. Each read comes so long after the one before, in microseconds, and gives so
// many bytes of 64 KiB; the pause after it is in microseconds.
func TestPace(t *testing.T) {
	type read struct{ after, n, pause int }
	times := func(n int, r read) []read { return slices.Repeat([]read{r}, n) }
	line, busy := read{5, 100, 0}, read{5, 100, 100}
	for _, row := range []struct {
		name  string
		reads []read
	}{
		{"one line after another with a break", times(100, read{200, 100, 0})},
		{"a few lines at once", append(times(7, line), read{1000, 100, 0}, line, line)},
		{"large reads", times(100, read{50, 64 << 10, 0})},
		{"lines without a break", append(times(8, line), busy, read{100, 100, 200}, read{200, 100, 400}, read{400, 100, 400})},
		{"many lines without a break", append(times(8, read{180, 2048, 0}), read{180, 2048, 100})},
		{"many lines with a break", times(100, read{190, 2048, 0})},
		{"pages", times(100, read{50, 4096, 0})},
		{"a quarter and a half stay as they are", append(times(8, line), busy, read{100, 16 << 10, 100}, read{100, 31 << 10, 100})},
		{"a full pipe is read sooner", append(times(8, line), busy,
			read{100, 64 << 10, 50}, read{50, 64 << 10, 25}, read{25, 64 << 10, 20}, read{20, 64 << 10, 20})},
		{"empty once", append(times(8, line), busy, read{100, 0, 200}, read{200, 16 << 10, 200}, read{200, 0, 400})},
		{"empty twice is quiet", append(times(8, line), busy, read{100, 0, 200}, read{200, 0, 0}, line, line)},
		{"busy again", slices.Concat(times(8, line), []read{busy, {100, 0, 200}, {200, 0, 0}}, times(8, line), []read{busy})},
	} {
		t.Run(row.name, func(t *testing.T) {
			var p pace
			now := time.Now()
			for i, r := range row.reads {
				now = now.Add(time.Duration(r.after) * time.Microsecond)
				if got := p.next(r.n, 64<<10, now); got != time.Duration(r.pause)*time.Microsecond {
					t.Fatalf("read %d, %+v: pause %v", i, r, got)
				}
			}
		})
	}
}
