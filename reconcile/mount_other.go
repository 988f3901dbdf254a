//go:build !linux

package reconcile

// mountNumber is nothing here: the device must do.
func mountNumber(string) (uint64, error) { return 0, nil }
