package main

import "supervisord/runtime/launch"

// pollers are further descriptors of what the kernel needs long to let go of: an epoll
// instance, for each descriptor that it waits for, and inotify, until no processor can be
// looking at its marks any more. Whoever closes the last descriptor waits for that, and an
// exec for all threads that do. So these go with what is handed over, and are closed once
// somebody supervises.
//
// Source: fs/notify/group.c, fsnotify_destroy_group; fs/eventpoll.c, ep_clear_and_put.
func pollers() (fds []int) {
	all, _ := launch.Descriptors(launch.EventPoll, launch.Inotify) // without /proc the exec takes longer
	for _, fd := range all {
		if further, err := furtherNumber(fd); err == nil {
			fds = append(fds, further)
		}
	}
	return fds
}

// disown has no thread that forks keep pollers of the program before.
func disown(fds []int) { launch.LeaveOut(fds) }
