// Package runtime is the supervisor: it starts processes, watches them, stops
// them, keeps their output and delivers events.
//
// # Who owns what
//
// One goroutine, Supervisor.Run, called the loop, owns every group, process,
// event pool and waiting request. All other goroutines ask it: the exported methods
// send it a question and wait for the answer. One turn of the loop is
//
//	one input: a question, a fact from a stream, the result of a launch, a child
//	    that died, the timer, the end of the context
//	the process's state machine (runtime/proc) turns it into effects
//	the effects are carried out in order; their results are the next inputs
//	events are offered to listeners; requests whose condition now holds are answered
//	the one timer is set to the earliest deadline
//
// Nothing slow happens in the loop: no disk, no socket, no waiting. A launch
// (looking up the command, opening logs, making pipes, fork and exec) runs on its
// own goroutine and posts its result. Output is read and written to its log by one
// goroutine per pipe (runtime/capture), which posts only facts. The activity log has
// its own writer (runtime/mainlog).
//
// # Launches keep their order
//
// Launches queue (line.go). Up to four are prepared at once, but they fork one after
// another, so processes are forked, and reported, in the order of their priorities. The
// first in the queue may be stuck (a log on a dead NFS server, a FIFO without a reader).
// After half a second the others overtake it, and after a tenth of a second each further
// stuck one, so that a stuck launch delays only its own process. A launch that is merely
// slow, on a busy machine, is waited for. Until it forks, a launch can be cancelled by a
// stop or by the end of the daemon, however long it hangs.
//
// # Who waits for whom
//
// A start that nobody asked for by name waits for what the definition depends on
// (runtime/depend, order.go). The dependencies are checked on every input of the
// process's state machine and, for processes that wait, at the end of every turn in which
// anything changed; so no start can overtake a change. The graph is rebuilt whenever
// one of the active groups changes. Stops of several processes, and the shutdown, are
// divided into stages by the same graph. A disabled process (SetDisabled, disabled.go) is
// started only by a request that names it. Optional dependencies do not wait for it.
//
// # Exit comes after output
//
// When a child is reaped the loop keeps its status and tells its streams and notification
// readers to finish; the state machine gets the exit once they are done. A stream gives up
// on a stuck log after a few seconds.
//
// # Shutdown
//
// Groups are stopped one after another, each after everything that depends on it. The
// shutdown waits for a process as long as its stopwaitsecs allow. Everything else it waits
// for (disks, launches, sockets, listeners, a process that survives SIGKILL) shares two
// seconds in all, or none once GiveUpOnDisks is called. In what is left of them, logs are
// closed before Run returns.
//
// # Descendants
//
// A process may leave descendants behind: members of its process group; with a
// killmode also those that left the group; and with killmode=cgroup the members of its
// cgroup. A process that left the group is recognised as an orphan, or a descendant of
// one, that was reparented to us with a variable of the run in its environment; so
// the daemon is a subreaper while there is such a program. Descendants are counted when
// the process has ended, and a stop, restart, removal or shutdown ends those that are
// left within stopwaitsecs. Counting means reading the kernel's file systems, so it
// happens outside the loop. Once the leader is reaped its pid may be reused, so the group
// is signalled by number only while a member is known by its start time; a group with a
// process of the leader's own pid belongs to somebody else.
//
// # Survivors
//
// Options.BeforeSpawn and Options.OnChange report every start and end, for a table that
// outlives the daemon. The next daemon recognises a process by its pid and start time
// or, if this one was killed before it knew the pid, by its pipes. It refers to the process by a
// pidfd, and ends (EndSurvivors) or adopts it (Adopt). Only children of ours, which
// nobody else can reap, are signalled by pid.
//
// # The handover
//
// A Supervisor can stop without stopping its programs: HandOver returns its whole state,
// and another Supervisor, made with Options.From in this process or in the program that
// it executes, continues from it. The children do not notice.
//
//	begin    no launch begins any more; those that have not forked are queued again.
//	         Probes stop; the next Supervisor probes again at once. The clocks of
//	         ready_timeout and watchdog stand still
//	wait     for everything under way outside the loop (underway.go): launches that
//	         have forked, logs being closed, descendants being counted
//	pause    streams, standard inputs and notifications stop; the pipes and sockets keep
//	         what is in them
//	save     the facts posted meanwhile are processed; if they caused nothing new, the
//	         state is saved in one turn, which is the last
//
// Until that last turn everything can continue as before, and does if this takes too long.
//
// The state is open descriptors and plain data, which each type saves and is restored
// from (proc.Saved, event.Saved, capture.Saved, logfile.Saved, launch.SavedSocket). Times
// are saved as ages by a monotonic clock (runtime/moment). Everything is checked before
// any of it is used (handedcheck.go).
//
// # No fork and exit race
//
// Only the loop reaps. The status of an unknown pid is kept while a fork is under way,
// since the launch may not have reported its pid yet. It belongs to a launch only if the
// fork began before the status was reaped; otherwise it is that of an orphan with the same
// pid. For a launch that waits for something else, such as a disk, no status is kept.
//
// # Goroutines
//
//	the loop           1
//	streams            1 for each captured pipe, from its first byte on, asleep while the pipe
//	                   is empty, and 2 for all those without a first byte
//	launches           1 for each launch under way
//	standard input     1 for each process that has data queued for it
//	adopted processes  1 for each, asleep until it ends
//	descendants        1 for each time those of an ended process are counted, signalled or ended
//	sockets            2 for each FastCGI socket that is being closed
//	logs               1 for each closing, change or removal of a process's logs
//	probes             1 for each readiness or health check, and what its probe needs
//	notifications      1 for each socket or pipe on which a process reports its state, asleep
//	                   while nothing arrives (runtime/notify)
//	requests           1 for each log, or command to be looked up, of a request, and for
//	                   each log directory that is checked
//	shutdown           2, to wait for the last launch and the last log
//
// Those stuck on a hanging disk may outlive Run; what they post then is dropped.
//
// Source: contract/process.md, contract/events.md section 8.
package runtime
