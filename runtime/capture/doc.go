// Package capture reads what children write and writes what they read.
//
// A Stream is one captured pipe and, from its first byte on, one goroutine: it reads, recognises capture
// tokens, strips terminal sequences, writes the channel's log and posts facts to
// the supervisor's loop. Log bytes never pass through the loop, and a slow log slows only
// its own child. A Stdin is one child's standard input and has a goroutine only while
// something waits to be read.
//
// It knows nothing of processes, events or configuration.
//
// # Goroutines
//
//   - one per Stream, from its first byte until, after Finish, everything has been read.
//     Where the kernel cannot tell of the first byte (Linux can), from Start on;
//   - one for all Streams that wait for their first byte, and one, while there are any, for
//     those that never had one and are finished;
//   - one per Stream whose log hangs after Finish, which posts FactDone for it;
//   - one per Stdin while its queue is not empty.
//
// # Waiting for a line
//
// With Settings.Ready, whole lines are matched before they go to the log, each as far as
// its first 4 KB, until one matches. Without it no line is inspected.
//
// # Busy pipes
//
// A quiet pipe is read as soon as there is a byte in it. On Linux, a pipe that receives
// little at a time but often, and whose output only goes to the log, is read by a timer
// instead, at most 0.4 ms after the write: so the daemon wakes a few thousand times a
// second, not once for each line. Meanwhile the pipe is wide and uses one more
// descriptor, for the timer. Once it is found empty it counts as quiet again.
//
// # Wide pipes
//
// On Linux, a pipe that is found full again and again, and whose output only goes to the log,
// is made larger, so that its writer goes on while its reader copies. It is read by the part:
// what was just read is then still in the processor's cache when it is written, and there is
// something to read when the writer is slow to wake. A part ends with a line, as a rule, so that
// rotations divide few. A wide pipe that was not full for a second becomes as usual again; 32
// are wide at most.
//
// # Pipes that are never empty for long
//
// A stream that has emptied its pipe a few times yields to the poller; on all processors
// but one a stream may continue longer first. (It empties a wide pipe with one large read when
// it is to yield: the poller tells of what comes into a pipe, not of what was left in it.)
// So a request waits until a few chunks are copied, not until all children pause.
//
// While there are requests (Attend), streams whose output only goes to the log take turns on
// all processors but one, which is left to the requests. A stream that does not end its turn
// within 10 ms, since its log hangs, keeps no other from the next.
//
// # The end of a child
//
// A child may be dead before its output is read. Finish wakes the reader, if there is or was
// anything to read, which then reads exactly what was in the pipe at that moment, and posts
// FactDone. It does not wait for end-of-file, since a grandchild may keep the pipe open for
// ever.
//
// Source: contract/events.md section 6, contract/config.md section 12,
// contract/process.md sections 5 and 10.
package capture
