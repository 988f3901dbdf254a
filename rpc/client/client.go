package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"supervisord/rpc/xmlrpc"
)

// Fault is a refusal by the server. Its codes are those of rpc/xmlrpc, which
// this package repeats so that a program which calls needs nothing else.
type Fault = xmlrpc.Fault

// Code is the number of a fault.
type Code = xmlrpc.Code

// The fault codes that callers tell apart.
const (
	FaultUnknownMethod  = xmlrpc.UnknownMethod
	FaultShutdown       = xmlrpc.ShutdownState
	FaultBadName        = xmlrpc.BadName
	FaultBadSignal      = xmlrpc.BadSignal
	FaultNoFile         = xmlrpc.NoFile
	FaultNotExecutable  = xmlrpc.NotExecutable
	FaultFailed         = xmlrpc.Failed
	FaultAbnormal       = xmlrpc.AbnormalTermination
	FaultSpawnError     = xmlrpc.SpawnError
	FaultAlreadyStarted = xmlrpc.AlreadyStarted
	FaultNotRunning     = xmlrpc.NotRunning
	Success             = xmlrpc.Success
	FaultAlreadyAdded   = xmlrpc.AlreadyAdded
	FaultStillRunning   = xmlrpc.StillRunning
	FaultCantReread     = xmlrpc.CantReread
	FaultConflict       = xmlrpc.Conflict // ours
)

// HasCode reports whether err is a fault with that code.
func HasCode(err error, code Code) bool {
	var f *Fault
	return errors.As(err, &f) && f.Code == code
}

// Options say which server to call and how.
type Options struct {
	// URL is http://host[:port], https://host[:port] or unix:///path. A path
	// after the host is ignored, as by Supervisor.
	URL string
	// Username and Password are sent with every request unless both are empty.
	Username, Password string
	// Timeout is how long one call may take, connecting included; for a stream,
	// how long its headers may take. 0 waits for ever: a stop takes as long as
	// the program's stopwaitsecs.
	Timeout time.Duration
	// TLS is used for https; nil trusts what the system trusts.
	TLS *tls.Config
}

// Client calls one server. Make one with New; the zero value is not
// usable.
type Client struct {
	url      string // as given
	base     string // what requests are addressed to
	username string
	password string
	timeout  time.Duration
	limit    int64 // bytes of the longest answer that is read
	http     *http.Client
	// certificateAsked is set by a handshake in which the server asked for a
	// certificate, until the server answers.
	certificateAsked atomic.Bool
}

// answerLimit is more than any log that a person asks for, and less than what a
// server that is none could fill the memory with.
const answerLimit = 512 << 20

// idleConns is how many connections are kept: one for calls, two for the
// streams of a process in the foreground, and one to spare.
const idleConns = 4

// New returns a client for o.URL; it connects on the first call. The error
// is a *URLError.
func New(o Options) (*Client, error) {
	network, address, base, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	c := &Client{
		url: o.URL, base: base, username: o.Username, password: o.Password, timeout: o.Timeout, limit: answerLimit,
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialServer(ctx, network, address)
		},
		TLSClientConfig:     c.tlsConfig(o.TLS),
		TLSHandshakeTimeout: handshakeTimeout,
		MaxIdleConnsPerHost: idleConns,
		DisableCompression:  true,
	}
	c.http = &http.Client{
		Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // credentials go nowhere else
		},
	}
	return c, nil
}

// URLError is a server URL that cannot be used.
type URLError struct{ URL, Reason string }

// Error says what is wrong with it.
func (e *URLError) Error() string { return e.Reason }

// dialServer connects. The name localhost is known everywhere (RFC 6761), also where no file and
// no server knows any name, as in a container of one program.
func dialServer(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	var dns *net.DNSError
	if host, port, _ := net.SplitHostPort(address); host == "localhost" && network == "tcp" && errors.As(err, &dns) {
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}
	return conn, err
}

// parseURL works out where to connect and how requests name the host.
func parseURL(raw string) (network, address, base string, err error) {
	if path, ok := strings.CutPrefix(raw, "unix://"); ok {
		return "unix", path, "http://localhost", nil
	}
	scheme, defaultPort := "http", "80"
	switch {
	case strings.HasPrefix(raw, "http://"):
	case strings.HasPrefix(raw, "https://"):
		scheme, defaultPort = "https", "443"
	default:
		return "", "", "", &URLError{raw, "Unknown protocol for serverurl " + raw}
	}
	rest := raw[len(scheme)+len("://"):]
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	host, port := splitHost(rest[strings.LastIndex(rest, "@")+1:])
	if port == "" {
		port = defaultPort
	}
	for _, c := range port {
		if c < '0' || c > '9' {
			return "", "", "", &URLError{raw, "Port could not be cast to integer value as '" + port + "'"}
		}
	}
	u := url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port)}
	if _, err := url.Parse(u.String()); err != nil {
		return "", "", "", &URLError{raw, "bad host in serverurl " + raw}
	}
	return "tcp", u.Host, u.String(), nil
}

// splitHost parts host from port; an IPv6 address stands in brackets.
func splitHost(s string) (host, port string) {
	if strings.HasPrefix(s, "[") {
		if end := strings.IndexByte(s, ']'); end >= 0 {
			return s[1:end], strings.TrimPrefix(s[end+1:], ":")
		}
	}
	host, port, _ = strings.Cut(s, ":")
	return host, port
}

// Close closes the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Call calls a method and returns its value in the types of
// xmlrpc.DecodeResponse. The error is a *Fault, or an *Error for a failed
// connection or an invalid answer.
func (c *Client) Call(ctx context.Context, method string, params ...any) (any, error) {
	request, err := xmlrpc.EncodeCall(method, params...)
	if err != nil {
		return nil, err
	}
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	resp, err := c.do(ctx, http.MethodPost, "/RPC2", request)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body := &io.LimitedReader{R: resp.Body, N: c.limit + 1}
	value, err := xmlrpc.DecodeResponse(body)
	if body.N == 0 {
		return nil, c.transportError(fmt.Errorf("the answer is longer than %d bytes", c.limit))
	}
	if err != nil {
		var fault *Fault
		if errors.As(err, &fault) {
			return nil, fault
		}
		return nil, c.transportError(err)
	}
	return value, nil
}

// Stream opens one of the server's endless replies: /logtail/NAME,
// /logtail/NAME/stderr or /mainlogtail. The caller closes it. The error is an
// *Error.
func (c *Client) Stream(ctx context.Context, path string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var timer *time.Timer
	if c.timeout > 0 {
		timer = time.AfterFunc(c.timeout, func() { cancel(context.DeadlineExceeded) })
	}
	resp, err := c.do(ctx, http.MethodGet, path, nil)
	if timer != nil && !timer.Stop() && err == nil { // it came just too late
		resp.Body.Close()
		err = c.transportError(context.DeadlineExceeded)
	}
	if err != nil {
		if cause := context.Cause(ctx); cause == context.DeadlineExceeded {
			err = c.transportError(cause)
		}
		cancel(nil)
		return nil, err
	}
	return &stream{resp.Body, cancel}, nil
}

type stream struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (s *stream) Close() error {
	s.cancel(nil) // else closing would read on for a reusable connection
	return s.ReadCloser.Close()
}

// do sends a request and returns the response if its status is 200.
func (c *Client) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "supervisorctl")
	if body != nil {
		req.Header.Set("Content-Type", "text/xml")
		req.Header.Set("Accept", "text/xml")
	}
	if c.username != "" || c.password != "" {
		req.SetBasicAuth(c.username, c.password)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.transportError(err)
	}
	c.certificateAsked.Store(false)
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, c.statusError(resp)
	}
	return resp, nil
}
