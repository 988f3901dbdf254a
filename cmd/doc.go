// Package cmd holds the programs: supervisord (the daemon), supervisorctl (its
// client), echo_supervisord_conf and pidproxy. The package itself has only
// tests that look at all of them, and at the tree as a whole.
package cmd
