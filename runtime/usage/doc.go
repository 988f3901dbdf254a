// Package usage measures what each supervised process takes of the machine: processor
// time, memory, threads and open files, of itself and of all that descends from it.
//
// # What belongs to a process
//
// Whoever has it among his ancestors, up to the nearest supervised one; and, when his
// ancestors have ended, whoever is still in its process group. Those who have left the
// group and lost their parents are nobody's.
//
// A process's CPU time is that of those who live and of the children that they have waited
// for. What ends without being waited for would take its time away with it; the Sampler
// keeps it, so that the figure of one run never falls.
//
// # When it is measured
//
// Never by itself. Sample reads /proc once for all processes, on a goroutine of its own,
// and what it has read serves everybody for five seconds. Who asks meanwhile waits for the
// same reading, for two seconds from its beginning at the most: a /proc that does not
// answer costs one goroutine, and everybody else nothing but the figures.
//
// History is for graphs. Run asks for a sample every ten seconds once somebody has looked
// at the history, until nobody has for a quarter of an hour, and forgets it then. Who looks
// first waits for the first sample, a fifth of a second at the most.
//
// Elsewhere than on Linux there is no such file system, and errors.ErrUnsupported.
//
// It imports procstat and notice, and nothing else of ours.
package usage
