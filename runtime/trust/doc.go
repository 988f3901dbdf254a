// Package trust opens files and directories by paths that other users of the
// machine may have had a hand in. It answers one question: who can have made, or
// can change, what this path names?
//
// We are the effective user of this process, and root. Everybody else is another
// user. A directory is open when another user can write to it: it is his, or its
// mode lets everyone write, or a group other than root's, or those whom an access
// control list names: there the bits of the group are what the list allows at the most.
//
// # Paths from the configuration
//
// The daemon's own files may be anywhere: a log in /tmp, a pidfile in a directory
// that belongs to a program's user. OpenFile and its like take such a path one
// name at a time and look at what was opened, not at what stood there before:
//
//   - In a directory that is not open, everything is taken as it is.
//   - In an open one, a link, a FIFO, a socket or a device is taken only if it is
//     ours, and what is ours only if it has no second name: a hard link to a file of
//     ours is what another user can make. A regular file of another user is taken
//     where he keeps his own, not where everyone can write.
//   - A link in the middle of the path, in a directory of the same other user, is
//     followed, for releases are deployed so; but it must lead to a directory of
//     that user, to which he could write anyway.
//   - What the links below /proc lead to is the kernel's business.
//
// The kernel has some of these rules too (fs.protected_symlinks and its kin), but
// for some directories only, and they are off on many machines.
//
// Nothing is waited for: no FIFO without a reader, no terminal without a carrier.
//
// # File servers that map root
//
// A file server may give what root makes to another user, nobody as a rule: NFS with
// root_squash. Whoever can act as that user there can read, empty and replace what we
// have made, whatever we refuse, and on that file system we can do no more than he.
// So in an open directory a regular file of his, with one name, is as good as ours.
// Who he is the file system says itself: before a file of another user is refused,
// one is made beside it, looked at and removed, and the two must have one owner and
// one device. No other user can bring that about: on a disk of this machine a new
// file is ours.
//
// His links, FIFOs, sockets and devices are refused as everywhere, for they may lead
// to where he can do less than we. And no directory there is one of our own: what
// stands in one is run, and ended, as root.
//
// # Directories of our own
//
// A Dir is a directory that nobody else has any business in: it, and every
// directory above it up to one that only root and its user can write to, belongs to
// one of the two, and no link of a third leads there. What stands in it is a regular
// file of theirs with one name, or it is refused. Each operation opens the directory
// anew, looks at it, and goes by what it has opened.
//
// What the daemon opens where, and who may own it, is listed in opens.md beside this
// file.
//
// Imports nothing of ours.
package trust
