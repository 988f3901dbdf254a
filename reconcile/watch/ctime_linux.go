package watch

import "syscall"

// changeTime is when the inode last changed, in nanoseconds since 1970.
func changeTime(st *syscall.Stat_t) int64 { return st.Ctim.Nano() }
