// Package probe finds out whether a program is ready, or healthy, by looking at it from
// outside: a connection, a request, a command, a file.
//
// A Watch is one goroutine that looks again and again at one run of a program, and posts
// what is new: every failure, and every success that follows none. So a thousand healthy
// programs cost their looks, and the supervisor's loop nothing. What a finding means is
// decided there, by package proc.
//
// Looks of one Watch never overlap, and each is given up when its time is over. They are
// spread over the interval by the program's name (next), so that those of programs which
// were started together do not come together. No look waits with a thread of its own: what
// might hang in a disk goes through package hang.
//
// # Failure modes
//
//	nobody listens, or not well     the look has failed, at once
//	no answer, or a slow one        the look has failed when its time is over
//	a command that hangs            it is killed with its process group, the same
//	a disk that hangs               the same; what hangs in it is bounded by package hang
//	a name that is not resolved     the same as no answer
//	the daemon is busy              a look comes late; none are made up for
//
// It imports spec/value and runtime/hang.
package probe
