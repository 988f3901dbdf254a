package trust

import "golang.org/x/sys/unix"

// MountNumber is the kernel's number of the mount that a path is on; 0 where it does
// not tell (before Linux 5.8), and then the device must do.
func MountNumber(path string) (uint64, error) { return mountNumber(unix.AT_FDCWD, path, 0) }

func mountNumber(dir int, path string, flags int) (uint64, error) {
	var st unix.Statx_t
	if err := unix.Statx(dir, path, flags, unix.STATX_MNT_ID, &st); err != nil {
		return 0, err
	}
	if st.Mask&unix.STATX_MNT_ID == 0 {
		return 0, nil
	}
	return st.Mnt_id, nil
}

// mount is what the place is on.
func (p *place) mount() (Mount, error) {
	number, err := mountNumber(p.fd, "", unix.AT_EMPTY_PATH)
	return Mount{number, uint64(p.stat.Dev)}, err
}
