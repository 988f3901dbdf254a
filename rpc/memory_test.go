package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/rpc/xmlrpc"
)

// TestMemoryShares: what there is room for is granted at once, what there is not
// waits in order, small requests pass large ones, and the owner's pass all.
func TestMemoryShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const unit = 1 << 20
		m := newMemory(64*unit, 5*time.Second)
		m.inTurns = true
		tidied := 0
		m.tidy = func() { tidied++ }
		large := &account{memory: m}
		if err := large.take(t.Context(), 40*unit); err != nil {
			t.Fatal(err)
		}
		if err := large.take(t.Context(), 9*unit); err == nil || err.Error() != "the request and its reply need more than 50331648 bytes (reply_memory)" {
			t.Errorf("more than there ever is: %v", err)
		}
		large.complete()
		second := &account{memory: m}
		took := make(chan error, 1)
		go func() { took <- second.take(t.Context(), 20*unit) }()
		synctest.Wait()
		third := &account{memory: m}
		time.Sleep(time.Second)
		begin := time.Now()
		if err := third.take(t.Context(), 2*unit); err != nil || time.Since(begin) != turns*m.patience-time.Second {
			t.Errorf("behind one that waits: %v after %v", err, time.Since(begin))
		}
		third.end()
		if err := <-took; !errors.Is(err, errNoRoom) {
			t.Errorf("it waits for ever: %v", err)
		}
		// Strangers' small requests have 56, the owner's 64.
		var small []*account
		for range 16 {
			small = append(small, &account{memory: m})
			if err := small[len(small)-1].take(t.Context(), unit); err != nil {
				t.Fatalf("small request %d: %v", len(small), err)
			}
		}
		if err := (&account{memory: m}).take(t.Context(), unit); !errors.Is(err, errNoRoom) {
			t.Errorf("a stranger's: %v", err)
		}
		owner := &account{memory: m, owner: true}
		if err := owner.take(t.Context(), unit); err != nil {
			t.Errorf("the owner's: %v", err)
		}
		// A client that goes, and room that comes.
		ctx, cancel := context.WithCancel(t.Context())
		go func() { took <- second.take(ctx, 20*unit) }()
		synctest.Wait()
		cancel()
		if err := <-took; !errors.Is(err, context.Canceled) {
			t.Errorf("after the client went: %v", err)
		}
		go func() { took <- second.take(t.Context(), 20*unit) }()
		synctest.Wait()
		large.end()
		if err := <-took; err != nil {
			t.Errorf("when there was room: %v", err)
		}
		for _, a := range append(small, owner, second) {
			a.end()
		}
		time.Sleep(2 * tidyDelay)
		synctest.Wait()
		if m.used != 0 || len(m.waiting) != 0 || tidied != 1 {
			t.Errorf("at the end %d bytes are taken, %d wait, tidied %d times", m.used, len(m.waiting), tidied)
		}
	})
}

// TestTurns: large requests grow one after the other, each until its reply is complete,
// so that each gets what there is for one; the owner does not wait for strangers, nor a
// small request for any; who goes gives his place up.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const unit = 1 << 20
		m, _ := newMemories(64*unit, 5*time.Second)
		grown := make(chan int, 9)
		grow := func(n int, a *account) {
			defer a.end()
			for range 12 {
				if err := a.take(t.Context(), 2*unit); err != nil {
					t.Errorf("%d: %v", n, err)
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
			a.complete()
			grown <- n
			time.Sleep(time.Millisecond) // the client takes it
		}
		for n := range 5 {
			go grow(n, &account{memory: m})
			synctest.Wait()
		}
		begin := time.Now()
		owner := &account{memory: m, owner: true}
		if err := owner.take(t.Context(), 3*unit); err != nil || time.Since(begin) > 0 {
			t.Errorf("the owner's: %v after %v", err, time.Since(begin))
		}
		owner.end()
		small := &account{memory: m}
		if err := small.take(t.Context(), unit); err != nil || time.Since(begin) > 0 {
			t.Errorf("a small one: %v after %v", err, time.Since(begin))
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() { gone <- (&account{memory: m}).take(ctx, 2*unit) }()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("who went: %v", err)
		}
		for want := range 5 {
			if n := <-grown; n != want {
				t.Errorf("%d had the turn of %d", n, want)
			}
		}
		// One that never completes is waited for, but not for ever.
		stuck, next := &account{memory: m}, &account{memory: m}
		if err := stuck.take(t.Context(), 2*unit); err != nil {
			t.Fatal(err)
		}
		begin = time.Now()
		if err := next.take(t.Context(), 2*unit); !errors.Is(err, errNoRoom) || time.Since(begin) != turns*m.patience {
			t.Errorf("behind one that is stuck: %v after %v", err, time.Since(begin))
		}
		small.end()
		stuck.end()
		synctest.Wait()
		if m.used != 0 || len(m.waiting) != 0 || len(m.turn) != 0 {
			t.Errorf("at the end %d bytes are taken, %d wait, %d have a turn", m.used, len(m.waiting), len(m.turn))
		}
		time.Sleep(2 * tidyDelay)
	})
}

// TestSlowBodies: bodies that do not go on coming keep nobody waiting who has a short
// one, have only their share, and are dropped.
func TestSlowBodies(t *testing.T) {
	_, o := unixOnly(t)
	o.Memory, o.MemoryWait, o.HeaderTimeout = 8<<20, 100*time.Millisecond, 500*time.Millisecond
	s := serve(t, o)
	var slow []net.Conn
	for range 60 {
		c, err := net.Dial("unix", s.servers[0].Path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: 70000\r\n\r\n%s", strings.Repeat(" ", 20000))
		slow = append(slow, c)
	}
	eventually(t, "the share to be taken", func() bool {
		s.bodies.mu.Lock()
		defer s.bodies.mu.Unlock()
		return s.bodies.used > s.bodies.limit/2
	})
	c := dial(t, s, 0)
	if _, err := c.call("supervisor.getAllProcessInfo"); err != nil {
		t.Errorf("a short request: %v", err)
	}
	for i, c := range slow {
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		reply, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(reply), "HTTP/1.1 400") && !strings.HasPrefix(string(reply), "HTTP/1.1 503") {
			t.Errorf("slow body %d: %q, %v", i, reply, err)
		}
	}
	eventually(t, "all is free", func() bool { return used(s) == 0 })
}

// used is what requests have taken.
func used(s *Server) int64 {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	s.bodies.mu.Lock()
	defer s.bodies.mu.Unlock()
	return s.memory.used + s.bodies.used
}

// TestLargeReplies: one call cannot have more memory than there is for all, nor keep
// others from having theirs; and afterwards all of it is free.
func TestLargeReplies(t *testing.T) {
	_, o := unixOnly(t)
	o.Memory, o.MemoryWait = 16<<20, 100*time.Millisecond
	s := serve(t, o)
	tidied := make(chan bool, 10)
	s.memory.tidy = func() { tidied <- true }
	many := func(n int, call any) []any {
		calls := make([]any, n)
		for i := range calls {
			calls[i] = call
		}
		return calls
	}
	c := dial(t, s, 0)
	const tooMuch = "[30] FAILED: the request and its reply need more than 9437184 bytes (reply_memory)"
	for name, params := range map[string][]any{
		"results":       many(4000, item("supervisor.getAllConfigInfo", []any{})),
		"small results": many(16000, item("supervisor.getState", []any{})),
		"faults":        many(18000, item("nope", []any{})),
		"decoded":       many(40000, xmlrpc.Struct{}),
	} {
		if _, err := c.call("system.multicall", params); err == nil || err.Error() != tooMuch {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.call("supervisor.getAllProcessInfo"); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
	if _, err := c.call("nope", strings.Repeat("x", 7<<20)); err == nil || err.Error() != "413 Request Entity Too Large" && !strings.Contains(err.Error(), "broken pipe") &&
		!strings.Contains(err.Error(), "reset") {
		t.Errorf("body: %v", err)
	}
	if v, err := c.call("system.multicall", many(100, item("supervisor.getAllConfigInfo", []any{}))); err != nil || len(v.([]any)) != 100 {
		t.Errorf("what has room: %v", err)
	}
	eventually(t, "all is free", func() bool { return used(s) == 0 })
	select {
	case <-tidied:
	case <-time.After(2 * time.Minute):
		t.Error("the memory is not given back to the system")
	}
}

// TestUnreadReplies: clients who do not take their large replies hold their share,
// and no more.
func TestUnreadReplies(t *testing.T) {
	_, o := unixOnly(t)
	o.Memory, o.MemoryWait = 8<<20, 50*time.Millisecond
	s := serve(t, o)
	calls := make([]any, 150)
	for i := range calls {
		calls[i] = item("supervisor.getAllConfigInfo", []any{})
	}
	doc, err := xmlrpc.EncodeCall("system.multicall", calls)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		conn := sendRaw(t, s, fmt.Sprintf("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(doc), doc))
		if _, err := io.ReadFull(conn, make([]byte, 15)); err != nil { // it is being answered
			t.Fatal(err)
		}
		if n := used(s); n > o.Memory {
			t.Fatalf("%d bytes are taken", n)
		}
		if _, err := dial(t, s, 0).call("supervisor.getAllProcessInfo"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLongLogs: a log longer than all memory for replies arrives whole, as it would
// in one piece.
func TestLongLogs(t *testing.T) {
	w, o := unixOnly(t)
	o.Memory, o.MemoryWait = 4<<20, 50*time.Millisecond
	s := serve(t, o)
	c := dial(t, s, 0)
	log := w.procs[1].StdoutLog
	// Characters of every length, at every place within a piece; bytes that are none.
	unit := "a&<>\x1b\x00é€😀\xff\xe2\x82\xf0\x9f\x98\xc3é\r\n"
	text := strings.Repeat(unit, 8<<20/len(unit)) + "\xf0\x9f"
	if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int{0, 1, 7, 9, len(text) - shortLog - 1, len(text) - shortLog, len(text) - 3} {
		want, err := response(text[offset:])
		if err != nil {
			t.Fatal(err)
		}
		doc, err := xmlrpc.EncodeCall("supervisor.readProcessStdoutLog", "cat", offset, 0)
		if err != nil {
			t.Fatal(err)
		}
		resp, got := c.do(t, "POST", "/RPC2", string(doc))
		if got != string(want) || resp.ContentLength != int64(len(want)) {
			t.Errorf("offset %d: %d bytes, want %d", offset, len(got), len(want))
		}
	}
	v, err := c.call("supervisor.tailProcessStdoutLog", "cat", 0, len(text))
	if parts, ok := v.([]any); err != nil || !ok || len(parts[0].(string)) < 8<<20 || parts[1] != len(text) || parts[2] != false {
		t.Errorf("tail: %.60v, %v", v, err)
	}
	// In a multicall, and on a page, they must have room.
	if _, err := c.call("system.multicall", []any{item("supervisor.readProcessLog", []any{"cat", 0, 0})}); err == nil || !strings.Contains(err.Error(), "reply_memory") {
		t.Errorf("in a multicall: %v", err)
	}
	if resp, body := c.do(t, "GET", "/tail.html?processname=cat&limit=5000000", ""); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("on a page: %s %.200s", resp.Status, body)
	}
	eventually(t, "all is free", func() bool { return used(s) == 0 })
}

// TestLogEmptiedWhileSent: what was announced and is not there any more ends the
// connection, so that nobody takes a part for the whole.
func TestLogEmptiedWhileSent(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"emptied": func(path string) error { return os.Truncate(path, 0) },
		"written over": func(path string) error {
			return os.WriteFile(path, bytes.Repeat([]byte("&"), 16<<20), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, o := unixOnly(t)
			s := serve(t, o)
			log := w.procs[1].StdoutLog
			if err := os.WriteFile(log, bytes.Repeat([]byte("x"), 16<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			doc, err := xmlrpc.EncodeCall("supervisor.readProcessStdoutLog", "cat", 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			conn := sendRaw(t, s, fmt.Sprintf("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(doc), doc))
			if _, err := io.ReadFull(conn, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			if err := change(log); err != nil {
				t.Fatal(err)
			}
			conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
			rest, err := io.ReadAll(conn)
			if errors.Is(err, os.ErrDeadlineExceeded) || len(rest) >= 16<<20 || bytes.Contains(rest, []byte("</methodResponse>")) {
				t.Errorf("%d bytes, %v", len(rest), err)
			}
		})
	}
}

// response is the document that answers a call with v.
func response(v any) ([]byte, error) {
	b, err := xmlrpc.AppendValue(xmlrpc.AppendResponseStart(nil), v)
	return xmlrpc.AppendResponseEnd(b), err
}

// TestLongestBody: a body that may be sent finds room, and a longer one is told that it
// is too large.
func TestLongestBody(t *testing.T) {
	_, o := unixOnly(t)
	for _, owner := range []bool{false, true} {
		text := &account{memory: New(o).bodies, owner: owner}
		for _, n := range []int64{smallRequest / 4, text.memory.longestBody(text)} {
			if err := text.take(t.Context(), n); err != nil {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
	}
	served := serve(t, o)
	conn := sendRaw(t, served, fmt.Sprintf("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", 16<<20))
	status := make([]byte, len("HTTP/1.1 413"))
	if _, err := io.ReadFull(conn, status); err != nil || string(status) != "HTTP/1.1 413" {
		t.Errorf("%q, %v", status, err)
	}
}

// TestTurnIsGivenUpToWait: a large request that waits for a process keeps no other
// from its turn, and has one again when it goes on.
func TestTurnIsGivenUpToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newMemories(64<<20, 5*time.Second)
		first, second := &account{memory: m}, &account{memory: m}
		ctx := context.WithValue(t.Context(), accountKey{}, first)
		take := func(a *account) {
			t.Helper()
			begun := time.Now()
			if err := a.take(t.Context(), 2<<20); err != nil || time.Since(begun) > 0 {
				t.Errorf("%v after %v", err, time.Since(begun))
			}
		}
		take(first)
		if err := lasts(ctx, waiting); err != nil {
			t.Fatal(err)
		}
		take(second)
		second.complete()
		take(first)
		if m.turn[false] != first {
			t.Error("who goes on has no turn")
		}
		first.end()
		second.end()
		time.Sleep(2 * tidyDelay)
	})
}
