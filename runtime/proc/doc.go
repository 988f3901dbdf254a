// Package proc is the state machine of one process: what Supervisor calls
// STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL and UNKNOWN, and
// every way from one to another.
//
// It is pure. It has no clock, starts nothing and signals nothing: an Input and
// the present time go in, Effects come out as values, in the order in which
// they are to be carried out, and whatever comes of an effect is the next
// input. The same history gives the same effects, so the whole of it is tested
// with tables, transcripts and random walks.
//
// # The states
//
// Each arrow is an event of its own. What is ours beyond Supervisor is marked with a star,
// and taken only where a key asks for it.
//
//	STOPPED  ──> STARTING   a start
//	         ──> RUNNING    a process of an earlier daemon is adopted
//	         ──> STARTING * it was unhealthy
//	         ──> BACKOFF  * the same, and backoff is set
//	         ──> FATAL    * the same, and crash_limit is reached
//	STARTING ──> RUNNING    it has been up for startsecs and, with ready, was found ready
//	         ──> BACKOFF    it could not be spawned, or has ended before. With ready_timeout
//	                        it is sent its stop signal, and SIGKILL after stopwaitsecs
//	         ──> STOPPING   a stop
//	         ──> UNKNOWN    it could not be signalled
//	RUNNING  ──> EXITED     it has ended. When it has said that it is about to, it is sent
//	                        SIGKILL after stopwaitsecs
//	         ──> STOPPING   a stop, health has failed, or the watchdog has waited in vain
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
// # What the process says
//
// A Notice (notice.go) moves deadlines and changes what is shown. It changes the state only
// as what is found out from outside does: READY=1 as a probe that succeeds, a watchdog that
// waits in vain as too many looks that fail. RELOADING is no state: the process is RUNNING,
// and not ready. The clocks of readiness and the watchdog stand still from Blind to Sighted,
// while nobody looks and hears.
//
// # Duties
//
// The duties of the caller, who alone may touch a Machine:
//
//  0. Give Defined before anything else.
//  1. Carry out the effects of a Step in order before the next Step.
//  2. Answer each Launch with exactly one Launched, LaunchFailed or Cancelled. The
//     last of these is the answer to a Cancel, at once, if there is no process yet
//     and will be none; otherwise one of the others comes as it would have.
//  3. Answer each Launched and each Adopted, in the end, with exactly one Exited,
//     after the last output of the process has been read.
//  4. Answer a Kill that failed with anything but "no such process" with
//     KillFailed; a process that has gone needs no answer but its Exited.
//  5. Give a Tick at or after the time that Deadline names, as soon as may be.
//
// It may import spec and runtime/state, and must not import os or a clock.
//
// Source: contract/process.md sections 1, 3, 5, 6, 8. Time is monotonic, so
// section 11's repairs of clock jumps are not needed.
package proc
