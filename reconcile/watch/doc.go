// Package watch notices when files may have changed. It is given absolute paths
// and glob patterns, watches every directory, symbolic link and parent on the way to
// them, whether it exists yet or not, and hints "look again" once all has been quiet
// for a moment. It never says what changed: the content of the files is the truth, and
// reading them is up to the caller.
//
// It knows nothing of Supervisor, not even what a pattern matches: that is decided by a
// Matcher. It imports nothing of this module, and is the only package that imports
// fsnotify.
//
// Why no change is missed: a watch is set before the survey that counts (after setting a
// new watch the tree is surveyed again), the survey is fingerprinted, and the fingerprint
// is compared again every Rescan. So a lost notification, a full queue, a file system
// without notifications or a limit on watches delays a change by one Rescan at most.
//
// Notices that do not matter and do not end, as of a log that stands beside the
// configuration, are left in the kernel's queue for up to 50 ms at a time, and then taken
// together for an eighth of that. While a change settles each is taken as it comes.
//
// The survey is made half-way through Settle. A hint to read ahead follows it, so that
// the files can be read during the other half.
//
// Mounts and unmounts over a watched directory or file are noticed by a poll(2) on
// /proc/self/mountinfo, if it exists. A file that has more than one name, or is a mount
// point, has a watch of its own, since it may be written under another name. (A name
// that is added later causes no notification: it is known from the next survey.) Writes
// through a memory mapping are noticed when the file is closed.
//
// Goroutines: Run is one loop that owns everything; fsnotify has one reader, the
// closing of files one, and the poll of the mounts another; Run waits for them all.
//
// Source: reconciler.md (settle, rescan, what it must withstand).
package watch
