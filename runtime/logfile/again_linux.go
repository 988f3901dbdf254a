package logfile

import (
	"fmt"
	"os"
)

// openAgain opens a file that is open for writing for reading, too, although it may have
// no name any longer.
func openAgain(f *os.File) (again *os.File, err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	failed := conn.Control(func(fd uintptr) { again, err = os.Open(fmt.Sprintf("/proc/self/fd/%d", fd)) })
	if failed != nil {
		return nil, failed
	}
	return again, err
}
