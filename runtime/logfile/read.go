package logfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"supervisord/runtime/trust"
)

// ErrBadArguments: the combination of offset and length is invalid.
var ErrBadArguments = errors.New("bad arguments")

// Part is a part of a log. Its length does not change when the log grows; if the log
// is emptied meanwhile, reading it ends early.
type Part struct {
	*io.SectionReader
	file *os.File
}

// Close ends the reading.
func (p *Part) Close() error { return p.file.Close() }

// OpenPart opens a part of a log: from offset on, length bytes or, with length 0,
// all that follows; a negative offset with length 0 counts from the end. Other
// negative numbers are ErrBadArguments. Beyond the end there is nothing.
//
// Source: contract/rpc.md section 6, read*.
func OpenPart(path string, offset, length int64) (*Part, error) {
	if length < 0 || offset < 0 && length != 0 {
		return nil, ErrBadArguments
	}
	f, size, err := openToRead(path)
	if err != nil {
		return nil, err
	}
	if offset < 0 {
		offset = max(size+offset, 0)
	}
	if length == 0 || length > size-offset {
		length = size - offset
	}
	return newPart(f, offset, length), nil
}

// OpenTail opens the last length bytes up to the end of the log for a reader who
// has read up to offset, and says the offset to ask from next, and whether that
// reader missed bytes. On an error the offset is returned as it was.
//
// Source: contract/rpc.md section 6, tail*.
func OpenTail(path string, offset, length int64) (part *Part, newOffset int64, overflow bool, err error) {
	f, size, err := openToRead(path)
	if err != nil {
		return nil, offset, false, err
	}
	// Numbers this far away mean the same, and their sums stay in range.
	const far = 1 << 61
	offset, length = min(max(offset, -far), far), min(max(length, -far), far)
	if overflow = size > offset+length; overflow {
		offset = size - 1
	}
	if offset+length > size {
		if offset > size-1 {
			length = 0
		}
		offset = size - length
	}
	return newPart(f, max(offset, 0), min(length, size)), size, overflow, nil // a client may ask for any length
}

// newPart is length bytes of a file from offset on.
func newPart(f *os.File, offset, length int64) *Part {
	return &Part{io.NewSectionReader(f, offset, max(length, 0)), f}
}

// openToRead opens a log for reading and says how long it is. Devices such as
// /dev/null are empty logs; nothing else that is not a regular file is opened,
// since reading it would wait or take away what others are to read.
func openToRead(path string) (*os.File, int64, error) {
	f, err := trust.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.Mode().IsRegular():
		return f, info.Size(), nil
	case info.Mode()&fs.ModeCharDevice != 0:
		return f, 0, nil
	default:
		err = fmt.Errorf("cannot read %s: %w", path, ErrNotRegular)
	}
	f.Close()
	return nil, 0, err
}
