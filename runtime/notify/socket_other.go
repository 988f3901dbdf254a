//go:build !linux

package notify

import (
	"errors"
	"os"
)

// Listen fails: only Linux tells who sends.
func Listen() (socket *os.File, address string, err error) {
	return nil, "", errors.ErrUnsupported
}

// receive is never called.
func receive(int) (heard, error) { return heard{}, errors.ErrUnsupported }
