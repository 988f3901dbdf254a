package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"supervisord/runtime/logfile"
	"supervisord/runtime/trust"
	"supervisord/spec"
)

// tailBytes is how many of a log's last bytes a stream begins with.
const tailBytes = 1024

// truncated is what a stream says when its log was emptied in place.
const truncated = "==> File truncated <==\n"

// serveLogtail streams a process's log: /logtail/NAME, then nothing, /stdout or
// /stderr.
//
// Source: contract/rpc.md section 1, endpoints.
func (s *Server) serveLogtail(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case r.Method != http.MethodGet:
		httpError(w, http.StatusBadRequest)
		return
	case len(parts) == 1:
		httpError(w, http.StatusInternalServerError)
		return
	case len(parts) > 3:
		httpError(w, http.StatusNotFound)
		return
	}
	name := spec.ParseNamespec(parts[1])
	info, err := s.opt.Processes.Info(r.Context(), name.Group, name.Process)
	if err != nil || name.WholeGroup() {
		httpError(w, http.StatusNotFound)
		return
	}
	path := info.StdoutLog
	if len(parts) == 3 {
		switch parts[2] {
		case "stdout":
		case "stderr":
			path = info.StderrLog
		default:
			path = ""
		}
	}
	w.Header().Set("X-Accel-Buffering", "no")
	s.stream(w, r, path)
}

// serveMainLogtail streams supervisord's own log.
func (s *Server) serveMainLogtail(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		httpError(w, http.StatusBadRequest)
		return
	}
	s.stream(w, r, s.opt.MainLog.Path())
}

// stream follows a log until the client goes or the server ends. Of a terminal, a
// pipe or another device it says that it cannot; Supervisor sends nothing, for ever.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, path string) {
	f, info, err := openLog(path)
	if errors.Is(err, logfile.ErrNotRegular) {
		text := fmt.Sprintf("==> %s cannot be read back: it is not a regular file <==\n", path)
		w.Header().Set("Content-Type", "text/plain;charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		io.WriteString(w, text)
		return
	}
	if err != nil {
		w.Header().Del("X-Accel-Buffering")
		httpError(w, http.StatusNotFound)
		return
	}
	if err := lasts(r.Context(), streaming); err != nil {
		f.Close()
		w.Header().Set("Connection", "close")
		httpErrorMessage(w, http.StatusServiceUnavailable, "Service Unavailable: "+err.Error())
		return
	}
	w.Header().Set("Last-Modified", info.ModTime().UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "text/plain;charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff") // a log is never a page
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	if control.Flush() != nil || control.SetWriteDeadline(time.Time{}) != nil { // a reader may pause for hours
		f.Close()
		return
	}
	tail := &follower{path: path, file: f, offset: max(info.Size()-tailBytes, 0)}
	defer func() { tail.file.Close() }()
	nc := r.Context().Value(connKey{}).(*conn).net
	tail.run(r.Context(), s.opt.Poll, func() bool { return gone(nc) }, func(p []byte) error {
		if _, err := w.Write(p); err != nil {
			return err
		}
		return control.Flush()
	})
}

// openLog opens a log that is a regular file; nothing else can be followed.
func openLog(path string) (*os.File, os.FileInfo, error) {
	if path == "" {
		return nil, nil, fs.ErrNotExist
	}
	f, err := trust.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil || info.Mode().IsRegular():
	case info.IsDir() || path == os.DevNull: // nothing is written there
		err = fs.ErrNotExist
	default:
		err = logfile.ErrNotRegular
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// follower reads what is appended to a file. It asks the file from time to
// time, while a client listens and only then: a log may be written by another
// than us, and two system calls each time cost next to nothing.
type follower struct {
	path   string
	file   *os.File
	offset int64
	buf    [16 << 10]byte // there may be hundreds of streams
}

// run sends what there is and what comes, until ctx ends, send fails or gone says so.
// ctx does not end with the client where that sent more than its request, as the
// original's supervisorctl does: net/http takes what follows for the next one.
func (f *follower) run(ctx context.Context, poll time.Duration, gone func() bool, send func([]byte) error) {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		if err := f.sendNew(ctx, send); err != nil || gone() {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// sendNew sends what is new. A file that became shorter was emptied in place: that
// is said, and it is read from its start. A file that was put in the place of
// the one that is open is taken up after the rest of the old one was read, so
// that a rotation loses nothing.
func (f *follower) sendNew(ctx context.Context, send func([]byte) error) error {
	if info, err := f.file.Stat(); err == nil && info.Size() < f.offset {
		f.offset = 0
		if err := send([]byte(truncated)); err != nil {
			return err
		}
	}
	// Asked before reading: what is written to the old file until it is
	// replaced is then read for certain.
	replaced := f.replaced()
	if err := f.drain(ctx, send); err != nil || !replaced {
		return err
	}
	next, _, err := openLog(f.path)
	if err != nil {
		return nil // not there yet
	}
	f.file.Close()
	f.file, f.offset = next, 0
	return f.drain(ctx, send)
}

// replaced reports whether another file has the name now.
func (f *follower) replaced() bool {
	now, err := os.Stat(f.path)
	if err != nil {
		return false
	}
	open, err := f.file.Stat()
	return err == nil && !os.SameFile(now, open)
}

// drain sends all that the open file holds.
func (f *follower) drain(ctx context.Context, send func([]byte) error) error {
	for ctx.Err() == nil {
		n, err := f.file.ReadAt(f.buf[:], f.offset)
		if n > 0 {
			f.offset += int64(n)
			if err := send(f.buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}
