package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"supervisord/runtime/trust"
)

// crashFile is the file in the state directory to which Go writes why it ends, should
// there be a panic or a fatal error: a daemon in the background has no other place for
// that. What an earlier daemon has written there is kept as the second.
const (
	crashFile     = "crash.log"
	lastCrashFile = "last-crash.log"
)

// lastWordsLimit is how much of them the activity log repeats, in bytes.
const lastWordsLimit = 8 << 10

// catchCrashes has crashes written to a file in dir. It returns the file in which an
// earlier daemon has left one, "" for none, and the first of what that says: why, and
// where the goroutine was that is to blame.
func catchCrashes(dir trust.Dir) (earlier, why string, err error) {
	words, err := trust.Read(dir, crashFile)
	if err == nil && len(words) > 0 {
		why = firstWords(string(words))
		var kept *os.File
		if kept, err = trust.Replace(dir, lastCrashFile, words, true); err != nil {
			return filepath.Join(dir.Path, crashFile), why, err // it is not written over
		}
		kept.Close()
		earlier = filepath.Join(dir.Path, lastCrashFile)
	}
	file, err := trust.Replace(dir, crashFile, nil, false)
	if err != nil {
		return earlier, why, err
	}
	defer file.Close() // the runtime has a descriptor of its own
	return earlier, why, debug.SetCrashOutput(file, debug.CrashOptions{})
}

// firstWords are those of a trace up to the end of its first goroutine.
func firstWords(trace string) string {
	at := strings.Index(trace, "\ngoroutine ")
	if at < 0 {
		at = 0
	}
	if end := strings.Index(trace[at:], "\n\ngoroutine "); end >= 0 {
		trace = trace[:at+end]
	}
	return strings.TrimSpace(trace[:min(len(trace), lastWordsLimit)])
}
