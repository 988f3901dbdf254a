//go:build unix && !linux

package launch

import "errors"

// SetSubreaper cannot be done here.
func SetSubreaper(bool) error { return errors.ErrUnsupported }

// Strays finds nobody here.
func Strays(int, string) []Identity { return nil }
