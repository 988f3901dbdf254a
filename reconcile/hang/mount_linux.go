package hang

import (
	"os"
	"strings"
)

// mountOf identifies what is mounted where a path is, without asking that: the
// line of /proc/self/mountinfo for the last mount on its way. Symbolic links are
// not followed, which would mean asking.
func mountOf(path string) string {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	best, longest := "", -1
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		at := unescape(fields[4])
		rest, in := strings.CutPrefix(path, at)
		// Of two mounts at one place the later one is on top.
		if in && (rest == "" || rest[0] == '/' || at == "/") && len(at) >= longest {
			best, longest = fields[0]+" "+fields[2], len(at)
		}
	}
	return best
}

// unescape undoes the octal escapes of white space and backslashes (proc(5)).
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
