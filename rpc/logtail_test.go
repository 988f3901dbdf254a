package rpc

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tail is an open stream.
type tail struct {
	t    *testing.T
	resp *http.Response
	body *bufio.Reader
}

// follow opens a stream; the first word of request is the method.
func follow(t *testing.T, s *Server, path string) *tail {
	t.Helper()
	return followOf(t, dial(t, s, 0), path)
}

// followOf is the same by a client.
func followOf(t *testing.T, c *client, path string) *tail {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", c.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return &tail{t, resp, bufio.NewReader(resp.Body)}
}

// reads wants exactly this text next.
func (f *tail) reads(want string) {
	f.t.Helper()
	buf := make([]byte, len(want))
	timer := time.AfterFunc(2*time.Minute, func() { f.resp.Body.Close() })
	defer timer.Stop()
	if n, err := io.ReadFull(f.body, buf); err != nil || string(buf) != want {
		f.t.Fatalf("got %q, %v; want %q", buf[:n], err, want)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestLogtail(t *testing.T) {
	w, o := unixOnly(t)
	s := serve(t, o)
	cat, _ := w.Info(t.Context(), "cat", "cat")
	for path, log := range map[string]string{
		"/logtail/cat": cat.StdoutLog, "/logtail/cat/stdout": cat.StdoutLog, "/logtail/cat/stderr": cat.StderrLog,
		"/logtail/cat%3Acat?x": cat.StdoutLog, "/logtailXX/cat": cat.StdoutLog, "/mainlogtail": w.mainLog, "/mainlogtailXX/y": w.mainLog,
	} {
		t.Run(path, func(t *testing.T) {
			data := strings.Repeat("0123456789abcdef", 100)
			if err := os.WriteFile(log, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
			f := follow(t, s, path)
			h := f.resp.Header
			if f.resp.StatusCode != 200 || h.Get("Content-Type") != "text/plain;charset=utf-8" || h.Get("Last-Modified") == "" ||
				h.Get("X-Content-Type-Options") != "nosniff" ||
				(h.Get("X-Accel-Buffering") == "no") != strings.HasPrefix(path, "/logtail") || f.resp.TransferEncoding[0] != "chunked" {
				t.Errorf("%s %v %v", f.resp.Status, h, f.resp.TransferEncoding)
			}
			f.reads(data[len(data)-1024:])
			for i := range 5 {
				line := fmt.Sprintf("line %d\xff\n", i)
				appendTo(t, log, line)
				f.reads(line)
			}
		})
	}
}

// TestLogtailRotation: nothing that is written is lost when the file is renamed
// away, and what is written before the new one is there comes too.
func TestLogtailRotation(t *testing.T) {
	w, o := unixOnly(t)
	s := serve(t, o)
	path := w.mainLog
	f := follow(t, s, "/mainlogtail")
	f.reads("first line\nsecond line\n")
	for i := range 5 {
		appendTo(t, path, "end of the old one\n")
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		appendTo(t, path+".1", "after the rename\n")
		appendTo(t, path, fmt.Sprintf("start of file %d\n", i))
		f.reads(fmt.Sprintf("end of the old one\nafter the rename\nstart of file %d\n", i))
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	appendTo(t, path, "made anew\n")
	f.reads("made anew\n")
}

// TestLogtailTruncation: it is said, and the stream goes on.
func TestLogtailTruncation(t *testing.T) {
	w, o := unixOnly(t)
	s := serve(t, o)
	f := follow(t, s, "/mainlogtail")
	f.reads("first line\nsecond line\n")
	for range 3 {
		if err := os.Truncate(w.mainLog, 0); err != nil {
			t.Fatal(err)
		}
		f.reads("==> File truncated <==\n")
		appendTo(t, w.mainLog, "new\n")
		f.reads("new\n")
	}
}

// TestLogtailOldProtocol: a client of HTTP/1.0 gets each line when it is
// written; the original lets 64 KiB gather.
func TestLogtailOldProtocol(t *testing.T) {
	w, o := unixOnly(t)
	s := serve(t, o)
	conn, err := net.Dial("unix", s.servers[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	io.WriteString(conn, "GET /mainlogtail HTTP/1.0\r\n\r\n")
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "\r\n" {
			break
		}
	}
	for _, want := range []string{"first line\n", "second line\n", "third\n"} {
		if want == "third\n" {
			appendTo(t, w.mainLog, want)
		}
		if line, err := r.ReadString('\n'); err != nil || line != want {
			t.Fatalf("%q, %v", line, err)
		}
	}
}

// TestLogtailOfNothing: what cannot be followed is not found, devices too.
func TestLogtailOfNothing(t *testing.T) {
	w, o := unixOnly(t)
	c := dial(t, serve(t, o), 0)
	for _, path := range []string{"", "/nonexistent/log", "/dev/null", t.TempDir()} {
		w.mainLog = path
		if resp, _ := c.do(t, "GET", "/mainlogtail", ""); resp.StatusCode != 404 || resp.Header.Get("X-Accel-Buffering") != "" {
			t.Errorf("%q: %s", path, resp.Status)
		}
	}
}

// TestLogtailHangUp: a stream whose client went away ends.
func TestLogtailHangUp(t *testing.T) {
	_, o := unixOnly(t)
	s := serve(t, o)
	f := follow(t, s, "/mainlogtail")
	f.reads("first line\n")
	f.resp.Body.Close()
	eventually(t, "the stream has ended", func() bool { return serving(s) == 0 })
}

// TestLogtailOfADevice: of what cannot be read back, which is /dev/stdout in many
// containers, it is said, in the stream and in the fault.
func TestLogtailOfADevice(t *testing.T) {
	w, o := unixOnly(t)
	fifo := filepath.Join(shortDir(t), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	c := dial(t, serve(t, o), 0)
	for _, path := range []string{fifo, "/dev/zero"} {
		w.procs[1].StdoutLog, w.procs[1].StderrLog, w.mainLog = path, path, path
		for _, url := range []string{"/logtail/cat", "/logtail/cat/stderr", "/mainlogtail"} {
			resp, body := c.do(t, "GET", url, "")
			if want := "==> " + path + " cannot be read back: it is not a regular file <==\n"; resp.StatusCode != 200 || body != want {
				t.Errorf("%s of %s: %s %q", url, path, resp.Status, body)
			}
		}
	}
	w.procs[1].StdoutLog = fifo
	if _, err := c.call("supervisor.readProcessStdoutLog", "cat", 0, 0); err == nil || err.Error() != "[30] FAILED: "+fifo+" cannot be read back: it is not a regular file" {
		t.Errorf("read: %v", err)
	}
	if v, err := c.call("supervisor.tailProcessStdoutLog", "cat", 0, 100); err != nil || v.([]any)[0] != "" {
		t.Errorf("tail: %v, %v", v, err)
	}
}
