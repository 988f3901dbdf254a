// Package usage measures the resources that each supervised process uses: processor time,
// memory, threads and open files, including those of its descendants.
//
// # What belongs to a process
//
// Every descendant for which it is the nearest supervised ancestor, and every process of
// its process group whose ancestors have ended. Processes that left the group and lost
// their parents belong to none.
//
// CPU time is that of the living processes and of the children they have waited for. A
// process that ends without being waited for would take its time with it; the Sampler
// remembers that time, so the figure of one run never decreases.
//
// # When it is measured
//
// Only on demand. Sample reads /proc once for all processes, on its own goroutine, and
// the result serves all callers for five seconds. Callers that come meanwhile wait for the
// same reading, until two seconds after it began: a /proc that does not answer costs one
// goroutine, and the callers nothing but their figures.
//
// History is for graphs. Once it has been asked for, Run takes a sample every ten seconds;
// after a quarter of an hour without a request it stops and forgets them. The first
// request waits for the first sample, a fifth of a second at most.
//
// On systems other than Linux it returns errors.ErrUnsupported.
//
// It imports procstat and notice, and nothing else of this module.
package usage
