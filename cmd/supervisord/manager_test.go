package main

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/systemd"
	"supervisord/runtime"
)

// stickyHandler is a log that the loop cannot write to until it is released.
type stickyHandler struct {
	slog.Handler
	stuck, release chan struct{}
}

func (h stickyHandler) Handle(context.Context, slog.Record) error {
	select {
	case h.stuck <- struct{}{}:
	default:
	}
	<-h.release
	return nil
}

// TestStuckLoopStarvesTheWatchdog: what feeds the service manager's watchdog is the
// answer of the loop that owns all processes. One that is stuck is told in the log.
func TestStuckLoopStarvesTheWatchdog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fed := func(within time.Duration) bool {
		buf := make([]byte, 100)
		_ = c.SetReadDeadline(time.Now().Add(within))
		n, err := c.Read(buf)
		return err == nil && string(buf[:n]) == "WATCHDOG=1"
	}
	m := &manager{turn: make(chan struct{}), Service: systemd.Service{Notify: path, Watchdog: time.Hour}}
	close(m.turn)
	if m.notifier, err = systemd.NewNotifier(path); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	told := make(chan struct{}, 10)
	m.log.Store(slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		said.Write(p)
		told <- struct{}{}
		return len(p), nil
	}), nil)))

	m.feed(time.Hour) // there is no loop that could be stuck
	if !fed(time.Minute) {
		t.Error("it is not fed before the first life")
	}
	go m.watch()
	if !fed(time.Minute) {
		t.Error("it is not fed by a process that has just begun, and may have taken the place of another")
	}
	h := stickyHandler{slog.NewTextHandler(&bytes.Buffer{}, &slog.HandlerOptions{Level: slog.LevelDebug}), make(chan struct{}, 1), make(chan struct{})}
	s := runtime.New(runtime.Options{Logger: slog.New(h)})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	m.asked.Store(s)
	m.feed(time.Hour)
	if !fed(time.Minute) {
		t.Error("it is not fed by a loop that works")
	}

	if err := syscall.Kill(syscall.Getpid(), syscall.SIGCHLD); err != nil { // which the loop logs
		t.Fatal(err)
	}
	<-h.stuck
	asked := make(chan struct{})
	go func() { m.feed(time.Millisecond); close(asked) }()
	<-told
	if fed(50 * time.Millisecond) {
		t.Error("it is fed while the loop is stuck")
	}
	if text := said.String(); !strings.Contains(text, "the supervisor is stuck: it has not answered for 1ms") {
		t.Errorf("the log says %s", text)
	}
	close(h.release)
	<-asked
	if !fed(time.Minute) {
		t.Error("it is not fed when the loop goes on")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	m.feed(time.Hour)
	if !fed(time.Minute) {
		t.Error("it is not fed while a life ends")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
