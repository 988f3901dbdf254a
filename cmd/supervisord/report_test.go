package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"supervisord/reconcile"
	"supervisord/spec"
)

// reported is what a reporter is asked to tell, and may be changed while it runs.
type reported struct {
	mu      sync.Mutex
	status  reconcile.Status
	to      spec.Report
	changed chan struct{}
}

func (r *reported) set(s reconcile.Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = s
	close(r.changed)
	r.changed = make(chan struct{})
}

// start runs a reporter, which tries again after a millisecond, until the test or stop.
func (r *reported) start(t *testing.T, store *reconcile.Store, log io.Writer) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	p := &reporter{
		status: func() (reconcile.Status, spec.Report, bool) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.status, r.to, r.status.State != ""
		},
		changed: func() <-chan struct{} { r.mu.Lock(); defer r.mu.Unlock(); return r.changed },
		store:   store, about: origin{"id", "host"}, log: slog.New(slog.NewTextHandler(log, nil)),
		pause: func(int) time.Duration { return time.Millisecond },
	}
	go func() { defer close(ended); p.run(ctx) }()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return stop
}

// server takes reports, and answers with the status that answer has.
func server(t *testing.T) (url string, answer *atomic.Int32, got chan string, refused chan struct{}) {
	answer, got, refused = new(atomic.Int32), make(chan string, 100), make(chan struct{})
	answer.Store(204)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if code := int(answer.Load()); code != 204 {
			http.Error(w, "no", code)
			select {
			case refused <- struct{}{}:
			default:
			}
			return
		}
		if want := signature([]byte("key"), body); r.Header.Get("X-Signature") != want {
			t.Errorf("signed %q, want %q", r.Header.Get("X-Signature"), want)
		}
		got <- string(body)
	}))
	t.Cleanup(s.Close)
	return s.URL, answer, got, refused
}

func next(t *testing.T, got <-chan string, want string) {
	t.Helper()
	select {
	case body := <-got:
		var r statusReport
		if err := json.Unmarshal([]byte(body), &r); err != nil || r.State != want || r.Hostname != "host" || r.Identifier != "id" || r.Time.IsZero() {
			t.Errorf("%v: %s, want %s", err, body, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("no report of %s came within 20 s", want)
	}
}

// TestReports: each state is told once; what could not be delivered is delivered by the
// daemon that comes next, and neither the key nor the URL's path gets into the log.
func TestReports(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte("key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url, answer, got, refused := server(t)
	file := filepath.Join(dir, "reports")
	r := &reported{changed: make(chan struct{}), to: spec.Report{
		Command: "/bin/sh -c 'cat >>\"$0\"' " + file, URL: url + "/token", SecretFile: key,
	}}
	store := reconcile.OpenStore(filepath.Join(dir, "state"), nil)
	var log strings.Builder
	stop := r.start(t, store, &log)
	r.set(reconcile.Status{State: "success", Revision: "a"})
	next(t, got, "success")
	stop()
	answer.Store(503)
	r.set(reconcile.Status{State: "failure", Revision: "b", Reason: "web"})
	stop = r.start(t, store, &log)
	for range 2 { // with the second it is noted that the command has got it
		select {
		case <-refused:
		case <-time.After(20 * time.Second):
			t.Fatal("it was not tried twice within 20 s")
		}
	}
	stop()
	answer.Store(204)
	stop = r.start(t, store, &log)
	next(t, got, "failure")
	r.set(reconcile.Status{State: "pending", Revision: "c"})
	next(t, got, "pending")
	stop()
	if data, _ := os.ReadFile(file); strings.Count(string(data), "\n") != 3 || len(got) > 0 {
		t.Errorf("%d more posts; the command was told\n%s", len(got), data)
	}
	if text := log.String(); strings.Contains(text, "token") || strings.Contains(text, "key") || strings.Count(text, "status 503") != 1 {
		t.Errorf("log:\n%s", text)
	}
}

// TestReportFails: what is told of a delivery that fails.
func TestReportFails(t *testing.T) {
	url, _, _, _ := server(t)
	elsewhere := httptest.NewServer(http.RedirectHandler(url, http.StatusTemporaryRedirect))
	defer elsewhere.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	secure.Config.ErrorLog = nil
	for _, row := range []struct {
		to   spec.Report
		send func(context.Context, spec.Report, []byte) error
		want string
	}{
		{spec.Report{Command: "/bin/sh -c 'echo no; exit 3'"}, runReport, `/bin/sh: exit status 3: "no"`},
		{spec.Report{Command: "/nowhere/report"}, runReport, "/nowhere/report"},
		{spec.Report{URL: elsewhere.URL + "/token"}, postReport, "redirects elsewhere"},
		{spec.Report{URL: secure.URL + "/token"}, postReport, "certificate"},
		{spec.Report{URL: url + "/token", SecretFile: "/nowhere/file"}, postReport, "/nowhere/file"},
	} {
		err := row.send(t.Context(), row.to, []byte("{}"))
		if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "token") {
			t.Errorf("%+v: %v, want %s", row.to, err, row.want)
		}
	}
}

// TestReportPause: the pauses double, up to the longest.
func TestReportPause(t *testing.T) {
	for tries, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 9: 256 * time.Second, 10: reportRarely, math.MaxInt: reportRarely} {
		if got := reportPause(tries); got != want {
			t.Errorf("%d: %v, want %v", tries, got, want)
		}
	}
}
