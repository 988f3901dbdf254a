package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
)

// crashFile is the file in the state directory to which Go writes why it ends, should
// there be a panic or a fatal error: a daemon in the background has no other place for
// that. What an earlier daemon has written there is kept as the second.
const (
	crashFile     = "crash.log"
	lastCrashFile = "last-crash.log"
)

// catchCrashes has crashes written to a file in dir. It returns the file in which an
// earlier daemon has left one, "" for none.
func catchCrashes(dir string) (earlier string, err error) {
	path := filepath.Join(dir, crashFile)
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		earlier = filepath.Join(dir, lastCrashFile)
		if err := os.Rename(path, earlier); err != nil {
			earlier = path
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return earlier, err
	}
	defer file.Close() // the runtime has a descriptor of its own
	return earlier, debug.SetCrashOutput(file, debug.CrashOptions{})
}
