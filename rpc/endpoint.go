package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"unicode/utf8"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime/mainlog"
	"supervisord/spec"
)

// serveRPC answers a request to /RPC2.
//
// Source: contract/rpc.md section 2.
func (s *Server) serveRPC(w http.ResponseWriter, r *http.Request, body []byte) {
	switch {
	case r.Method != http.MethodPost || len(body) == 0:
		httpError(w, http.StatusBadRequest)
		return
	case formCanSend(r) && isBrowser(r):
		httpErrorMessage(w, http.StatusUnsupportedMediaType, "Unsupported Media Type: send XML-RPC calls as text/xml")
		return
	}
	ctx := r.Context()
	method, params, err := decode(body)
	if err != nil {
		s.log.ErrorContext(ctx, fmt.Sprintf("XML-RPC request data %s is invalid: %v", quote(body), err))
		httpError(w, http.StatusBadRequest)
		return
	}
	result, err := s.safeCall(ctx, method, params)
	var fault *xmlrpc.Fault
	switch {
	case errors.As(err, &fault):
		send(w, xmlrpc.EncodeFault(fault))
	case err != nil && ctx.Err() != nil:
		// The client has hung up, or the daemon ends. Whatever was begun goes on.
		w.Header().Set("Connection", "close")
		httpError(w, http.StatusServiceUnavailable)
	case err != nil:
		s.logUnexpected(ctx, body, err)
		httpError(w, http.StatusInternalServerError)
	default:
		s.sendValue(ctx, w, body, result)
	}
}

// errUnmarshallable is Supervisor's word for a document it cannot read.
var errUnmarshallable = errors.New("unmarshallable")

func decode(body []byte) (method string, params []any, err error) {
	if !utf8.Valid(body) {
		return "", nil, errUnmarshallable
	}
	body = bytes.TrimPrefix(body, []byte("\ufeff")) // a byte order mark, as .NET sends
	method, params, err = xmlrpc.DecodeCall(bytes.NewReader(body))
	if err != nil && !errors.Is(err, xmlrpc.ErrNoMethod) {
		err = errUnmarshallable
	}
	return method, params, err
}

// safeCall is call, where a panic is an error of this one request.
func (s *Server) safeCall(ctx context.Context, method string, params []any) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return s.call(ctx, method, params)
}

// buffers hold replies while they are written; a large one is worth keeping.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func (s *Server) sendValue(ctx context.Context, w http.ResponseWriter, body []byte, result any) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	reply, err := xmlrpc.AppendResponse((*buf)[:0], result)
	*buf = reply
	if err != nil {
		s.logUnexpected(ctx, body, err)
		httpError(w, http.StatusInternalServerError)
		return
	}
	send(w, reply)
}

// send writes a reply.
func send(w http.ResponseWriter, reply []byte) {
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(reply)))
	w.Write(reply)
}

func (s *Server) logUnexpected(ctx context.Context, body []byte, err error) {
	s.log.Log(ctx, mainlog.LevelCritical, fmt.Sprintf(
		"Handling XML-RPC request with data %s raised an unexpected exception: %v", quote(body), err))
}

// quote shows the beginning of a request in the activity log.
func quote(body []byte) string {
	const most = 2000
	return spec.PyRepr(string(body[:min(len(body), most)]))
}
