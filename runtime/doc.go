// Package runtime is the supervisor: it starts processes, watches them, stops
// them, keeps their output and delivers events.
//
// # Who owns what
//
// One goroutine, Supervisor.Run, called the loop, owns every group, process,
// event pool and waiting request. Everyone else asks it: the exported methods
// hand it a question and wait for the answer. A turn of the loop is
//
//	one thing that happened: a question, a fact from a stream, the result of a
//	    launch, a child that died, the timer, the end of the context
//	the process's machine (runtime/proc) makes effects of it
//	the effects are carried out in order; what comes of them is the next input
//	events are offered to listeners; requests whose condition now holds are answered
//	the one timer is armed for the earliest deadline
//
// Nothing slow happens in the loop: no disk, no socket, no waiting. A launch
// (looking up the command, opening logs, making pipes, fork and exec) runs on a
// goroutine of its own and posts its result. Output is read and written to its
// log by one goroutine per pipe (runtime/capture), which posts only facts.
// The activity log has a writer of its own (runtime/mainlog).
//
// # Launches keep their order
//
// Launches wait in line (line.go). Four of them get ready at once, and they fork one after
// another, so processes are forked, and told of, in the order of their priorities. The
// first in line may be stuck (a log on a dead NFS server, a FIFO that nobody reads): after
// half a second the others go on without it, and a tenth after each further one, so that it
// delays its own process alone. One that is only slow, on a busy machine, is waited for.
// Until it forks, a launch can be called off: a stop, or the end of the daemon, does that,
// and nothing comes of it however long it hangs.
//
// # Who waits for whom
//
// A start that is not a person's waits for what the definition depends on
// (runtime/depend, order.go). Whether it is there is looked at with every input of the
// process's machine and, for those that wait, at the end of every turn in which anything
// has changed; so no start can overtake a change. The graph is made anew of the groups
// in force when one of them changes. Stops of several, and those of the end, are
// divided into stages by the same graph.
//
// # Exit comes after output
//
// When a child is reaped the loop keeps its status and tells the streams, and who hears
// what it says of itself, to finish; the machine hears of the exit when they are done. A stream gives up
// on a log that is stuck after a few seconds.
//
// # The end
//
// Groups are stopped one after another, and nothing before all that depends on it. While a process has time left of its
// stopwaitsecs the end waits for it; all that it waits for otherwise (disks, launches,
// sockets, listeners, a process that does not die of SIGKILL) has two seconds in all,
// or none once GiveUpOnDisks is called. Before Run returns, logs are closed within what
// is left of them.
//
// # Descendants
//
// A process may leave descendants behind: members of its process group, with a
// killmode also those that left the group, and with killmode=cgroup the members of its
// cgroup. Who left the group is known by his being, or descending from, an orphan that
// came to us with a variable of the run in its environment; so the daemon is a
// subreaper while there is such a program, as process 1 is by nature. They are counted when the process has ended, and
// a stop, a restart, a removal or a shutdown ends those that are left within
// stopwaitsecs. Counting them means reading the kernel's file systems, so it is
// done outside the loop. Once the leader was reaped its pid may be given out again,
// so the group is signalled by number only while a member is known by its start
// time; one that has a process of the leader's own pid is another's.
//
// # Survivors
//
// Options.BeforeSpawn and Options.OnChange tell of all that is started and ends, for a
// table that outlives the daemon. A later one recognises a process by its pid and
// start time or, if the daemon was killed before the pid was told, by its pipes. It
// refers to it by a pidfd, and ends (EndSurvivors) or adopts it (Adopt). No process
// but a child of ours, which only we can reap, is signalled by its pid.
//
// # The handover
//
// A Supervisor can end without an end: HandOver gives out all that it knows, and another
// one, made with Options.From in this process or in the image that is executed in it, goes
// on. The children see nothing of it.
//
//	it begins     no launch begins any more; those that have not forked wait in line again.
//	              Probes stop; in the next life they look again at once. The clocks of
//	              what is found out about processes (ready_timeout, watchdog) stand still
//	it waits      for whatever is under way outside the loop (underway.go): launches that
//	              have forked, the closing of logs, the counting of descendants
//	it pauses     streams, standard inputs and what is said by processes stop; what is in
//	              the pipes and sockets stays there
//	it is quiet   the facts that were posted are taken; if nothing has come of them, all
//	              of it is written down in one turn, which is the last
//
// Until that turn everything can go on as before, and does when it takes too long.
//
// What is written down is plain data, which each type makes of itself and of which it is
// made again (proc.Saved, event.Saved, capture.Saved, logfile.Saved, launch.SavedSocket),
// and open descriptors. Times are ages by a clock that nobody sets (runtime/moment). All
// of it is checked before any of it is used (handedcheck.go).
//
// # No fork and exit race
//
// The loop alone reaps. The status of an unknown pid is kept while a fork is under
// way, since the launch may not have told its pid yet. It is taken for that of a
// launch whose fork began before it; an earlier one is that of an orphan which had
// the same pid. A launch that waits for something else, such as a disk, keeps none.
//
// # Goroutines
//
//	the loop           1
//	streams            1 for each captured pipe, asleep while the pipe is empty
//	launches           1 for each launch under way
//	standard input     1 for each process to which data is queued
//	adopted processes  1 for each, asleep until it ends
//	descendants        1 for each count, signal or end of those of an ended process
//	sockets            2 for each FastCGI socket that is being closed
//	logs               1 for each closing, change or removal of a process's logs
//	probes             1 for each thing that is found out about a process, and what its look needs
//	what is said       1 for each socket or pipe on which a process says how it is, asleep
//	                   while it says nothing (runtime/notify)
//	requests           1 for each log, or command to be looked up, of a request, and for
//	                   each directory of logs that are looked after
//	the end            2, which wait for the last launch and the last log
//
// Those on a disk that hangs may outlive Run; whatever they post then is dropped.
//
// It imports spec and its own subpackages, never rpc, reconcile or net/http.
//
// Source: contract/process.md, contract/events.md section 8.
package runtime
