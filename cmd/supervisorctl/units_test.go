package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"

	"supervisord/rpc/client"
	"supervisord/runtime/bound"
)

func TestSplit(t *testing.T) {
	for _, row := range []struct{ line, name, argument string }{
		{"status", "status", ""}, {"status  a b ", "status", "a b"}, {"status;version", "status", ";version"},
		{"?pid", "help", "pid"}, {"?", "help", ""}, {"!ls", "", "!ls"}, {"a_1-x", "a_1", "-x"}, {"é", "", "é"},
	} {
		if name, argument := split(row.line); name != row.name || argument != row.argument {
			t.Errorf("split(%q) = %q, %q; want %q, %q", row.line, name, argument, row.name, row.argument)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, line := range []string{"status a", "?x", "!", "", "é é"} {
		f.Add(line)
	}
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, line string) {
		defer b.Input(t)()
		name, argument := split(line)
		if strings.ContainsAny(name, " \t;:!?") || argument != strings.TrimSpace(argument) {
			t.Errorf("split(%q) = %q, %q", line, name, argument)
		}
	})
}

func TestPythonInt(t *testing.T) {
	for _, row := range []struct {
		text string
		n    int
		ok   bool
	}{
		{"5", 5, true}, {"-5", -5, true}, {"+5", 5, true}, {"1_000", 1000, true}, {" 7 ", 7, true}, {"007", 7, true},
		{"99999999999999999999", 1<<31 - 1, true},
		{"", 0, false}, {"-", 0, false}, {"1_", 0, false}, {"_1", 0, false}, {"1__0", 0, false}, {"x", 0, false}, {"1.5", 0, false}, {"--5", 0, false},
	} {
		n, ok := pythonInt(row.text)
		if ok != row.ok || ok && n != row.n {
			t.Errorf("pythonInt(%q) = %d, %v; want %d, %v", row.text, n, ok, row.n, row.ok)
		}
	}
}

func TestMatches(t *testing.T) {
	one := client.ProcessInfo{Group: "web", Name: "web_00"}
	same := client.ProcessInfo{Group: "cat", Name: "cat"}
	slash := client.ProcessInfo{Group: "a/b", Name: "a/b"}
	for _, row := range []struct {
		pattern string
		info    client.ProcessInfo
		want    bool
	}{
		{"web*", one, true}, {"web:web_0?", one, true}, {"*:web_*", one, true}, {"web_*", one, false}, {"[wx]eb*", one, true},
		{"c*", same, true}, {"c*:c*", same, true}, {"a*", slash, true}, {"a?b", slash, true}, {"[", same, false},
	} {
		if got := matches(row.pattern, row.info); got != row.want {
			t.Errorf("matches(%q, %s:%s) = %v", row.pattern, row.info.Group, row.info.Name, got)
		}
	}
	for name, want := range map[string]bool{"web": false, "web:*": false, "web*": true, "w*:*": true, "w?": true, ":*": false} {
		if isGlob(name) != want {
			t.Errorf("isGlob(%q) is not %v", name, want)
		}
	}
}

// TestPick: a process whose name is a pattern is meant by it, and no other.
func TestPick(t *testing.T) {
	infos := []client.ProcessInfo{{Group: "a*b", Name: "a*b"}, {Group: "axb", Name: "axb"}, {Group: "g?", Name: "x"}, {Group: "gg", Name: "x"}}
	for _, row := range []struct{ name, want, expanded string }{
		{"axb", "axb", "axb"}, {"a*b", "a*b", "a*b"}, {"a*b:*", "a*b", "a*b:*"}, {"a*", "a*b axb", "a*b:a*b axb:axb"}, {"ax*", "axb", "axb:axb"},
		{"g?:*", "g?:x", "g?:*"}, {"g?:x", "g?:x", "g?:x"}, {"g*:*", "g?:x gg:x", "g?:x gg:x"}, {"nope*", "", "nope*"},
	} {
		var shown []string
		for _, info := range selected(row.name, infos) {
			shown = append(shown, display(info.Group, info.Name))
		}
		if got := strings.Join(shown, " "); got != row.want {
			t.Errorf("%s picks %q, want %q", row.name, got, row.want)
		}
		if got := strings.Join(expandAmong([]string{row.name}, infos), " "); got != row.expanded {
			t.Errorf("%s expands to %q, want %q", row.name, got, row.expanded)
		}
	}
}

func TestColumns(t *testing.T) {
	for _, row := range []struct {
		names  string
		width  int
		rows   int
		widths []int
	}{
		{"a bb ccc", 79, 1, []int{1, 2, 3}},
		{"a bb ccc", 7, 2, []int{2, 3}},
		{"a bb ccc", 3, 3, []int{3}},
		{"toolong", 3, 1, []int{7}},
	} {
		rows, widths := columns(strings.Fields(row.names), row.width)
		if rows != row.rows || !slices.Equal(widths, row.widths) {
			t.Errorf("columns(%q, %d) = %d, %v; want %d, %v", row.names, row.width, rows, widths, row.rows, row.widths)
		}
	}
}

// TestPython is the errors that no test can have a server or a system give.
func TestPython(t *testing.T) {
	wrapped := func(err error) error { return fmt.Errorf("x: %w", err) }
	for _, row := range []struct {
		err         error
		class, text string
	}{
		{&client.Fault{Code: 92, Text: "CANT_REREAD: it's"}, "xmlrpc.client.Fault", `<Fault 92: "CANT_REREAD: it's">`},
		{&client.Error{Kind: client.Status, Status: 500, Reason: "Internal Server Error"}, "xmlrpc.client.ProtocolError",
			"<ProtocolError for 127.0.0.1/RPC2: 500 Internal Server Error>"},
		{&client.Error{Kind: client.Permission, Err: wrapped(syscall.EACCES)}, "PermissionError", "[Errno 13] Permission denied"},
		{&client.Error{Err: wrapped(syscall.ECONNRESET)}, "ConnectionResetError", fmt.Sprintf("[Errno %d] Connection reset by peer", int(syscall.ECONNRESET))},
		{&client.Error{Err: wrapped(syscall.EHOSTUNREACH)}, "OSError", fmt.Sprintf("[Errno %d] No route to host", int(syscall.EHOSTUNREACH))},
		{&client.Error{Err: &net.DNSError{IsNotFound: true}}, "socket.gaierror", "[Errno -2] Name or service not known"},
		{&client.Error{Err: &net.DNSError{}}, "socket.gaierror", "[Errno -3] Temporary failure in name resolution"},
		{&client.Error{Err: io.EOF}, "http.client.RemoteDisconnected", "Remote end closed connection without response"},
		{&client.Error{Err: wrapped(io.ErrUnexpectedEOF)}, "http.client.IncompleteRead", "Remote end closed connection in the middle of its response"},
		{&client.Error{Err: errors.New("odd")}, "OSError", "odd"},
		{&client.URLError{URL: "u", Reason: "bad"}, "ValueError", "bad"},
		{valueError("v"), "ValueError", "v"},
		{io.EOF, "EOFError", "EOF when reading a line"},
		{errors.New("odd"), "Exception", "odd"},
	} {
		if class, text := pythonError(row.err); class != row.class || text != row.text {
			t.Errorf("python(%v) = %s, %s; want %s, %s", row.err, class, text, row.class, row.text)
		}
	}
}

// TestCommandsAreSorted keeps help and completion in order, and every command
// explained.
func TestCommandsAreSorted(t *testing.T) {
	var supervisors, ours []string
	for _, cmd := range commands() {
		if cmd.help == "" || cmd.run == nil {
			t.Errorf("%s has no help or does nothing", cmd.name)
		}
		if cmd.ours {
			ours = append(ours, cmd.name)
		} else {
			supervisors = append(supervisors, cmd.name)
		}
	}
	if !slices.IsSorted(supervisors) || !slices.IsSorted(ours) {
		t.Errorf("not sorted: %v %v", supervisors, ours)
	}
}

func BenchmarkTable(b *testing.B) {
	infos := make([]client.ProcessInfo, 1000)
	for i := range infos {
		infos[i] = client.ProcessInfo{Group: "web", Name: fmt.Sprintf("web_%04d", i), StateName: "RUNNING", Description: "pid 1, uptime 0:00:01"}
	}
	b.ReportAllocs()
	for b.Loop() {
		table(infos)
	}
}

// TestWithoutRepeats: of attempts that ended alike, the last one's lines are left.
func TestWithoutRepeats(t *testing.T) {
	for lines, want := range map[string]string{
		"": "", "a": "a", "a b": "a b", "a a a": "a", "x a b a b": "a b", "a a b": "a a b",
	} {
		if got := strings.Join(withoutRepeats(strings.Fields(lines)), " "); got != want {
			t.Errorf("%q: %q, want %q", lines, got, want)
		}
	}
}
