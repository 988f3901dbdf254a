package event

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"supervisord/runtime/state"
)

func TestPayloads(t *testing.T) {
	change := func(from, to state.Process, rest Transition) *Event {
		rest.Group, rest.Name, rest.From, rest.To = "g", "cat", from, to
		return StateChanged(rest)
	}
	rows := []struct {
		event *Event
		name  string
		want  string
	}{
		{change(state.Stopped, state.Starting, Transition{PID: 7}), "PROCESS_STATE_STARTING", "processname:cat groupname:g from_state:STOPPED tries:0"},
		{change(state.Backoff, state.Starting, Transition{Tries: 3}), "PROCESS_STATE_STARTING", "processname:cat groupname:g from_state:BACKOFF tries:3"},
		{change(state.Starting, state.Backoff, Transition{Tries: 4}), "PROCESS_STATE_BACKOFF", "processname:cat groupname:g from_state:STARTING tries:4"},
		{change(state.Starting, state.Running, Transition{PID: 2766}), "PROCESS_STATE_RUNNING", "processname:cat groupname:g from_state:STARTING pid:2766"},
		{change(state.Running, state.Stopping, Transition{PID: 2766}), "PROCESS_STATE_STOPPING", "processname:cat groupname:g from_state:RUNNING pid:2766"},
		{change(state.Stopping, state.Stopped, Transition{PID: 2766}), "PROCESS_STATE_STOPPED", "processname:cat groupname:g from_state:STOPPING pid:2766"},
		{change(state.Backoff, state.Stopped, Transition{}), "PROCESS_STATE_STOPPED", "processname:cat groupname:g from_state:BACKOFF pid:0"},
		{StateChanged(Transition{Group: "g", Name: "x", From: state.Running, To: state.Exited, PID: 5, Signal: 9, OOM: true}), "PROCESS_STATE_EXITED", "processname:x groupname:g from_state:RUNNING expected:0 pid:5 signal:SIGKILL oom:1"},
		{StateChanged(Transition{Group: "g", Name: "x", From: state.Running, To: state.Exited, PID: 5, Signal: 6, Core: true}), "PROCESS_STATE_EXITED", "processname:x groupname:g from_state:RUNNING expected:0 pid:5 signal:SIGABRT core:1"},
		{change(state.Running, state.Exited, Transition{PID: 2766}), "PROCESS_STATE_EXITED", "processname:cat groupname:g from_state:RUNNING expected:0 pid:2766"},
		{change(state.Running, state.Exited, Transition{PID: 2766, Expected: true}), "PROCESS_STATE_EXITED", "processname:cat groupname:g from_state:RUNNING expected:1 pid:2766"},
		{change(state.Backoff, state.Fatal, Transition{Tries: 4, PID: 1}), "PROCESS_STATE_FATAL", "processname:cat groupname:g from_state:BACKOFF"},
		{change(state.Stopping, state.Unknown, Transition{PID: 1}), "PROCESS_STATE_UNKNOWN", "processname:cat groupname:g from_state:STOPPING"},
		{RemoteCommunicated("typ", "a\nb"), "REMOTE_COMMUNICATION", "type:typ\na\nb"},
		{RemoteCommunicated("", ""), "REMOTE_COMMUNICATION", "type:\n"},
		{RemoteCommunicated("t", "\xff"), "REMOTE_COMMUNICATION", "type:t\n\uFFFD"},
		{Logged("g", "x", 12, state.Stdout, []byte("a\n")), "PROCESS_LOG_STDOUT", "processname:x groupname:g pid:12 channel:stdout\na\n"},
		{Logged("g", "x", 12, state.Stderr, []byte("é")), "PROCESS_LOG_STDERR", "processname:x groupname:g pid:12 channel:stderr\né"},
		{Logged("g", "x", 12, state.Stdout, []byte("\xff\xfe bin\n")), "PROCESS_LOG_STDOUT", "processname:x groupname:g pid:12 channel:stdout\n" + `Undecodable: b'\xff\xfe bin\n'`},
		{Communicated("g", "x", 12, state.Stdout, nil), "PROCESS_COMMUNICATION_STDOUT", "processname:x groupname:g pid:12\n"},
		{Communicated("g", "x", 12, state.Stderr, []byte("it's \xe9")), "PROCESS_COMMUNICATION_STDERR", "processname:x groupname:g pid:12\n" + `Undecodable: b"it's \xe9"`},
		{SupervisorRunning(), "SUPERVISOR_STATE_CHANGE_RUNNING", ""},
		{SupervisorStopping(), "SUPERVISOR_STATE_CHANGE_STOPPING", ""},
		{GroupAdded("cat"), "PROCESS_GROUP_ADDED", "groupname:cat\n"},
		{GroupRemoved("cat"), "PROCESS_GROUP_REMOVED", "groupname:cat\n"},
		{Reconciled(ReconcileApplied, 7, "watch", 2, "added web\nchanged db\n"), "RECONCILE_APPLIED", "generation:7 trigger:watch actions:2\nadded web\nchanged db\n"},
	}
	for _, r := range rows {
		if got := r.event.Type.String(); got != r.name {
			t.Errorf("type is %s, want %s (payload %q)", got, r.name, r.want)
		}
		if r.event.Payload != r.want {
			t.Errorf("%s\n got %q\nwant %q", r.name, r.event.Payload, r.want)
		}
	}
}

// The literals are what Python's repr gives for the bytes.
func TestLiteral(t *testing.T) {
	rows := []struct{ in, want string }{
		{"\xff", `b'\xff'`},
		{"a\t\r\n\x00\x1f\x7f\\\xe9", `b'a\t\r\n\x00\x1f\x7f\\\xe9'`},
		{"'\xff", `b"'\xff"`},
		{"'\"\xff", `b'\'"\xff'`},
		{"\"\xff", `b'"\xff'`},
	}
	for _, r := range rows {
		if got := Literal([]byte(r.in)); got != r.want {
			t.Errorf("Literal(%q) = %s, want %s", r.in, got, r.want)
		}
	}
}

func TestPayloadIsAlwaysUTF8(t *testing.T) {
	for range 1000 {
		data := make([]byte, rand.IntN(40))
		for i := range data {
			data[i] = byte(rand.IntN(256))
		}
		for _, ev := range []*Event{Logged("g", "x", 1, state.Stdout, data), Communicated("g", "x", 1, state.Stderr, data), RemoteCommunicated("t", string(data))} {
			if !utf8.ValidString(ev.Payload) {
				t.Errorf("%s of %q is %q", ev.Type, data, ev.Payload)
			}
		}
	}
}

func TestTicks(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 999_000_000) }
	const hour = 1201064400 // 3600 × 333629
	rows := []struct {
		name      string
		last, now time.Time
		want      string
	}{
		{"first look", time.Time{}, at(hour), ""},
		{"same second", at(hour), at(hour), ""},
		{"within five seconds", at(hour), at(hour + 4), ""},
		{"next boundary", at(hour + 4), at(hour + 5), "TICK_5 when:1201064405"},
		{"several boundaries give one", at(hour + 4), at(hour + 33), "TICK_5 when:1201064430"},
		{"minute", at(hour + 59), at(hour + 61), "TICK_5 when:1201064460;TICK_60 when:1201064460"},
		{"hour", at(hour - 1), at(hour), "TICK_5 when:1201064400;TICK_60 when:1201064400;TICK_3600 when:1201064400"},
		{"backwards", at(hour), at(hour - 1), "TICK_5 when:1201064395;TICK_60 when:1201064340;TICK_3600 when:1201060800"},
		{"before the epoch", at(1), at(-1), "TICK_5 when:-5;TICK_60 when:-60;TICK_3600 when:-3600"},
	}
	for _, r := range rows {
		var got []string
		for _, ev := range Ticks(r.last, r.now) {
			got = append(got, ev.Type.String()+" "+ev.Payload)
		}
		if got := strings.Join(got, ";"); got != r.want {
			t.Errorf("%s: got %q, want %q", r.name, got, r.want)
		}
	}
	for _, s := range []int64{hour, hour + 1, hour + 4, -3} {
		d := UntilTick(at(s))
		next := at(s).Add(d)
		if d <= 0 || d > 5*time.Second || len(Ticks(at(s), next)) == 0 || len(Ticks(at(s), next.Add(-1))) != 0 {
			t.Errorf("after %d the next tick is at %v", s, next)
		}
	}
}
