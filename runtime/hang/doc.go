// Package hang bounds what a disk that never answers can hold up: a dead NFS
// server, a FUSE file system whose process is stuck. The kernel lets nobody give
// up such an access, so it is left behind with the goroutine that made it, and the
// directory is not asked again until it has returned. So each directory that does
// not answer costs one goroutine, however often and by whomever it is wanted.
//
// Clients, who come and go as they like, Ask: of theirs a directory costs a few
// goroutines at the most.
//
// Goroutines: one for each Do, which ends with its function. One that is left
// behind ends when its access returns. One for each Ask that is under way, and one for
// each directory in which something is left to close.
//
// It imports nothing of ours.
package hang
