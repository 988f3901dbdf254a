package event

import (
	"bytes"
	"testing"
	"time"

	"supervisord/runtime/state"
)

// One event's whole way through a pool: offered, sent, answered. Its only
// allocations are the event, its payload and the envelope, which others keep.
func BenchmarkRoundTrip(b *testing.B) {
	var serials Serials
	all, _ := Subscribe([]string{"EVENT"})
	p := New(Options{Name: "x", Server: "supervisor", Serials: &serials, Subscription: all, BufferSize: 10, Listeners: []string{"l"}})
	now := time.Now()
	running := func(int) bool { return true }
	answer := []byte("RESULT 2\nOKREADY\n")
	p.Spawned(0, now)
	p.Output(0, []byte("READY\n"), now)
	data := []byte("twelve bytes")
	b.ReportAllocs()
	for b.Loop() {
		p.Offer(Communicated("group", "process", 4711, state.Stdout, data))
		sent := false
		for _, e := range p.Dispatch(now, running) {
			sent = sent || e.Kind == Send
		}
		if !sent {
			b.Fatal("not sent")
		}
		p.Written(0, true, now)
		p.Output(0, answer, now)
		p.Deadline()
	}
	if p.Dropped() > 0 || p.Listener(0).State != state.Ready {
		b.Fatalf("dropped %d, listener %v", p.Dropped(), p.Listener(0).State)
	}
}

// A chunk of output as large as one read: what the text costs per byte.
func BenchmarkLogged(b *testing.B) {
	data := bytes.Repeat([]byte("a line of output, eighty bytes long with its newline, as programs write them....\n"), 1600)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		Logged("group", "process", 4711, state.Stdout, data)
	}
}

// What a listener's output costs per byte when the body is large.
func BenchmarkProtocol(b *testing.B) {
	var p protocol
	data := append([]byte("RESULT 1000000\n"), bytes.Repeat([]byte{'x'}, 1000000)...)
	data = append(data, "READY\n"...)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		p.state = state.Busy
		for rest := data; len(rest) > 0; {
			_, rest = p.next(rest)
		}
		if p.state != state.Ready {
			b.Fatal(p.state)
		}
	}
}
