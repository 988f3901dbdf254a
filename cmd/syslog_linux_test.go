package cmd

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/cmd/internal/oracle"
)

// ownDev mounts a /dev in which log is a socket of the test's.
const ownDev = `
mkdir dev
mount -t tmpfs none dev
for f in null zero full random urandom tty; do touch dev/$f; mount --bind /dev/$f dev/$f; done
ln -s /proc/self/fd dev/fd
ln -s "$PWD/syslog" dev/log
mount --rbind dev /dev`

var (
	stamp  = regexp.MustCompile(`[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d`)
	sender = regexp.MustCompile(`\[\d+\]`)
)

// TestSyslog has both daemons send a program's output to syslog as well.
func TestSyslog(t *testing.T) {
	oracle.Require(t)
	received := func(kind oracle.Kind) []string {
		dir, err := os.MkdirTemp("", "sy") // short enough for a socket
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: filepath.Join(dir, "syslog")})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		s := &eventRun{oracle.StartIn(t, kind, dir, oracle.Prelude+`
[program:p]
command=/bin/sh -c 'echo one; echo two >&2; {{.Self}} drained; printf "three\nfour\n"; exec cat'
stdout_syslog=true
stderr_syslog=true
stdout_logfile={{.Dir}}/out
stderr_logfile=NONE
`, inNamespaces(0, ownDev)), t}
		s.until("p", "RUNNING")
		var got []string
		l.SetReadDeadline(time.Now().Add(oracle.Deadline))
		for buf := make([]byte, 4096); len(got) < 4; {
			n, err := l.Read(buf)
			if err != nil {
				t.Fatalf("%v after %q", err, got)
			}
			text := strings.TrimRight(string(buf[:n]), "\n\x00")
			got = append(got, sender.ReplaceAllString(stamp.ReplaceAllString(text, "<time>"), "[<pid>]"))
		}
		if out := s.Read("out"); out != "one\nthree\nfour\n" {
			t.Errorf("%v: the file has %q", kind, out)
		}
		slices.Sort(got) // the two streams have no order between them
		return got
	}
	ours, theirs := received(oracle.Ours), received(oracle.Debian)
	t.Logf("%q", ours)
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("what syslog is sent differs (-original +ours):\n%s", diff)
	}
}
