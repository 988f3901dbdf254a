package hang

import (
	"os"
	"strings"
)

// Mounts is what is mounted where, by mount point: the number of the mount and its
// device, as /proc/self/mountinfo has them. Of two mounts at one place it has the
// later one, which is on top. It accesses no disk. It is nil if the mounts are
// unknown.
func Mounts() map[string]string {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	all := make(map[string]string)
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 4 {
			all[unescape(fields[4])] = fields[0] + " " + fields[2]
		}
	}
	return all
}

// unescape undoes the octal escapes of white space and backslashes (proc(5)).
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
