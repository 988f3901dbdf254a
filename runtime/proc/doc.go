// Package proc is the state machine of one process: what Supervisor calls
// STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL and UNKNOWN, and
// every way from one to another.
//
// It is pure. It has no clock, starts nothing and signals nothing: an Input and
// the present time go in, Effects come out as values, in the order in which
// they are to be carried out, and the result of an effect is the next input. The same
// history gives the same effects, so all of it is tested with tables, transcripts and random
// walks.
//
// # The states
//
// Each arrow is an event of its own. A star marks what Supervisor does not have; it happens
// only where a key asks for it.
//
//	STOPPED  ──> STARTING   a start
//	         ──> RUNNING    a process of an earlier daemon is adopted
//	         ──> STARTING * it was unhealthy
//	         ──> BACKOFF  * the same, and backoff is set or it has not lived for a second
//	         ──> FATAL    * the same, and crash_limit is reached
//	STARTING ──> RUNNING    it has been up for startsecs and, with ready, was found ready
//	         ──> BACKOFF    it could not be spawned, or has ended before. With ready_timeout
//	                        it is sent its stop signal, and SIGKILL after stopwaitsecs
//	         ──> STOPPING   a stop
//	         ──> UNKNOWN    it could not be signalled
//	RUNNING  ──> EXITED     it has ended. When it has said that it is about to, it is sent
//	                        SIGKILL after stopwaitsecs
//	         ──> STOPPING   a stop, health has failed, or the watchdog has timed out
//	         ──> UNKNOWN    it could not be signalled
//	BACKOFF  ──> STARTING   the wait is over
//	         ──> FATAL      there were too many failed starts, or the daemon ends
//	         ──> STOPPED    a stop
//	STOPPING ──> STOPPED    it has ended, and with it what its stop reaches
//	         ──> UNKNOWN    it could not be signalled
//	EXITED   ──> STARTING   autorestart, or a start
//	         ──> BACKOFF  * autorestart, and backoff is set
//	         ──> FATAL    * autorestart, and crash_limit is reached
//	FATAL    ──> STARTING   a start
//	         ──> STOPPED  * a reset
//	UNKNOWN  ──> EXITED     it has ended
//
// # What the process reports
//
// A Notice (notice.go) moves deadlines and changes what is shown. It changes the state only
// as probes do: READY=1 like a probe that succeeds, a watchdog that times out like too many
// probes that fail. RELOADING is not a state: the process is RUNNING, and not ready. The
// deadlines of readiness and the watchdog are suspended from Blind to Sighted, while nothing
// probes or listens. They begin anew when their Tick comes late, since then the daemon itself
// stood still and has heard nothing.
//
// # Duties
//
// The duties of the caller, the only one who may touch a Machine:
//
//  0. Give Defined before anything else.
//  1. Carry out the effects of a Step in order before the next Step.
//  2. Answer each Launch with exactly one Launched, LaunchFailed or Cancelled. The
//     last of these answers a Cancel, at once, if there is no process yet and will be none;
//     otherwise one of the others comes as it would have.
//  3. Answer each Launched and each Adopted, in the end, with exactly one Exited,
//     after the last output of the process has been read.
//  4. Answer a Kill that failed with anything but "no such process" with
//     KillFailed; a process that has gone needs no answer but its Exited.
//  5. Give a Tick at the time that Deadline names, or as soon after it as possible.
//
// It may import spec and runtime/state, and must not import os or a clock.
//
// Source: contract/process.md sections 1, 3, 5, 6, 8. Time is monotonic, so
// section 11's repairs of clock jumps are not needed.
package proc
