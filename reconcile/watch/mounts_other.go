//go:build !linux

package watch

import "errors"

// watchMounts is for Linux alone; elsewhere the rescan sees what was mounted.
func watchMounts(chan<- struct{}) (stop func(), err error) { return nil, errors.ErrUnsupported }
