//go:build unix && !linux

package trust

import "errors"

// letWrite is not to be had here.
func letWrite(string) error { return errors.ErrUnsupported }
