package cmd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
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

// count is a good listener that tells a FIFO how many events it has had, and how
// many bytes of payload, whenever one is marked as the last.
func count(args []string) int {
	out, err := os.OpenFile(args[0], os.O_WRONLY, 0)
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
// can hold, to one listener and to a pool of four, and sendRemoteCommEvent over one
// connection and over 16. The original calls itself for each mark in what it has
// read, and gives a child's output up when too many small ones come at once: 400 of
// 12 bytes are few enough.
func BenchmarkEvents(b *testing.B) {
	for _, row := range []struct{ size, batch, listeners int }{{12, 400, 1}, {12, 400, 4}, {12, 2000, 1}, {1000, 2000, 1}} {
		name := fmt.Sprintf("communication/%dx%d", row.batch, row.size)
		if row.listeners > 1 {
			name += fmt.Sprintf("/%d_listeners", row.listeners)
		}
		benchmarkBoth(b, name, func(b *testing.B, kind oracle.Kind) {
			s := startCounted(b, kind, row.size, row.listeners)
			client := s.KeptClient()
			sent, delivered := 0, 0
			var spent time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := client.Call("supervisor.sendProcessStdin", "p", strconv.Itoa(row.batch)+"\n"); err != nil {
					b.Fatal(err)
				}
				sent += row.batch
				n, _ := s.counted(true)
				if row.listeners > 1 {
					n = row.batch // each listener knows of its own only
				}
				delivered += n
				spent += time.Since(start)
			}
			b.ReportMetric(float64(delivered)/spent.Seconds(), "events/s")
			if row.listeners == 1 {
				b.ReportMetric(100*float64(sent-delivered)/float64(sent), "%lost")
			}
		})
	}
	for _, clients := range []int{1, loadClients} {
		benchmarkBoth(b, fmt.Sprintf("remote/%d_connections", clients), func(b *testing.B, kind oracle.Kind) {
			s := startCounted(b, kind, 12, 1)
			asks := make([]func() error, clients)
			for i := range asks {
				asks[i] = s.kept()
			}
			const each = 100 // calls of one client between two looks at the clock
			n := 0
			start := time.Now()
			for b.Loop() {
				var all sync.WaitGroup
				for _, ask := range asks {
					all.Go(func() {
						for range each {
							if err := ask(); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				all.Wait()
				n += each * clients
			}
			b.ReportMetric(float64(n)/time.Since(start).Seconds(), "events/s")
			got, _ := s.counted(false)
			b.ReportMetric(100*float64(n-got)/float64(n), "%lost")
		})
	}
}

// benchmarkBoth runs one benchmark on each daemon.
func benchmarkBoth(b *testing.B, name string, run func(b *testing.B, kind oracle.Kind)) {
	for _, kind := range []oracle.Kind{oracle.Debian, oracle.Ours} {
		b.Run(name+"/"+kind.String(), func(b *testing.B) { run(b, kind) })
	}
}

// kept is a function that calls sendRemoteCommEvent over a connection of its own,
// with next to no work of its own.
func (s *countedRun) kept() (ask func() error) {
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
	return func() error {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		reply, err := http.ReadResponse(answer, nil)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(reply.Body)
		if err == nil && !bytes.Contains(text, []byte("<boolean>1</boolean>")) {
			err = fmt.Errorf("sendRemoteCommEvent: %s", text)
		}
		return err
	}
}

// countedRun is a daemon with counting listeners and a child that communicates.
type countedRun struct {
	*eventRun
	counts *bufio.Reader // what the listeners tell
	fifo   *os.File
}

func startCounted(b *testing.B, kind oracle.Kind, size, listeners int) *countedRun {
	return startListened(b, kind, listeners, "PROCESS_COMMUNICATION", "buffer_size=1000000",
		"communicate "+strconv.Itoa(size), "stdout_capture_maxbytes=1MB")
}

// startListened starts counting listeners and a child that the test binary plays.
func startListened(b *testing.B, kind oracle.Kind, listeners int, events, buffer, role, output string) *countedRun {
	b.Helper()
	if kind == oracle.Debian {
		oracle.Require(b)
	}
	dir := b.TempDir()
	path := filepath.Join(dir, "count")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		b.Fatal(err)
	}
	fifo, err := os.OpenFile(path, os.O_RDWR, 0) // so that neither side waits for the other
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { fifo.Close() })
	s := &eventRun{oracle.StartDaemon(b, kind, dir, oracle.Prelude+
		"[eventlistener:l]\ncommand={{.Self}} count {{.Dir}}/count\nevents="+events+","+remote+"\n"+buffer+"\nstdout_logfile=NONE\n"+
		"numprocs="+strconv.Itoa(listeners)+"\nprocess_name=%(process_num)s\n"+
		"[program:p]\ncommand={{.Self}} "+role+"\n"+output+"\nstdout_logfile=NONE\n"), b}
	for i := range listeners {
		s.until("l:"+strconv.Itoa(i), "RUNNING")
	}
	s.until("p", "RUNNING")
	return &countedRun{s, bufio.NewReader(fifo), fifo}
}

// counted is how many events, and bytes of payload, have reached a listener since
// it last told. The end is marked by the child's last event if marked, else, and if
// that one is lost, by one that is sent now.
func (s *countedRun) counted(marked bool) (events, size int) {
	s.t.Helper()
	if marked && s.told(lossWait, &events, &size) {
		return events, size
	}
	s.call("sendRemoteCommEvent", "t", lastData)
	if !s.told(oracle.Deadline, &events, &size) {
		s.t.Fatal("no listener has had the last event")
	}
	return events - 1, size - len(lastData)
}

// told reads what a listener tells, if it tells it in time.
func (s *countedRun) told(within time.Duration, events, size *int) bool {
	s.t.Helper()
	s.fifo.SetReadDeadline(time.Now().Add(within))
	line, err := s.counts.ReadString('\n')
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		s.t.Fatal(err)
	}
	if err == nil {
		fmt.Sscan(line, events, size)
	}
	return err == nil
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
	benchmarkBoth(b, "100MB", func(b *testing.B, kind oracle.Kind) {
		for b.Loop() {
			b.StopTimer()
			s := startListened(b, kind, 1, "PROCESS_LOG", "buffer_size=100", "pour", "stdout_events_enabled=true")
			b.StartTimer()
			start := time.Now()
			s.call("sendProcessStdin", "p", "go\n")
			_, size := s.counted(true)
			spent := time.Since(start)
			b.ReportMetric(float64(size)/(1<<20)/spent.Seconds(), "MB/s")
			b.ReportMetric(100*float64(pourSize-size)/pourSize, "%lost")
		}
	})
}
