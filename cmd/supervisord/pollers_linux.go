package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// pollers are further descriptors of what the kernel needs long to let go of: an epoll
// instance, for each descriptor that it waits for, and inotify, until no processor can be
// looking at its marks any more. Whoever closes the last descriptor waits for that, and an
// exec for all threads that do. So these go with what is handed over, and are closed once
// somebody supervises.
//
// Source: fs/notify/group.c, fsnotify_destroy_group; fs/eventpoll.c, ep_clear_and_put.
func pollers() (fds []int) {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil
	}
	for _, name := range names {
		target, err := os.Readlink(filepath.Join("/proc/self/fd", name.Name()))
		fd, _ := strconv.Atoi(name.Name())
		if err != nil || !slices.Contains([]string{"anon_inode:[eventpoll]", "anon_inode:inotify"}, target) {
			continue
		}
		if further, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3); err == nil {
			fds = append(fds, further)
		}
	}
	return fds
}
