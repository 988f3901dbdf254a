package rpc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"unicode/utf8"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime/mainlog"
	"supervisord/spec/value"
)

// serveRPC answers a request to /RPC2.
//
// Source: contract/rpc.md section 2.
func (s *Server) serveRPC(w http.ResponseWriter, r *http.Request, body string) {
	switch {
	case r.Method != http.MethodPost || len(body) == 0:
		httpError(w, http.StatusBadRequest)
		return
	case formCanSend(r) && isBrowser(r):
		httpErrorMessage(w, http.StatusUnsupportedMediaType, "Unsupported Media Type: send XML-RPC calls as text/xml")
		return
	}
	ctx := r.Context()
	method, params, err := s.decode(ctx, body)
	if fault := memoryFault(err); fault != nil {
		send(w, xmlrpc.EncodeFault(fault))
		return
	}
	if err != nil {
		s.log.ErrorContext(ctx, fmt.Sprintf("XML-RPC request data %s is invalid: %v", quote(body), err))
		httpError(w, http.StatusBadRequest)
		return
	}
	doc := newDocument(ctx)
	result, err := s.safeCall(ctx, method, params)
	if err == nil {
		err = doc.response(result)
	}
	if fault := memoryFault(err); fault != nil {
		err = fault
	}
	var fault *xmlrpc.Fault
	switch {
	case err == nil:
		doc.send(w, http.StatusOK, "text/xml")
		return
	case errors.As(err, &fault):
		doc.discard()
		status := http.StatusOK
		if fault.Code == xmlrpc.Forbidden {
			status = http.StatusForbidden
		}
		sendStatus(w, status, xmlrpc.EncodeFault(fault))
	case errors.Is(context.Cause(ctx), errHandingOver):
		doc.discard()
		send(w, xmlrpc.EncodeFault(faultWith(xmlrpc.Failed, errHandingOver.Error())))
	case ctx.Err() != nil:
		// The client has hung up, or the daemon ends. Whatever was begun goes on.
		w.Header().Set("Connection", "close")
		httpError(w, http.StatusServiceUnavailable)
	default:
		s.logUnexpected(ctx, body, err)
		httpError(w, http.StatusInternalServerError)
	}
}

// errUnmarshallable is Supervisor's word for a document it cannot read.
var errUnmarshallable = errors.New("unmarshallable")

// decode reads a call. The error is a *memoryError, or one for the activity log.
func (s *Server) decode(ctx context.Context, body string) (method string, params []any, err error) {
	if !utf8.ValidString(body) {
		return "", nil, errUnmarshallable
	}
	body = strings.TrimPrefix(body, "\ufeff") // a byte order mark, as .NET sends
	account := accountOf(ctx)
	options := xmlrpc.CallOptions{
		Take: func(n int) error { return account.take(ctx, int64(n)) },
		OddBoolean: func(text string) {
			s.oddBoolean.Do(func() {
				s.log.DebugContext(ctx, fmt.Sprintf("the boolean %s from %s is neither 0 nor 1, and counts as false", quote(text), Caller(ctx)))
			})
		},
	}
	method, params, err = options.Decode(body)
	if err != nil && !errors.Is(err, xmlrpc.ErrNoMethod) && memoryFault(err) == nil {
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

// send writes a reply.
func send(w http.ResponseWriter, reply []byte) { sendStatus(w, http.StatusOK, reply) }

func sendStatus(w http.ResponseWriter, status int, reply []byte) {
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(reply)))
	w.WriteHeader(status)
	w.Write(reply)
}

func (s *Server) logUnexpected(ctx context.Context, body string, err error) {
	s.log.Log(ctx, mainlog.LevelCritical, fmt.Sprintf(
		"Handling XML-RPC request with data %s raised an unexpected exception: %v", quote(body), err))
}

// quote shows the beginning of a request in the activity log.
func quote(body string) string {
	const most = 2000
	return value.PyRepr(body[:min(len(body), most)])
}
