//go:build !linux

package trust

// MountNumber is nothing here: the device must do.
func MountNumber(string) (uint64, error) { return 0, nil }

// mount is what the place is on.
func (p *place) mount() (Mount, error) { return Mount{Device: uint64(p.stat.Dev)}, nil }
