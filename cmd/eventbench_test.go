package cmd

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

const (
	beginTag = "<!--XSUPERVISOR:BEGIN-->"
	endTag   = "<!--XSUPERVISOR:END-->"
	// lastData marks the last event of a batch.
	lastData = "last of all."
	// lossWait is how long the last event of a batch may be on its way before it
	// counts as lost.
	lossWait = 5 * time.Second
)

// communicate writes communication events of the size in its argument whenever it
// is told how many, the last of them marked.
func communicate(args []string) int {
	size, _ := strconv.Atoi(args[0])
	in := bufio.NewScanner(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	for in.Scan() {
		n, _ := strconv.Atoi(in.Text())
		for range n - 1 {
			out.WriteString(beginTag + strings.Repeat("x", size) + endTag)
		}
		// Text after the last mark, so that nothing of it is held back.
		out.WriteString(beginTag + lastData + endTag + strings.Repeat(".", 2*len(beginTag)) + "\n")
		out.Flush()
	}
	return 0
}

// count is a good listener that appends to a file how many events it has had, and
// how many bytes of payload, whenever one is marked as the last.
func count(args []string) int {
	out, err := os.OpenFile(args[0], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// As cheap as can be: the daemon is measured. All payloads are ASCII.
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	answer := []byte("READY\n")
	var payload []byte
	for events, size := 1, 0; ; events++ {
		if _, err := os.Stdout.Write(answer); err != nil {
			return 0
		}
		answer = []byte("RESULT 2\nOKREADY\n")
		head, err := in.ReadSlice('\n')
		if err != nil {
			return 0
		}
		length, _ := strconv.Atoi(string(head[bytes.LastIndexByte(head, ':')+1 : len(head)-1]))
		payload = slices.Grow(payload[:0], length)[:length]
		if _, err := io.ReadFull(in, payload); err != nil {
			return 0
		}
		size += length - bytes.IndexByte(payload, '\n') - 1
		if bytes.HasSuffix(payload, []byte(lastData)) {
			fmt.Fprintln(out, events, size)
			events, size = 0, 0
		}
	}
}

// BenchmarkEvents measures events from their origin to a listener's answer, beside
// the original in one run: communications of a child, in batches that the buffer
// can hold, and sendRemoteCommEvent over one connection. The original calls itself
// for each mark in what it has read, and gives a child's output up when too many
// small ones come at once: 400 of 12 bytes are few enough.
func BenchmarkEvents(b *testing.B) {
	for _, row := range []struct{ size, batch int }{{12, 400}, {12, 2000}, {1000, 2000}} {
		for _, kind := range []oracle.Kind{oracle.Debian, oracle.Ours} {
			b.Run(fmt.Sprintf("communication/%dx%d/%v", row.batch, row.size, kind), func(b *testing.B) {
				s := startCounted(b, kind, row.size)
				sent, delivered := 0, 0
				var spent time.Duration
				for b.Loop() {
					start := time.Now()
					s.call("sendProcessStdin", "p", strconv.Itoa(row.batch)+"\n")
					sent += row.batch
					delivered += s.counted(true)
					spent += time.Since(start)
				}
				b.ReportMetric(float64(delivered)/spent.Seconds(), "events/s")
				b.ReportMetric(100*float64(sent-delivered)/float64(sent), "%lost")
			})
		}
	}
	for _, kind := range []oracle.Kind{oracle.Debian, oracle.Ours} {
		b.Run("remote/"+kind.String(), func(b *testing.B) {
			s := startCounted(b, kind, 12)
			ask := s.kept()
			n := 0
			start := time.Now()
			for b.Loop() {
				ask()
				n++
			}
			b.ReportMetric(float64(n)/time.Since(start).Seconds(), "events/s")
			b.ReportMetric(100*float64(n-s.counted(false))/float64(n), "%lost")
		})
	}
}

// kept is a function that calls sendRemoteCommEvent over one connection, with next
// to no work of its own.
func (s *countedRun) kept() (ask func()) {
	s.t.Helper()
	conn, err := net.Dial("unix", s.Sock)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	const body = "<?xml version='1.0'?><methodCall><methodName>supervisor.sendRemoteCommEvent</methodName><params>" +
		"<param><value><string>t</string></value></param><param><value><string>twelve bytes</string></value></param></params></methodCall>"
	request := fmt.Appendf(nil, "POST /RPC2 HTTP/1.1\r\nHost: daemon\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	answer := bufio.NewReader(conn)
	return func() {
		if _, err := conn.Write(request); err != nil {
			s.t.Fatal(err)
		}
		reply, err := http.ReadResponse(answer, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		text, err := io.ReadAll(reply.Body)
		if err != nil || !bytes.Contains(text, []byte("<boolean>1</boolean>")) {
			s.t.Fatalf("sendRemoteCommEvent: %v\n%s", err, text)
		}
	}
}

// countedRun is a daemon with a counting listener and a child that communicates.
type countedRun struct {
	*eventRun
	batches int
}

func startCounted(b *testing.B, kind oracle.Kind, size int) *countedRun {
	return startListened(b, kind, "PROCESS_COMMUNICATION", "buffer_size=1000000",
		"communicate "+strconv.Itoa(size), "stdout_capture_maxbytes=1MB")
}

// startListened starts a counting listener and a child that the test binary plays.
func startListened(b *testing.B, kind oracle.Kind, events, buffer, role, output string) *countedRun {
	b.Helper()
	if kind == oracle.Debian {
		oracle.Require(b)
	}
	s := &eventRun{oracle.StartDaemon(b, kind, b.TempDir(), oracle.Prelude+
		"[eventlistener:l]\ncommand={{.Self}} count {{.Dir}}/count\nevents="+events+","+remote+"\n"+buffer+"\nstdout_logfile=NONE\n"+
		"[program:p]\ncommand={{.Self}} "+role+"\n"+output+"\nstdout_logfile=NONE\n"), b}
	s.until("l", "RUNNING")
	s.until("p", "RUNNING")
	return &countedRun{eventRun: s}
}

// counted is how many events have reached the listener since it was last asked.
// The end is marked by the child's last event if marked, else by one that is sent
// now.
func (s *countedRun) counted(marked bool) int {
	s.t.Helper()
	s.batches++
	done := func() bool { return strings.Count(s.Read("count"), "\n") >= s.batches }
	extra := 0
	if !marked || !oracle.Eventually(lossWait, done) {
		s.call("sendRemoteCommEvent", "t", lastData)
		s.wait("the last event", done)
		extra = 1
	}
	lines := strings.Split(s.Read("count"), "\n")
	n, _, _ := strings.Cut(lines[s.batches-1], " ")
	events, _ := strconv.Atoi(n)
	return events - extra
}

const (
	pourRate = 100 << 20 // bytes a second
	pourSize = 3 * pourRate
)

// pour writes pourSize bytes of lines at pourRate when it is told to, the last of
// which is marked.
func pour([]string) int {
	bufio.NewScanner(os.Stdin).Scan()
	block := bytes.Repeat([]byte(strings.Repeat("x", 127)+"\n"), 1<<20/128)
	start := time.Now()
	for written := 0; written < pourSize; written += len(block) {
		time.Sleep(time.Until(start.Add(time.Second * time.Duration(written) / pourRate)))
		if written+len(block) == pourSize {
			copy(block[len(block)-len(lastData):], lastData)
		}
		if _, err := os.Stdout.Write(block); err != nil {
			return 1
		}
	}
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// BenchmarkLogEvents has a child write 100 MB/s, all of which is sent to a
// listener as PROCESS_LOG events.
func BenchmarkLogEvents(b *testing.B) {
	for _, kind := range []oracle.Kind{oracle.Debian, oracle.Ours} {
		b.Run(kind.String(), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := startListened(b, kind, "PROCESS_LOG", "buffer_size=100", "pour", "stdout_events_enabled=true")
				b.StartTimer()
				start := time.Now()
				s.call("sendProcessStdin", "p", "go\n")
				s.counted(true)
				spent := time.Since(start)
				var events, size int
				fmt.Sscan(s.Read("count"), &events, &size)
				b.ReportMetric(float64(size)/(1<<20)/spent.Seconds(), "MB/s")
				b.ReportMetric(100*float64(pourSize-size)/pourSize, "%lost")
			}
		})
	}
}
