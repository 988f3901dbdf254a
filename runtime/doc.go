// Package runtime is the supervisor: it starts processes, watches them, stops
// them, keeps their output and delivers events.
//
// # Who owns what
//
// The loop owns every group, process, event pool and waiting request. It is no
// goroutine but a sequence of turns, one at a time: whoever has something to tell
// or to ask receives a token, is the loop for one turn, and puts the token back.
// Supervisor.Run takes a turn for a child that died, for the timer and for the end
// of its context; the exported methods take one for a question, a stream for a
// fact that it found out, a launch for its result. That saves handing each of them
// to another goroutine and waking it, which costs more than most turns. A turn is
//
//	one thing that happened: a question, a fact from a stream, the result of a
//	    launch, a child that died, the timer, the end of the context
//	the process's machine (runtime/proc) makes effects of it
//	the effects are carried out in order; what comes of them is the next input
//	events are offered to listeners; requests whose condition now holds are answered
//	the one timer is armed for the earliest deadline
//
// A turn never takes another. A panic in one ends the daemon, whose goroutine ever
// it is.
//
// Nothing slow happens in the loop: no disk, no socket, no waiting. A launch
// (looking up the command, opening logs, making pipes, fork and exec) runs on a
// goroutine of its own and posts its result. Output is read and written to its
// log by one goroutine per pipe (runtime/capture), which posts only facts.
// The activity log has a writer of its own (runtime/mainlog).
//
// # Launches keep their order
//
// Launches wait in line and are made one at a time, so processes are forked in
// the order of their priorities. One that is stuck (a log on a dead NFS server,
// a FIFO that nobody reads) is overtaken after a tenth of a second: it delays
// its own process alone.
//
// # Exit comes after output
//
// When a child is reaped the loop keeps its status and tells the streams to
// finish; the machine hears of the exit when they are done. A stream gives up
// on a log that is stuck after a few seconds.
//
// # What belongs to a process
//
// A process may leave others behind: members of its group or, with
// killmode=cgroup, whoever was born in its cgroup. That is its kin. It is looked
// for when the process has ended, and what a stop, a restart, a removal or a
// shutdown finds is ended within stopwaitsecs. Looking means reading the kernel's
// file systems, so it is done outside the loop.
//
// # Survivors
//
// Options.BeforeSpawn and Options.OnChange tell of all that is started and ends, for a
// table that outlives the daemon. A later one recognises a process by its pid and
// start time or, if the daemon was killed before the pid was told, by its pipes. It
// holds it by a pidfd, and ends (EndSurvivors) or adopts it (Adopt). No process
// but a child of ours, which only we can reap, is signalled by a bare number.
//
// # No fork and exit race
//
// The loop alone reaps. A status of a process that is not known yet is kept
// while forks are under way, since its own may not have been heard of. A launch
// that waits for something else, such as a disk, keeps nothing: the number may
// be given out again meanwhile.
//
// # Goroutines
//
//	Run                1, asleep until a child dies or the timer ends
//	streams            1 for each captured pipe, asleep while the pipe is empty
//	launches           1 for each launch under way
//	standard input     1 for each process to which data is queued
//	adopted processes  1 for each, asleep until it ends
//	looks              1 for each look at, or end of, what a process left behind
//	logs               1 for each closing, change or removal of a process's logs
//	the end            1, which waits for the last launch
//
// Those on the disk may outlive Run; whatever they post then is dropped.
//
// It imports spec and its own subpackages, never rpc, reconcile or net/http.
//
// Source: contract/process.md, contract/events.md section 8.
package runtime
