// Package capture reads what children write and writes what they read.
//
// A Stream is one captured pipe and one goroutine: it reads, recognises capture
// tokens, strips terminal sequences, writes the channel's log and posts facts to
// the supervisor's loop. Log bytes never pass through the loop, and a slow log
// slows its own child alone. A Stdin is one child's standard input and has a
// goroutine only while something waits to be read.
//
// It knows nothing of processes, events or configuration.
//
// # Goroutines
//
//   - one per Stream, from Start until everything is read after Finish;
//   - one per Stream from Finish until then, which says "done" in its place if
//     its log hangs;
//   - one per Stdin while its queue is not empty.
//
// # Lines that are waited for
//
// With Settings.Ready, whole lines are matched before they go to the log, each as far as
// its first 4 KB, until one matches. Without it nothing is looked at.
//
// # Busy pipes
//
// A quiet pipe is read as soon as there is a byte in it. On Linux, one that gives
// little at a time and gives it often, with nobody but the log to wait for it, is read
// by a timer instead, at most 0.4 ms after what was written: so the daemon is woken a
// few thousand times a second, not once for each line. Meanwhile it is larger and has a
// descriptor more, for the timer. When it is found empty it is a quiet one again.
//
// # Pipes that are never empty for long
//
// A stream that has emptied its pipe a few times leaves what comes next to the poller,
// later if it is one of those that may go on for longer: on all processors but one. So whoever makes a
// request waits for a few chunks to be copied, not until all children pause.
//
// # The end of a child
//
// A child is dead before its output is read. Finish wakes the reader, which then
// takes exactly what lay in the pipe when it was told, and posts FactDone. It
// does not wait for the end of the pipe, which a grandchild may hold open for
// ever.
//
// Source: contract/events.md section 6, contract/config.md section 12,
// contract/process.md sections 5 and 10.
package capture
