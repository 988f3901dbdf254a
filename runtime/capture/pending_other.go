//go:build !linux

package capture

// pending is how many bytes may be in a pipe: no more than these systems let one
// hold.
func pending(int) int { return pipeSize }

// announced: here it is not known whether the poller will tell of what is next.
func announced(int) bool { return false }
