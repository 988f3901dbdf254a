package rpc

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime/hang"
	"supervisord/runtime/logfile"
)

const (
	// chunkSize is the size of the pieces in which a reply is made.
	chunkSize = 64 << 10
	// logPiece is how much of a log is read at once.
	logPiece = 32 << 10
	// shortLog is what is read of a log at once and put into the reply. Longer parts
	// are read while the reply is sent.
	shortLog = 256 << 10
)

// document is a reply in the making, in pieces. It takes its memory from the account
// of the request before it makes a piece, or at once after a value that turned out
// to be larger. Long logs stand in it by their files.
type document struct {
	ctx     context.Context
	account *account
	whole   bool // nothing may stand in it by its file

	parts []part
	last  []byte // the piece that is being filled
	size  int64  // bytes of parts
	taken int64  // from the account
}

// part is a piece of a reply.
type part struct {
	data []byte
	log  *logText // instead of data
	size int64    // as it will be sent
}

// list is an array that is encoded item by item.
type list interface {
	items(yield func(item any) error) error
}

// pieces are kept from one reply to the next.
var pieces = sync.Pool{New: func() any { return new([chunkSize]byte) }}

func newDocument(ctx context.Context) *document {
	return &document{ctx: ctx, account: accountOf(ctx)}
}

// take has memory from the account.
func (d *document) take(n int64) error {
	if err := d.account.take(d.ctx, n); err != nil {
		return err
	}
	d.taken += n
	return nil
}

// add appends what f appends.
func (d *document) add(f func(b []byte) ([]byte, error)) error {
	if d.last == nil {
		if err := d.take(chunkSize); err != nil {
			return err
		}
		d.last = pieces.Get().(*[chunkSize]byte)[:0]
	}
	before := cap(d.last)
	b, err := f(d.last)
	d.last = b
	if err == nil {
		err = d.take(int64(cap(b) - before))
	}
	const nextFits = chunkSize - 8<<10 // most values do
	if len(b) >= nextFits {
		d.cut()
	}
	return err
}

// length is how many bytes have been made.
func (d *document) length() int64 { return d.size + int64(len(d.last)) }

// cut ends the piece that is being filled.
func (d *document) cut() {
	if n := int64(len(d.last)); n > 0 {
		d.parts = append(d.parts, part{data: d.last, size: n})
		d.size += n
		d.last = nil
	}
}

// Write appends to the document.
func (d *document) Write(p []byte) (n int, err error) {
	for n < len(p) {
		some := p[n:min(len(p), n+chunkSize/8)]
		if err := d.add(func(b []byte) ([]byte, error) { return append(b, some...), nil }); err != nil {
			return n, err
		}
		n += len(some)
	}
	return n, nil
}

// response fills the document with the answer to a call.
func (d *document) response(result any) error {
	if err := d.mark(xmlrpc.AppendResponseStart); err != nil {
		return err
	}
	if err := d.value(result); err != nil {
		return err
	}
	return d.mark(xmlrpc.AppendResponseEnd)
}

// mark appends what stands around values.
func (d *document) mark(f func([]byte) []byte) error {
	return d.add(func(b []byte) ([]byte, error) { return f(b), nil })
}

// value appends a value.
func (d *document) value(v any) error {
	switch v := v.(type) {
	case *document:
		d.cut()
		v.cut()
		d.parts = append(d.parts, v.parts...)
		d.size += v.size
		d.taken += v.taken
		return nil
	case *logText:
		return d.text(v)
	case list:
		return d.array(func() error { return v.items(d.value) })
	case []any:
		return d.array(func() error {
			for _, item := range v {
				if err := d.value(item); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return d.add(func(b []byte) ([]byte, error) { return xmlrpc.AppendValue(b, v) })
}

func (d *document) array(items func() error) error {
	if err := d.mark(xmlrpc.AppendArrayStart); err != nil {
		return err
	}
	if err := items(); err != nil {
		return err
	}
	return d.mark(xmlrpc.AppendArrayEnd)
}

// text appends a log as a string.
func (d *document) text(v *logText) error {
	if err := d.mark(xmlrpc.AppendStringStart); err != nil {
		return err
	}
	if d.whole || v.size() <= shortLog {
		if err := v.encode(d.ctx, func(text []byte) error {
			_, err := d.Write(text)
			return err
		}); err != nil {
			return err
		}
		d.account.closeNow(v)
	} else {
		d.cut()
		size := int64(0)
		if err := v.encode(d.ctx, func(text []byte) error {
			size += int64(len(text))
			return nil
		}); err != nil {
			return err
		}
		d.parts = append(d.parts, part{log: v, size: size})
		d.size += size
	}
	return d.mark(xmlrpc.AppendStringEnd)
}

// send answers with the document, once. A reply that has begun is written although the
// daemon ends; the write fails where the client has gone.
func (d *document) send(w http.ResponseWriter, status int, contentType string) {
	ctx := context.WithoutCancel(d.ctx)
	d.cut()
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.FormatInt(d.size, 10))
	w.WriteHeader(status)
	for _, p := range d.parts {
		if p.log == nil {
			if _, err := w.Write(p.data); err != nil {
				return
			}
			continue
		}
		// A log that was emptied meanwhile ends the reply before its announced end,
		// whereupon net/http closes the connection.
		left := p.size
		if err := p.log.encode(ctx, func(text []byte) error {
			if left -= int64(len(text)); left < 0 {
				return errLogChanged
			}
			_, err := w.Write(text)
			return err
		}); err != nil || left > 0 {
			return
		}
	}
	d.discard()
}

// discard gives up what the document holds.
func (d *document) discard() {
	d.cut()
	for _, p := range d.parts {
		if cap(p.data) == chunkSize {
			pieces.Put((*[chunkSize]byte)(p.data[:chunkSize]))
		}
	}
	d.account.giveBack(d.taken)
	*d = document{ctx: d.ctx, account: d.account}
}

// errLogChanged says that a log has other text than it had.
var errLogChanged = errors.New("the log was overwritten while it was sent")

// logText is a part of a log as a value.
type logText struct {
	part  *logfile.Part
	dir   string // where the log is
	disks *hang.Disks
}

// openText opens a part of a log as open does, and has it closed at the end of the request.
func (s *Server) openText(ctx context.Context, path string, open func() (*logfile.Part, error)) (*logText, error) {
	part, err := hang.Ask(ctx, s.disks, filepath.Dir(path), open)
	if err != nil {
		return nil, err
	}
	return s.textOf(ctx, path, part), nil
}

// textOf is a part of a log that was opened for a request, at whose end it is closed.
func (s *Server) textOf(ctx context.Context, path string, part *logfile.Part) *logText {
	l := &logText{part, filepath.Dir(path), s.disks}
	accountOf(ctx).closeAtEnd(l)
	return l
}

func (l *logText) size() int64 { return l.part.Size() }

// Close ends the reading. It waits for no disk that does not answer.
func (l *logText) Close() error {
	l.disks.Close(l.dir, l.part)
	return nil
}

// read gives the log piece by piece. Each piece must come in time.
func (l *logText) read(ctx context.Context, yield func(p []byte) error) error {
	for at := int64(0); ; {
		p, err := hang.Ask(ctx, l.disks, l.dir, func() ([]byte, error) {
			p := make([]byte, min(logPiece, l.size()-at))
			n, err := l.part.ReadAt(p, at)
			return p[:n], err
		})
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		at += int64(len(p))
		if len(p) > 0 {
			if err := yield(p); err != nil {
				return err
			}
		}
		if err != nil || at >= l.size() {
			return nil
		}
	}
}

// encode gives the text of the log, as it stands in a string, piece by piece. A
// piece is valid until the next one.
func (l *logText) encode(ctx context.Context, yield func(text []byte) error) error {
	var text, rest []byte // rest: of a character whose end has not been read
	if err := l.read(ctx, func(p []byte) error {
		if len(rest) > 0 {
			p = append(rest, p...)
		}
		end := wholeRunes(p)
		text = xmlrpc.AppendText(text[:0], string(p[:end]))
		rest = slices.Clone(p[end:])
		return yield(text)
	}); err != nil {
		return err
	}
	return yield(xmlrpc.AppendText(text[:0], string(rest)))
}

// wholeRunes is how many bytes come before a character at the end that is cut off.
func wholeRunes(p []byte) int {
	for i := len(p) - 1; i >= max(0, len(p)-utf8.UTFMax); i-- {
		if utf8.RuneStart(p[i]) {
			if utf8.FullRune(p[i:]) {
				break
			}
			return i
		}
	}
	return len(p)
}
