package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/term"

	"supervisord/rpc/client"
	"supervisord/spec/value"
)

// valueError is a mistake that the original reports as Python's ValueError.
type valueError string

func (e valueError) Error() string { return string(e) }

// plainError is a mistake that the original cannot make, reported as plain text.
type plainError string

func (e plainError) Error() string { return string(e) }

// raw says an error that no command foresees.
func (s *session) raw(ctx context.Context, err error) {
	for _, line := range s.rawLines(ctx, err) {
		s.say("error: %s", line)
	}
	s.advise(err)
	s.fail(exitFailed)
}

// rawLines is what follows "error: ". People grep for that word, for the class of
// a connection that failed and for a fault's text, so they stay in the original's
// one-line form. In place of where in the original's source the error arose there
// is the server that it is about. Files that cannot be used are named with the
// line, and so is what has to do with TLS, of which the original knows nothing.
//
// Source: contract/supervisorctl.md section 3.
func (s *session) rawLines(ctx context.Context, err error) []string {
	if mistakes := s.mistakes(ctx, err); len(mistakes) > 0 {
		return mistakes
	}
	where := "supervisorctl"
	var plain plainError
	var answer *client.Error
	switch {
	case errors.As(err, &plain):
		return []string{err.Error()}
	case errors.As(err, &answer) && answer.Err != nil:
		switch where = s.settings.url; answer.Kind {
		case client.Untrusted, client.CertificateRefused, client.WrongScheme, client.NoHandshake:
			return []string{where + ": " + answer.Err.Error()}
		}
	}
	class, text := pythonError(err)
	return []string{fmt.Sprintf("<class '%s'>, %s: file: %s line: 0", class, text, where)}
}

// errnoClass is the Python exception for an error number, where it is not
// OSError.
var errnoClass = map[syscall.Errno]string{
	syscall.ECONNREFUSED: "ConnectionRefusedError",
	syscall.ECONNRESET:   "ConnectionResetError",
	syscall.ECONNABORTED: "ConnectionAbortedError",
	syscall.EPIPE:        "BrokenPipeError",
	syscall.ENOENT:       "FileNotFoundError",
	syscall.EACCES:       "PermissionError",
	syscall.EPERM:        "PermissionError",
	syscall.ENOTDIR:      "NotADirectoryError",
	syscall.ETIMEDOUT:    "TimeoutError",
	syscall.EINTR:        "InterruptedError",
}

// pythonError is the class and the text by which Python shows an error.
func pythonError(err error) (class, text string) {
	var (
		fault  *client.Fault
		answer *client.Error
		url    *client.URLError
		value  valueError
		dns    *net.DNSError
		errno  syscall.Errno
		syntax *xml.SyntaxError
	)
	switch {
	case errors.As(err, &fault):
		return "xmlrpc.client.Fault", pythonFault(fault)
	case errors.As(err, &answer) && answer.Err == nil:
		return "xmlrpc.client.ProtocolError", // the address is what the original always shows
			fmt.Sprintf("<ProtocolError for 127.0.0.1/RPC2: %d %s>", answer.Status, answer.Reason)
	case errors.As(err, &url), errors.As(err, &value):
		return "ValueError", err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "TimeoutError", "timed out"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "socket.gaierror", "[Errno -2] Name or service not known"
	case errors.As(err, &dns):
		return "socket.gaierror", "[Errno -3] Temporary failure in name resolution"
	case errors.As(err, &errno):
		class, text = "OSError", errno.Error()
		if c, ok := errnoClass[errno]; ok {
			class = c
		}
		return class, fmt.Sprintf("[Errno %d] %s", int(errno), strings.ToUpper(text[:1])+text[1:])
	case errors.As(err, &syntax):
		return "xml.parsers.expat.ExpatError", syntax.Error()
	case answer != nil && errors.Is(err, io.EOF):
		return "http.client.RemoteDisconnected", "Remote end closed connection without response"
	case answer != nil && errors.Is(err, io.ErrUnexpectedEOF):
		return "http.client.IncompleteRead", "Remote end closed connection in the middle of its response"
	case errors.Is(err, io.EOF) && term.IsTerminal(int(os.Stdin.Fd())):
		return "EOFError", ""
	case errors.Is(err, io.EOF):
		return "EOFError", "EOF when reading a line"
	case answer != nil:
		return "OSError", answer.Err.Error()
	}
	return "Exception", err.Error()
}

// pythonFault is how Python shows a fault.
func pythonFault(f *client.Fault) string {
	return fmt.Sprintf("<Fault %d: %s>", f.Code, value.PyRepr(f.Text))
}

// faultText is the text of the fault that err is, "" for none.
func faultText(err error) string {
	var f *client.Fault
	if errors.As(err, &f) {
		return f.Text
	}
	return ""
}
