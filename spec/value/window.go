package value

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Windows are the times of a week at which changes may be applied. None is at any time.
type Windows []Window

// Window is one of them, as clocks on the wall of a zone show it.
type Window struct {
	days     [7]bool // on which it opens, from Sunday
	from, to int     // minutes of the day; it ends on the next where to is not later than from
	zone     *time.Location
	text     string // as a file gives it
}

const minutesOfDay = 24 * 60

// ParseWindows reads windows with commas between them: [DAYS] HH:MM-HH:MM [ZONE]. Days are
// Mon or Mon-Fri, every day if there are none; days alone, as in Mon,Wed 08:00-18:00, belong
// to the window after them. One that ends before it begins spans midnight. A window without
// a zone has that of the next one that names it; the last without has that of the machine.
func ParseWindows(s string) (ws Windows, err error) {
	err = ws.UnmarshalText([]byte(s))
	return ws, err
}

func parseWindows(s string) (list Windows, err error) {
	var days [7]bool
	begun, zoned := "", 0 // days that wait for their window; windows that have their zone
	for item := range strings.SplitSeq(s, ",") {
		words := strings.Fields(item)
		if len(words) == 0 && Strip(s) == "" {
			return nil, nil
		}
		w := Window{zone: time.Local, text: strings.Join(words, " ")}
		if len(words) > 0 && !strings.Contains(words[0], ":") {
			if err := addDays(&days, words[0]); err != nil {
				return nil, err
			}
			words = words[1:]
			begun += w.text + ","
			if len(words) == 0 {
				continue
			}
			w.text = begun[:len(begun)-1]
		}
		if w.days = days; days == [7]bool{} {
			w.days = [7]bool{true, true, true, true, true, true, true}
		}
		days, begun = [7]bool{}, ""
		if len(words) == 0 || len(words) > 2 {
			return nil, fmt.Errorf("not a window: %s", PyRepr(Strip(item)))
		}
		if w.from, w.to, err = parseTimes(words[0]); err != nil {
			return nil, err
		}
		list = append(list, w)
		if len(words) == 1 {
			continue
		}
		zone, err := time.LoadLocation(words[1])
		if err != nil || words[1] == "Local" {
			return nil, fmt.Errorf("unknown time zone: %s", PyRepr(words[1]))
		}
		for ; zoned < len(list); zoned++ {
			list[zoned].zone = zone
		}
	}
	if begun != "" {
		return nil, fmt.Errorf("days without times: %s", PyRepr(strings.TrimSuffix(begun, ",")))
	}
	return list, nil
}

// addDays adds Mon, or Fri-Mon.
func addDays(days *[7]bool, s string) error {
	first, last, ranged := strings.Cut(s, "-")
	from, ok := parseDay(first)
	to := from
	if ranged && ok {
		to, ok = parseDay(last)
	}
	if !ok {
		return fmt.Errorf("not a day or days: %s", PyRepr(s))
	}
	for days[from] = true; from != to; days[from] = true {
		from = (from + 1) % 7
	}
	return nil
}

func parseDay(s string) (time.Weekday, bool) {
	for day := time.Sunday; day <= time.Saturday; day++ {
		if strings.EqualFold(s, day.String()) || strings.EqualFold(s, day.String()[:3]) {
			return day, true
		}
	}
	return 0, false
}

// parseTimes reads HH:MM-HH:MM.
func parseTimes(s string) (from, to int, err error) {
	first, last, _ := strings.Cut(s, "-")
	from, ok := parseTime(first)
	to, ended := parseTime(last)
	switch {
	case !ok || !ended || from == minutesOfDay:
		return 0, 0, fmt.Errorf("not times of a day: %s", PyRepr(s))
	case from == to:
		return 0, 0, fmt.Errorf("a window that opens and closes at the same time: %s (a whole day is 00:00-24:00)", PyRepr(s))
	}
	return from, to, nil
}

func parseTime(s string) (minutes int, ok bool) {
	hour, minute, found := strings.Cut(s, ":")
	h, err := strconv.ParseUint(hour, 10, 8)
	m, wrong := strconv.ParseUint(minute, 10, 8)
	if !found || err != nil || wrong != nil || len(minute) != 2 || h > 24 || m > 59 || h == 24 && m > 0 {
		return 0, false
	}
	return int(h*60 + m), true
}

// String is the windows as a file would give them.
func (ws Windows) String() string {
	texts := make([]string, len(ws))
	for i, w := range ws {
		texts[i] = w.text
	}
	return strings.Join(texts, ", ")
}

// MarshalText and UnmarshalText are for JSON: a daemon that goes on in another program hands
// them over with the settings.
func (ws Windows) MarshalText() ([]byte, error) { return []byte(ws.String()), nil }

// UnmarshalText is ParseWindows.
func (ws *Windows) UnmarshalText(text []byte) (err error) {
	*ws, err = parseWindows(string(text))
	return err
}

// Open reports whether now is within one of the windows. If not, opens is when the next
// one opens, in its zone. Days and hours are those that clocks show: an hour that there is
// twice is so both times, and a window that would open in one that there is not opens after
// it: for its length, where it would close there, too. The times are those of the wall clock: whoever waits for one looks again, since that
// may be set.
func (ws Windows) Open(now time.Time) (open bool, opens time.Time) {
	if len(ws) == 0 || ws.contain(now) {
		return true, time.Time{}
	}
	for i := range ws {
		for _, at := range ws[i].changes(now) {
			if at.After(now) && (opens.IsZero() || at.Before(opens)) && ws.contain(at) {
				opens = at
			}
		}
	}
	return false, opens
}

func (ws Windows) contain(t time.Time) bool {
	return slices.ContainsFunc(ws, func(w Window) bool { return w.contains(t) })
}

// contains goes by what the clocks of the zone show.
func (w *Window) contains(t time.Time) bool {
	t = t.In(w.zone)
	day, at := t.Weekday(), t.Hour()*60+t.Minute()
	if w.from < w.to {
		return w.days[day] && w.from <= at && at < w.to || w.afterGap(t)
	}
	return w.days[day] && w.from <= at || w.days[(day+6)%7] && at < w.to
}

// afterGap reports whether t is within the window where all of it is in an hour that the
// clocks have left out: it then opens when they are put forward, for its length.
func (w *Window) afterGap(t time.Time) bool {
	start, _ := t.ZoneBounds()
	if start.IsZero() {
		return false
	}
	_, before := start.Add(-1).Zone()
	_, after := start.Zone()
	shown := start.Add(time.Duration(before) * time.Second).UTC() // what the clocks do not show any more
	first := shown.Hour()*60 + shown.Minute()
	return w.days[shown.Weekday()] && first <= w.from && w.to <= first+(after-before)/60 &&
		t.Sub(start) < time.Duration(w.to-w.from)*time.Minute
}

// changes are the moments of a week and a day from now, and some more, at which the window
// may open: when the clocks show the time, and when they are put forward or back.
func (w *Window) changes(now time.Time) (list []time.Time) {
	now = now.In(w.zone)
	for ahead := -1; ahead <= 8; ahead++ {
		shown := time.Date(now.Year(), now.Month(), now.Day()+ahead, 0, w.from, 0, 0, time.UTC)
		for _, near := range []time.Duration{-minutesOfDay, minutesOfDay} { // a change of the clocks may lie between
			_, offset := shown.Add(near * time.Minute).In(w.zone).Zone()
			list = append(list, shown.Add(-time.Duration(offset)*time.Second).In(w.zone))
		}
	}
	if _, end := now.ZoneBounds(); !end.IsZero() {
		list = append(list, end)
	}
	return list
}
