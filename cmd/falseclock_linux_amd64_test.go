package cmd

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// stepClock has the wall clock that a process sees be ahead of the machine's by so many
// seconds, and leaves its monotonic clock alone, as a step of the machine's clock would.
// A static Go program asks the kernel for the time through the page of code that the
// kernel has mapped for it (vDSO), which is written over. No other process is concerned,
// not even a child: exec brings the page back.
//
// The process stands still meanwhile. It reports whether the step was made.
func stepClock(t testing.TB, pid int, seconds int32) bool {
	t.Helper()
	base, size := vdsoOf(t, pid)
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		t.Logf("cannot step the clock: %v", err)
		return false
	}
	defer memory.Close()
	image := make([]byte, size)
	if _, err := memory.ReadAt(image, base); err != nil {
		t.Fatal(err)
	}
	code := []byte{
		0xb8, 228, 0, 0, 0, // mov eax, 228: clock_gettime(edi, rsi)
		0x0f, 0x05, // syscall
		0x85, 0xff, // test edi, edi
		0x75, 0x07, // jnz to the end unless it is CLOCK_REALTIME
		0x48, 0x81, 0x06, 0, 0, 0, 0, // add qword [rsi], seconds
		0xc3, // ret
	}
	binary.LittleEndian.PutUint32(code[14:], uint32(seconds))

	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGCONT)
	oracle.WaitFor(t, "the process to stand still", func() bool { return !strings.Contains(threads(t, pid, "stat"), ") R ") })
	for line := range strings.Lines(threads(t, pid, "syscall")) {
		f := strings.Fields(line)
		var at int64
		if fmt.Sscan(f[len(f)-1], &at); at >= base && at < base+size {
			return false // one stands where the code is
		}
	}
	if _, err := memory.WriteAt(code, base+clockGettime(t, image)); err != nil {
		t.Fatal(err)
	}
	return true
}

// threads is what the files of that name say of all threads of a process.
func threads(t testing.TB, pid int, name string) string {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/%s", pid, name))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, _ := os.ReadFile(file) // of one that has ended there is none
		all.Write(text)
	}
	return all.String()
}

func vdsoOf(t testing.TB, pid int) (base, size int64) {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(line, "[vdso]\n") {
			var end int64
			if _, err := fmt.Sscanf(line, "%x-%x", &base, &end); err != nil {
				t.Fatal(err)
			}
			return base, end - base
		}
	}
	t.Fatalf("process %d has no vDSO", pid)
	return 0, 0
}

// clockGettime is where in the vDSO that function is.
func clockGettime(t testing.TB, image []byte) int64 {
	t.Helper()
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, symbol := range symbols {
		if symbol.Name == "__vdso_clock_gettime" {
			return int64(symbol.Value)
		}
	}
	t.Fatal("the vDSO has no clock_gettime")
	return 0
}

// TestClockSteps steps the daemon's clock back and forth: it starts, stops and delays
// nothing but what goes by the wall clock.
func TestClockSteps(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+`
[program:p]
command=/bin/sleep 1000
startsecs=2
autostart=false

[eventlistener:l]
command={{.Self}} record {{.Dir}}/l.events
events=TICK_5
startsecs=0
`), t}
	s.until("l", "RUNNING")
	for _, step := range []int32{-3600, 86400, -86400 * 365, 0} {
		begun := time.Now()
		if _, err := s.Call("supervisor.startProcess", "p", false); err != nil {
			t.Fatal(err)
		}
		oracle.WaitFor(t, "the step", func() bool { return stepClock(t, s.PID(), step) })
		s.until("p", "RUNNING")
		if took := time.Since(begun); took < 2*time.Second || took > size(30*time.Second, 2500*time.Millisecond) {
			t.Errorf("with a clock that has become %d s ahead, startsecs=2 took %v", step, took)
		} else {
			t.Logf("%d s ahead: startsecs=2 took %v", step, took)
		}
		s.call("stopProcess", "p")
	}
}
