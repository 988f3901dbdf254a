package cmd

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// hostile is an event listener that does not keep to the protocol.
func hostile(args []string) int {
	in := bufio.NewReader(os.Stdin)
	ready := func() { fmt.Print("READY\n") }
	next := func() {
		ready()
		if _, err := readEvent(in); err != nil {
			os.Exit(0)
		}
	}
	switch args[0] {
	case "silent": // takes one event and never answers
		next()
		select {}
	case "slow":
		for {
			next()
			time.Sleep(2 * time.Second)
			fmt.Print("RESULT 2\nOK")
		}
	case "garbage":
		next()
		io.Copy(os.Stdout, strings.NewReader("\x00\xff what? \n\n RESULT"))
		io.Copy(io.Discard, in)
	case "giant": // a result that never ends, all of which it sends
		next()
		fmt.Print("RESULT 9000000000000000000\n")
		flood([]byte("x"))
	case "endless": // a line that never ends
		next()
		flood([]byte("RESULT 2"))
	case "dies": // in mid-event, before it has read all of it
		ready()
		in.ReadByte()
		return 1
	case "closes": // its standard input
		os.Stdin.Close()
		ready()
		select {}
	case "floods": // its standard output without being asked
		flood([]byte("READY\n"))
	case "deaf": // answers without reading
		for {
			fmt.Print("READY\nRESULT 2\nOK")
			time.Sleep(10 * time.Millisecond)
		}
	case "refuses": // rejects every event at once
		for {
			next()
			fmt.Print("RESULT 4\nFAIL")
		}
	}
	return 2
}

// flood writes without end; it ends with the reader.
func flood(data []byte) {
	data = bytes.Repeat(data, 32<<10/len(data))
	for {
		if _, err := os.Stdout.Write(data); err != nil {
			return
		}
	}
}

const (
	hostileData = 50_000 // bytes of each event
	// hostileGrowth bounds what the daemon's memory may grow by meanwhile: far less
	// than what a listener could make it keep, and room for garbage on a busy machine.
	hostileGrowth = 64 << 20
)

// hostileEvents are several times what is kept for the hostile listener.
var hostileEvents = size(100, 400)

// hostileDelay bounds what the daemon may take to answer getState, on a machine
// that the listeners and the test keep busy.
var hostileDelay = size(30*time.Second, time.Second)

// TestHostileListeners floods our daemon with events while one listener misbehaves.
// The daemon answers all the while, grows by no more than a bound, and a listener
// that behaves gets every event.
func TestHostileListeners(t *testing.T) {
	if !fullSize { // which holds it to the times of a quiet machine
		t.Parallel()
	}
	rows := []struct{ way, log string }{
		{"silent", ""},
		{"slow", "pool h event buffer overflowed"},
		{"garbage", "h: has entered the UNKNOWN state"},
		{"giant", ""},
		{"endless", "h: bad result line: 'RESULT 2RESULT 2"},
		{"dies", "exited: h (exit status 1; not expected)"},
		{"closes", "listener h has closed its standard input"},
		{"floods", "h: has entered the UNKNOWN state"},
		{"deaf", "pool h event buffer overflowed"},
		{"refuses", "h: event was rejected"},
	}
	for _, row := range rows {
		t.Run(row.way, func(t *testing.T) {
			t.Parallel()
			s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+
				"[eventlistener:h]\ncommand={{.Self}} hostile "+row.way+"\nevents="+remote+"\nbuffer_size=20\n"+
				"startsecs=0\nstopwaitsecs=1\nstdout_logfile=NONE\nstartretries=1000000\n"+
				"[eventlistener:w]\ncommand={{.Self}} witness {{.Dir}}/count\nevents="+remote+"\nbuffer_size=100000\nstartsecs=0\nstdout_logfile=NONE\n"), t}
			s.until("w", "RUNNING")
			s.wait("the hostile listener", func() bool { return s.State("h") != "STOPPED" })
			before := memory(t, s.PID())
			data := strings.Repeat("0123456789", hostileData/10)
			client := s.KeptClient()
			worst := time.Duration(0)
			for i := range hostileEvents {
				if _, err := client.Call("supervisor.sendRemoteCommEvent", "t", data); err != nil {
					t.Fatal(err)
				}
				if i%20 == 0 {
					begin := time.Now()
					s.call("getState")
					worst = max(worst, time.Since(begin))
					// What waits for the witness is not what the hostile one costs.
					s.wait("the witness to keep up", func() bool {
						n, _ := strconv.Atoi(s.Read("count"))
						return n >= i-20
					})
				}
			}
			s.wait("every event at the witness", func() bool { return s.Read("count") == strconv.Itoa(hostileEvents) })
			if row.log != "" {
				s.logged(row.log)
			}
			if grown := memory(t, s.PID()) - before; grown > hostileGrowth {
				t.Errorf("the daemon grew by %d MB", grown>>20)
			}
			if worst > hostileDelay {
				t.Errorf("getState took %v", worst)
			}
			t.Logf("grown by %d MB, slowest getState %v", (memory(t, s.PID())-before)>>20, worst)
		})
	}
}

// witness is a good listener that writes to a file, every tenth time, how many
// events it has had.
func witness(args []string) int {
	n := 0
	return listen(func(string) string {
		if n++; n%10 == 0 {
			if err := os.WriteFile(args[0], []byte(strconv.Itoa(n)), 0o644); err != nil {
				return err.Error()
			}
		}
		return "OK"
	})
}

var residentLine = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)

// memory is the most that a process has had in memory, in bytes.
func memory(t testing.TB, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := residentLine.FindSubmatch(status)
	if m == nil {
		t.Fatalf("no VmHWM of process %d", pid)
	}
	kb, _ := strconv.Atoi(string(m[1]))
	return kb << 10
}

// TestStalledListenerIsRestarted lets a listener be silent for longer than its
// stall_timeout: it is started anew and gets its event again.
func TestStalledListenerIsRestarted(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+
		rec("rec", remote, "silent", "stall_timeout=1")), t}
	s.until("rec", "RUNNING")
	first := s.pid("rec")
	s.call("sendRemoteCommEvent", "t", "x")
	s.seen("rec", remote, 2)
	if now := s.pid("rec"); now == first {
		t.Errorf("the listener still has pid %d", now)
	}
	s.logged("restarting listener rec: no answer for 1s (stall_timeout)")
	events := s.events("rec")
	if events[0] != events[1] {
		t.Errorf("the event came back as %v, was %v", events[1], events[0])
	}
}
