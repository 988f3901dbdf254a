// Package notify receives what programs report about themselves: on a socket, as with
// systemd's sd_notify, or as a newline on a pipe, as with s6. It does not interpret it.
//
// A Socket belongs to one run of one program. It has no file: the kernel chooses its name
// (abstract, unix(7)), so it needs no directory, no permissions for the program's user and
// no writable place, works in a chroot too, and leaves nothing behind. A program in
// another network namespace than the daemon's cannot reach it. The name is no secret: the
// kernel says who sent a message, and messages from processes outside the program are
// ignored.
//
// An Ear is one goroutine that reads one of them, and sleeps while nothing arrives. A
// program that sends more than a thousand messages a second is made to wait.
//
// # Failure modes
//
//	a message from a stranger       it is ignored; the first at each Ear is reported
//	its sender has since ended      the same: its program is no longer known. A client that waits
//	                                for the answer to BARRIER=1, as systemd-notify does, is
//	                                still there
//	descriptors in a message        they are closed; that is the answer to BARRIER=1
//	a message that is too long      it is ignored
//	the pipe is closed              it is no longer read, and does not mean ready
//	the daemon is replaced          the socket and the pipe are handed over, and messages sent
//	                                meanwhile wait in them
//
// It imports nothing of this module. Sockets exist only on Linux.
package notify
