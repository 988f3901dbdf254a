package host

import (
	"os"
	"path/filepath"
	"strings"
)

// ProgramPath is the path of a program whose argv[0] is given: itself, or where a
// shell found it on PATH. Supervisor is a script and so is always told its path;
// the places that it looks for a configuration in, its messages and what ps shows
// depend on it.
//
// Source: contract/config.md section 1.
func ProgramPath(argv0 string) string {
	if strings.Contains(argv0, "/") {
		return argv0
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		name := filepath.Join(dir, argv0)
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return name
		}
	}
	return argv0
}
