//go:build unix && !linux

package trust

import "golang.org/x/sys/unix"

// search opens a directory to go through it, which one may without reading it.
const search = unix.O_SEARCH

// leap is not available on this system.
func (*place) leap(string) bool { return false }

// isProc reports that no link here leads to what its text does not name.
func isProc(int) bool { return false }

// pin names what stands in the place, which may be another thing by the next call.
func (p *place) pin(name string) (s pinned, release func(), err error) {
	return pinned{p.fd, name, unix.AT_SYMLINK_NOFOLLOW}, func() {}, nil
}

func (s pinned) chmod(mode uint32) error { return unix.Fchmodat(s.dir, s.name, mode, s.flag) }
