package host

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"supervisord/runtime/bound"
)

// zones are values of TZ.
var zones = []string{
	"", ":", "UTC", "UTC0", "UTC+3", "UTC-5:45", "JST-9", "CST-8", ":JST-9", "<+03>-3", "<-0330>+3:30", "<+0545>-05:45:59",
	"EST5EDT", "EST5EDT,M3.2.0,M11.1.0", ":EST5EDT,M3.2.0/2,M11.1.0/2", "CET-1CEST,M3.5.0,M10.5.0/3",
	"CET-1CEST-3,M3.5.0,M10.5.0/3", "AEST-10AEDT,M10.1.0,M4.1.0/3", "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "IST-2IDT,M3.4.4/26,M10.5.0",
	"AAA4BBB,J60/0,J300", "AAA4BBB,0/1:30,364/23:59:59", "AAA4BBB,J365/3,J1", "WET0WEST,M3.5.0/1,M10.5.0", "XXX-0:30YYY-1:30,M4.1.0,M9.1.0",
	"Europe/Paris", ":Europe/Paris", "posixrules", ":posixrules", "/usr/share/zoneinfo/Asia/Tokyo", ":/usr/share/zoneinfo/Asia/Tokyo",
	"Etc/GMT+3", "GMT+3", "Europe", "../zoneinfo/Asia/Tokyo", "No/Such", "/no/such", "CST", "JS-9", "J9", "<+03>", "<+3>-3", "<a>-3", "9", "-9",
	"JST-9x", "JST-25", "AAA5BBB,foo,M11.1.0", "JST-9:70:99", "JST+-9", "JST -9", "JST-9 ", "JST--9", "jst-9", "AAA5BBB,M3.2.0", "AAA5BBB,foo",
	"AAA5BBB,M3.2.0x,M4.1.0", "AAA5BBBM3.2.0,M11.1.0", "AAA5BBB,M3.2.0/,M11.1.0", "AAA5BBB,366,3",
	"AAA5BBB4:30", "AAA5BBB,M3.2.0/x,M11.1.0", "AAA5BBB,M3.2.0,M11.1.0,trailing", "AAA5BBB,M3.2.0,", "AAA5,M3.2.0,M11.1.0", "/etc/passwd",
}

// The offsets are those of the C library, asked through Python, which is what
// Supervisor has its times from.
func TestZonesOfTheCLibrary(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	asked := append([]string(nil), zones...)
	for range 300 {
		asked = append(asked, someZone(rnd))
	}
	checkZones(t, "", asked, everyDay())
}

// Without a rule it is that of the United States. In the hours about a change the C
// library is in error.
func TestZonesWithoutRule(t *testing.T) {
	var times []int64
	for month := range 12 * 9 {
		times = append(times, time.Date(2020, time.Month(1+month), 25, 1, 2, 3, 0, time.UTC).Unix())
	}
	checkZones(t, "", []string{"CET-1CEST", ":CET-1CEST", "AAA5BBB", "AAA5BBB,", "JST-9foo", "<-03>3<-01>1", "ABC-3DEF-5:30"}, times)
}

func everyDay() (times []int64) {
	for at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2029; at = at.Add(37*time.Hour + 47*time.Minute) {
		times = append(times, at.Unix())
	}
	return times
}

// TZDIR says where the files are; a pipe there is not waited for.
func TestZonesElsewhere(t *testing.T) {
	dir := t.TempDir()
	data, err := os.ReadFile(zoneFiles + "/Asia/Tokyo")
	if err != nil {
		lacks(t, err)
	}
	for name, content := range map[string][]byte{"Mine": data, "JST-9": []byte("no such file"), "CST-8": data, "Empty": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := exec.Command("mkfifo", filepath.Join(dir, "Pipe")).Run(); err != nil {
		t.Fatal(err)
	}
	checkZones(t, dir, []string{"Mine", ":Mine", "JST-9", "CST-8", "Empty", "Europe/Paris", "PST8PDT,M3.2.0,M11.1.0"}, everyDay())
	if _, offset := time.Unix(1e9, 0).In(zone("Pipe", dir)).Zone(); offset != 0 {
		t.Errorf("a pipe is at %d", offset)
	}
}

// lacks leaves a test out for what the machine has not got. REQUIRE_SUPERVISOR=1 makes
// that a failure, as of all that is compared with what others do.
func lacks(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("REQUIRE_SUPERVISOR") == "1" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// checkZones compares offsets at many times with those of Python.
func checkZones(t *testing.T, dir string, asked []string, times []int64) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		lacks(t, err)
	}
	question, err := json.Marshal(map[string]any{"zones": asked, "times": times})
	if err != nil {
		t.Fatal(err)
	}
	python := exec.Command("python3", "-c", `
import json, os, sys, time
q = json.load(sys.stdin)
out = []
for z in q["zones"]:
    os.environ["TZ"] = z
    time.tzset()
    out.append([time.localtime(t).tm_gmtoff for t in q["times"]])
json.dump(out, sys.stdout)`)
	python.Stdin = strings.NewReader(string(question))
	python.Env = append(os.Environ(), "TZDIR="+dir)
	reply, err := python.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want [][]int
	if err := json.Unmarshal(reply, &want); err != nil {
		t.Fatal(err)
	}
	for i, tz := range asked {
		loc := zone(tz, dir)
		for j, at := range times {
			if _, got := time.Unix(at, 0).In(loc).Zone(); got != want[i][j] {
				t.Errorf("TZ=%s at %v: offset %d, want %d", tz, time.Unix(at, 0).UTC(), got, want[i][j])
				break
			}
		}
	}
}

// someZone is a well-formed rule.
func someZone(rnd *rand.Rand) string {
	offset := func() string {
		text := []string{"", "-", "+"}[rnd.IntN(3)] + fmt.Sprint(rnd.IntN(13))
		if rnd.IntN(3) == 0 {
			text += fmt.Sprintf(":%02d", rnd.IntN(60))
		}
		return text
	}
	day := func(summer bool) string {
		month, first := 2+rnd.IntN(4), 40
		if !summer {
			month, first = 8+rnd.IntN(4), 220
		}
		text := []string{
			fmt.Sprintf("M%d.%d.%d", month, 1+rnd.IntN(5), rnd.IntN(7)),
			fmt.Sprintf("J%d", first+rnd.IntN(100)), fmt.Sprint(first + rnd.IntN(100)),
		}[rnd.IntN(3)]
		if rnd.IntN(2) == 0 {
			text += "/" + offset()
		}
		return text
	}
	text := "STD" + offset()
	switch rnd.IntN(4) {
	case 0:
		return text
	case 1:
		text += "DST" + offset()
	default:
		text += "<d1+>"
	}
	south := rnd.IntN(2) == 0
	return text + "," + day(!south) + "," + day(south)
}

func FuzzParseZone(f *testing.F) {
	for _, tz := range zones {
		f.Add(tz)
	}
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, tz string) {
		defer b.Input(t)()
		rule, ok := parseZone(tz)
		if !ok {
			return
		}
		loc, err := time.LoadLocationFromTZData(tz, rule.file())
		if err != nil {
			t.Fatalf("%q: %v", tz, err)
		}
		for month := range 24 {
			_, offset := time.Date(2026, time.Month(month), 2, 3, 4, 5, 0, time.UTC).In(loc).Zone()
			if offset != rule.std && !(rule.hasDST && offset == rule.dst) {
				t.Errorf("%q: offset %d in %+v", tz, offset, rule)
			}
		}
	})
}
