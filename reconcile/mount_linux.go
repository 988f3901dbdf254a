package reconcile

import "golang.org/x/sys/unix"

// mountNumber is the kernel's number of the mount that a path is on; 0 where it does
// not tell (before Linux 5.8), and then the device must do.
func mountNumber(path string) (uint64, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_MNT_ID, &st); err != nil {
		return 0, err
	}
	if st.Mask&unix.STATX_MNT_ID == 0 {
		return 0, nil
	}
	return st.Mnt_id, nil
}
