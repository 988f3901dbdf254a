package cmd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// untilTerm reads standard input until SIGTERM. What was sent before is read to its
// end, whatever the kernel delivers first; then, and where nobody reads, the
// process ends.
type untilTerm struct {
	stdin *os.File
	ended chan struct{} // closed by SIGTERM
}

func newUntilTerm() (*untilTerm, error) {
	if err := syscall.SetNonblock(0, true); err != nil {
		return nil, err
	}
	u := &untilTerm{os.NewFile(0, "standard input"), make(chan struct{})}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() { // ends with the process
		<-term
		close(u.ended)
		u.stdin.SetReadDeadline(time.Now())
	}()
	return u, nil
}

func (u *untilTerm) Read(p []byte) (int, error) {
	n, err := u.stdin.Read(p)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	if n, _ = syscall.Read(0, p); n > 0 {
		return n, nil
	}
	return 0, io.EOF // there is no more, or will be none
}

// record is an event listener that appends all it is sent to a file. The further
// arguments are its answers in turn, the last for ever: ok, fail, lower (a result
// that is nearly OK), bad (no number), silent, die (exit in mid-event,
// at the first in the file; ok at later ones), or none (never say READY).
func record(args []string) int {
	out, err := os.OpenFile(args[0], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	answers := args[1:]
	if len(answers) == 0 {
		answers = []string{"ok"}
	}
	stdin, err := newUntilTerm()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if answers[0] == "none" {
		<-stdin.ended
		return 0
	}
	in := bufio.NewReader(stdin)
	for {
		fmt.Print("READY\n")
		text, err := readEvent(in)
		if err != nil {
			return 0
		}
		before, err := out.Stat()
		if err != nil {
			return 1
		}
		if _, err := out.WriteString(text + "\n"); err != nil { // one write for each event
			return 1
		}
		answer := answers[0]
		if answer == "die" && before.Size() > 0 {
			answer = "ok"
		}
		switch answer {
		case "ok":
			fmt.Print("RESULT 2\nOK")
		case "fail":
			fmt.Print("RESULT 4\nFAIL")
		case "lower":
			fmt.Print("RESULT 2\nok")
		case "bad":
			fmt.Print("RESULT two\nOK")
		case "silent":
			<-stdin.ended
			return 0
		case "die":
			return 3
		}
		if len(answers) > 1 {
			answers = answers[1:]
		}
	}
}

// listen is a good event listener that answers each event as it is told.
func listen(answer func(text string) (result string)) int {
	in := bufio.NewReader(os.Stdin)
	for {
		fmt.Print("READY\n")
		text, err := readEvent(in)
		if err != nil {
			return 0
		}
		result := answer(text)
		fmt.Printf("RESULT %d\n%s", len(result), result)
	}
}

// readEvent reads a header line and as many characters as it says.
func readEvent(in *bufio.Reader) (string, error) {
	head, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	_, length, _ := strings.Cut(strings.TrimSuffix(head, "\n"), " len:")
	n, err := strconv.Atoi(length)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	text.WriteString(head)
	for range n {
		r, _, err := in.ReadRune()
		if err != nil {
			return "", err
		}
		text.WriteRune(r)
	}
	return text.String(), nil
}

// recorded is one event in a recorder's file.
type recorded struct {
	serial, pool, poolSerial, name, payload string
}

var header = regexp.MustCompile(`^ver:3\.0 server:supervisor serial:(\d+) pool:(\S+) poolserial:(\d+) eventname:([A-Z_0-9]+) len:(\d+)\n`)

// parseRecord reads a recorder's file, and fails the test where the header is not
// exactly what it has to be.
func parseRecord(t testing.TB, text string) []recorded {
	t.Helper()
	var events []recorded
	for text != "" {
		m := header.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("event %d has no header: %.200q", len(events), text)
		}
		text = text[len(m[0]):]
		n, _ := strconv.Atoi(m[5])
		end := 0
		for range n {
			_, size := utf8.DecodeRuneInString(text[end:])
			end += size
		}
		if !strings.HasPrefix(text[end:], "\n") {
			return events // the recorder is about to write the rest
		}
		events = append(events, recorded{m[1], m[2], m[3], m[4], text[:end]})
		text = text[end+1:]
	}
	return events
}

var (
	pids  = regexp.MustCompile(`\bpid:([1-9]\d*)`)
	ticks = regexp.MustCompile(`^when:(\d+)$`)
)

// canonical is a record in which each pid has become a number of its own, in the
// order of appearance from 1001, and the times of ticks are counted from a fixed
// one. Lengths follow. Nothing else differs between two runs.
func canonical(events []recorded) string {
	var known []string
	var firstTick, b = int64(0), strings.Builder{}
	for _, ev := range events {
		payload := pids.ReplaceAllStringFunc(ev.payload, func(s string) string {
			i := slices.Index(known, s)
			if i < 0 {
				i = len(known)
				known = append(known, s)
			}
			return "pid:" + strconv.Itoa(1001+i)
		})
		if m := ticks.FindStringSubmatch(payload); m != nil {
			when, _ := strconv.ParseInt(m[1], 10, 64)
			if firstTick == 0 {
				firstTick = when
			}
			payload = "when:" + strconv.FormatInt(1201063880+when-firstTick, 10)
		}
		fmt.Fprintf(&b, "ver:3.0 server:supervisor serial:%s pool:%s poolserial:%s eventname:%s len:%d\n%s\n",
			ev.serial, ev.pool, ev.poolSerial, ev.name, utf8.RuneCountInString(payload), payload)
	}
	return b.String()
}

// drained is a child that ends once all that is in the pipe of its standard output
// has been read.
func drained([]string) int {
	fionread := uint(0x4004667f) // as BSD numbers it
	if runtime.GOOS == "linux" {
		fionread = 0x541b
	}
	for {
		n, err := unix.IoctlGetInt(1, fionread)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if n == 0 {
			return 0
		}
		time.Sleep(time.Millisecond)
	}
}
