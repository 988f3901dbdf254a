package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// pidfile is the file that holds the daemon's number.
type pidfile struct{ path string }

// writePidfile writes it and says so in the log, as Supervisor does.
//
// Source: contract/config.md section 10, pidfile.
func writePidfile(path string, log *slog.Logger) pidfile {
	err := os.WriteFile(path, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o666)
	if err != nil {
		log.Log(context.Background(), levelCritical, "could not write pidfile "+path)
		return pidfile{}
	}
	log.Info(fmt.Sprintf("supervisord started with pid %d", os.Getpid()))
	return pidfile{path}
}

// remove takes the file away, if it is still about us.
func (p pidfile) remove() {
	if p.path == "" {
		return
	}
	text, err := os.ReadFile(p.path)
	if err == nil && strings.TrimSpace(string(text)) == fmt.Sprint(os.Getpid()) {
		os.Remove(p.path)
	}
}
