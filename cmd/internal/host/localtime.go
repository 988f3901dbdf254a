package host

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// SetLocalTime has the local time of this process be what the C library makes of TZ, as
// in Supervisor. Go by itself knows only names of files, so that TZ=JST-9 would be
// UTC. It belongs to the beginning of a program, before anything asks for a time.
func SetLocalTime() {
	if tz, ok := os.LookupEnv("TZ"); ok {
		time.Local = zone(tz, os.Getenv("TZDIR"))
	}
}

// zoneFiles is where the files of time zones are.
const zoneFiles = "/usr/share/zoneinfo"

// zone is the time zone that a value of TZ means: a file, below dir or where they
// usually are, or else a rule, as of POSIX. What is neither is UTC.
//
// Source: tzset(3), glibc.
func zone(tz, dir string) *time.Location {
	name := strings.TrimPrefix(tz, ":")
	if name == "" {
		return time.UTC
	}
	if dir == "" {
		dir = zoneFiles
	}
	path := name
	if name[0] != '/' {
		path = dir + "/" + name
	}
	if data, err := readZone(path); err == nil {
		if loc, err := time.LoadLocationFromTZData(name, data); err == nil {
			return loc
		}
	}
	if rule, ok := parseZone(name); ok {
		if loc, err := time.LoadLocationFromTZData(name, rule.file()); err == nil {
			return loc
		}
	}
	if dir == zoneFiles { // other systems have the files in other places
		if loc, err := time.LoadLocation(name); err == nil {
			return loc
		}
	}
	return time.UTC
}

// maxZoneFile bounds what is read of a file that TZ names, in bytes. None has 10 KB.
const maxZoneFile = 1 << 20

// readZone reads a time zone's file. What is no regular file is not waited for.
func readZone(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, os.ErrInvalid
	}
	return io.ReadAll(io.LimitReader(f, maxZoneFile))
}

// zoneRule is a time zone in the form of POSIX: std offset [dst [offset] [,rule,rule]].
type zoneRule struct {
	std, dst       int // seconds east of Greenwich
	hasDST         bool
	starts, ceases string // when daylight saving does, as in ,M3.2.0/2,M11.1.0/2
}

// parseZone reads such a form as glibc does, which is lenient: a mistake in the rules
// ends the reading and leaves the rest at the first second of a year, and a missing rule
// is that of the United States. (There glibc goes by a file posixrules, if there is one,
// which says the same; but where it was made for another zone it is hours off, and never
// the same number of them.) ok is false where name and offset are missing.
func parseZone(text string) (z zoneRule, ok bool) {
	text, ok = cutZoneName(text)
	if !ok || text == "" || !strings.ContainsRune("+-0123456789", rune(text[0])) {
		return z, false
	}
	if z.std, text, ok = cutOffset(text); !ok {
		return z, false
	}
	if text == "" {
		return z, true
	}
	z.hasDST, z.dst = true, 0
	z.starts, z.ceases = firstSecond, firstSecond
	if text, ok = cutZoneName(text); ok {
		if z.dst, text, ok = cutOffset(text); !ok {
			z.dst = z.std + 3600
		}
	}
	if z.starts, text, ok = cutRule(text, "M3.2.0"); ok {
		z.ceases, _, _ = cutRule(text, "M11.1.0")
	}
	return z, true
}

// cutZoneName cuts a name off: three letters at least, or other characters in <>.
func cutZoneName(text string) (rest string, ok bool) {
	rest = strings.TrimLeft(text, letters)
	if len(text)-len(rest) >= 3 {
		return rest, true
	}
	if name, rest, found := strings.Cut(text, ">"); found && len(name) >= 4 && name[0] == '<' &&
		strings.Trim(name[1:], letters+"0123456789+-") == "" {
		return rest, true
	}
	return text, false
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// cutOffset cuts an offset off, [+-]h[:m[:s]], which counts to the west. What is too
// large is the largest.
func cutOffset(text string) (east int, rest string, ok bool) {
	sign := -1
	if text != "" && (text[0] == '+' || text[0] == '-') {
		if text[0] == '-' {
			sign = 1
		}
		text = text[1:]
	}
	h, m, s, rest, ok := cutTime(text)
	return sign * (min(h, 24)*3600 + min(m, 59)*60 + min(s, 59)), rest, ok
}

// cutTime cuts h[:m[:s]] off.
func cutTime(text string) (h, m, s int, rest string, ok bool) {
	if h, text, ok = cutNumber(text); !ok {
		return 0, 0, 0, text, false
	}
	for _, part := range []*int{&m, &s} {
		if !strings.HasPrefix(text, ":") {
			break
		}
		n, rest, ok := cutNumber(text[1:])
		if !ok {
			break
		}
		*part, text = n, rest
	}
	return h, m, s, text, true
}

// cutNumber cuts a number off. It may have a sign; what is negative is huge, as where C
// takes it for an unsigned one.
func cutNumber(text string) (n int, rest string, ok bool) {
	digits := strings.TrimLeft(text, "+-")
	if len(text)-len(digits) > 1 {
		return 0, text, false
	}
	rest = strings.TrimLeft(digits, "0123456789")
	n, err := strconv.Atoi(digits[:len(digits)-len(rest)])
	if err != nil {
		return 0, text, false
	}
	if text[0] == '-' && n > 0 {
		n = huge
	}
	return n, rest, true
}

// huge is more than any part of a time zone can be.
const huge = 1<<16 - 1

// firstSecond is the rule for the beginning of a year.
const firstSecond = "0/0"

// cutRule cuts one rule off, ,Mm.w.d or ,Jn or ,n, and /time; it is usual where there is
// none, and firstSecond where it is no rule.
func cutRule(text, usual string) (rule, rest string, ok bool) {
	text = strings.TrimPrefix(text, ",")
	day := usual
	if text != "" {
		if day, text, ok = cutDay(text); !ok {
			return firstSecond, text, false
		}
	}
	switch {
	case text == "", text[0] == ',':
		return day + "/2", text, true
	case text[0] != '/', len(text) == 1:
		return day + "/0", text, false
	}
	text = text[1:]
	sign := ""
	if text[0] == '-' {
		sign, text = "-", text[1:]
	}
	h, m, s, rest, ok := cutTime(text)
	if !ok {
		h = 2
	}
	seconds := min(h, huge)*3600 + min(m, huge)*60 + min(s, huge)
	seconds = min(seconds, 167*3600) // Go takes no more
	return fmt.Sprintf("%s/%s%d:%d:%d", day, sign, seconds/3600, seconds/60%60, seconds%60), rest, true
}

// cutDay cuts a day off.
func cutDay(text string) (day, rest string, ok bool) {
	if text[0] == 'M' {
		var n [3]int
		rest = text[1:]
		for i := range n {
			if i > 0 {
				if !strings.HasPrefix(rest, ".") {
					return "", text, false
				}
				rest = rest[1:]
			}
			if n[i], rest, ok = cutNumber(rest); !ok {
				return "", text, false
			}
		}
		ok = n[0] >= 1 && n[0] <= 12 && n[1] >= 1 && n[1] <= 5 && n[2] <= 6
		return fmt.Sprintf("M%d.%d.%d", n[0], n[1], n[2]), rest, ok
	}
	julian, first := "", 0
	if text[0] == 'J' {
		julian, first, text = "J", 1, text[1:]
	}
	n, rest, ok := cutNumber(text)
	return julian + strconv.Itoa(n), rest, ok && n >= first && n <= 365
}

// file is a time zone's file, of version 2, with no times in it but the rule at its end,
// which Go follows then.
//
// Source: RFC 9636.
func (z zoneRule) file() []byte {
	offset := func(east int) string {
		sign := "-"
		if east < 0 {
			sign, east = "", -east
		}
		return fmt.Sprintf("%s%d:%d:%d", sign, east/3600, east/60%60, east%60)
	}
	rule := "<std>" + offset(z.std)
	if z.hasDST {
		rule += "<dst>" + offset(z.dst) + "," + z.starts + "," + z.ceases
	}
	const name = "std\x00"
	var b []byte
	for range 2 { // once for version 1, once for version 2
		b = append(b, "TZif2"...)
		b = append(b, make([]byte, 15)...)
		for _, count := range []uint32{0, 0, 0, 0, 1, uint32(len(name))} { // of types, and characters, alone
			b = binary.BigEndian.AppendUint32(b, count)
		}
		b = binary.BigEndian.AppendUint32(b, uint32(int32(z.std)))
		b = append(b, 0, 0)
		b = append(b, name...)
	}
	return append(b, "\n"+rule+"\n"...)
}
