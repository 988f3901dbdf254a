package reconcile

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"supervisord/runtime/lazy"
	"supervisord/runtime/trust"
)

// UnusedAfter is how long a state directory must have been unchanged before Tidy
// considers its configuration gone.
const UnusedAfter = 90 * 24 * time.Hour

// What one Tidy examines, and removes, at most; the next continues.
const (
	tidyNames  = 10000 // in the directory of all; where there are more, nothing is done
	tidyFiles  = 100   // in one
	tidyAtOnce = 10    // directories
)

// stateName is the name of a state directory; the group is what tells its user.
var stateName = lazy.Regexp(`^[0-9a-f]{16}(-[0-9]+)?(\.[0-9]+)?$`)

// stateFile are the names of files that daemons of ours keep there.
var stateFile = lazy.Regexp(`^(files|history|running)\.json$|^(last-)?crash\.log$|^` + lockFile + `$|\.tmp$`)

// Tidy removes the state directories of other daemons of this user, beside the directory
// own, if nothing was written there for UnusedAfter, nobody holds the lock, inUse knows of
// no running process, and there are only files that a daemon made. It returns what it
// removed. It may block on the disk. A daemon that starts meanwhile loses nothing: it
// waits for the lock, and makes the directory again.
func Tidy(own trust.Dir, now time.Time, inUse func(trust.Dir) bool) (removed []string) {
	base := trust.Dir{Path: filepath.Dir(own.Path), UID: own.UID}
	user := stateName().FindStringSubmatch(filepath.Base(own.Path))
	all, err := trust.List(base, tidyNames)
	if err != nil || user == nil {
		return nil // another user's, as a rule, where we may not look
	}
	for _, e := range all {
		of := stateName().FindStringSubmatch(e.Name)
		if !e.Dir || of == nil || of[1] != user[1] || e.Name == filepath.Base(own.Path) || !unused(e.Modified, now) {
			continue
		}
		dir := trust.Dir{Path: filepath.Join(base.Path, e.Name), UID: own.UID}
		if removeUnused(base, dir, now, inUse) {
			removed = append(removed, dir.Path)
		}
		if len(removed) == tidyAtOnce {
			break
		}
	}
	return removed
}

func unused(modified int64, now time.Time) bool {
	return now.Unix()-modified > int64(UnusedAfter/time.Second)
}

// removeUnused removes one directory, if it may.
func removeUnused(base, dir trust.Dir, now time.Time, inUse func(trust.Dir) bool) bool {
	files, err := trust.List(dir, tidyFiles)
	if err != nil {
		return false
	}
	for _, f := range files {
		if !f.Regular || !stateFile().MatchString(f.Name) || !unused(f.Modified, now) {
			return false
		}
	}
	lock, err := lockIn(dir, nil)
	if err != nil {
		return false
	}
	defer lock.Close()
	if inUse(dir) {
		return false
	}
	for _, f := range files {
		if f.Name != lockFile && trust.Remove(dir, f.Name) != nil {
			return false
		}
	}
	if trust.Remove(dir, lockFile) != nil { // the last, so that nobody begins before there is nothing to be missed
		return false
	}
	return trust.RemoveDir(base, filepath.Base(dir.Path)) == nil
}

// Tidied describes what Tidy removed, for the log; "" for nothing.
func Tidied(removed []string) string {
	if len(removed) == 0 {
		return ""
	}
	return fmt.Sprintf("removed the state of supervisords that have not run for %d days: %s",
		int(UnusedAfter/(24*time.Hour)), strings.Join(removed, ", "))
}
