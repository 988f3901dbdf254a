//go:build unix && !linux

package launch

import "errors"

// SetSubreaper cannot be done here.
func SetSubreaper(bool) error { return errors.ErrUnsupported }

// Strays finds nobody here.
func Strays(int, string) []Identity { return nil }

// LostStrays finds nobody here.
func LostStrays(int, string, int) []Identity { return nil }

// Descends reports whether the process pid is leader; who descends from it is not known
// here.
func Descends(pid, leader int) bool { return pid == leader }
