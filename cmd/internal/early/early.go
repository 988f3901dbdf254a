// Package early catches the signals that end the daemon, in a program that is executed in
// the place of an earlier one, while that program's other parts are still being made: until
// then such a signal ends it, with all that runs left to the next daemon. It imports next to
// nothing, so that it comes early among the packages.
package early

import (
	"os"
	"os/signal"
	"syscall"
)

// Variable is, in the environment of such a program, the descriptor of what the earlier one
// left.
const Variable = "_SUPERVISORD_UPGRADE_FD"

// Exits has one of each signal that came.
var Exits = make(chan os.Signal, 3)

func init() {
	if _, upgraded := os.LookupEnv(Variable); upgraded {
		signal.Notify(Exits, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	}
}
