package host

import (
	"time"

	"golang.org/x/sys/unix"

	"supervisord/spec"
)

var _ spec.Stamper = (*Host)(nil)

// restless is how long after a change another one may leave the times of a file
// as they are: file systems count in steps of up to two seconds.
const restless = 2 * time.Second

// Stamp identifies the present content of a file by what the file system says of
// it. The change time is part of it, which nobody can set back. ok is false for
// a file that changed less than two seconds ago, or in the future, since its
// next change might not show.
func (h *Host) Stamp(path string) (stamp spec.Stamp, ok bool) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return spec.Stamp{}, false
	}
	mtime, ctime := time.Unix(st.Mtim.Unix()), time.Unix(st.Ctim.Unix())
	now := time.Now()
	return spec.Stamp{
		Dev: uint64(st.Dev), Ino: st.Ino, Size: st.Size,
		MTime: mtime.UnixNano(), CTime: ctime.UnixNano(),
	}, now.Sub(mtime) > restless && now.Sub(ctime) > restless
}
