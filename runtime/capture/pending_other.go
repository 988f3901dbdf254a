//go:build !linux

package capture

// pending is how many bytes may be in a pipe: no more than these systems let one
// hold.
func pending(int) int { return 64 << 10 }
