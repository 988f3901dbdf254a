package procstat

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"supervisord/runtime/bound"
)

func FuzzParse(f *testing.F) {
	f.Add([]byte("7 (cat) S 1 70 1 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 4711 100 200 18446744073709551615"))
	f.Add([]byte("7 (a) Z 1 (b) S 1 70 1 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 4711 100 0"))
	f.Add([]byte(""))
	f.Add([]byte("1 (x"))
	f.Add([]byte("\x00" + strings.Repeat(" 0", 21)))
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, line []byte) {
		defer b.Input(t)()
		s, err := parse(line)
		if err == nil && !isLetter(s.State) {
			t.Errorf("%q has no state", line)
		}
	})
}

func TestParse(t *testing.T) {
	tail := " 1 70 1 0 -1 4 5 6 7 8 9 10 11 12 20 0 3 0 4711 100 200 300"
	cat := Stat{State: 'S', Parent: 1, Group: 70, CPU: 19, Reaped: 23, Threads: 3, StartTime: 4711, Virtual: 100, Resident: 200}
	running, zombie := cat, cat
	running.State, zombie.State = 'R', 'Z'
	rows := []struct {
		line string
		want Stat
		err  error
	}{
		{"7 (cat) S" + tail, cat, nil},
		{"7 (a) Z 1 (b) S" + tail, cat, nil},
		{"7 (new\nline) R" + tail + "\n", running, nil},
		{"7 () Z" + tail, zombie, nil},
		{"7 (cat) S 1 70", Stat{}, syscall.EINVAL},
		{"7 (cat) SS" + tail, Stat{}, syscall.EINVAL},
		{"7 (cat) S 1 x" + tail, Stat{}, syscall.EINVAL},
		{strings.Replace("7 (cat) S"+tail, "4711", "-1", 1), Stat{}, syscall.EINVAL},
		{"", Stat{}, syscall.EINVAL},
	}
	for _, row := range rows {
		if got, err := parse([]byte(row.line)); got != row.want || err != row.err {
			t.Errorf("%q: got %v, %v", row.line, got, err)
		}
	}
}

func TestReadSelf(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc here")
	}
	s, err := Read("/proc", os.Getpid())
	if err != nil || !s.Living() || s.Parent != os.Getppid() || s.Threads < 1 || s.Resident < 1 || s.StartTime == 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := Read("/proc", 1<<30); err != syscall.ENOENT {
		t.Errorf("of nobody: %v", err)
	}
}
