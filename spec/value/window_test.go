package value

import (
	"strings"
	"testing"
	"time"
)

// at is a moment that clocks of a zone show, with the offset where there are two of it.
func at(t *testing.T, s string) time.Time {
	t.Helper()
	for _, form := range []string{"2006-01-02 15:04 -0700", "2006-01-02 15:04:05 -0700"} {
		if moment, err := time.Parse(form, s); err == nil {
			return moment
		}
	}
	t.Fatalf("not a time: %s", s)
	return time.Time{}
}

// The week, midnight, and the two days of the year with 23 and 25 hours.
func TestWindows(t *testing.T) {
	const office, berlin = "Mon-Fri 08:00-18:00 Europe/Berlin", " Europe/Berlin"
	for _, c := range []struct{ windows, now, opens string }{ // opens "" where it is open
		{"", "2026-11-29 21:00 +0000", ""},
		{office, "2026-11-30 07:59 +0100", "2026-11-30 08:00 +0100"}, // Monday
		{office, "2026-11-30 08:00 +0100", ""},
		{office, "2026-11-30 17:59 +0100", ""},
		{office, "2026-11-30 18:00 +0100", "2026-12-01 08:00 +0100"},
		{office, "2026-12-04 18:00 +0100", "2026-12-07 08:00 +0100"}, // Friday evening
		{office, "2026-11-30 08:30 +0000", ""},                       // another zone's clock
		{office, "2026-11-30 17:30 +0000", "2026-12-01 07:00 +0000"},
		{"Sun 10:00-11:00 UTC", "2026-11-29 11:00 +0000", "2026-12-06 10:00 +0000"},
		{"10:00-11:00 UTC", "2026-11-29 11:00 +0000", "2026-11-30 10:00 +0000"}, // every day
		{"Sat-Mon 10:00-11:00 UTC", "2026-11-29 10:30 +0000", ""},               // round the week's end
		{"Sat-Mon 10:00-11:00 UTC", "2026-12-01 10:30 +0000", "2026-12-05 10:00 +0000"},
		{"Mon,Wed 10:00-11:00 UTC", "2026-11-30 11:00 +0000", "2026-12-02 10:00 +0000"},
		{"Mon 10:00-11:00 UTC, Wed 12:00-13:00 UTC", "2026-11-30 11:00 +0000", "2026-12-02 12:00 +0000"},
		{"Mon 10:00-11:00, Wed 12:00-13:00 Asia/Tokyo", "2026-11-30 10:30 +0900", ""}, // one zone for both
		{"00:00-24:00 UTC", "2026-11-29 23:59 +0000", ""},
		// Over midnight: the day is that on which it opens.
		{"Sat 22:00-04:00" + berlin, "2026-11-28 21:59 +0100", "2026-11-28 22:00 +0100"},
		{"Sat 22:00-04:00" + berlin, "2026-11-29 03:59 +0100", ""},
		{"Sat 22:00-04:00" + berlin, "2026-11-29 04:00 +0100", "2026-12-05 22:00 +0100"},
		{"Sat 22:00-04:00" + berlin, "2026-11-28 03:00 +0100", "2026-11-28 22:00 +0100"}, // that of Friday
		{"Sat 22:00-00:00" + berlin, "2026-11-29 00:00 +0100", "2026-12-05 22:00 +0100"},
		// On 2026-03-29 there is no 02:00 to 02:59.
		{"02:30-03:30" + berlin, "2026-03-29 01:59 +0100", "2026-03-29 03:00 +0200"},
		{"02:30-03:30" + berlin, "2026-03-29 03:29 +0200", ""},
		{"02:00-02:30" + berlin, "2026-03-29 01:59 +0100", "2026-03-29 03:00 +0200"}, // then, for half an hour
		{"Sun 22:00-06:00" + berlin, "2026-03-29 21:59 +0200", "2026-03-29 22:00 +0200"},
		{office, "2026-03-27 19:00 +0100", "2026-03-30 08:00 +0200"},
		// On 2026-10-25 there is 02:00 to 02:59 twice.
		{"02:30-03:00" + berlin, "2026-10-25 02:00 +0200", "2026-10-25 02:30 +0200"},
		{"02:30-03:00" + berlin, "2026-10-25 02:45 +0200", ""},
		{"02:30-03:00" + berlin, "2026-10-25 02:00 +0100", "2026-10-25 02:30 +0100"},
		{"02:30-03:00" + berlin, "2026-10-25 02:45 +0100", ""},
		{"02:00-02:30" + berlin, "2026-10-25 02:30 +0200", "2026-10-25 02:00 +0100"},
		{office, "2026-10-23 19:00 +0200", "2026-10-26 08:00 +0100"},
		{"02:15-02:45" + berlin, "2026-03-29 00:30 +0000", "2026-03-29 01:00 +0000"}, // there is no such time that day
		{"02:15-02:45" + berlin, "2026-03-29 01:00 +0000", ""},
		{"02:15-02:45" + berlin, "2026-03-29 01:29 +0000", ""},
		{"02:15-02:45" + berlin, "2026-03-29 01:30 +0000", "2026-03-30 00:15 +0000"},
		{"Mon-Sat 02:15-02:45" + berlin, "2026-03-29 00:30 +0000", "2026-03-30 00:15 +0000"},
		{"02:15-02:45" + berlin, "2026-10-25 00:20 +0000", ""}, // it is twice
		{"02:15-02:45" + berlin, "2026-10-25 01:20 +0000", ""},
	} {
		w, err := ParseWindows(c.windows)
		if err != nil {
			t.Errorf("%s: %v", c.windows, err)
			continue
		}
		open, opens := w.Open(at(t, c.now))
		want := time.Time{}
		if c.opens != "" {
			want = at(t, c.opens)
		}
		if open != (c.opens == "") || !opens.Equal(want) {
			t.Errorf("%q at %s: open %v, opens %v; want %q", c.windows, c.now, open, opens, c.opens)
		}
	}
}

// Over two years, minute by minute where it matters: a window that is shut opens when it is
// said to, and not before.
func TestWindowsOpenAsSaid(t *testing.T) {
	for _, text := range []string{
		"Mon-Fri 08:00-18:00 Europe/Berlin", "22:00-04:00 America/New_York", "01:30-02:30 Australia/Lord_Howe", "02:15-02:45 Europe/Berlin", "Sun 00:00-24:00 Africa/Casablanca",
	} {
		w, err := ParseWindows(text)
		if err != nil {
			t.Fatal(err)
		}
		end := at(t, "2027-12-31 00:00 +0000")
		for now := at(t, "2026-01-01 00:00 +0000"); now.Before(end); now = now.Add(11*time.Hour + 7*time.Minute) {
			open, opens := w.Open(now)
			if open {
				continue
			}
			if is, _ := w.Open(opens); !is {
				t.Fatalf("%s: at %v it is said to open at %v, and does not", text, now, opens)
			}
			for at := now; at.Before(opens); at = at.Add(15 * time.Minute) {
				if w.contain(at) {
					t.Fatalf("%s: at %v it is said to open at %v, and is open at %v", text, now, opens, at)
				}
			}
		}
	}
}

func TestWindowMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"Mon-Fri":                         "days without times: 'Mon-Fri'",
		"Mon-Fri 08:00":                   "not times of a day: '08:00'",
		"Mun-Fri 08:00-18:00":             "not a day or days: 'Mun-Fri'",
		"Mon-Fri 8-18":                    "not times of a day: '8-18'",
		"25:00-26:00":                     "not times of a day: '25:00-26:00'",
		"08:00-08:00":                     "a window that opens and closes at the same time: '08:00-08:00' (a whole day is 00:00-24:00)",
		"24:00-08:00":                     "not times of a day: '24:00-08:00'",
		"08:60-18:00":                     "not times of a day: '08:60-18:00'",
		"08:00-18:00 Europe/Berlln":       "unknown time zone: 'Europe/Berlln'",
		"08:00-18:00 ../../etc/passwd":    "unknown time zone: '../../etc/passwd'",
		"08:00-18:00 Local":               "unknown time zone: 'Local'",
		"08:00-18:00 Europe/Berlin daily": "not a window: '08:00-18:00 Europe/Berlin daily'",
		"08:00-18:00,":                    "not a window: ''",
		"08:00-18:00, Mon":                "days without times: 'Mon'",
	} {
		if w, err := ParseWindows(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, %v; want %s", text, w, err, want)
		}
	}
}

// What is written down is read again.
func TestWindowsText(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "",
		" Mon-Fri  08:00-18:00 ":              "Mon-Fri 08:00-18:00",
		"Mon, Wed 8:00-12:00,13:00-14:00 UTC": "Mon,Wed 8:00-12:00, 13:00-14:00 UTC",
	} {
		w, err := ParseWindows(text)
		if err != nil || w.String() != want {
			t.Errorf("%q: %q, %v", text, w, err)
		}
		var again Windows
		data, _ := w.MarshalText()
		if err := again.UnmarshalText(data); err != nil || again.String() != want {
			t.Errorf("%q: %q, %v", want, again, err)
		}
		if i := strings.Count(want, ":"); len(again) != i/2 {
			t.Errorf("%q: %d windows", want, len(again))
		}
	}
}
