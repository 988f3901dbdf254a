package main

import (
	"os"
	"path/filepath"
	"runtime/debug"

	"supervisord/runtime/trust"
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
func catchCrashes(dir trust.Dir) (earlier string, err error) {
	words, err := trust.Read(dir, crashFile)
	if err == nil && len(words) > 0 {
		var kept *os.File
		if kept, err = trust.Replace(dir, lastCrashFile, words, true); err != nil {
			return filepath.Join(dir.Path, crashFile), err // it is not written over
		}
		kept.Close()
		earlier = filepath.Join(dir.Path, lastCrashFile)
	}
	file, err := trust.Replace(dir, crashFile, nil, false)
	if err != nil {
		return earlier, err
	}
	defer file.Close() // the runtime has a descriptor of its own
	return earlier, debug.SetCrashOutput(file, debug.CrashOptions{})
}
