package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"supervisord/runtime/hang"
	"supervisord/spec/value"
)

// Subject is the program that is looked at.
type Subject struct {
	UID   int // of its user: whose a file must be
	Disks *hang.Disks
	// Exec runs a command as the program would be, and returns its exit status. It ends it
	// when ctx ends.
	Exec func(ctx context.Context, command string) (status int, err error)
}

// Of is how a probe looks at a program, for as long as timeout at the most.
func (s Subject) Of(p value.Probe, timeout time.Duration) Look {
	patient := limited(s.of(p), timeout)
	if p.Kind != value.ProbeTCP {
		return patient
	}
	atOnce := atOnceOf(p.Target)
	return func(ctx context.Context) error {
		if atOnce() { // which takes no time, and so no limit
			return nil
		}
		return patient(ctx)
	}
}

// limited gives a look up when its time is over.
func limited(look Look, timeout time.Duration) Look {
	return func(ctx context.Context) error {
		within, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		err := look(within)
		if err != nil && errors.Is(within.Err(), context.DeadlineExceeded) {
			return fmt.Errorf("no answer within %s", value.ShowDuration(timeout))
		}
		return err
	}
}

func (s Subject) of(p value.Probe) Look {
	switch p.Kind {
	case value.ProbeTCP:
		return func(ctx context.Context) error { return closed(dial(ctx, p.Target)) }
	case value.ProbeUnix:
		return func(ctx context.Context) error {
			_, err := hang.Ask(ctx, s.Disks, filepath.Dir(p.Target), func() (none struct{}, err error) {
				return none, closed(new(net.Dialer).DialContext(ctx, "unix", p.Target))
			})
			return err
		}
	case value.ProbeHTTP, value.ProbeHTTPS:
		return func(ctx context.Context) error { return request(ctx, p) }
	case value.ProbeExec:
		return func(ctx context.Context) error {
			status, err := s.Exec(ctx, p.Target)
			if err == nil && status != 0 {
				err = fmt.Errorf("exit status %d", status)
			}
			return err
		}
	case value.ProbeFile:
		return func(ctx context.Context) error {
			_, err := hang.Ask(ctx, s.Disks, filepath.Dir(p.Target), func() (none struct{}, err error) {
				info, err := os.Lstat(p.Target)
				if err == nil {
					err = s.accepts(info)
				}
				return none, err
			})
			return err
		}
	}
	return func(context.Context) error { return errors.New("there is no such probe") } // spec refuses it before
}

// dial makes a TCP connection that is reset when it is closed: one that is closed the usual
// way is kept by the kernel for a minute, and a thousand of them a second use up all ports.
func dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if tcp, is := conn.(*net.TCPConn); is {
		_ = tcp.SetLinger(0)
	}
	return conn, err
}

// closed closes what was made.
func closed(conn net.Conn, err error) error {
	if err == nil {
		conn.Close()
	}
	return err
}

// maxStatusLine bounds the first line of an answer.
const maxStatusLine = 4 << 10

// request asks an HTTP server, and looks at the status of the answer. It follows no
// redirection. The certificate of a server is not looked at: what is asked is whether the
// program answers, and nothing is told that would have to be kept from somebody.
func request(ctx context.Context, p value.Probe) error {
	u, err := url.Parse(p.Target)
	if err != nil {
		return err
	}
	good, err := value.ParseStatuses(p.Codes)
	if err != nil {
		return err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	conn, err := dial(ctx, net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	secured := conn
	if u.Scheme == "https" {
		secured = tls.Client(conn, &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: true}) // see above
	}
	_, err = fmt.Fprintf(secured, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: supervisord\r\nAccept: */*\r\nConnection: close\r\n\r\n", u.RequestURI(), u.Host)
	if err != nil {
		return err
	}
	line, err := bufio.NewReader(io.LimitReader(secured, maxStatusLine)).ReadString('\n')
	if err != nil {
		return errors.New("no answer: " + err.Error())
	}
	version, rest, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil || !strings.HasPrefix(version, "HTTP/1.") {
		return errors.New("the answer is not HTTP")
	}
	if !good.Has(status) {
		return fmt.Errorf("status %d", status)
	}
	return nil
}

// accepts reports what is wrong with a file that says that the program is ready.
func (s Subject) accepts(info fs.FileInfo) error {
	if t := info.Mode().Type(); t != 0 && t != fs.ModeSocket {
		return fmt.Errorf("%s is no regular file and no socket", info.Name())
	}
	if stat, is := info.Sys().(*syscall.Stat_t); !is || int(stat.Uid) != s.UID {
		return fmt.Errorf("%s belongs to another user than the program's", info.Name())
	}
	return nil
}

// Forget removes the file of a probe, so that it is there again only when the program has
// made it. What the probe would not accept stays. It may wait for the disk.
func (s Subject) Forget(p value.Probe) error {
	if p.Kind != value.ProbeFile {
		return nil
	}
	dir, err := os.OpenRoot(filepath.Dir(p.Target)) // what is looked at is what is removed
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	name := filepath.Base(p.Target)
	info, err := dir.Lstat(name)
	if err != nil || s.accepts(info) != nil {
		return nil
	}
	return dir.Remove(name)
}
