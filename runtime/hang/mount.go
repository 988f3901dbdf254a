package hang

import "strings"

// mountOf identifies what is mounted where a path is, without asking that: the last
// mount on its way. Symbolic links are not followed, which would mean asking.
func mountOf(path string) string {
	best, longest := "", -1
	for at, mount := range Mounts() {
		rest, in := strings.CutPrefix(path, at)
		if in && (rest == "" || rest[0] == '/' || at == "/") && len(at) > longest {
			best, longest = mount, len(at)
		}
	}
	return best
}
