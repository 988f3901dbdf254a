package logfile_test

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/logfile"
)

// daemon is a syslog daemon at socket.
func daemon(t *testing.T, socket string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// received is the next n messages, without time and program name.
func received(t *testing.T, c *net.UnixConn, n int) []string {
	t.Helper()
	head := regexp.MustCompile(`^<14>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ` + regexp.QuoteMeta(filepath.Base(os.Args[0])) + `: `)
	var got []string
	buf := make([]byte, 1<<20)
	for range n {
		c.SetReadDeadline(time.Now().Add(2 * time.Minute))
		m, err := c.Read(buf)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		text := string(buf[:m])
		if !head.MatchString(text) {
			t.Errorf("message %q does not begin with %s", text, head)
		}
		got = append(got, head.ReplaceAllString(text, ""))
	}
	return got
}

func TestSyslog(t *testing.T) {
	for _, row := range []struct {
		name, tag, text string
		want            []string
	}{
		{"a line", "web", "one\n", []string{"web one"}},
		{"no newline", "web", "one", []string{"web one"}},
		{"no tag", "", "2026 INFO one\n", []string{"2026 INFO one"}},
		{"several lines, an empty one within", "web", "one\n\ntwo\n\n\n", []string{"web one", "web ", "web two"}},
		{"not UTF-8", "web", "a\xffb\n", []string{"web a\uFFFDb"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			c := daemon(t, socket)
			w := opened(t, logfile.Options{Syslog: true, SyslogSocket: socket, Tag: row.tag})
			write(t, w, row.text)
			if diff := cmp.Diff(row.want, received(t, c, len(row.want))); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
			if w.Dropped() != 0 {
				t.Errorf("Dropped() = %d, want 0", w.Dropped())
			}
		})
	}
}

// TestSyslogBesideAFile: both get everything.
func TestSyslogBesideAFile(t *testing.T) {
	dir := t.TempDir()
	socket, path := filepath.Join(dir, "s"), filepath.Join(dir, "log")
	c := daemon(t, socket)
	w := opened(t, logfile.Options{Path: path, Syslog: true, SyslogSocket: socket, Tag: "web"})
	write(t, w, "one\n")
	if diff := cmp.Diff([]string{"web one"}, received(t, c, 1)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "one\n" {
		t.Errorf("file has %q, %v", got, err)
	}
}

// TestSyslogDaemonRestarts: a missing daemon costs what is sent meanwhile, with
// one report; a new one is found.
func TestSyslogDaemonRestarts(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	var told []logfile.Trouble
	w := logfile.New(logfile.Options{Syslog: true, SyslogSocket: socket, Report: func(tr logfile.Trouble) { told = append(told, tr) }})
	w.Hurry(time.Hour)
	open(t, w)
	defer w.Close()
	write(t, w, "lost\n")
	write(t, w, "gone\n")
	if w.Dropped() != 8 || len(told) != 1 || told[0].Target != "syslog" {
		t.Errorf("dropped %d, told %v, want 8 and one report", w.Dropped(), told)
	}
	c := daemon(t, socket)
	eventually(t, "a message arrives", func() bool {
		before := w.Dropped()
		write(t, w, "back\n")
		return w.Dropped() == before
	})
	received(t, c, 1)
	c.Close()
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	c = daemon(t, socket)
	write(t, w, "again\n")
	if diff := cmp.Diff([]string{"again"}, received(t, c, 1)); diff != "" {
		t.Errorf("messages of a restarted daemon (-want +got):\n%s", diff)
	}
}

// TestSyslogThatNobodyReads delays a writer for a moment, not for each line.
func TestSyslogThatNobodyReads(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	daemon(t, socket)
	w := opened(t, logfile.Options{Syslog: true, SyslogSocket: socket})
	began := time.Now()
	write(t, w, strings.Repeat(strings.Repeat("x", 999)+"\n", 10_000))
	if took := time.Since(began); took > time.Minute {
		t.Errorf("10,000 lines took %v", took)
	}
	if w.Dropped() == 0 {
		t.Error("nobody read 10 MB of messages and none was dropped")
	}
}

// TestSyslogLineTooLong: a line that fits into no message is lost alone, and costs
// others nothing.
func TestSyslogLineTooLong(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	c := daemon(t, socket)
	o := logfile.Options{Syslog: true, SyslogSocket: socket}
	one, other := opened(t, o), opened(t, o)
	long := strings.Repeat("x", 1<<20)
	write(t, one, long+"\nshort\n")
	write(t, other, "other\n")
	if diff := cmp.Diff([]string{"short", "other"}, received(t, c, 2)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if one.Dropped() != int64(len(long)) || other.Dropped() != 0 {
		t.Errorf("dropped %d and %d, want %d and 0", one.Dropped(), other.Dropped(), len(long))
	}
}
