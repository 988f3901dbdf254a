package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// handshakeTimeout bounds the handshake whatever Options.Timeout is: a server that
// does not speak TLS may wait for ever for the rest of what it takes for a request,
// as Supervisor's does.
const handshakeTimeout = 10 * time.Second

// tlsConfig is config, nil for the defaults, with the client's certificate shown
// to every server that asks for one: crypto/tls alone shows none to a server that
// names other authorities, which could then not say what is wrong with it.
func (c *Client) tlsConfig(config *tls.Config) *tls.Config {
	config = config.Clone()
	if config == nil {
		config = new(tls.Config)
	}
	own := new(tls.Certificate)
	if len(config.Certificates) > 0 {
		own = &config.Certificates[0]
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		c.certificateAsked.Store(true)
		return own, nil
	}
	return config
}

// certificateRefused is the error of a connection whose server asked for a
// certificate and ended it before it answered; nil for any other. In TLS 1.3 that
// is known only after the request has been written, which may fail first.
func (c *Client) certificateRefused(err error) error {
	var op *net.OpError
	alert := errors.As(err, &op) && op.Op == "remote error"
	if c.certificateAsked.Load() && (alert || errors.Is(err, io.EOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)) {
		return fmt.Errorf("the server did not accept the client's certificate: %v", err)
	}
	return nil
}
