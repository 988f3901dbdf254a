package page

import (
	"html/template"
	"math"
	"strconv"
	"time"

	"supervisord/runtime/usage"
)

// Figures are what a process takes with all that descends from it, and took of late, as
// they are shown. The zero value is for one of which nothing is known.
type Figures struct {
	CPU    string // percent of one processor; "" until it was measured twice
	Memory string
	Graph  string // the CPU of the last quarter of an hour: the path of a graph
	cpu    float32
	memory int64
}

// FiguresOf makes the figures of a process.
func FiguresOf(h *usage.History, p usage.Process) Figures {
	points := h.Of[p]
	if len(points) == 0 || points[len(points)-1] == (usage.Point{}) {
		return Figures{}
	}
	last := points[len(points)-1]
	f := Figures{Memory: Size(last.Resident), cpu: last.CPU, memory: last.Resident}
	if len(points) > 1 {
		const least = 0.1 // of a processor: what takes less than that looks as little as it is
		f.CPU, f.Graph = percent(last.CPU), graph(h.Times, points, least, func(p usage.Point) float64 { return float64(p.CPU) })
	}
	return f
}

// Takes is what the page of a process shows of its figures.
type Takes struct {
	Figures
	MemoryGraph string
}

// TakesOf are those of the process of a row.
func TakesOf(h *usage.History, r Row) Takes {
	return Takes{FiguresOf(h, r.process), memoryGraph(h, r.process)}
}

func memoryGraph(h *usage.History, p usage.Process) string {
	if points := h.Of[p]; len(points) > 1 {
		return graph(h.Times, points, 1, func(p usage.Point) float64 { return float64(p.Resident) })
	}
	return ""
}

// A graph is as many columns wide, each of which stands for the same time, and so high.
const (
	graphColumns = 30
	graphHeight  = 12
	graphColumn  = int64(usage.Span / graphColumns / time.Second)
)

// graph is the path of an area: of each column the highest value, up to the highest of all,
// which is least at the least. A column begins at a time that does not move, so that while
// nothing happens the path stays the same. It begins where something is known. There is none,
// "", of what was nothing all the time.
func graph(times []time.Time, points []usage.Point, least float64, value func(usage.Point) float64) string {
	var columns [graphColumns]float64
	now := times[len(times)-1].Unix() / graphColumn
	first, top := graphColumns-1, least
	for i, p := range points {
		at := graphColumns - 1 - int(now-times[i].Unix()/graphColumn)
		if at < 0 || at >= graphColumns {
			continue
		}
		first = min(first, at)
		columns[at] = max(columns[at], value(p))
		top = max(top, columns[at])
	}
	if columns == [graphColumns]float64{} {
		return ""
	}
	number := func(b []byte, letter byte, n int) []byte { return strconv.AppendInt(append(b, letter), int64(n), 10) }
	path := append(number(make([]byte, 0, 64), 'M', first), " 12"...)
	height := graphHeight
	for i := first; i < graphColumns; i++ {
		if y := graphHeight - int(math.Ceil(columns[i]/top*graphHeight-0.1)); y != height {
			if i > first {
				path = number(path, 'H', i)
			}
			path, height = number(path, 'V', y), y
		}
	}
	path = number(path, 'H', graphColumns)
	if height != graphHeight {
		path = number(path, 'V', graphHeight)
	}
	return string(path)
}

// What stands around the path of a graph.
const (
	graphBegin = `<svg class="graph" viewBox="0 0 30 12" preserveAspectRatio="none" aria-hidden="true"><path d="`
	graphEnd   = `"/></svg>`
)

// drawGraph draws a path; nothing where there is none.
func drawGraph(path string) template.HTML {
	if path == "" {
		return ""
	}
	return template.HTML(graphBegin + path + graphEnd)
}

// percent is a share of a processor, with two digits or all that it has.
func percent(share float32) string {
	p := float64(share) * 100
	switch {
	case p < 0.05:
		return "0"
	case p < 9.95:
		return strconv.FormatFloat(p, 'f', 1, 64)
	}
	return strconv.FormatFloat(p, 'f', 0, 64)
}

// Size is a number of bytes in two or three digits; the script sorts by it.
func Size(n int64) string {
	size, units := float64(max(n, 0))/1024, []string{"KB", "MB", "GB", "TB"}
	i := 0
	for ; size >= 999.5 && i < len(units)-1; i++ {
		size /= 1024
	}
	digits := 0
	if size < 9.95 && i > 0 {
		digits = 1
	}
	return strconv.FormatFloat(size, 'f', digits, 64) + " " + units[i]
}
