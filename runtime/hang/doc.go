// Package hang limits what a disk that never answers can block: a dead NFS server, a
// FUSE file system whose process is stuck. The kernel offers no way to cancel such an
// access, so it is abandoned together with its goroutine, and the directory is not
// accessed again until it has returned. So each directory that does not answer costs one
// goroutine, however often it is needed.
//
// Client requests use Ask, with which a directory costs a few goroutines at most.
//
// Goroutines: one for each Do, which ends with its function or, once abandoned, when its
// access returns; one for each Ask under way; and one for each directory in which
// something remains to be closed.
//
// It imports nothing of this module.
package hang
