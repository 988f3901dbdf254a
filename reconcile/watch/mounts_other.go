//go:build !linux

package watch

import "errors"

// watchMounts is only for Linux; elsewhere the rescan sees what was mounted.
func watchMounts(chan<- struct{}) (stop func(), err error) { return nil, errors.ErrUnsupported }
