// Command supervisorctl is the client of supervisord: one command from its
// arguments, or a shell that reads commands.
//
// Every command of Supervisor's own supervisorctl is here with its output and
// its exit status, byte for byte; commands.go holds the one table of them. What
// is ours beyond them (diff, files, history, autoupdate, wait, top, upgrade, completion, and
// -o json) changes nothing of that output unless it is asked for. Advice for
// people goes to standard error, and only where that is a terminal. What goes
// to a terminal passes visible.go, so that nothing others wrote can act on it.
//
// Source: contract/supervisorctl.md; reconciler.md, Seeing it.
package main
