// Package probe checks from outside whether a program is ready or healthy: by a
// connection, a request, a command or a file.
//
// A Watch is one goroutine that checks one run of a program at intervals, and posts what
// is new: every failure, and every success that does not follow another. So the checks of
// a thousand healthy programs cost the supervisor's loop nothing. What a result means is
// decided there, by package proc.
//
// Checks of one Watch never overlap, and each is abandoned when it times out. They are
// spread over the interval by the program's name (next), so that programs started together
// are not checked together. No check blocks a thread: what might hang on a disk goes
// through package hang.
//
// # Failure modes
//
//	nobody listens, or not well     the check fails at once
//	no answer, or a slow one        the check fails when it times out
//	a command that hangs            it is killed with its process group, the same
//	a disk that hangs               the same; package hang limits what can hang on it
//	a name that does not resolve    the same as no answer
//	the daemon is busy              a check is late; missed ones are not made up for
//
// It imports spec/value and runtime/hang.
package probe
