//go:build !linux

package capture

import (
	"os"
	"syscall"
	"time"
)

// busyPipe is a pipe that is left to fill, which is for Linux alone.
type busyPipe struct {
	fd    int
	pause time.Duration
}

func newBusyPipe(syscall.RawConn) (*busyPipe, *os.File) { return nil, nil }
func (*busyPipe) sleep(syscall.RawConn) bool            { return true }
