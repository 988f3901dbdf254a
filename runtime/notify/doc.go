// Package notify hears what programs say of themselves: on a socket, as systemd's sd_notify
// has it, or with a newline on a pipe, as s6 has it. What it means is for others.
//
// A Socket is one program's own, for one run. It has no file: its name is one that the
// kernel gives (abstract, unix(7)), so it needs no directory, no permission of the
// program's user and nothing that can be written to, is there in a chroot too, and leaves
// nothing behind. A program in another network namespace than the daemon cannot reach it.
// The name is no secret: who has sent a message is known by the kernel's word, and whoever
// is not of the program is not heard.
//
// An Ear is one goroutine that hears one of them, asleep while nothing is said. A program
// that says more than a thousand things a second waits.
//
// # Failure modes
//
//	a message of a stranger         it is not heard; the first of each Ear is told of
//	who sent it has ended since     the same: nobody knows any more of what it was. Who waits
//	                                for the answer to a BARRIER=1, as systemd-notify does,
//	                                is there
//	descriptors in a message        they are closed; that is the answer to BARRIER=1
//	a message that is too long      it is not heard
//	the pipe is closed              it is heard no more, and it is not ready
//	the daemon is replaced          the socket and the pipe are handed over, and what is said
//	                                meanwhile waits in them
//
// It imports nothing of ours. Sockets are there on Linux alone.
package notify
