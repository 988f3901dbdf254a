// Package launch starts, signals and reaps processes. No other package does.
//
// # Starting
//
// A Launcher's Start makes the pipes, forks, and returns once the program has been
// executed or could not be. It blocks, so callers run each start outside the loop, on
// its own goroutine. There is no helper process between fork and exec.
//
// On Linux a few operating system threads of the Launcher do all the forking. Each has
// its own umask and no blocked signals, so that settings for one child are never seen by
// another, nor by the daemon. Each has a small descriptor table, since every child gets
// a copy of it, in which execve closes what the program must not have. The fork suspends
// the thread until the child has executed its program (vfork), and Go's scheduler does
// not know: a chdir or exec that hangs would eventually stop the whole daemon. Start
// therefore reads the directory and the program first, where a hang costs one goroutine.
//
// A risk remains: a mount that stops answering between the read and the exec, or an
// interpreter (a script's, or the dynamic loader) on another mount than the program's.
// The thread then holds a processor of Go's scheduler, the next garbage collection waits
// for it, and the daemon stands still until the kernel gives up. Only a helper process
// between the daemon and the child would remove that risk, and would cost each start
// about 1.6 ms.
//
// # Reaping
//
// Reap collects every child that has ended; the loop calls it on SIGCHLD.
// Nothing else in the daemon may wait for a process. The rules between Start
// and Reap:
//
//   - A child may end, and Reap may report it, before Start has returned its
//     pid. The caller of Reap keeps the statuses of pids it does not know while a
//     Start is past Command.Announce, and looks them up when Start returns. An exit
//     from before Announce, or one left over when no Start is past it, belongs to an
//     orphan that was reparented to us as process 1 or subreaper.
//   - When Start fails, the child that failed is reaped before Start returns
//     and, on Linux, never seen by Reap. This holds by two means. A child is
//     cloned with a termination signal other than SIGCHLD, which the kernel
//     sets back to SIGCHLD in execve: until then it is a "clone child", which
//     plain wait4 passes over, and the thread that made it collects it with
//     __WCLONE|__WNOTHREAD, learning its pid. This includes one that was killed before
//     its exec. Where clone3 is needed (a cgroup), which takes no termination signal
//     from us, Reap and the fork exclude each other.
//   - On other systems a failed child's pid is not known (Error.PID is 0), and
//     Reap may in rare cases report it as an unknown pid with exit status 253.
//   - What Run has started for the daemon itself, such as getent, may be collected by
//     either; Reap hands its status over and does not return it, unless it ended
//     before its pid was known: then it is returned as PerhapsOurs, and Stranger tells.
//
// Statuses are never stolen: nobody waits for a pid that Reap might return.
//
// # Failing
//
// An *Error says how far a start got. Failures up to the fork (StagePipes,
// StageFork) are the daemon's: SpawnErr gives Supervisor's text. Later ones
// (StageUser, StageDir, StageExec) happened in the child. Supervisor's users
// see such a child as spawned, with a message on its standard error and exit
// status 127, whatever the kernel saw; ChildMessage is that message.
//
// # Readiness
//
// With ReadyFD, a child has one more descriptor, the write end of a pipe; our end is in
// Child.
//
// Of this module it imports only runtime/state, runtime/trust and runtime/procstat.
package launch
