package rpc

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"time"
)

// A browser has six connections to a server and no more, and a page of a process that took two
// of them left none for a button once three were open. So the log that such a page shows comes
// in its stream of changes.

// appended gives what is appended to a log from an offset on, in pieces of whole characters; of
// one that is not there yet, once it is. It is closed when ctx has ended, or the log cannot be
// read any more.
func (s *Server) appended(ctx context.Context, path string, from int64) <-chan []byte {
	pieces := make(chan []byte) // without room: who is slow is read for slowly
	go func() {                 // ends with ctx, which its stream waits for
		defer close(pieces)
		f, err := s.follow(ctx, path, from)
		for errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
			const again = time.Second
			pause(ctx, again)
			f, err = s.follow(ctx, path, 0)
		}
		if err != nil {
			return
		}
		defer f.close()
		var rest []byte // of a character whose end has not been read
		f.run(ctx, s.opt.Poll, func() bool { return false }, func(p []byte) error {
			p = append(rest, p...)
			end := wholeRunes(p)
			rest = bytes.Clone(p[end:])
			select {
			case pieces <- p[:end]:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	return pieces
}
