// Package systemd speaks to the service manager that has started this process, which is
// systemd as a rule: what it asks of us (Service), and what we tell it (Notifier, Line).
//
// It is our own, since all of it is a few variables and one datagram for each message,
// and the usual library sends with a call that waits while the manager does not read.
//
// A process that takes this one's place, by an exec or in the background, is given the
// Service, for the variables name the pid of the one that they were meant for. To take
// the place by an exec: tell Reloading, execute, and have the new program tell Ready.
// Stopping is the last word: a process that goes on after it is killed.
//
// Source: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3).
package systemd
