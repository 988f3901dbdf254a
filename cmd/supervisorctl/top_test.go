package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"supervisord/cmd/internal/oracle"
	"supervisord/rpc/client"
	"supervisord/rpc/xmlrpc"
	"supervisord/runtime/state"
)

// topWorld is what a server says of a few programs, as measured at a time in seconds.
func topWorld(at float64) ([]client.ProcessInfo, []client.Usage) {
	process := func(group, name string, s state.Process, pid int, description string) client.ProcessInfo {
		return client.ProcessInfo{Group: group, Name: name, State: s, StateName: s.String(), PID: pid, Description: description}
	}
	processes := []client.ProcessInfo{
		process("api", "api", state.Fatal, 0, "Exited too quickly (process log may have details)"),
		process("cron", "cron", state.Stopped, 0, "Not started"),
		process("mailer", "mailer", state.Backoff, 0, "can't find command '/opt/mailer'"),
		process("web", "web", state.Running, 7, "pid 7, uptime 3 days, 2:14:07"),
	}
	usage := []client.Usage{
		{Group: "api", Name: "api", Restarts: 4}, {Group: "cron", Name: "cron"}, {Group: "mailer", Name: "mailer", Restarts: 1},
		{Group: "web", Name: "web", PID: 7, At: at, CPU: 100 + at*2, Memory: 3 << 30, Files: -1, Processes: 9},
	}
	for i := range 30 {
		name := fmt.Sprintf("worker_%02d", i)
		processes = append(processes, process("worker", name, state.Running, 100+i, fmt.Sprintf("pid %d, uptime 0:00:%02d", 100+i, i)))
		usage = append(usage, client.Usage{Group: "worker", Name: name, PID: 100 + i, At: at, CPU: at * float64(i) / 100,
			Memory: float64(i+1) * (900 << 10), Files: 5, Processes: 1, Restarts: i % 3})
	}
	return processes, usage
}

func newTop() *topModel {
	m := &topModel{server: "unix:///run/s.sock", sort: byState}
	for _, at := range []float64{0, 5} {
		m.update(topWorld(at))
	}
	return m
}

// TestTopScreens holds the screens after some keys, one after the other.
func TestTopScreens(t *testing.T) {
	var rows []goldenRow
	for _, size := range [][2]int{{80, 24}, {120, 16}, {30, 8}} {
		name := fmt.Sprintf("%d by %d", size[0], size[1])
		rows = append(rows, goldenRow{name: name, alone: true, play: func(*testing.T, oracle.Kind) string { return topScreens(size[0], size[1]) }})
	}
	holdAgainst(t, "testdata/top.txt", rows)
}

func topScreens(width, height int) string {
	var b strings.Builder
	m := newTop()
	for _, step := range []string{"", "Down Down Down", "o", "o O", "l", "[ [", "Esc d", "Esc ?", "Esc / r _ 1 Enter", "Esc r", "n p", "s", "p / x y z", "Ctrl-C"} {
		var asked []string
		for key := range strings.FieldsSeq(step) {
			if r := m.key(key); r != nil {
				asked = append(asked, strings.TrimSpace(r.verb+" "+r.name))
			}
		}
		switch m.pane {
		case paneDiff:
			m.text = []string{"web: restart", "    command: /bin/a -> /bin/b", "update: 1 to restart"}
		case paneStdout:
			m.text = nil
			for i := range 40 {
				m.text = append(m.text, fmt.Sprintf("line %d", i+1))
			}
		}
		fmt.Fprintf(&b, "%d by %d, %q asks for %q\n", width, height, step, asked)
		for _, line := range m.view(width, height) {
			fmt.Fprintf(&b, "|%s\n", strings.TrimRight(line.text, " "))
		}
	}
	return b.String()
}

// TestTopConfirms: what ends a process is done after a y and after nothing else.
func TestTopConfirms(t *testing.T) {
	for _, row := range []struct{ keys, want string }{
		{"x y", "stop api"}, {"x n", ""}, {"x Enter", ""}, {"x x", ""}, {"r y", "restart api"}, {"s", "start api"}, {"x Ctrl-C", "quit"},
		{"End x y", "stop cron"}, {"/ x y Esc x y", "stop api"}, {"/ z z Enter s", ""},
	} {
		m, got := newTop(), ""
		for key := range strings.FieldsSeq(row.keys) {
			if r := m.key(key); r != nil {
				got = strings.TrimSpace(r.verb + " " + r.name)
			}
		}
		if got != row.want {
			t.Errorf("%s: %q, want %q", row.keys, got, row.want)
		}
	}
}

// TestTopKeepsTheSelection: what has vanished gives its place to no other, which a key would
// start; and what has ended with an unexpected status is among the problems.
func TestTopKeepsTheSelection(t *testing.T) {
	m := newTop()
	m.key("Down")
	selected := m.selected
	processes, usage := topWorld(10)
	processes = slices.DeleteFunc(processes, func(p client.ProcessInfo) bool { return display(p.Group, p.Name) == selected })
	m.update(processes, usage)
	for _, key := range []string{"s", "x", "r"} {
		if asked := m.key(key); asked != nil || m.asking != nil {
			t.Errorf("%s acts on %+v, for %s", key, asked, selected)
		}
	}
	m.view(80, 24)
	if m.key("Down"); m.key("s") == nil {
		t.Error("nothing can be selected any more")
	}

	processes, usage = topWorld(15)
	processes[1].State, processes[1].ExitStatus = state.Exited, 3
	m = newTop()
	m.key("p")
	for want, expected := range map[bool][]int{true: {0}, false: {3}} {
		m.expected = map[string][]int{"cron": expected}
		m.update(processes, usage)
		if shown := slices.ContainsFunc(m.rows(), func(p *client.ProcessInfo) bool { return p.Name == "cron" }); shown != want {
			t.Errorf("one that ended with 3, where %v is expected, is a problem: %v", expected, shown)
		}
	}
}

// TestTopShares: CPU is that between two measurements, kept until the next, and not told
// over a restart.
func TestTopShares(t *testing.T) {
	m := newTop()
	processes, usage := topWorld(5)
	m.update(processes, usage) // the same measurement once more
	if got := m.cpu["web"]; got != 2 {
		t.Errorf("%v processors", got)
	}
	_, usage = topWorld(10)
	usage[3].PID = 8
	m.update(processes, usage)
	if got, known := m.cpu["web"]; known {
		t.Errorf("%v processors over a restart", got)
	}
	for n, want := range map[float64]string{0: "0", 999: "999", 1000: "0.977K", 1 << 20: "1M", 3 << 30: "3G", 1.5 * (1 << 40): "1.5T"} {
		if got := shortSize(n); got != want {
			t.Errorf("%v: %s", n, got)
		}
	}
}

// TestTopIsSafe: what others wrote does nothing to the terminal.
func TestTopIsSafe(t *testing.T) {
	got := plainLines("\x1b[31mred\x1b[0m\tand\x1b]0;title\x07\x1b[2J\nnext\n")
	if len(got) != 2 || strings.ContainsAny(strings.Join(got, ""), "\x1b\x07\t") || !strings.HasPrefix(got[0], "red    and") || got[1] != "next" {
		t.Errorf("%q", got)
	}
}

// TestTopInTerminal: it shows what a server says, of this supervisord and of Supervisor
// itself, and leaves at q. Without a terminal it says so.
func TestTopInTerminal(t *testing.T) {
	t.Parallel()
	ours := manyPrograms()
	ours.answers["processes.getUsage"] = []any{xmlrpc.Struct{
		{Name: "group", Value: "web"}, {Name: "name", Value: "web"}, {Name: "restarts", Value: 42}, {Name: "pid", Value: 0}, {Name: "at", Value: 1.5},
		{Name: "cpu", Value: 2.5}, {Name: "memory", Value: 1e9}, {Name: "files", Value: 1}, {Name: "threads", Value: 1}, {Name: "processes", Value: 1},
	}}
	theirs := manyPrograms()
	theirs.answers["processes.getUsage"] = fault(xmlrpc.UnknownMethod, "")
	for _, row := range []struct {
		server *script
		want   string
	}{{ours, "42"}, {theirs, "itself,"}} {
		socket := row.server.serve(t)
		cmd := exec.Command(oracle.Command(t, oracle.Ours, "supervisorctl"), "-s", "unix://"+socket, "top")
		cmd.Env = append(clientEnv(filepath.Dir(socket)), "TERM=xterm")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		term := startInWindow(t, cmd, pty.Winsize{Rows: 24, Cols: 120})
		for _, want := range []string{"FATAL", row.want} {
			if !oracle.Eventually(oracle.Deadline, func() bool {
				term.mu.Lock()
				defer term.mu.Unlock()
				return strings.Contains(string(term.raw), want)
			}) {
				t.Fatalf("%q is not shown", want)
			}
		}
		term.send("q")
		term.wait()
		if !cmd.ProcessState.Success() {
			t.Error(cmd.ProcessState)
		}
	}
	socket := ours.serve(t)
	out, err := exec.Command(oracle.Command(t, oracle.Ours, "supervisorctl"), "-s", "unix://"+socket, "top").Output()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != exitUsage || !strings.Contains(string(out), "top needs a terminal") {
		t.Errorf("%v: %s", err, out)
	}
}
