package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"supervisord/cmd/internal/oracle"
)

// screen is a terminal without scrolling back: what a person would see, line by
// line, whatever cursor movements drew it.
type screen struct {
	lines  [][]rune
	row    int
	column int
	escape []byte // an escape sequence that has begun
}

func (s *screen) Write(p []byte) (int, error) {
	for _, r := range string(p) {
		s.put(r)
	}
	return len(p), nil
}

func (s *screen) put(r rune) {
	switch {
	case s.escape != nil:
		s.escape = append(s.escape, byte(r))
		if len(s.escape) > 2 && r >= '@' || len(s.escape) == 2 && r != '[' {
			s.control(string(s.escape))
			s.escape = nil
		}
	case r == '\x1b':
		s.escape = []byte{'\x1b'}
	case r == '\r':
		s.column = 0
	case r == '\n':
		s.row++
	case r == '\t':
		s.column += 8 - s.column%8
	case r == '\b':
		s.column = max(0, s.column-1)
	case r >= ' ':
		line := s.line()
		for len(*line) <= s.column {
			*line = append(*line, ' ')
		}
		(*line)[s.column] = r
		s.column++
	}
}

func (s *screen) line() *[]rune {
	for len(s.lines) <= s.row {
		s.lines = append(s.lines, nil)
	}
	return &s.lines[s.row]
}

// control does what line editors ask for: move within the line, erase its end.
func (s *screen) control(sequence string) {
	if len(sequence) < 3 { // of a program that draws the whole screen
		return
	}
	n, err := strconv.Atoi(strings.Trim(sequence[2:len(sequence)-1], "?"))
	if err != nil {
		n = 1
	}
	switch sequence[len(sequence)-1] {
	case 'C':
		s.column += n
	case 'D':
		s.column = max(0, s.column-n)
	case 'G':
		s.column = n - 1
	case 'K':
		if line := s.line(); len(*line) > s.column {
			*line = (*line)[:s.column]
		}
	}
}

func (s *screen) String() string {
	var b strings.Builder
	for _, line := range s.lines {
		b.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	return b.String()
}

func TestScreen(t *testing.T) {
	for _, row := range []struct{ in, want string }{
		{"a\r\nb", "a\nb\n"},
		{"abc\b\bX", "aXc\n"},
		{"abc\rX\x1b[K", "X\n"},
		{"ab\x1b[1Gx\x1b[0K\x1b[2G", "x\n"},
		{"\x1b[?2004hab\x1b[2DX\x1b[CY\a", "XbY\n"},
	} {
		s := new(screen)
		s.Write([]byte(row.in))
		if s.String() != row.want {
			t.Errorf("%q shows %q, want %q", row.in, s.String(), row.want)
		}
	}
}

// terminal is a program under test with a terminal of its own.
type terminal struct {
	t      testing.TB
	cmd    *exec.Cmd
	pty    *os.File
	tty    string        // the path of the program's side
	mode   *term.State   // as it was before the program
	closed chan struct{} // when all output has been read

	mu   sync.Mutex
	seen screen
	raw  []byte // all output as it came
	from int    // what expect has matched already
}

// inTerminal starts a supervisorctl in a terminal of 80 by 24 that controls it.
func inTerminal(t testing.TB, kind oracle.Kind, dir string, args ...string) *terminal {
	t.Helper()
	return startInTerminal(t, kind, dir, &syscall.SysProcAttr{Setsid: true, Setctty: true}, args...)
}

func startInTerminal(t testing.TB, kind oracle.Kind, dir string, attr *syscall.SysProcAttr, args ...string) *terminal {
	t.Helper()
	cmd := exec.Command(oracle.Command(t, kind, "supervisorctl"), args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, clientEnv(dir), attr
	return startCommand(t, cmd)
}

// startCommand starts any program in a terminal of 80 by 24.
func startCommand(t testing.TB, cmd *exec.Cmd) *terminal {
	t.Helper()
	return startInWindow(t, cmd, pty.Winsize{Rows: 24, Cols: 80})
}

// startInWindow starts any program in a terminal of that size.
func startInWindow(t testing.TB, cmd *exec.Cmd, size pty.Winsize) *terminal {
	t.Helper()
	f, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	if err := pty.Setsize(f, &size); err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	mode, err := term.GetState(int(tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, cmd: cmd, pty: f, tty: tty.Name(), mode: mode, closed: make(chan struct{})}
	go func() { // ends with the program, whose end of the terminal then closes
		defer close(term.closed)
		buffer := make([]byte, 4096)
		for {
			n, err := f.Read(buffer)
			term.mu.Lock()
			term.seen.Write(buffer[:n])
			term.raw = append(term.raw, buffer[:n]...)
			term.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		f.Close()
	})
	return term
}

// ours is what our client says to a person beside the original's words: counts below
// a table of processes, and hints.
var ours = regexp.MustCompile(`(?m)^(\d+ processes|hint): .*\n(    .*\n)*`)

// shown is what the terminal shows.
func (term *terminal) shown() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.seen.String()
}

// expect waits until the text is shown below what was expected before.
func (term *terminal) expect(text string) {
	term.t.Helper()
	if !oracle.Eventually(oracle.Deadline, func() bool {
		shown := term.shown()
		at := strings.Index(shown[min(term.from, len(shown)):], text)
		if at >= 0 {
			term.from += at + len(text)
		}
		return at >= 0
	}) {
		term.t.Fatalf("waited in vain for %q; the terminal shows:\n%s", text, term.shown())
	}
}

// send types keys.
func (term *terminal) send(keys string) {
	term.t.Helper()
	if _, err := term.pty.Write([]byte(keys)); err != nil {
		term.t.Fatal(err)
	}
}

// insist types keys again and again until the program ends: a signal that comes between
// Python's prompt and its wait for a key is only seen after the next key.
func (term *terminal) insist(keys string) (again bool) {
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	for limit := time.After(oracle.Deadline); ; {
		select {
		case <-ticker.C:
			again = true
			term.pty.Write([]byte(keys)) // it may have ended
		case <-term.closed:
			return again
		case <-limit:
			return again // wait says so
		}
	}
}

// wait waits for the program to end and returns its exit status, and 128 more
// than the signal's number for death by one.
func (term *terminal) wait() int {
	term.t.Helper()
	select {
	case <-term.closed:
	case <-time.After(oracle.Deadline):
		term.t.Fatalf("the program does not end; the terminal shows:\n%s", term.shown())
	}
	term.cmd.Wait()
	if status, ok := term.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return term.cmd.ProcessState.ExitCode()
}
