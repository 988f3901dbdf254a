// Package depend decides what a process waits for before it is started, from its
// dependencies (spec.Graph) and the states of the processes they name. It is pure.
//
// # A start that waits
//
//	        start, not by a person, and something needed is missing
//	STOPPED  ───────────────────────────────────────────────┐
//	FATAL                                                    ▼
//	                                                   waiting for it ──▶ STARTING
//	EXITED   ── it would be restarted, and … ───────────────▲  │    all is there
//	BACKOFF  ── its back-off is over, and … ────────────────┘  │
//	                                                            └──▶ as it was
//	                                     a stop; the end of the daemon; for a request
//	                                     for several: what it waits for has failed
//
// Waiting is not a state: for clients the process stays STOPPED, FATAL, EXITED or BACKOFF,
// and no event is emitted. Its description says what it waits for.
//
// # Who waits, and for what
//
//	at boot, in an update, after a death    for all that its definition names
//	a request for several (start all)       for what is among them
//	start --with-deps NAME                  for what it needs, which is started too
//	start NAME by a person                  for nothing
//
// When a dependency is satisfied:
//
//	name, name:running    RUNNING
//	name:started          there is a process, or it has ended by itself
//	name:exited           EXITED
//	name:done             it has ended as its exit codes expect, ever since it was defined
//	                      as it is; an upgrade of the daemon in place does not forget that
//	name?                 any of these; or it is FATAL, has ended for good, is missing, or
//	                      is not to run: autostart=false, stopped or disabled by a person
//
// A name that stands for several processes is satisfied when each of them is. A name that
// no file defines is waited for.
//
// # Stopping
//
// Stops of several processes, removals and the shutdown go in reverse order: a process is
// stopped once all that need it are down. Apart from that, dependencies never affect a
// running process, except by restart_with: when a process named there is RUNNING with a
// new pid, running processes that began before it are restarted.
//
// It imports spec and runtime/state, and must not import os or a clock.
package depend
