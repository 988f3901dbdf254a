package runtime

import (
	"os"
	"testing"
	"time"

	"supervisord/runtime/capture"
	"supervisord/runtime/event"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// listening is a group of one event listener.
func listening(name string) *spec.Group {
	g := program(name, nil)
	g.Kind, g.Listener = spec.KindListener, &spec.Listener{Events: []string{"EVENT"}, BufferSize: 10}
	return g
}

// converse gives a listener a standard input, and returns what says something in
// its name.
func (b *bench) converse(name string) (say func(output string)) {
	r, w, err := os.Pipe()
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { r.Close(); w.Close() })
	inLoop := func(f func(*process)) {
		b.t.Helper()
		if err := b.sup.ask(background, func() { f(b.sup.byName[name].procs[0]) }); err != nil {
			b.t.Fatal(err)
		}
	}
	inLoop(func(p *process) { p.stdin = capture.NewStdin(w) })
	return func(output string) {
		inLoop(func(p *process) { b.sup.listenerOutput(p, []byte(output)) })
		b.after(0)
	}
}

// What is known of a listener is what its pool has made of it last, also when
// nothing but time has passed: an event that it rejected goes out to it again.
func TestListenerStatusIsFresh(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.after(time.Second)
		say := b.converse("l")
		check := func(want state.Listener, waiting int) {
			t.Helper()
			if i := b.info("l").Listener; i.State != want || i.Waiting != waiting || i.Since.IsZero() != (want != state.Busy) {
				t.Errorf("%v with %d waiting since %v, want %v with %d", i.State, i.Waiting, i.Since, want, waiting)
			}
		}
		say("READY\n")
		for b.info("l").Listener.State == state.Busy { // with what came before
			say("RESULT 2\nOKREADY\n")
		}
		if err := b.sup.Emit(background, "t", "one"); err != nil {
			t.Fatal(err)
		}
		b.after(0)
		check(state.Busy, 0)
		say("RESULT 4\nFAILREADY\n") // it goes out again at once
		check(state.Busy, 0)
		say("RESULT 4\nFAILREADY\n")
		check(state.Ready, 1)
		b.after(100 * time.Millisecond)
		check(state.Busy, 0)
	}, listening("l"))
}

// A group of listeners has a pool, and no other group has one: neither becomes the
// other in place.
func TestKindStays(t *testing.T) {
	for _, test := range []struct{ old, new *spec.Group }{
		{listening("g"), program("g", nil)},
		{program("g", nil), listening("g")},
	} {
		inBubble(t, func(b *bench) {
			err := b.sup.SetGroup(background, test.old, test.new, nil)
			if refused, is := err.(*Error); !is || refused.Kind != Failed {
				t.Errorf("%v became %v: %v", test.old.Kind, test.new.Kind, err)
			}
			b.sup.Publish(event.GroupAdded("x"))
			b.after(time.Second)
			b.expect("g", state.Running)
		}, test.old)
	}
}
