package page

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Health is the line that says that all is well, or what is not.
type Health struct {
	Level Level
	Text  string
	// Troubles are the processes that need somebody, the worst first; More how many there
	// are beyond them.
	Troubles []Row
	More     int
	// Files says what is the matter with the configuration; "" where nothing is.
	Files      string
	FilesLevel Level
	FilesSince time.Time
	FilesBad   int // how many files cannot be used
}

// mostTroubles is how many stand above the table.
const mostTroubles = 8

// HealthOf judges the processes and the configuration.
func HealthOf(rows []Row, r Reconcile) Health {
	h := Health{Level: Good, FilesLevel: Good, FilesSince: r.Since, FilesBad: r.Invalid}
	count := make(map[Level]int)
	running, unwell := 0, 0
	for _, row := range rows {
		count[row.Level]++
		if row.State == "running" {
			running++
			if row.Level == Warn {
				unwell++
			}
		}
		if row.Level == Bad || row.Level == Warn {
			h.Troubles = append(h.Troubles, row)
		}
	}
	slices.SortStableFunc(h.Troubles, func(a, b Row) int { return a.Place() - b.Place() })
	if len(h.Troubles) > mostTroubles {
		h.More = len(h.Troubles) - mostTroubles
		h.Troubles = h.Troubles[:mostTroubles]
	}
	var parts []string
	if n := count[Bad]; n > 0 {
		h.Level = Bad
		parts = append(parts, processes(n)+" down that should not be")
	}
	if n := count[Warn]; n > 0 {
		if h.Level == Good {
			h.Level = Warn
		}
		if failing := n - unwell; failing > 0 {
			parts = append(parts, processes(failing)+" failing to start")
		}
		if unwell > 0 {
			parts = append(parts, processes(unwell)+" running, but not well")
		}
	}
	switch {
	case len(rows) == 0:
		parts = append(parts, "No programs to manage")
		h.Level = Idle
	case len(parts) == 0 && running == len(rows):
		parts = append(parts, fmt.Sprintf("All is well: %s running", processes(running)))
	case len(parts) == 0:
		parts = append(parts, fmt.Sprintf("All is well: %d of %s running", running, processes(len(rows))))
	default:
		parts = append(parts, fmt.Sprintf("%d of %d running", running, len(rows)))
	}
	h.Text = strings.Join(parts, " · ")
	h.files(r)
	return h
}

func (h *Health) files(r Reconcile) {
	switch r.Phase {
	case "invalid":
		h.FilesLevel, h.Files = Bad, "A configuration file cannot be used"
		if r.Invalid > 1 {
			h.Files = fmt.Sprintf("%d configuration files cannot be used", r.Invalid)
		}
	case "held":
		h.FilesLevel, h.Files = Warn, "An update is held"
	case "pending":
		h.FilesLevel, h.Files = Busy, "The files have changed, and nothing is applied yet"
	case "applying":
		h.FilesLevel, h.Files = Busy, "An update is being applied"
	}
	if r.Known() && !r.Autoupdate {
		if h.Files != "" {
			h.Files += " · "
		} else {
			h.FilesLevel = Busy
		}
		h.Files += "Automatic updates are off"
	}
	if h.Level == Good && (h.FilesLevel == Bad || h.FilesLevel == Warn) {
		h.Level = h.FilesLevel
	}
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return fmt.Sprintf("%d processes", n)
}
