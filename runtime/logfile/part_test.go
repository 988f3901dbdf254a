package logfile

import (
	"errors"
	"io"
)

// Read is the bytes of OpenPart.
func Read(path string, offset, length int64) ([]byte, error) {
	part, err := OpenPart(path, offset, length)
	if err != nil {
		return nil, err
	}
	return part.readAll()
}

// Tail is OpenTail with the bytes.
func Tail(path string, offset, length int64) (data []byte, newOffset int64, overflow bool, err error) {
	part, newOffset, overflow, err := OpenTail(path, offset, length)
	if err != nil {
		return nil, newOffset, false, err
	}
	if data, err = part.readAll(); err != nil {
		return nil, offset, false, err
	}
	return data, newOffset, overflow, nil
}

// readAll reads the part, or up to the end of a file that shrinks meanwhile, and
// closes it.
func (p *Part) readAll() ([]byte, error) {
	defer p.Close()
	data := make([]byte, p.Size())
	n, err := io.ReadFull(p, data)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return data[:n], nil
}
