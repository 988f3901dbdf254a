// Command bench measures supervisord from outside, next to Debian's Supervisor,
// other builds, and the limit: a program that does the same work and nothing else.
// It prints one Markdown table.
//
//	go run ./cmd/internal/bench [--against PATH] [--rounds N] [--rows REGEXP] [--sizes] [--json]
//
// Every round measures each row on every daemon in turn, so that other load on the
// machine affects all of them alike. Children report times by their own clock, through
// a FIFO: nothing queries a daemon while it is measured. It needs Linux, a C
// compiler that can link statically, and Debian's package supervisor.
package main
