//go:build !linux

package hang

// Mounts is not known here.
func Mounts() map[string]string { return nil }
