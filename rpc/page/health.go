package page

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"supervisord/runtime/state"
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

// HealthOf judges the processes and the configuration of a daemon in some mood.
func HealthOf(rows []Row, r Reconcile, mood state.Mood) Health {
	h := Health{Level: Good, FilesLevel: Good, FilesSince: r.Since, FilesBad: r.Invalid}
	h.files(r)
	count := make(map[Level]int)
	running, unwell, stopping, ended := 0, 0, 0, 0
	for _, row := range rows {
		count[row.Level]++
		switch {
		case row.State == "running" && row.Level == Warn:
			running, unwell = running+1, unwell+1
		case row.State == "running":
			running++
		case row.State == "stopping":
			stopping++
		case row.Level == Idle && row.State == "exited":
			ended++
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
	if n := count[Busy]; n > 0 && h.Level == Good {
		h.Level = Busy
	}
	if n := count[Busy] - stopping; n > 0 {
		parts = append(parts, fmt.Sprintf("Starting: %d of %d not ready yet", n, len(rows)))
	}
	if stopping > 0 {
		parts = append(parts, processes(stopping)+" stopping")
	}
	if h.FilesLevel == Bad || h.FilesLevel == Warn {
		if h.Level == Good || h.Level == Busy {
			h.Level = h.FilesLevel
		}
		parts = append(parts, h.Files)
	}
	if mood != state.MoodRunning {
		h.Level, parts = Busy, append([]string{moods[mood]}, parts...)
	}
	well, of := "", processes(len(rows))
	if len(parts) == 0 {
		well = "All is well: "
	} else {
		of = strconv.Itoa(len(rows))
	}
	switch {
	case len(rows) == 0:
		parts = append(parts, "No programs to manage")
	case running == len(rows):
		parts = append(parts, well+of+" running")
	case running > 0 || ended == len(rows): // one that has done its work is well
		parts = append(parts, fmt.Sprintf("%s%d of %s running", well, running, of))
	default:
		parts = append(parts, "None of "+of+" running")
	}
	if h.Level == Good && running == 0 && ended < max(len(rows), 1) {
		h.Level = Idle
	}
	if ended > 0 {
		parts = append(parts, fmt.Sprintf("%d ended as expected", ended))
	}
	if stopped := count[Idle] - ended; stopped > 0 {
		parts = append(parts, fmt.Sprintf("%d stopped", stopped))
	}
	h.Text = strings.Join(parts, " · ")
	return h
}

// moods are those in which the daemon ends.
var moods = map[state.Mood]string{
	state.MoodRestarting: "The daemon is restarting", state.MoodShutdown: "The daemon is shutting down",
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
		h.FilesLevel, h.Files = Busy, "The files have changed, and not all of it is applied yet"
		if r.Verifying {
			h.Files = "An update is applied, and is being verified"
		}
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
	if r.Paused > 0 {
		if h.Files != "" {
			h.Files += " · "
		} else {
			h.FilesLevel = Busy
		}
		h.Files += fmt.Sprintf("%d paused", r.Paused)
	}
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return fmt.Sprintf("%d processes", n)
}
