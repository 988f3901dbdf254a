package launch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestStartGivesPipes(t *testing.T) {
	l := launcher(t)
	c := cat()
	child := start(t, l, c)
	if _, err := child.Stdin.WriteString("to and fro"); err != nil {
		t.Fatal(err)
	}
	_ = child.Stdin.Close()
	out, err := io.ReadAll(child.Stdout)
	if err != nil || string(out) != "to and fro" {
		t.Errorf("read %q, %v", out, err)
	}
	if rest, err := io.ReadAll(child.Stderr); err != nil || len(rest) != 0 {
		t.Errorf("stderr: %q, %v", rest, err)
	}
	if status := awaitExit(t, child.PID); status != 0 {
		t.Error(Describe(status))
	}
}

func TestRedirectStderr(t *testing.T) {
	c := Command{Name: "both", Path: "/bin/sh", Args: []string{"sh", "-c", "echo out; echo err >&2"},
		Umask: -1, UID: -1, GID: -1, RedirectStderr: true}
	child := start(t, launcher(t), c)
	if child.Stderr != nil {
		t.Error("there is a stderr")
	}
	out, err := io.ReadAll(child.Stdout)
	if err != nil || string(out) != "out\nerr\n" {
		t.Errorf("read %q, %v", out, err)
	}
	awaitExit(t, child.PID)
}

// A child has the descriptor that it is to say on that it is ready, and no other above 2,
// wherever the daemon has the pipe.
func TestReadyFD(t *testing.T) {
	l := launcher(t)
	for _, fd := range []int{3, 4, 9, 255} {
		script := fmt.Sprintf("for n in 3 4 5 6 9 255; do [ -e /dev/fd/$n ] && echo $n; done; exec sh -c 'echo ok > /dev/fd/%d'", fd)
		c := Command{Name: "ready", Path: "/bin/sh", Args: []string{"sh", "-c", script}, Umask: -1, UID: -1, GID: -1, ReadyFD: fd}
		child := start(t, l, c)
		said, err := io.ReadAll(child.Ready)
		if err != nil || string(said) != "ok\n" {
			t.Errorf("%d: it said %q, %v", fd, said, err)
		}
		if out, err := io.ReadAll(child.Stdout); err != nil || string(out) != fmt.Sprintf("%d\n", fd) {
			t.Errorf("%d: it has %q above 2, %v", fd, out, err)
		}
		awaitExit(t, child.PID)
	}
}

// A mount that does not answer holds up those who need it and no others.
func TestHungTouchesDoNotStopStarts(t *testing.T) {
	l := launcher(t)
	for range maxPreloads {
		l.preloads <- struct{}{} // as if each were waiting for such a mount
	}
	child := start(t, l, cat())
	_ = child.Stdin.Close()
	if status := awaitExit(t, child.PID); status != 0 {
		t.Error(Describe(status))
	}
}

// Every failure in the child has its stage, its message and, on Linux, a pid.
func TestFailuresInTheChild(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := file("plain", "", 0o644)
	bad := file("bad", "neither script nor program", 0o755)
	lost := file("lost", "#!/no/such/interpreter\n", 0o755)
	long := dir + "/" + strings.Repeat("l", 300)

	rows := []struct {
		name  string
		alter func(*Command)
		stage Stage
		text  string
	}{
		{"no such program", func(c *Command) { c.Path = dir + "/none" }, StageExec, "exec " + dir + "/none: ENOENT"},
		{"empty path", func(c *Command) { c.Path = "" }, StageExec, "exec : ENOENT"},
		{"not executable", func(c *Command) { c.Path = plain }, StageExec, "exec " + plain + ": EACCES"},
		{"a directory", func(c *Command) { c.Path = dir }, StageExec, "exec " + dir + ": EACCES"},
		{"no format", func(c *Command) { c.Path = bad }, StageExec, "exec " + bad + ": ENOEXEC"},
		{"no interpreter", func(c *Command) { c.Path = lost }, StageExec, "exec " + lost + ": ENOENT"},
		{"long name", func(c *Command) { c.Path = long }, StageExec, "exec " + long + ": ENAMETOOLONG"},
		{"too much", func(c *Command) { c.Args = []string{"x", strings.Repeat("a", 1<<22)} }, StageExec, "exec /bin/cat: E2BIG"},
		{"NUL in a word", func(c *Command) { c.Args = []string{"a\x00b"} }, StageExec, "exec /bin/cat: EINVAL"},
		{"no directory", func(c *Command) { c.Dir, c.HasDir = dir+"/none", true }, StageDir, "chdir to " + dir + "/none: ENOENT"},
		{"neither", func(c *Command) { c.Dir, c.HasDir, c.Path = dir+"/none", true, "/none" }, StageDir, "chdir to " + dir + "/none: ENOENT"},
		{"directory is a file", func(c *Command) { c.Dir, c.HasDir = plain, true }, StageDir, "chdir to " + plain + ": ENOTDIR"},
		{"long directory", func(c *Command) { c.Dir, c.HasDir = long, true }, StageDir, "chdir to " + long + ": ENAMETOOLONG"},
		{"empty directory", func(c *Command) { c.Dir, c.HasDir = "", true }, StageDir, "chdir to : ENOENT"},
		{"good directory, no program", func(c *Command) { c.Dir, c.HasDir, c.Path = dir, true, "/none" }, StageExec, "exec /none: ENOENT"},
		{"good directory, no format", func(c *Command) { c.Dir, c.HasDir, c.Path = dir, true, bad }, StageExec, "exec " + bad + ": ENOEXEC"},
		{"good directory, long name", func(c *Command) { c.Dir, c.HasDir, c.Path = dir, true, long }, StageExec, "exec " + long + ": ENAMETOOLONG"},
	}
	l := launcher(t)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := cat()
			row.alter(&c)
			child, err := l.Start(c)
			if err == nil {
				closeAll(child)
				t.Fatalf("started as %d", child.PID)
			}
			checkFailure(t, err, row.stage, "supervisor: couldn't "+row.text+"\nsupervisor: child process was not spawned\n")
		})
	}
}

func checkFailure(t *testing.T, err error, stage Stage, message string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *Error", err)
	}
	if e.Stage != stage || string(e.ChildMessage()) != message {
		t.Errorf("got stage %v, message %q\nwant %v, %q", e.Stage, e.ChildMessage(), stage, message)
	}
	if !e.InChild() || (e.SpawnErr() != "") != (e.PID == 0) {
		t.Errorf("in child: %v, spawnerr %q", e.InChild(), e.SpawnErr())
	}
	checkPID(t, e)
	if err := Signal(e.PID, 0); e.PID != 0 && !errors.Is(err, syscall.ESRCH) {
		t.Errorf("pid %d has not been reaped: %v", e.PID, err)
	}
}
