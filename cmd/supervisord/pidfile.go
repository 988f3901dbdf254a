package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"

	"supervisord/runtime/trust"
)

// pidfile is the file that holds the daemon's number. Its methods may be called
// from any goroutine.
type pidfile struct {
	log *slog.Logger

	mu   sync.Mutex // held for as long as it takes to write so small a file
	path string     // "" where there is none, or no more
}

// writePidfile writes it and says so in the log, as Supervisor does.
//
// Source: contract/config.md section 10, pidfile.
func writePidfile(path string, log *slog.Logger) *pidfile {
	p := &pidfile{path: path, log: log}
	if err := p.write(); err != nil {
		text := "could not write pidfile " + path
		if refused := (*trust.Refused)(nil); errors.As(err, &refused) {
			text += ": " + refused.Error()
		}
		log.Log(context.Background(), levelCritical, text)
		p.path = ""
		return p
	}
	log.Info(fmt.Sprintf("supervisord started with pid %d", os.Getpid()))
	return p
}

func (p *pidfile) write() error {
	return trust.WriteFile(p.path, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o666)
}

// keep writes it again if somebody removed it: without it, scripts take the
// daemon for dead and start another.
func (p *pidfile) keep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.path == "" {
		return
	}
	if _, err := os.Lstat(p.path); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if p.write() == nil { // else its folder is gone, too, and the next look may find it again
		p.log.Warn("pidfile " + p.path + " had vanished and was created again")
	}
}

// otherDaemon is the number of another daemon that wrote the pidfile and lives, 0
// where there is none or, on systems without /proc, none that we know of.
func otherDaemon(path string) int {
	text, err := trust.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid == os.Getpid() {
		return 0
	}
	theirs, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return 0
	}
	ours, err := os.Stat("/proc/self/exe")
	if err != nil || !os.SameFile(ours, theirs) {
		return 0 // the number is another program's by now
	}
	return pid
}

// remove takes the file away, if it is still about us, for good.
func (p *pidfile) remove() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.path == "" {
		return
	}
	text, err := trust.ReadFile(p.path)
	if err == nil && strings.TrimSpace(string(text)) == fmt.Sprint(os.Getpid()) {
		os.Remove(p.path)
	}
	p.path = ""
}
