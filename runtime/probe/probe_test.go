package probe

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/runtime/hang"
	"supervisord/spec/value"
)

// ask looks once, for as long as it takes.
func ask(t *testing.T, s Subject, probe string) error {
	t.Helper()
	p, err := value.ParseReady(probe)
	if err != nil {
		t.Fatal(err)
	}
	return s.Of(p, time.Minute)(t.Context())
}

// says checks that an error has a text, "" for none.
func says(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("it is %v, want success", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("it is %v, want %q", err, want)
	}
}

func subject() Subject { return Subject{UID: os.Geteuid(), Disks: hang.New(0, 0)} }

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestTCP(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	probe := value.Probe{Kind: value.ProbeTCP, Target: l.Addr().String()}.String()
	says(t, ask(t, subject(), probe), "")
	says(t, ask(t, subject(), strings.Replace(probe, "127.0.0.1:", "", 1)), "") // localhost
	for range 2 {
		if conn, err := l.Accept(); err != nil {
			t.Error(err)
		} else if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("it was not reset: %v", err) // and is kept by the kernel for a minute
		}
	}
	l.Close()
	says(t, ask(t, subject(), probe), "connection refused")
}

func TestUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	says(t, ask(t, subject(), "unix:"+path), "no such file")
	l := listen(t, "unix", path)
	says(t, ask(t, subject(), "unix:"+path), "")
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	says(t, ask(t, subject(), "unix:"+path), "connection refused")
}

func TestHTTP(t *testing.T) {
	var asked atomic.Pointer[http.Request]
	var busy atomic.Bool
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r)
		switch {
		case r.URL.Path == "/redirect":
			http.Redirect(w, r, "/", http.StatusFound)
		case r.URL.Path == "/long":
			w.Header().Set("X-Long", strings.Repeat("x", 100_000))
			w.Write(make([]byte, 1<<20))
		case busy.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	for _, server := range []*httptest.Server{httptest.NewServer(handler), httptest.NewTLSServer(handler)} {
		t.Run(server.URL, func(t *testing.T) {
			defer server.Close()
			busy.Store(true) // 503 first, then 200
			says(t, ask(t, subject(), server.URL+"/a?b=c"), "status 503")
			if r := asked.Load(); r.Method != "GET" || r.RequestURI != "/a?b=c" || r.Host != server.Listener.Addr().String() {
				t.Errorf("it asked %s %s of %s", r.Method, r.RequestURI, r.Host)
			}
			says(t, ask(t, subject(), server.URL+" [500-599,401]"), "")
			busy.Store(false)
			says(t, ask(t, subject(), server.URL), "")
			says(t, ask(t, subject(), server.URL+"/redirect"), "status 302")
			says(t, ask(t, subject(), server.URL+"/redirect [302]"), "")
			says(t, ask(t, subject(), server.URL+"/long"), "")
		})
	}
}

// TestNoHTTP: what answers, and is no HTTP server, is not healthy; nor is one that closes
// the connection, or writes for ever.
func TestNoHTTP(t *testing.T) {
	for answer, want := range map[string]string{
		"SSH-2.0-x\r\n":            "not HTTP",
		"HTTP/1.1 OK\r\n":          "not HTTP",
		"":                         "no answer",
		strings.Repeat("x", 1<<20): "no answer",
	} {
		l := listen(t, "tcp", "127.0.0.1:0")
		go func() { // ends with the connection
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			conn.Read(make([]byte, 1000))
			conn.Write([]byte(answer))
		}()
		says(t, ask(t, subject(), "http://"+l.Addr().String()), want)
	}
}

// TestHangs: a server that accepts and says nothing is given up when the time is over, and
// so is a command.
func TestHangs(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	s := subject()
	s.Exec = func(ctx context.Context, command string) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	for _, probe := range []string{"http://" + l.Addr().String(), "https://" + l.Addr().String(), "exec:x"} {
		p, err := value.ParseReady(probe)
		if err != nil {
			t.Fatal(err)
		}
		says(t, s.Of(p, 20*time.Millisecond)(t.Context()), "no answer within 0.02s")
	}
}

func TestExec(t *testing.T) {
	s := subject()
	for status, want := range []string{"", "exit status 1"} {
		s.Exec = func(_ context.Context, command string) (int, error) {
			if command != "check --now" {
				t.Errorf("it ran %q", command)
			}
			return status, nil
		}
		says(t, ask(t, s, "exec:check --now"), want)
	}
	s.Exec = func(context.Context, string) (int, error) { return 0, errors.New("there is no such command") }
	says(t, ask(t, s, "exec:check"), "no such command")
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ready")
	probe := value.Probe{Kind: value.ProbeFile, Target: path}
	file := func(make func() error) {
		t.Helper()
		os.Remove(path)
		if err := make(); err != nil {
			t.Fatal(err)
		}
	}
	is := func(look, kept string, s Subject) {
		t.Helper()
		says(t, ask(t, s, probe.String()), look)
		if err := s.Forget(probe); err != nil {
			t.Error(err)
		}
		_, err := os.Lstat(path)
		if removed := errors.Is(err, fs.ErrNotExist); removed != (kept == "removed") {
			t.Errorf("removed %v, want it %s", removed, kept)
		}
	}
	other := subject()
	other.UID++
	is("no such file", "removed", subject()) // as it was
	file(func() error { return os.WriteFile(path, nil, 0o600) })
	is("another user", "kept", other)
	is("", "removed", subject())
	file(func() error { return os.Mkdir(path, 0o700) })
	is("no regular file", "kept", subject())
	file(func() error { return syscall.Mkfifo(path, 0o600) })
	is("no regular file", "kept", subject())
	file(func() error { return os.Symlink("/etc/passwd", path) })
	is("no regular file", "kept", subject())
	file(func() error {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
		if err == nil {
			l.SetUnlinkOnClose(false)
			l.Close()
		}
		return err
	})
	is("", "removed", subject())
	probe.Target = filepath.Join(dir, "no", "ready")
	if err := subject().Forget(probe); err != nil {
		t.Errorf("without a directory: %v", err)
	}
}

// TestWatch: what is posted is each failure, and each success that follows none.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outcomes := []error{nil, nil, errors.New("a"), errors.New("b"), nil, nil, nil}
		posted, looks := "", 0
		w := Start(Options{Name: "web", Interval: 10 * time.Second,
			Look: func(context.Context) error { looks++; return outcomes[(looks-1)%len(outcomes)] },
			Post: func(_ *Watch, err error) {
				if err != nil {
					posted += err.Error()
				} else {
					posted += "+"
				}
			},
		})
		time.Sleep(65 * time.Second)
		synctest.Wait()
		if looks < 7 || looks > 8 || posted != "+ab+" {
			t.Errorf("after %d looks it has posted %q", looks, posted)
		}
		w.Stop()
		<-w.Ended()
		before := looks
		time.Sleep(time.Minute)
		if looks != before {
			t.Error("it looks after its end")
		}
	})
}

// TestWatchOnce: the first success ends it.
func TestWatchOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks, passed := 0, 0
		w := Start(Options{Name: "web", Interval: time.Second, Once: true,
			Look: func(context.Context) error {
				if looks++; looks < 3 {
					return errors.New("not yet")
				}
				return nil
			},
			Post: func(_ *Watch, err error) {
				if err == nil {
					passed++
				}
			},
		})
		<-w.Ended()
		if looks != 3 || passed != 1 {
			t.Errorf("%d looks, %d successes", looks, passed)
		}
	})
}

// TestNext: looks are at whole intervals from the second one on; those that were missed are
// not made up for.
func TestNext(t *testing.T) {
	began := time.Unix(1000, 0)
	for _, test := range []struct{ now, want time.Duration }{
		{0, 3 * time.Second}, {2 * time.Second, 3 * time.Second}, {3 * time.Second, 13 * time.Second},
		{12 * time.Second, 13 * time.Second}, {13 * time.Second, 23 * time.Second}, {59 * time.Second, 63 * time.Second},
	} {
		if got := next(began, began.Add(test.now), 10*time.Second, 3*time.Second).Sub(began); got != test.want {
			t.Errorf("after %v it looks at %v, want %v", test.now, got, test.want)
		}
	}
}

// TestTogether: looks are at most a slot late, and those of one slot come at one time.
func TestTogether(t *testing.T) {
	for _, test := range []struct{ at, interval, want time.Duration }{
		{0, time.Second, 0}, {1, time.Second, 50 * time.Millisecond}, {50 * time.Millisecond, time.Second, 50 * time.Millisecond},
		{99 * time.Millisecond, time.Second, 100 * time.Millisecond}, {7 * time.Second, time.Hour, 7 * time.Second},
		{7*time.Second + 1, time.Hour, 7250 * time.Millisecond}, {7, 19, 7},
	} {
		if got := together(zero.Add(test.at), test.interval).Sub(zero); got != test.want {
			t.Errorf("%v of an interval of %v becomes %v, want %v", test.at, test.interval, got, test.want)
		}
	}
}

// TestPhases: a thousand programs that begin together look spread over the interval.
func TestPhases(t *testing.T) {
	var tenths [10]int
	for i := range 1000 {
		phase := phaseOf("web:web_"+string(rune('a'+i%26))+string(rune('0'+i/26)), time.Second)
		if phase <= 0 || phase > time.Second {
			t.Fatalf("phase %v", phase)
		}
		tenths[min(9, phase/(time.Second/10))]++
	}
	for i, n := range tenths {
		if n < 50 || n > 150 {
			t.Errorf("%d of 1000 are in tenth %d: %v", n, i, tenths)
		}
	}
}
