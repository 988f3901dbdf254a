//go:build !linux && !darwin && !freebsd

package rpc

import "errors"

// socketUID is not known on this system.
func socketUID(int) (int, error) { return 0, errors.ErrUnsupported }
