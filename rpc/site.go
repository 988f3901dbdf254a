package rpc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"

	"supervisord/spec"
)

// site is one [inet_http_server] or [unix_http_server] section in service.
type site struct {
	spec.Server
	server *Server
	conns  *conns
	http   *http.Server
	cross  *http.CrossOriginProtection
	// local is set for a TCP listener that only this machine can reach.
	local bool

	mu       sync.Mutex // guards the following
	listener net.Listener
	file     os.FileInfo        // the socket file that is ours; nil for TCP
	serve    func(net.Listener) // set while Run runs
}

type siteKey struct{}

// open makes a site that listens.
func (s *Server) open(sv spec.Server) (*site, error) {
	st := &site{Server: sv, server: s, conns: newConns(s.opt.MaxConns), cross: http.NewCrossOriginProtection()}
	st.http = &http.Server{
		Handler:                      st,
		ReadHeaderTimeout:            s.opt.HeaderTimeout,
		MaxHeaderBytes:               64 << 10,
		ConnState:                    st.conns.changed,
		ConnContext:                  st.connected,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	// HTTP/2 has nothing for the clients there are.
	st.http.Protocols = new(http.Protocols)
	st.http.Protocols.SetHTTP1(true)
	if sv.CertFile != "" {
		config, err := tlsConfig(sv)
		if err != nil {
			return nil, err
		}
		st.http.TLSConfig = config
	}
	var err error
	if sv.Network == "unix" {
		st.listener, st.file, err = s.listenUnix(sv)
	} else {
		st.listener, err = listenTCP(sv)
	}
	if err != nil {
		return nil, err
	}
	if addr, ok := st.listener.Addr().(*net.TCPAddr); ok {
		st.local = addr.IP.IsLoopback()
	}
	return st, nil
}

// run serves in goroutines that serving counts, until the site is closed. ctx
// becomes the context of every request.
func (st *site) run(ctx context.Context, serving *sync.WaitGroup) {
	st.http.BaseContext = func(net.Listener) context.Context { return ctx }
	st.mu.Lock()
	defer st.mu.Unlock()
	st.serve = func(l net.Listener) {
		serving.Go(func() { // Run waits for it
			var err error
			if st.CertFile != "" {
				err = st.http.ServeTLS(l, "", "")
			} else {
				err = st.http.Serve(l)
			}
			if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				st.server.log.Error(fmt.Sprintf("%s:Server Error: %v", st.name(), err))
			}
		})
	}
	st.serve(st.listener)
}

// check puts the socket file back if it is gone.
func (st *site) check() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.file == nil || st.serve == nil {
		return nil
	}
	if _, err := os.Lstat(st.Path); !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	listener, file, err := st.server.listenUnix(st.Server)
	if err != nil {
		return fmt.Errorf("cannot make the socket %s again: %w", st.Path, err)
	}
	st.server.log.Warn(fmt.Sprintf("socket %s had vanished and was made again", st.Path))
	old := st.listener
	st.listener, st.file = listener, file
	st.serve(listener)
	return old.Close()
}

// close ends the site and its connections.
func (st *site) close() error {
	err := st.http.Close()
	st.mu.Lock()
	defer st.mu.Unlock()
	// A site that was never run is unknown to its http.Server.
	if e := st.listener.Close(); !errors.Is(e, net.ErrClosed) {
		err = errors.Join(err, e)
	}
	if st.file != nil {
		err = errors.Join(err, unlinkOurs(st.Path, st.file))
		st.file = nil
	}
	return err
}

// name is how the activity log calls the server.
func (st *site) name() string {
	if st.Network == "unix" {
		return st.Path
	}
	return net.JoinHostPort(st.Host, strconv.Itoa(st.Port))
}

// tlsConfig is TLS with the section's certificate; with client_ca only clients
// that show a certificate of that authority are let in.
func tlsConfig(sv spec.Server) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(sv.CertFile, sv.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("cannot use certfile and keyfile of section [%s]: %w", sv.Section, err)
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{pair},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
	}
	if sv.ClientCA == "" {
		return config, nil
	}
	pem, err := os.ReadFile(sv.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("cannot use client_ca of section [%s]: %w", sv.Section, err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("cannot use client_ca of section [%s]: %s holds no certificate", sv.Section, sv.ClientCA)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	return config, nil
}
