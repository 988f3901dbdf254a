package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"testing"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/runtime/state"
)

// TestCodesAreTotal: every kind of refusal has a fault code.
func TestCodesAreTotal(t *testing.T) {
	n := 0
	for kind := runtime.Kind(1); kind.String() != ""; kind++ {
		n++
		code, ok := codes[kind]
		if !ok || code.String() == "UNKNOWN" {
			t.Errorf("%s (%d) has no fault code", kind, kind)
		}
	}
	if n != len(codes) {
		t.Errorf("%d kinds, %d codes", n, len(codes))
	}
}

func TestFaultText(t *testing.T) {
	for want, err := range map[string]*runtime.Error{
		"[10] BAD_NAME: given":                                  {Kind: runtime.BadName, Name: "other"},
		"[20] NO_FILE: can't find command 'x'":                  {Kind: runtime.NoFile, Detail: "can't find command 'x'"},
		"[21] NOT_EXECUTABLE: command at '/' is a directory":    {Kind: runtime.NotExecutable, Detail: "command at '/' is a directory"},
		"[30] FAILED: given":                                    {Kind: runtime.Failed},
		"[30] FAILED: given is in an unknown process state":     {Kind: runtime.InUnknownState},
		"[30] FAILED: given: changed meanwhile":                 {Kind: runtime.Conflict},
		"[30] FAILED: given: standard input is full":            {Kind: runtime.StdinFull},
		"[30] FAILED: supervisord is being upgraded: ask again": {Kind: runtime.Upgrading},
		"[20] NO_FILE: given":                                   {Kind: runtime.NoStdin},
		"[6] SHUTDOWN_STATE":                                    {Kind: runtime.ShuttingDown},
		"[92] CANT_REREAD: x":                                   nil,
	} {
		var got error = faultWith(xmlrpc.CantReread, "x")
		if err != nil {
			got = toFault(err, "given")
		}
		if got.Error() != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	other := errors.New("no refusal")
	if got := toFault(other, "given"); got != other {
		t.Errorf("got %v", got)
	}
}

// Every method of contract/rpc.md sections 4 and 7 with its signature.
const signatures = `
supervisor.addProcessGroup boolean string
supervisor.clearAllProcessLogs array
supervisor.clearLog boolean
supervisor.clearProcessLog boolean string
supervisor.clearProcessLogs boolean string
supervisor.getAPIVersion string
supervisor.getAllConfigInfo array
supervisor.getAllProcessInfo array
supervisor.getIdentification string
supervisor.getPID int
supervisor.getProcessInfo struct string
supervisor.getState struct
supervisor.getSupervisorVersion string
supervisor.getVersion string
supervisor.readLog string int int
supervisor.readMainLog string int int
supervisor.readProcessLog string string int int
supervisor.readProcessStderrLog string string int int
supervisor.readProcessStdoutLog string string int int
supervisor.reloadConfig array
supervisor.removeProcessGroup boolean string
supervisor.restart boolean
supervisor.sendProcessStdin boolean string string
supervisor.sendRemoteCommEvent boolean string string
supervisor.shutdown boolean
supervisor.signalAllProcesses array string
supervisor.signalProcess boolean string string
supervisor.signalProcessGroup array string string
supervisor.startAllProcesses array boolean
supervisor.startProcess boolean string boolean
supervisor.startProcessGroup array string boolean
supervisor.stopAllProcesses array boolean
supervisor.stopProcess boolean string boolean
supervisor.stopProcessGroup array string boolean
supervisor.tailProcessLog array string int int
supervisor.tailProcessStderrLog array string int int
supervisor.tailProcessStdoutLog array string int int
system.listMethods array
system.methodHelp string string
system.methodSignature array string
system.multicall array array
`

func TestSignatures(t *testing.T) {
	s := New(newFakeDaemon(t, t.TempDir()).options(t.TempDir()))
	var got strings.Builder
	got.WriteByte('\n')
	for _, name := range s.methods.names {
		m := s.methods.rows[name]
		got.WriteString(name + " " + strings.Join(m.signature(), " ") + "\n")
	}
	if got.String() != signatures {
		t.Errorf("got %s", got.String())
	}
}

// TestHelp: the last lines of each text give the signature, as clients read it.
func TestHelp(t *testing.T) {
	s := New(newFakeDaemon(t, t.TempDir()).options(t.TempDir()))
	for _, name := range s.methods.names {
		m := s.methods.rows[name]
		text, tags, found := strings.Cut(m.help(), "\n\n")
		if !found || len(text) < 20 {
			t.Errorf("%s: no free text: %q", name, m.help())
		}
		var params []string
		result := ""
		for line := range strings.Lines(tags) {
			words := strings.Fields(line)
			if len(words) < 3 {
				t.Errorf("%s: line %q", name, line)
				continue
			}
			switch words[0] {
			case "@param":
				params = append(params, words[1])
			case "@return":
				result = words[1]
			default:
				t.Errorf("%s: line %q", name, line)
			}
		}
		if got := strings.Join(append([]string{result}, params...), " "); got != strings.Join(m.signature(), " ") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestNoAttributeWalk is the class of CVE-2017-11610: a name with more dots, or
// with names of the implementation in it, must not reach anything.
func TestNoAttributeWalk(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, newFakeDaemon(t, dir).options(dir))
	c := dial(t, s, 0)
	for _, method := range []string{
		"supervisor.supervisord.options.warnings.linecache.os.system",
		"supervisor.supervisord.options.identifier", "supervisor.__init__", "supervisor.__class__",
		"supervisor._update", "system.namespaces", "system.__init__", "system.listMethods.names",
		"supervisor", "system", ".", "..", "supervisor.", ".getState", "a.b.c", "Supervisor.getState",
		"supervisor.GetState", "supervisor..getState", "supervisor.getState ", " supervisor.getState",
	} {
		_, err := c.call(method, "touch /tmp/x")
		var fault *xmlrpc.Fault
		if !errors.As(err, &fault) || fault.Code != xmlrpc.UnknownMethod {
			t.Errorf("%q: %v", method, err)
		}
	}
}

// TestShutdownState: while the daemon stops, one method of supervisor.* answers.
func TestShutdownState(t *testing.T) {
	dir := t.TempDir()
	w := newFakeDaemon(t, dir)
	s := New(w.options(dir))
	for _, mood := range []state.Mood{state.MoodShutdown, state.MoodRestarting} {
		w.become(mood)
		for _, name := range s.methods.names {
			m := s.methods.rows[name]
			args := make(Args, m.required())
			for i := range args {
				args[i] = "x"
			}
			_, err := s.call(t.Context(), name, args)
			var fault *xmlrpc.Fault
			stopped := errors.As(err, &fault) && fault.Text == "SHUTDOWN_STATE"
			open := strings.HasPrefix(name, "system.") || name == "supervisor.sendRemoteCommEvent"
			if stopped == open {
				t.Errorf("%s in %s: %v", name, mood, err)
			}
		}
	}
}

// TestExtraNamespace: what the daemon adds is listed, described and called as
// the rest is.
func TestExtraNamespace(t *testing.T) {
	dir := t.TempDir()
	o := newFakeDaemon(t, dir).options(dir)
	o.HasSupervisorNamespace = false
	o.Extra = []Namespace{{Name: "reconcile", Methods: []Method{{
		Name: "diff", Help: "What would be done, and why.",
		Params:  []Param{{Type: "array", Name: "names", Text: "groups", Optional: true}},
		Returns: Param{Type: "array", Name: "result"},
		Func: func(_ context.Context, args Args) (any, error) {
			names, err := args.Names(0)
			return names, err
		},
	}}}}
	c := dial(t, serve(t, o), 0)
	got, err := c.call("system.listMethods")
	if want := "[reconcile.diff system.listMethods system.methodHelp system.methodSignature system.multicall]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := c.call("reconcile.diff", []any{"a", "b"}); err != nil || fmt.Sprint(got) != "[a b]" {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := c.call("reconcile.diff"); err != nil || fmt.Sprint(got) != "[]" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := c.call("reconcile.diff", []any{1}); err == nil || err.Error() != "[2] INCORRECT_PARAMETERS" {
		t.Errorf("got %v", err)
	}
	if got, err := c.call("system.methodHelp", "reconcile.diff"); err != nil ||
		got != "What would be done, and why.\n\n@param array names groups\n@return array result\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := c.call("supervisor.getState"); err == nil || err.Error() != "[1] UNKNOWN_METHOD" {
		t.Errorf("got %v", err)
	}
}

func TestMethodTwicePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a method was defined twice in silence")
		}
	}()
	newMethodTable([]Namespace{{Name: "a", Methods: []Method{{Name: "m"}, {Name: "m"}}}})
}

// TestReplyLimit: neither a long log nor a list of calls makes a reply that the
// daemon has no memory for.
func TestReplyLimit(t *testing.T) {
	w, o := unixOnly(t)
	o.MaxReply = 1000
	c := dial(t, serve(t, o), 0)
	cat, _ := w.Info(t.Context(), "cat", "cat")
	if err := os.WriteFile(cat.StdoutLog, []byte(strings.Repeat("x", 1500)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		offset, length int64
		want           string // the length of what is read, or the fault
	}{
		{0, 0, "[30] FAILED: more than 1000 bytes"},
		{499, 0, "[30] FAILED: more than 1000 bytes"},
		{500, 0, "1000"},
		{-1000, 0, "1000"},
		{-1001, 0, "[30] FAILED: more than 1000 bytes"},
		{0, 1000, "1000"},
		{0, 1001, "[30] FAILED: more than 1000 bytes"},
		{2000, 5000, "0"},
		{math.MinInt64, 0, "[30] FAILED: more than 1000 bytes"},
		{0, math.MaxInt64, "[30] FAILED: more than 1000 bytes"},
	} {
		v, err := c.call("supervisor.readProcessLog", "cat", row.offset, row.length)
		got := fmt.Sprint(err)
		if text, ok := v.(string); ok && err == nil {
			got = fmt.Sprint(len(text))
		}
		if got != row.want {
			t.Errorf("offset %d, length %d: %s, want %s", row.offset, row.length, got, row.want)
		}
	}
	tail, err := c.call("supervisor.tailProcessLog", "cat", 0, 5000)
	if parts, ok := tail.([]any); !ok || len(parts[0].(string)) != 1000 || parts[1] != 1500 {
		t.Errorf("tail: %.60v, %v", tail, err)
	}
	calls := []any{}
	for range 3 {
		calls = append(calls, item("supervisor.readProcessLog", []any{"cat", 0, 400}))
	}
	if v, err := c.call("system.multicall", calls[:2]); err != nil || len(v.([]any)) != 2 {
		t.Errorf("two calls: %v", err)
	}
	if _, err := c.call("system.multicall", calls); fmt.Sprint(err) != "[30] FAILED: the results have more than 1000 bytes" {
		t.Errorf("three calls: %v", err)
	}
}

// TestOddBooleanIsTold: two well-known libraries send booleans as words, which are
// false to Supervisor and to us. Who does is said once, at level debug.
func TestOddBooleanIsTold(t *testing.T) {
	_, o := unixOnly(t)
	var log activity
	o.Logger = log.logger(slog.LevelDebug)
	c := dial(t, serve(t, o), 0)
	for range 2 {
		c.do(t, "POST", "/RPC2", "<methodCall><methodName>supervisor.startProcess</methodName><params><param><value>stopped</value></param>"+
			"<param><value><boolean>true</boolean></value></param></params></methodCall>")
	}
	n := 0
	for _, line := range log.lines {
		if strings.Contains(line, "level=DEBUG msg=\"the boolean 'true' from uid "+uid()+" via unix socket is neither 0 nor 1, and counts as false\"") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("said %d times: %q", n, log.lines)
	}
}
