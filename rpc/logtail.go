package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"supervisord/runtime/hang"
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
	s.stream(w, r, path, nearEnd)
}

// serveMainLogtail streams supervisord's own log.
func (s *Server) serveMainLogtail(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		httpError(w, http.StatusBadRequest)
		return
	}
	s.stream(w, r, s.opt.MainLog.Path(), nearEnd)
}

// nearEnd is where a stream begins that is not told from where.
const nearEnd = -1

// stream follows a log from an offset on until the client goes or the server ends. Of a terminal, a
// pipe or another device it says that it cannot; Supervisor sends nothing, for ever.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, path string, from int64) {
	f, err := s.follow(r.Context(), path, from)
	if errors.Is(err, logfile.ErrNotRegular) {
		text := fmt.Sprintf("==> %s cannot be read back: it is not a regular file <==\n", path)
		w.Header().Set("Content-Type", "text/plain;charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		io.WriteString(w, text)
		return
	}
	if silent, is := errors.AsType[*hang.Silent](err); is {
		w.Header().Del("X-Accel-Buffering")
		httpErrorMessage(w, http.StatusServiceUnavailable, "Service Unavailable: "+silent.Error())
		return
	}
	if err != nil {
		w.Header().Del("X-Accel-Buffering")
		httpError(w, http.StatusNotFound)
		return
	}
	defer f.close()
	if err := lasts(r.Context(), streaming); err != nil {
		w.Header().Set("Connection", "close")
		httpErrorMessage(w, http.StatusServiceUnavailable, "Service Unavailable: "+err.Error())
		return
	}
	w.Header().Set("Last-Modified", f.modified.UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "text/plain;charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff") // a log is never a page
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	if control.Flush() != nil || control.SetWriteDeadline(time.Time{}) != nil { // a reader may pause for hours
		return
	}
	nc := r.Context().Value(connKey{}).(*conn).net
	f.run(r.Context(), s.opt.Poll, func() bool { return gone(nc) }, func(p []byte) error {
		if _, err := w.Write(p); err != nil {
			return err
		}
		return control.Flush()
	})
	if hs, ok := r.Context().Value(httpServerKey{}).(*httpServer); ok && errors.Is(context.Cause(r.Context()), errHandingOver) {
		hs.handOver(control, nc, f, r.ProtoAtLeast(1, 1))
	}
}

// openLog opens a log that is a regular file; nothing else can be followed.
func openLog(path string) (*os.File, error) {
	if path == "" {
		return nil, fs.ErrNotExist
	}
	f, err := trust.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
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
		return nil, err
	}
	return f, nil
}

// follower reads what is appended to a file. It asks the file from time to
// time, while a client listens and only then: a log may be written by another
// than us, and two system calls each time cost next to nothing. While its disk does
// not answer, nothing comes.
type follower struct {
	disks    *hang.Disks
	path     string
	file     *os.File
	offset   int64
	modified time.Time // when it was opened
}

// follow opens a log to follow it from an offset on, or from near its end.
func (s *Server) follow(ctx context.Context, path string, from int64) (*follower, error) {
	f := &follower{disks: s.disks, path: path}
	var err error
	if f.file, err = ask(ctx, f, func() (*os.File, error) { return openLog(path) }); err != nil {
		return nil, err
	}
	file := f.file
	info, err := ask(ctx, f, file.Stat)
	if err != nil {
		f.close()
		return nil, err
	}
	f.offset, f.modified = from, info.ModTime()
	if from == nearEnd {
		f.offset = max(info.Size()-tailBytes, 0)
	}
	return f, nil
}

// ask makes one access to the log.
func ask[T any](ctx context.Context, f *follower, access func() (T, error)) (T, error) {
	return hang.Ask(ctx, f.disks, filepath.Dir(f.path), access)
}

// close closes the file.
func (f *follower) close() {
	if f.file != nil { // else the next server has it
		f.disks.Close(filepath.Dir(f.path), f.file)
	}
}

// run sends what there is and what comes, until ctx ends, send fails or gone says so.
// ctx does not end with the client where that sent more than its request, as the
// original's supervisorctl does: net/http takes what follows for the next one.
func (f *follower) run(ctx context.Context, poll time.Duration, gone func() bool, send func([]byte) error) {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		err := f.sendNew(ctx, send)
		if _, silent := errors.AsType[*hang.Silent](err); err != nil && !silent || gone() {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// sight is what a look at a followed log shows.
type sight struct {
	size     int64 // of the file that is open
	replaced bool  // another file has the name now
}

// look asks first whether the file was replaced: what is written to the old one until
// then is within its size for certain.
func (f *follower) look(ctx context.Context) (sight, error) {
	file, path := f.file, f.path
	return ask(ctx, f, func() (sight, error) {
		named, err := os.Stat(path)
		open, openErr := file.Stat()
		if openErr != nil {
			return sight{}, openErr
		}
		return sight{open.Size(), err == nil && !os.SameFile(named, open)}, nil
	})
}

// sendNew sends what is new. A file that became shorter was emptied in place: that
// is said, and it is read from its start. A file that was put in place of
// the one that is open is taken up after the rest of the old one was read, so
// that a rotation loses nothing.
func (f *follower) sendNew(ctx context.Context, send func([]byte) error) error {
	now, err := f.look(ctx)
	if err != nil {
		return err
	}
	if now.size < f.offset {
		f.offset = 0
		if err := send([]byte(truncated)); err != nil {
			return err
		}
	}
	if now.size > f.offset {
		err = f.drain(ctx, send)
	}
	if err != nil || !now.replaced {
		return err
	}
	path := f.path
	next, err := ask(ctx, f, func() (*os.File, error) { return openLog(path) })
	if err != nil {
		return nil // not there yet
	}
	f.close()
	f.file, f.offset = next, 0
	return f.drain(ctx, send)
}

// drain sends all that the open file holds.
func (f *follower) drain(ctx context.Context, send func([]byte) error) error {
	const most = 16 << 10 // there may be hundreds of streams
	for ctx.Err() == nil {
		file, offset := f.file, f.offset
		p, err := ask(ctx, f, func() ([]byte, error) {
			p := make([]byte, most)
			n, err := file.ReadAt(p, offset)
			return p[:n], err
		})
		if len(p) > 0 {
			f.offset += int64(len(p))
			if err := send(p); err != nil {
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
