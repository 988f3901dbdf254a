// Command supervisorctl is the client of supervisord: one command from its
// arguments, or a shell that reads commands.
//
// Every command of Supervisor's own supervisorctl is here with its output and its exit
// status, byte for byte; commands.go holds the one table of them. What we add (diff, files,
// history, revert, unpin, autoupdate, pause, resume, disable, enable, wait, explain, drift,
// deps, reset, top, upgrade, completion, and -o json) does not change that output unless it
// is asked for. Advice for people goes to standard error, and only where
// that is a terminal. What goes to a terminal passes through visible.go, so that nothing
// written by others can act on it.
//
// Source: contract/supervisorctl.md; reconciler.md, Seeing it.
package main
