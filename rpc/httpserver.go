package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"

	"supervisord/spec"
)

// httpServer is the HTTP server of one [inet_http_server] or [unix_http_server]
// section.
type httpServer struct {
	spec.Server
	server *Server
	conns  *conns
	http   *http.Server
	cross  *http.CrossOriginProtection
	// local is set for a TCP listener that only this machine can reach.
	local bool

	socket *socket
	gate   *gate
	// certificates are nil for plain HTTP.
	certificates *certificates

	accepting sync.WaitGroup // loops that accept connections

	mu       sync.Mutex // guards the following
	listener net.Listener
	serve    func(net.Listener) // set while Run runs
}

type httpServerKey struct{}

// open makes an HTTP server on a socket.
func (s *Server) open(sv spec.Server, k readySocket) (*httpServer, error) {
	hs := &httpServer{Server: sv, server: s, socket: k.socket, conns: newConns(s.opt.MaxConns), cross: http.NewCrossOriginProtection(),
		gate: &gate{section: sv.Section, conns: make(map[*framedConn]bool)}}
	if sv.Network == "unix" {
		hs.conns.kept = s.opt.MaxConns / 8
	}
	hs.http = &http.Server{
		Handler:                      hs,
		ReadHeaderTimeout:            s.opt.HeaderTimeout,
		MaxHeaderBytes:               64 << 10,
		ConnState:                    hs.connState,
		ConnContext:                  hs.connContext,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	// No client of Supervisor's speaks HTTP/2.
	hs.http.Protocols = new(http.Protocols)
	hs.http.Protocols.SetHTTP1(true)
	hs.certificates, hs.http.TLSConfig = k.certificates, k.certificates.config()
	var err error
	if hs.listener, err = k.duplicate(); err != nil {
		return nil, err
	}
	if addr, ok := hs.listener.Addr().(*net.TCPAddr); ok {
		hs.local = addr.IP.IsLoopback()
	}
	return hs, nil
}

// run serves in goroutines that serving counts, until the server is closed. ctx
// becomes the context of every request; handed are connections that there are already.
func (hs *httpServer) run(ctx context.Context, serving *sync.WaitGroup, handed []HandedConn) {
	hs.http.BaseContext = func(net.Listener) context.Context { return ctx }
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.serve = func(l net.Listener) {
		hs.accepting.Add(1)
		serving.Go(func() { // Run waits for it
			defer hs.accepting.Done()
			var err error
			if hs.CertFile != "" {
				err = hs.http.ServeTLS(l, "", "")
			} else {
				err = hs.http.Serve(framedListener{l, hs.Network == "unix" || hs.Username != "", hs.gate})
			}
			if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				hs.server.log.Error(fmt.Sprintf("%s:Server Error: %v", hs.name(), err))
			}
		})
	}
	hs.serve(hs.listener)
	hs.resume(ctx, handed, serving)
}

// connState is http.Server's ConnState hook.
func (hs *httpServer) connState(nc net.Conn, state http.ConnState) {
	if f, framed := nc.(*framedConn); framed {
		f.setIdle(state == http.StateNew || state == http.StateIdle)
	}
	if state == http.StateActive {
		hs.server.opt.Processes.Attend()
	}
	hs.conns.connState(nc, state)
}

// check puts the socket file back if it is gone.
func (hs *httpServer) check() error {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if hs.serve == nil {
		return nil
	}
	made, err := hs.socket.remake(hs.server.sockets.opt)
	if err != nil {
		return fmt.Errorf("cannot make the socket %s again: %w", hs.Path, err)
	}
	if !made {
		return nil
	}
	listener, err := hs.socket.duplicate()
	if err != nil {
		return err
	}
	hs.server.log.Warn(fmt.Sprintf("socket %s had vanished and was created again", hs.Path))
	old := hs.listener
	hs.listener = listener
	hs.serve(listener)
	return old.Close()
}

// leave takes no more connections.
func (hs *httpServer) leave() error {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return hs.listener.Close()
}

// close ends the connections, after leave.
func (hs *httpServer) close() error {
	if err := hs.http.Close(); !errors.Is(err, net.ErrClosed) { // of the listener
		return err
	}
	return nil
}

// name is how the activity log calls the server.
func (hs *httpServer) name() string {
	if hs.Network == "unix" {
		return hs.Path
	}
	return net.JoinHostPort(hs.Host, strconv.Itoa(hs.Port))
}
