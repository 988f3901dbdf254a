//go:build !linux

package logfile

import (
	"errors"
	"os"
)

// openAgain is only for Linux.
func openAgain(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }
