package rpc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"supervisord/runtime/trust"
	"supervisord/spec"
)

// expiryNotice is how long before its certificate expires a server begins to say so.
const expiryNotice = 7 * 24 * time.Hour

// certificates are what the TLS of one server needs: its key pair and, with client_ca,
// the authority of the clients that are let in. They follow their files.
type certificates struct {
	server spec.Server
	inUse  atomic.Pointer[tls.Config]

	// Of look.
	used    certificateFiles // those in use
	seen    certificateFiles // those at the last look
	trouble error            // of seen; nil if that is in use
}

// certificateFiles are the contents of a server's files.
type certificateFiles struct{ cert, key, clientCA string }

// openCertificates reads the files of a server; nil is plain HTTP.
func openCertificates(sv spec.Server) (*certificates, error) {
	if sv.CertFile == "" {
		return nil, nil
	}
	files, err := readCertificates(sv)
	if err != nil {
		return nil, err
	}
	config, err := files.config(sv)
	if err != nil {
		return nil, err
	}
	c := &certificates{server: sv, used: files, seen: files}
	c.inUse.Store(config)
	return c, nil
}

// CheckCertificates is why the servers that use TLS cannot with their files, nil if they
// can: a *ServerError.
func CheckCertificates(servers []spec.Server) error {
	for _, sv := range servers {
		if _, err := openCertificates(sv); err != nil {
			return serverError(sv, err)
		}
	}
	return nil
}

// readCertificates reads files that nobody is waited for.
func readCertificates(sv spec.Server) (files certificateFiles, err error) {
	for _, f := range []struct {
		to              *string
		path, what, key string
	}{
		{&files.cert, sv.CertFile, pairOfFiles, "certfile"},
		{&files.key, sv.KeyFile, pairOfFiles, "certfile"},
		{&files.clientCA, sv.ClientCA, "client_ca", "client_ca"},
	} {
		if f.path == "" {
			continue
		}
		data, err := trust.ReadFile(f.path)
		if err != nil {
			return files, unusable(sv, f.what, f.key, err)
		}
		*f.to = string(data)
	}
	return files, nil
}

const pairOfFiles = "certfile and keyfile"

// config is TLS with these files. The key must be that of the certificate.
func (f certificateFiles) config(sv spec.Server) (*tls.Config, error) {
	pair, err := tls.X509KeyPair([]byte(f.cert), []byte(f.key))
	if err != nil {
		return nil, unusable(sv, pairOfFiles, "certfile", err)
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{pair},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
	}
	if sv.ClientCA == "" {
		return config, nil
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM([]byte(f.clientCA)) {
		return nil, unusable(sv, "client_ca", "client_ca", errors.New(sv.ClientCA+" contains no certificate"))
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	return config, nil
}

// config is TLS for a listener: each connection takes the certificates that are in use
// when it begins. It is nil for plain HTTP.
func (c *certificates) config() *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.inUse.Load(), nil },
	}
}

// look reads the files, and has them in use if they have changed, which it reports, and
// go together. While they do not, what was in use stays so.
func (c *certificates) look() (renewed bool, err error) {
	files, err := readCertificates(c.server)
	switch {
	case err != nil:
		return false, c.stays(err)
	case files == c.seen:
		return false, c.trouble
	}
	c.seen, c.trouble = files, nil
	if files == c.used {
		return false, nil
	}
	config, err := files.config(c.server)
	if err != nil {
		c.trouble = c.stays(err)
		return false, c.trouble
	}
	c.used = files
	c.inUse.Store(config)
	return true, nil
}

// stays is a reason for what was in use to stay so.
func (c *certificates) stays(err error) error {
	return fmt.Errorf("%w; the previous certificate stays in use", err)
}

// expires is when the certificate that is in use expires.
func (c *certificates) expires() time.Time { return c.inUse.Load().Certificates[0].Leaf.NotAfter }

// expiring says, of a certificate that expires within a week, in how many days.
func (c *certificates) expiring(now time.Time) error {
	const day = 24 * time.Hour
	at := c.expires()
	left := at.Sub(now)
	if left >= expiryNotice {
		return nil
	}
	when := fmt.Sprintf("expires in %d days", int(left/day))
	switch days := int(left / day); {
	case left <= 0:
		when = fmt.Sprintf("expired %d days ago", int(-left/day))
	case days == 0:
		when = "expires within a day"
	case days == 1:
		when = "expires in a day"
	}
	return fmt.Errorf("the certificate of section [%s] %s, at %s: %s",
		c.server.Section, when, at.UTC().Format(time.RFC3339), c.server.CertFile)
}

// unusable is about files of a section that TLS cannot use.
func unusable(sv spec.Server, what, key string, err error) error {
	return &keyError{
		key: key, plain: fmt.Sprintf("cannot use %s: %v", what, err), err: err,
		text: fmt.Sprintf("cannot use %s of section [%s]: %v", what, sv.Section, err),
	}
}
