// Package depend decides what a process waits for before it is started: from what its
// definition needs (spec.Graph) and how the processes are that it names. It is pure.
//
// # A start that waits
//
//	        start, not a person's, and something needed is not there
//	STOPPED  ───────────────────────────────────────────────┐
//	FATAL                                                    ▼
//	                                                   waiting for it ──▶ STARTING
//	EXITED   ── it would be restarted, and … ───────────────▲  │    all is there
//	BACKOFF  ── its back-off is over, and … ────────────────┘  │
//	                                                            └──▶ as it was
//	                                     a stop; the end of the daemon; for a request
//	                                     for several: what it waits for has failed
//
// Waiting is no state: to clients the process stays STOPPED, FATAL, EXITED or BACKOFF,
// and no event is emitted. Its description says what it waits for.
//
// # Who waits, and for what
//
//	at boot, in an update, after a death    for all that its definition names
//	a request for several (start all)       for what is among them
//	start --with-deps NAME                  for what it needs, which is started too
//	start NAME by a person                  for nothing
//
// What is there:
//
//	name, name:running    RUNNING
//	name:started          there is a process, or it has ended by itself
//	name:exited           EXITED
//	name:done             it has ended as its exit codes expect, ever since it was defined
//	                      as it is; an upgrade of the daemon in place does not forget that
//	name?                 any of these; or it is FATAL, has ended for good, is missing, or
//	                      is disabled: autostart=false, or stopped by a person
//
// A name that means several processes is there when each of them is. A name that nothing
// defines is waited for.
//
// # The other way round
//
// Stops of several, a removal and the end of the daemon go against the order: what others
// need is stopped when those are down. Nothing else is ever touched because of what it
// depends on, but for restart_with: when one that it names is RUNNING with another pid
// than before, what runs, and began before that, is restarted.
//
// It imports spec and runtime/state, and must not import os or a clock.
package depend
