// Package systemd speaks to the service manager that started this process, usually
// systemd: what it asks of us (Service), and what we tell it (Notifier, Line).
//
// It is our own, since all of it is a few variables and one datagram for each message,
// and the usual library's send blocks while the manager does not read.
//
// A process that takes this one's place, by an exec or in the background, is given the
// Service, since the variables name the pid of the process that they were meant for.
// To take its place by an exec: tell Reloading, execute, and have the new program tell
// Ready. Stopping is final: a process that continues after it is killed.
//
// Source: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3).
package systemd
