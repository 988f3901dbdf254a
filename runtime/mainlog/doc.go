// Package mainlog is the daemon's activity log: slog records printed as
// Supervisor's lines, to a rotated file or syslog, and in the foreground to
// standard output as well.
//
// Logging never waits: records go through a bounded queue to a goroutine per
// output, so a full or frozen disk, or a blocked standard output, stops neither
// supervision nor the other output. What does not fit is dropped, and the number of
// dropped records is logged. Close writes what is queued.
//
// # Goroutines
//
// One per output (file, standard output), from Open until Close, which waits for
// them.
//
// Source: contract/config.md section 11.
package mainlog
