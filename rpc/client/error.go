package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"

	"supervisord/rpc/xmlrpc"
)

// Kind is the class of a failure to get an answer, what a caller branches on.
type Kind int

// The kinds of failure.
const (
	Other        Kind = iota // see the wrapped error
	Refused                  // nobody listens there
	NoFile                   // the socket's file does not exist
	Permission               // the socket may not be used by this user
	NoHost                   // the host's name is not known
	Timeout                  // it took longer than Options.Timeout
	Unauthorized             // HTTP 401
	Status                   // another HTTP status than 200

	Untrusted          // the server's certificate cannot be verified
	CertificateRefused // the server wants another client certificate, or one at all
	WrongScheme        // http:// to a server that speaks TLS, or https:// to one that does not
	NoHandshake        // https:// to a server that does not take part in a TLS handshake
)

// Error is a call that got no answer, or an answer that is not XML-RPC.
type Error struct {
	Kind   Kind
	URL    string // of the server, as given
	Status int    // of the reply, 0 where there was none
	Reason string // of the reply's status line: "Not Found"
	Err    error  // nil where Status is not 0
}

// Error says what happened.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("cannot call %s: %v", e.URL, e.Err)
	}
	return fmt.Sprintf("cannot call %s: %d %s", e.URL, e.Status, e.Reason)
}

// Unwrap gives what lies below, nil where the server itself refused.
func (e *Error) Unwrap() error { return e.Err }

// IsKind reports whether err is an *Error of that kind.
func IsKind(err error, kind Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}

// transportError wraps an error of the transport.
func (c *Client) transportError(err error) *Error {
	var u *url.Error
	if errors.As(err, &u) { // its text repeats the address that we made up
		err = u.Err
	}
	e := &Error{Kind: Other, URL: c.url, Err: err}
	var dns *net.DNSError
	var untrusted *tls.CertificateVerificationError
	var slow net.Error
	var errno syscall.Errno
	if refused := c.certificateRefused(err); refused != nil {
		e.Kind, e.Err = CertificateRefused, refused
		return e
	}
	switch {
	case errors.As(err, &untrusted):
		e.Kind = Untrusted
	case errors.Is(err, http.ErrSchemeMismatch):
		e.Kind = WrongScheme
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Kind = Refused
	case errors.Is(err, fs.ErrNotExist):
		e.Kind = NoFile
	case errors.Is(err, fs.ErrPermission):
		e.Kind = Permission
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		e.Kind = Timeout
	case errors.As(err, &dns):
		e.Kind = NoHost
	case errors.As(err, &slow) && slow.Timeout() && !errors.As(err, &errno):
		e.Kind = NoHandshake // the one limit of the transport that is not ours
	}
	return e
}

// statusError is the error for a reply that is not 200.
func (c *Client) statusError(resp *http.Response) *Error {
	e := &Error{Kind: Status, URL: c.url, Status: resp.StatusCode}
	_, e.Reason, _ = strings.Cut(resp.Status, " ")
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		e.Kind = Unauthorized
	case http.StatusForbidden: // a fault says why, where it is about the call
		const most = 64 << 10 // bytes
		var fault *xmlrpc.Fault
		if _, err := xmlrpc.DecodeResponse(io.LimitReader(resp.Body, most)); errors.As(err, &fault) {
			e.Reason = fault.Text
		}
	case http.StatusBadRequest:
		const most = 1 << 10 // bytes of the page that may say what is bad
		if page, _ := io.ReadAll(io.LimitReader(resp.Body, most)); bytes.Contains(page, []byte("HTTPS")) {
			e.Kind = WrongScheme
		}
	}
	return e
}
