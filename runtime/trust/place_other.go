//go:build unix && !linux

package trust

import "golang.org/x/sys/unix"

// search opens a directory to go through it, which one may without reading it.
const search = unix.O_SEARCH

// leap is not to be had here.
func (*place) leap(string) bool { return false }

// isProc reports that no link here leads to what its text does not name.
func isProc(int) bool { return false }

// setMode sets the mode of what stands in the place under a name, if it is a socket
// of ours. It follows no link.
func (p *place) setMode(name string, mode uint32) error {
	var st unix.Stat_t
	if err := unix.Fstatat(p.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if err := p.socket(name, &st); err != nil {
		return err
	}
	return unix.Fchmodat(p.fd, name, mode, unix.AT_SYMLINK_NOFOLLOW)
}
