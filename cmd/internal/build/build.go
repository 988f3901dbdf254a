// Package build says what the programs were built from. It has nothing to do with the
// release of Supervisor whose behaviour they have, which is what clients are sent.
package build

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version is the release of these programs.
const Version = "1.0.0"

// Commit is what they were built from, where the release command has set it.
var Commit string

// commit is what they were built from, as far as Go or the release command has noted
// it, and whether the tree had changes beside that.
func commit() (hash, changes string) {
	hash = Commit
	if info, ok := debug.ReadBuildInfo(); ok && hash == "" {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				hash = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				changes = "+changes"
			}
		}
	}
	return hash, changes
}

// Name is a short name of the build: the commit, or unknown.
func Name() string {
	hash, changes := commit()
	if hash == "" {
		return "unknown"
	}
	return hash[:min(len(hash), 12)] + changes
}

// Info is the release, the commit and the Go that built it, a line each.
func Info() string {
	hash, changes := commit()
	return fmt.Sprintf("version %s\ncommit %s\ngo %s %s/%s\n",
		Version, cmp.Or(hash, "unknown")+changes, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
