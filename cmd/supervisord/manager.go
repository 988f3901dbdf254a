package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"supervisord/cmd/internal/systemd"
	"supervisord/runtime"
	"supervisord/runtime/logfile"
	"supervisord/runtime/moment"
)

// serviceVariable holds, in the environment of a process that takes the place of the one
// which a service manager has started, what that one was asked for.
const serviceVariable = "_SUPERVISORD_SERVICE"

const (
	// statusEvery is how often, at most, the service manager is told of changes.
	statusEvery = time.Second
	// extendEvery and extendBy are how often more time is asked for while a life ends,
	// and how much: a daemon that hangs then has no more than that.
	extendEvery = 5 * time.Second
	extendBy    = 15 * time.Second
)

// manager is the service manager that started the daemon, over all lives: usually
// systemd. Where there is none, or it asks for no messages, none are sent. Its
// methods may be called from any goroutine and never wait for it.
type manager struct {
	systemd.Service
	notifier *systemd.Notifier // nil where nobody wants to know
	// turn is closed when this process is the one that the manager listens to. Before,
	// it is told nothing.
	turn chan struct{}
	// asked is the supervisor whose loop answers for the watchdog; nil between two lives,
	// when there is nothing that could be stuck.
	asked atomic.Pointer[runtime.Supervisor]
	log   atomic.Pointer[slog.Logger] // nil before there is one

	failed sync.Once // to be told anything

	mu     sync.Mutex // guards the following
	status string     // that was told last
}

// findManager finds the service manager that started this process, or that of its
// predecessor where it replaced one. Each error is about something that cannot be used.
// A process in the background has its turn when told so.
func findManager(background bool) (m *manager, errs []error) {
	m = &manager{turn: make(chan struct{})}
	if !background {
		close(m.turn)
	}
	if text := os.Getenv(serviceVariable); text != "" {
		os.Unsetenv(serviceVariable) // so that no child sees it
		if err := json.Unmarshal([]byte(text), &m.Service); err != nil {
			errs = append(errs, fmt.Errorf("%s is ignored: %w", serviceVariable, err))
		}
	} else {
		m.Service, errs = systemd.Read(os.Getenv, os.Getpid())
	}
	for _, k := range m.Sockets {
		logfile.Disown(k.FD)
	}
	if m.Notify != "" {
		var err error
		if m.notifier, err = systemd.NewNotifier(m.Notify); err != nil {
			errs = append(errs, fmt.Errorf("cannot notify the service manager at %s: %w", m.Notify, err))
		}
	}
	return m, errs
}

// handOn is the variable by which the process that takes this one's place knows what its
// manager asks for: the one in the background, or a program that this one executes. The
// variables themselves may name another pid.
func (m *manager) handOn() (variable string) {
	text, err := json.Marshal(m.Service)
	if err != nil { // not of numbers and strings
		panic(err)
	}
	return serviceVariable + "=" + string(text)
}

// tell tells the manager. The first time that this fails is logged.
func (m *manager) tell(lines ...systemd.Line) {
	select {
	case <-m.turn:
	default:
		return
	}
	err := m.notifier.Tell(lines...)
	if log := m.log.Load(); err != nil && log != nil {
		m.failed.Do(func() { log.Warn("cannot notify the service manager at " + m.Notify + ": " + err.Error()) })
	}
}

// reloading tells that the daemon is not ready, until ready is called.
func (m *manager) reloading() {
	present, _ := moment.Now()
	m.tell(systemd.Reloading(time.Duration(present)))
}

// ready tells that clients are answered.
func (m *manager) ready() { m.tell(systemd.Ready) }

// stopping tells that the daemon ends. Nothing can take it back.
func (m *manager) stopping() { m.tell(systemd.Stopping) }

// say shows a text to whoever asks the manager, unless it is shown already.
func (m *manager) say(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if text != m.status {
		m.status = text
		m.tell(systemd.Status(text))
	}
}

// watch feeds the watchdog, if there is one. At every half of its interval the loop that
// owns all processes is asked, and its answer feeds: one that is stuck gives none. The
// first time is at once: to the manager a process executed anew is the one from before,
// which may have fed long ago. It ends with the process.
func (m *manager) watch() {
	<-m.turn
	half := max(m.Watchdog/2, 10*time.Millisecond)
	for tick := time.Tick(half); ; <-tick {
		m.feed(half)
	}
}

// feed asks once. The log says so if there is no answer for that long.
func (m *manager) feed(patience time.Duration) {
	late := time.AfterFunc(patience, func() {
		if log := m.log.Load(); log != nil {
			log.Log(context.Background(), levelCritical, fmt.Sprintf("the supervisor is stuck: it has not answered for %v, and the service manager's watchdog is not notified", patience))
		}
	})
	defer late.Stop()
	if s := m.asked.Load(); s != nil {
		_, _ = s.Count(context.Background()) // one that has ended is not stuck
	}
	m.tell(systemd.Watchdog)
}

// serveManager tells the manager of one life: that it is ready, how many processes are in
// which state, and that its end takes longer. It ends with the life.
func (l *life) serveManager(ctx context.Context, m *manager) {
	select {
	case <-m.turn:
	case <-ctx.Done():
		return
	}
	m.ready()
	var due <-chan time.Time // when a change is told that was noticed
	var extend <-chan time.Time
	var until time.Time // when this life has ended at the latest
	stopping := l.supervisor.Stopping()
	count := func() bool {
		counts, err := l.supervisor.Count(ctx)
		if err == nil {
			m.say(counts.String())
		}
		return err == nil
	}
	told := time.Now()
	count()
	for {
		select {
		case <-l.changes:
			if due == nil {
				due = time.After(time.Until(told.Add(statusEvery)))
			}
		case <-due:
			due, told = nil, time.Now()
			count()
		case <-stopping:
			stopping, until = nil, time.Now().Add(l.stopTime()+stopGrace)
			ticker := time.NewTicker(extendEvery)
			defer ticker.Stop()
			extend = ticker.C
			m.tell(systemd.ExtendTimeout(extendBy))
		case <-extend:
			if time.Now().Before(until) && count() {
				m.tell(systemd.ExtendTimeout(extendBy))
			}
		case <-ctx.Done():
			return
		}
	}
}
