// Command bench measures supervisord from outside, beside Debian's Supervisor, other
// builds, and the limit: the same work done by something that does nothing else. It
// prints one Markdown table.
//
//	go run ./cmd/internal/bench [--against PATH] [--rounds N] [--rows REGEXP] [--sizes] [--json]
//
// Every round measures each row on every daemon in turn, so that what the machine does
// besides hits all of them alike. What children tell of themselves is their own clock,
// written to a FIFO: nothing asks a daemon while it is measured. It needs Linux, a C
// compiler that can link statically, and Debian's package supervisor.
package main
