// Package watch says when files may have changed. It is given absolute paths
// and glob patterns, keeps an eye on every directory, symbolic link and parent
// on their way, existing or not yet, and says "look again" once all has been
// quiet for a moment. It never says what changed: its hints are hints, the
// content of the files is the truth, and reading them is the caller's business.
//
// It knows nothing of Supervisor, not even what a pattern matches: a Matcher says
// so. It imports nothing of ours, and is the only package that imports fsnotify.
//
// How a change cannot be missed: a watch is set before the look that counts
// (after arming anything new the tree is surveyed again), the survey is
// fingerprinted, and the fingerprint is compared again every Rescan. So a lost
// notice, a full queue, a file system without notices or a watch limit cost at
// most one Rescan.
//
// The survey is done half way through Settle. Then there is a hint to read ahead,
// so that the files can be read while the other half passes.
//
// What is mounted over a watched directory or file, or unmounted, is told by a poll
// of /proc/self/mountinfo where there is one. A file that has more than one name, or
// is a mount point, has a watch of its own: it may be written under another name.
// (Of a name that is made later there is no notice: it counts from the next survey.)
// What is written through a mapping is noticed when the file is closed.
//
// Goroutines: Run is one loop that owns everything; fsnotify has one reader, the
// closing of files one, and the poll of the mounts another; Run waits for them all.
//
// Source: reconciler.md (settle, rescan, what it must withstand).
package watch
