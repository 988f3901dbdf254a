package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// tlsConfig is what an https server is met with: the certificate of certfile and
// keyfile, and the authorities of server_ca in place of the system's. It is nil
// where the URL is another, so that the files need not be there.
func (s settings) tlsConfig() (*tls.Config, error) {
	if !strings.HasPrefix(s.url, "https://") {
		return nil, nil
	}
	config := new(tls.Config)
	if s.certFile != "" {
		pair, err := tls.LoadX509KeyPair(s.certFile, s.keyFile)
		if err != nil {
			return nil, plainError(fmt.Sprintf("cannot use certfile and keyfile of section [supervisorctl]: %v", err))
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if s.serverCA != "" {
		pem, err := os.ReadFile(s.serverCA)
		if err != nil {
			return nil, plainError(fmt.Sprintf("cannot use server_ca of section [supervisorctl]: %v", err))
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, plainError("cannot use server_ca of section [supervisorctl]: " + s.serverCA + " contains no certificate")
		}
	}
	return config, nil
}

// adviseUntrusted says what to do about a server whose certificate could not be
// verified.
func (s settings) adviseUntrusted(err error) string {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.As(err, &authority) && s.serverCA == "":
		return "The server's certificate is not signed by an authority that this machine trusts. " +
			"Set server_ca in the [supervisorctl] section to the file of its authority."
	case errors.As(err, &authority):
		return "The server's certificate is not signed by an authority in " + s.serverCA + " (server_ca)."
	case errors.As(err, &host):
		return "The server's certificate is for a different host than serverurl names."
	}
	return "The server's certificate is not valid."
}

// adviseRefused says what to do about a server that wants another certificate of
// the client.
func (s settings) adviseRefused() string {
	if s.certFile == "" {
		return "The server accepts only clients with a certificate. " +
			"Set certfile and keyfile in the [supervisorctl] section."
	}
	return "The server does not accept the certificate in " + s.certFile + " (certfile): " +
		"an authority in the server's client_ca must have signed it, for clients, and it must not have expired."
}

// adviseScheme says that the URL should begin otherwise.
func (s settings) adviseScheme() string {
	if rest, ok := strings.CutPrefix(s.url, "https://"); ok {
		return "The server does not speak TLS. Its URL is http://" + rest + "."
	}
	return "The server speaks TLS. Its URL is https://" + strings.TrimPrefix(s.url, "http://") + "."
}
