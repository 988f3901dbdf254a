//go:build unix && !linux

package logfile

// openForWriting reports whether anybody has the file open for writing, which this
// system does not tell.
func openForWriting(int) bool { return false }
