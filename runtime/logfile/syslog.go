package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// priority is user.info, as Supervisor sends everything.
const priority = 14

const (
	syslogWait  = 100 * time.Millisecond // for a daemon that is slow
	syslogRetry = time.Second            // after it failed
)

// syslogPaths are where systems have the syslog daemon's socket.
var syslogPaths = []string{"/dev/log", "/var/run/syslog", "/var/run/log"}

// syslogger is the connection to one syslog daemon. All Writers share it.
type syslogger struct {
	mu      sync.Mutex
	paths   []string
	conn    net.Conn
	lastErr error // why nothing is tried until then
	until   time.Time
	buf     []byte
}

var syslogs = struct {
	sync.Mutex
	bySocket map[string]*syslogger
}{bySocket: map[string]*syslogger{}}

func syslogAt(socket string) *syslogger {
	syslogs.Lock()
	defer syslogs.Unlock()
	s := syslogs.bySocket[socket]
	if s == nil {
		s = &syslogger{paths: syslogPaths}
		if socket != "" {
			s.paths = []string{socket}
		}
		syslogs.bySocket[socket] = s
	}
	return s
}

// toSyslog sends each line of one record. Newlines at its end are left out,
// empty lines within are kept.
//
// Source: contract/config.md section 12, syslog.
func (w *Writer) toSyslog(p []byte) {
	s := syslogAt(w.opts.SyslogSocket)
	lost := 0
	var why error
	for line := range bytes.SplitSeq(bytes.TrimRight(p, "\n"), []byte("\n")) {
		if err := s.send(w.opts.Tag, line); err != nil {
			lost += len(line)
			why = err
		}
	}
	if why != nil {
		w.recordLoss(&w.sys, lost, why)
	} else {
		w.recovered(&w.sys)
	}
}

// send sends one line. It waits for a slow daemon for a moment only, and after
// a failure of the daemon's drops everything for a while.
func (s *syslogger) send(tag string, line []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lastErr != nil && time.Now().Before(s.until) {
		return s.lastErr
	}
	if tag != "" {
		tag += " "
	}
	s.buf = fmt.Appendf(s.buf[:0], "<%d>%s %s: %s%s", priority, time.Now().Format(time.Stamp),
		filepath.Base(os.Args[0]), tag, strings.ToValidUTF8(string(line), "\uFFFD"))
	err := s.write()
	s.lastErr = err
	if errors.Is(err, syscall.EMSGSIZE) {
		s.lastErr = nil // the line's own fault; others still go
	}
	s.until = time.Now().Add(syslogRetry)
	return err
}

// write sends the buffer, over a new connection if the daemon was restarted.
func (s *syslogger) write() error {
	var err error
	for range 2 {
		if s.conn == nil {
			if s.conn, err = s.dial(); err != nil {
				return err
			}
		}
		// A deadline on an open unix socket cannot fail.
		_ = s.conn.SetWriteDeadline(time.Now().Add(syslogWait))
		if _, err = s.conn.Write(s.buf); err == nil || errors.Is(err, syscall.EMSGSIZE) {
			return err
		}
		s.conn.Close()
		s.conn = nil
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return err
}

func (s *syslogger) dial() (net.Conn, error) {
	var errs []error
	for _, path := range s.paths {
		conn, err := net.Dial("unixgram", path)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errs[0]
}
