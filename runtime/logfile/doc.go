// Package logfile writes output to its target: files that rotate, descriptors that
// the daemon was started with, pipes, devices and syslog.
//
// It owns the open files and nothing else. It starts no goroutine, sets no timer
// and calls no callback while it holds a lock. Everything that may wait for a disk or
// a reader waits in the goroutine of the caller, so callers stay off the
// supervisor's loop for all but Path, Dropped, SetDeadline.
//
// # Kinds of target
//
//   - A regular file is appended to (O_APPEND) and rotated by size.
//   - /dev/stdout, /dev/stderr, /dev/fd/N, /proc/self/fd/N and symbolic links to
//     them mean the descriptor the daemon was started with. It is never opened by
//     its path, never rotated, cleared or closed. Whole lines are written at once,
//     so that programs that share it do not mix within a line.
//   - Anything else (a FIFO, a terminal, /dev/null) is opened and appended to,
//     never rotated, cleared or unlinked.
//
// Files are opened, read and renamed under the rules of runtime/trust: what another
// user could have put in place of a log is refused.
//
// # Other programs that move the file
//
// A Writer holds an open file and looks at its name only in Open, Reopen, Clear,
// Configure, Restore and when the file has grown to its limit:
//
//   - Renamed or unlinked: writes continue into the same file under its new name, or
//     none, until one of those. Then the name is opened anew. Nothing is lost and
//     nothing is written twice: from a file without a name, Restore moves what was
//     written since it was last seen at its path. A rotation that finds another file
//     under the name moves to that file and does not rename it.
//   - Truncated (logrotate's copytruncate): since each write appends, the next
//     one begins at the new end and no hole appears. What is written between the copy
//     and the truncation is lost; no writer can prevent that. Rotation goes by the true
//     size, so a truncated file does not rotate early.
//   - Shared by two Writers: both append, and the size is that of what both wrote.
//     When one rotates, what the other writes next still goes to the old file, now
//     a backup, whose size makes it follow; one with a larger MaxBytes follows at
//     that or at the next reopen. Neither truncates what the other wrote, and
//     within one daemon they rotate in turn. Two daemons that rotate the same file
//     at the same moment may lose a backup.
//
// # AUTO logs
//
// An AUTO log is locked while it is open, and its name identifies its daemon. When a
// daemon starts, it removes the logs of all daemons that have none open: so a living
// daemon keeps all of its logs as long as it keeps one open, see Writer.Hold.
//
// # Faults
//
// What a target does not accept is dropped and counted, never reported as an error
// of Write: a full disk must not stop a child. Options.Report is told when this begins,
// the count once per interval, and when it ends. A target that accepts nothing for now
// (a FIFO without a reader) makes Write block, which delays only that program's output;
// SetDeadline bounds the wait.
//
// Source: contract/config.md section 12, contract/rpc.md section 6.
package logfile
