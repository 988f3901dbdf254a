package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"supervisord/runtime/hang"
	"supervisord/runtime/mainlog"
	"supervisord/runtime/usage"
	"supervisord/spec"
)

// Options is what a Server needs to know.
type Options struct {
	// Servers are the sections to serve, in the order they are opened.
	Servers []spec.Server
	// Sockets are those of Servers, for the Server to close; nil has Listen open them.
	Sockets *Sockets

	// Processes, Config and MainLog are what is served. None may be nil.
	Processes Processes
	Config    Config
	MainLog   MainLog
	// Usage measures what processes use; nil where that is not known.
	Usage *usage.Sampler

	// Identification is what getIdentification gives.
	Identification string
	// PID is what getPID gives and what stands in the temporary names of unix
	// sockets; 0 is this process.
	PID int
	// Version is what getSupervisorVersion and the status page give.
	Version string

	// Release and Build say which program this is, for people and /metrics.
	Release, Build string

	// HasSupervisorNamespace is whether there is a section
	// [rpcinterface:supervisor], without which supervisor.* does not exist.
	HasSupervisorNamespace bool
	// Extra are further namespaces.
	Extra []Namespace

	// Private: no client but the daemon's own user can connect, so that nothing is said
	// of servers without a password.
	Private bool

	// Handed are the connections that the Server before has handed over. Those of a
	// section that there is no more are closed. nil is none.
	Handed *Handover
	// Logger takes the activity log; nil discards it.
	Logger *slog.Logger
	// Stderr is told of a stale socket that was unlinked; nil is standard error.
	Stderr io.Writer

	// HostsFile gives the names of this machine; "" is /etc/hosts.
	HostsFile string

	// MaxConns is how many connections each server holds at once; 0 is 1024, and
	// for all servers together a quarter of the files that may be open. A
	// connection beyond it displaces one that is not being answered.
	MaxConns int
	// MaxBody is how many bytes a request may have, as far as the part of Memory that is
	// for bodies allows; 0 is 16 MiB.
	MaxBody int64
	// MaxReply is how many bytes of a log, or of the results of a multicall, one
	// reply may carry; 0 is 256 MiB.
	MaxReply int64
	// Memory is how many bytes all requests under way may take together, for their
	// bodies, for what is made of them and for their replies; 0 is 64 MiB. Logs that
	// are sent take next to nothing of it. MemoryWait is how long a request waits
	// for its share before it is refused; 0 is 5 seconds.
	Memory     int64
	MemoryWait time.Duration
	// HeaderTimeout is how long a request's header may take, BodyTimeout how
	// long its body or a reply may; 0 is 30 seconds, and 2 minutes. How long a
	// method waits and how long a stream lasts is not bounded.
	HeaderTimeout, BodyTimeout time.Duration
	// Poll is how often a followed log is looked at; 0 is 100 milliseconds.
	Poll time.Duration
}

// Server answers on all the sockets of the configuration. New, Listen and Run
// are called once each, in this order; Check and
// CheckCertificates may be called while Run runs.
type Server struct {
	waitingPatience   time.Duration // see the constant; tests have less
	opt               Options
	log               *slog.Logger
	methods           *methodTable // what clients may call
	supervisorMethods *methodTable // supervisor.*, which the status page uses in any case
	servers           []*httpServer
	sockets           *Sockets
	started           time.Time       // what Last-Modified of our own files says
	names             map[string]bool // of this machine
	memory, bodies    *memory
	disks             *hang.Disks // through which requests open and read logs
	host              string      // of this machine, for people
	definitions       definitions
	board             board
	plans             plans
	orders            orders
	oddBoolean        sync.Once // a client that sends words was told of

	base      context.Context // of every request
	interrupt context.CancelCauseFunc
	serving   sync.WaitGroup

	mu     sync.Mutex // guards the following, and base between a HandOver and a GoOn
	left   bool       // nobody new connects
	handed bool       // the addresses are another Server's
	ended  bool       // no request is begun any more
}

// New makes a server that does not listen yet.
func New(o Options) *Server {
	if o.PID == 0 {
		o.PID = os.Getpid()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	if o.HostsFile == "" {
		o.HostsFile = "/etc/hosts"
	}
	if o.MaxConns == 0 {
		o.MaxConns = maxConns(len(o.Servers))
	}
	if o.MaxBody == 0 {
		o.MaxBody = 16 << 20
	}
	if o.MaxReply == 0 {
		o.MaxReply = 256 << 20
	}
	if o.Memory == 0 {
		o.Memory = 64 << 20
	}
	if o.MemoryWait == 0 {
		o.MemoryWait = 5 * time.Second
	}
	if o.HeaderTimeout == 0 {
		o.HeaderTimeout = 30 * time.Second
	}
	if o.BodyTimeout == 0 {
		o.BodyTimeout = 2 * time.Minute
	}
	if o.Poll == 0 {
		o.Poll = 100 * time.Millisecond
	}
	s := &Server{
		waitingPatience: waitingPatience,
		opt:             o, log: o.Logger, sockets: o.Sockets, started: time.Now(),
		names: ownNames(o.HostsFile), disks: hang.New(0, 0),
	}
	s.host, _ = os.Hostname()
	s.board.server = s
	s.begin()
	s.memory, s.bodies = newMemories(o.Memory, o.MemoryWait)
	supervisor := s.supervisorNamespace()
	s.supervisorMethods = newMethodTable([]Namespace{supervisor})
	namespaces := []Namespace{s.systemNamespace()}
	if o.HasSupervisorNamespace {
		namespaces = append(namespaces, supervisor)
	}
	s.methods = newMethodTable(append(namespaces, o.Extra...))
	return s
}

// maxConns leaves most descriptors to the programs: a start needs seven, whatever
// strangers do at the same time.
func maxConns(servers int) int {
	const most, least = 1024, 16
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) != nil || servers == 0 {
		return most
	}
	share := uint64(files.Cur) / 4 / uint64(servers)
	return int(min(max(share, least), most))
}

// Listen makes a server of every socket, and opens those that are not open yet. If
// that fails all are closed again, and the error is what Supervisor says after
// "Error: ".
//
// Source: contract/config.md section 10.
func (s *Server) Listen() error {
	if s.sockets == nil {
		var err error
		if s.sockets, err = OpenSockets(s.opt.Servers, SocketOptions{PID: s.opt.PID, Stderr: s.opt.Stderr}); err != nil {
			return err
		}
	}
	if err := s.sockets.complete(); err != nil {
		return errors.Join(err, s.Close())
	}
	for i, sv := range s.opt.Servers {
		hs, err := s.open(sv, s.sockets.list[i])
		if err != nil {
			return errors.Join(err, s.Close())
		}
		s.servers = append(s.servers, hs)
		if s.opt.Handed != nil {
			continue // it was said when they were opened
		}
		if s.opt.HasSupervisorNamespace {
			s.log.Info("RPC interface 'supervisor' initialized")
		}
		if sv.Username == "" && !s.opt.Private {
			s.log.Log(context.Background(), mainlog.LevelCritical,
				fmt.Sprintf("Server '%s' running without any HTTP authentication checking", sv.Section))
		}
	}
	return nil
}

// Run answers requests until ctx ends, then gives up the addresses, lets the answers
// under way go out and closes everything. Log streams and waiting calls end with ctx.
func (s *Server) Run(ctx context.Context) error {
	for _, hs := range s.servers {
		hs.run(s.base, &s.serving, s.opt.Handed.of(hs.Section))
	}
	s.opt.Handed.closeOthers(s.servers)
	<-ctx.Done()
	s.end(context.Cause(ctx))
	err := s.leave()
	s.drain()
	err = errors.Join(err, s.Close())
	s.serving.Wait()
	return err
}

// begin makes the context of the requests to come.
func (s *Server) begin() {
	s.base, s.interrupt = context.WithCancelCause(context.Background())
}

// end ends the context of all requests, for good.
func (s *Server) end(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.interrupt(cause)
}

// drain waits for requests that are being answered. Their context has ended,
// so none lasts long but one whose client does not read. The daemon waits for a second.
func (s *Server) drain() {
	const timeout = 800 * time.Millisecond
	deadline := time.Now().Add(timeout)
	for _, hs := range s.servers {
		hs.conns.drain(time.Until(deadline))
	}
}

// leave gives up the addresses: nobody new connects, and whoever sees his connection
// end may start the next daemon at once. A second call does nothing.
func (s *Server) leave() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return nil
	}
	s.left = true
	var errs []error
	if !s.handed {
		errs = append(errs, s.sockets.Close())
	}
	for _, hs := range s.servers {
		errs = append(errs, hs.leave())
	}
	return errors.Join(errs...)
}

// Close closes every socket and connection, and removes the socket files that
// are still ours. Run does it by itself; Close is for a server that does not
// run. A second call does nothing.
func (s *Server) Close() error {
	errs := []error{s.leave()}
	for _, hs := range s.servers {
		errs = append(errs, hs.close())
	}
	return errors.Join(errs...)
}

// Check creates the file of a unix socket again if someone removed it, so that
// clients can connect again. It looks at one file for each unix server, and is
// meant to be called every few seconds.
func (s *Server) Check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return nil
	}
	var errs []error
	for _, hs := range s.servers {
		errs = append(errs, hs.check())
	}
	return errors.Join(errs...)
}

// CheckCertificates takes up key pairs and authorities whose files have changed, for
// the connections to come, and says so in the log. It returns what is wrong with files
// that have changed, whose content before stays in use, and whose certificate expires
// within a week: the same words until something changes, or a day is over. now is the
// time of day. It is meant to be called every few seconds, one call at a time; it reads
// the files.
func (s *Server) CheckCertificates(now time.Time) []error {
	var errs []error
	for _, hs := range s.servers {
		if hs.certificates == nil {
			continue
		}
		renewed, err := hs.certificates.look()
		if renewed {
			s.log.Info(fmt.Sprintf("new certificates of section [%s] are in use; %s expires at %s",
				hs.Section, hs.CertFile, hs.certificates.expires().UTC().Format(time.RFC3339)))
		}
		for _, err := range []error{err, hs.certificates.expiring(now)} {
			if err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errs
}
