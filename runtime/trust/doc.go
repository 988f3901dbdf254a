// Package trust opens files and directories by paths that other users of the
// machine may have manipulated. It answers one question: who can have made, or can
// change, what this path names?
//
// "We" are the effective user of this process, and root. Everybody else is another
// user. A directory is called open if another user can write to it: that user owns it,
// or its mode allows writing to everyone, to a group other than root's, or to those whom
// an access control list names (then the group bits are the most that the list allows).
//
// # Paths from the configuration
//
// The daemon's own files may be anywhere: a log in /tmp, a pidfile in a directory
// that belongs to a program's user. OpenFile and its like take such a path one
// name at a time and check what was opened, not what stood there before:
//
//   - In a directory that is not open, everything is accepted.
//   - In an open one, a link, a FIFO, a socket or a device is accepted only if it is
//     ours, and a file of ours only if it has no second name, since another user can
//     make a hard link to it. A regular file of another user is accepted in a directory
//     of that user, not where everyone can write.
//   - A link in the middle of the path, in a directory of the same other user, is
//     followed, since releases are deployed that way; but it must lead to a directory of
//     that user, who could write there anyway.
//   - Links below /proc are the kernel's and are followed.
//
// The kernel has some of these rules too (fs.protected_symlinks and its kin), but
// for some directories only, and they are off on many machines.
//
// Nothing blocks: neither a FIFO without a reader nor a terminal without a carrier.
//
// # File servers that map root
//
// A file server may give files that root makes to another user, usually nobody (NFS with
// root_squash). Anyone who can act as that user there can read, empty and replace our
// files whatever we refuse, and on that file system we have no more rights than that user.
// So in an open directory a regular file of that user, with one name, is as good as ours.
// The file system itself tells who the user is: before a file of another user is refused,
// a new one is made beside it, inspected and removed; both must have the same owner and
// device. No other user can cause this, since on a local disk a new file is ours.
//
// That user's links, FIFOs, sockets and devices are refused as everywhere, since they may
// lead to places where the user has fewer rights than we. And no directory there counts
// as one of our own, since what is in those is run, and killed, as root.
//
// # Directories of our own
//
// A Dir is a directory that is private to the daemon: it, and every directory above it
// up to one that only root and its user can write to, belongs to one of the two, and no
// link of a third user leads there. A file in it must be a regular file of theirs with
// one name, or it is refused. Each operation opens the directory anew, checks it, and
// uses what it has opened.
//
// What the daemon opens where, and who may own it, is listed in opens.md beside this
// file.
//
// It imports nothing of this module.
package trust
