package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"supervisord/runtime"
	"supervisord/runtime/needs"
	"supervisord/runtime/state"
	"supervisord/runtime/usage"
)

// fakeUsage measures one process, which has a group and a name of its own.
func fakeUsage(t *testing.T, pid int) *usage.Sampler {
	t.Helper()
	proc := t.TempDir()
	dir := filepath.Join(proc, strconv.Itoa(pid))
	err := os.MkdirAll(filepath.Join(dir, "fd", "7"), 0o700)
	err = errors.Join(err, os.Mkdir(filepath.Join(dir, "fd", "8"), 0o700))
	stat := "101 (cat) S 1 101 1 0 -1 0 0 0 0 0 100 0 50 0 20 0 3 0 4711 0 10 0\n"
	if err = errors.Join(err, os.WriteFile(filepath.Join(dir, "stat"), []byte(stat), 0o600)); err != nil {
		t.Fatal(err)
	}
	return usage.New(usage.Options{Proc: proc, Roots: func(context.Context) ([]usage.Root, error) {
		return []usage.Root{{Process: usage.Process{Group: "cat", Name: "cat"}, PID: pid}}, nil
	}})
}

func TestMetrics(t *testing.T) {
	dir := shortDir(t)
	w := newFakeDaemon(t, dir)
	o := w.options(dir)
	w.procs[1].Starts, w.procs[1].Dropped = 3, 77
	w.procs[4].Name = `odd"name\`
	w.configFiles = []ConfigFile{{State: "applied", Warnings: 3}, {State: "applied"}, {State: "invalid"}}
	w.procs[2].Listener = &runtime.ListenerInfo{Waiting: 4, Dropped: 9, Since: time.Now().Add(-time.Minute)}
	w.procs[0].Ends.OOM, w.procs[1].LogBytes = 2, 4711
	w.progress = Progress{Phase: "held", Held: 3, Deferred: 2, Generation: 7, LastSuccess: time.Unix(1e9, 0)}
	o.Usage = fakeUsage(t, 101)
	begun := time.Now()
	w.procs[1].Runs = []runtime.Run{{PID: 101, Start: begun, Running: begun.Add(1250 * time.Millisecond)}}
	s := serve(t, o)
	resp, body := dial(t, s, 0).do(t, "GET", "/metrics", "")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	for _, want := range []string{
		`supervisord_build_info{version="1.2.3",revision="4711abc",goversion="go1`, `,supervisor="4.3.0"} 1`, "supervisord_state 1\n",
		`supervisord_processes{state="running"} 4`, `supervisord_processes{state="fatal"} 0`,
		`supervisord_process_up{group="cat",name="cat"} 1`, `supervisord_process_up{group="badcmd",name="badcmd"} 0`,
		`supervisord_process_state{group="cat",name="cat"} 20`,
		`supervisord_process_restarts_total{group="cat",name="cat"} 2`,
		`supervisord_process_restarts_total{group="badcmd",name="badcmd"} 0`,
		`supervisord_process_log_dropped_bytes_total{group="cat",name="cat"} 77`,
		`supervisord_process_up{group="stopped",name="odd\"name\\"} 0`,
		`supervisord_process_start_duration_seconds{group="cat",name="cat"} 1.25`,
		`supervisord_listener_waiting_events{group="nolog",name="nolog"} 4`,
		`supervisord_listener_dropped_events_total{group="nolog",name="nolog"} 9`,
		`supervisord_listener_busy_seconds{group="nolog",name="nolog"} 60`,
		`supervisord_config_files{state="applied"} 2`, `supervisord_config_files{state="invalid"} 1`,
		`supervisord_config_files{state="held"} 0`, "supervisord_config_warnings 3\n",
		`supervisord_process_exits_total{group="badcmd",name="badcmd",kind="oom"} 2`, `supervisord_process_log_bytes{group="cat",name="cat"} 4711`,
		`supervisord_reconcile_phase{phase="held"} 1`, `supervisord_reconcile_phase{phase="synced"} 0`, "supervisord_reconcile_held 3\n", "supervisord_reconcile_deferred 2\n",
		"supervisord_reconcile_generation 7\n", "supervisord_reconcile_last_success_time_seconds 1000000000\n",
		`supervisord_process_cpu_seconds_total{group="cat",name="cat"} 1.5`, `supervisord_process_threads{group="cat",name="cat"} 3`,
		`supervisord_process_open_fds{group="cat",name="cat"} 2`, `supervisord_process_descendants{group="cat",name="cat"} 0`,
		fmt.Sprintf("supervisord_process_resident_memory_bytes{group=\"cat\",name=\"cat\"} %d\n", 10*os.Getpagesize()),
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is missing in\n%s", want, body)
		}
	}
	for line := range strings.Lines(body) {
		if !regexp.MustCompile(`^(# (HELP|TYPE) \w+ .+|\w+(\{.*\})? -?[0-9.e+]+)\n$`).MatchString(line) {
			t.Errorf("line %q", line)
		}
	}
	if resp, _ := dial(t, s, 1).do(t, "GET", "/metrics", ""); resp.StatusCode != 401 {
		t.Errorf("without a password: %s", resp.Status)
	}
	w.snapErr = errors.New("no")
	if resp, _ := dial(t, s, 0).do(t, "GET", "/metrics", ""); resp.StatusCode != 503 {
		t.Error(resp.Status)
	}
}

// TestOpenMetrics: who prefers it gets it; counters lose their ending, and there is an end.
func TestOpenMetrics(t *testing.T) {
	dir := shortDir(t)
	c := dial(t, serve(t, newFakeDaemon(t, dir).options(dir)), 0)
	for accept, open := range map[string]bool{
		"": false, "*/*": false, "text/plain": false, "application/openmetrics-text": true,
		"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1": true,
		"application/openmetrics-text; version=0.0.1, text/plain; q=0.5":                                                                        false,
		"application/openmetrics-text; q=0.3, text/plain":                                                                                       false,
		"application/openmetrics-text; q=0":                                                                                                     false, "application/openmetrics-text; q=x, ,;": false,
	} {
		resp, body := c.do(t, "GET", "/metrics", "", "Accept", accept)
		if kind := resp.Header.Get("Content-Type"); strings.HasPrefix(kind, openMetrics) != open || strings.HasSuffix(body, "\n# EOF\n") != open ||
			strings.Contains(body, "# TYPE supervisord_process_restarts counter\n") != open || !strings.Contains(body, "\nsupervisord_process_restarts_total{") {
			t.Errorf("%q: %s\n%s", accept, kind, body)
		}
	}
}

// TestPromtool: Prometheus' own check has nothing to say against the metrics.
func TestPromtool(t *testing.T) {
	promtool := needs.Program(t, "promtool", "REQUIRE_PROMETHEUS")
	dir := shortDir(t)
	w := newFakeDaemon(t, dir)
	w.procs[0].Listener, w.procs[1].Ends.Signal = &runtime.ListenerInfo{}, 1
	o := w.options(dir)
	o.Usage = fakeUsage(t, 101)
	_, body := dial(t, serve(t, o), 0).do(t, "GET", "/metrics", "")
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(body)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestHealth: /healthz is about the daemon alone, /readyz about all that it is to do.
func TestHealth(t *testing.T) {
	dir := shortDir(t)
	w := newFakeDaemon(t, dir)
	c := dial(t, serve(t, w.options(dir)), 0)
	for _, row := range []struct {
		change        func()
		health, ready string
	}{
		{func() { w.progress.Phase = "synced" }, "ok\n", "ok\n"},
		{func() { w.progress = Progress{Phase: "held", Held: 1, Deferred: 1} }, "ok\n", "files: held\n"},
		{func() { w.progress = Progress{Phase: "held", Deferred: 2} }, "ok\n", "ok\n"},
		{func() { w.procs[5].State, w.procs[5].ExitStatus = state.Exited, 0 }, "ok\n", "ok\n"},
		{func() { w.procs[5].ExitStatus = 3 }, "ok\n", "two:two_00: EXITED\n"},
		{func() { w.procs[5].State = state.Fatal }, "ok\n", "two:two_00: FATAL\n"},
		{func() { w.progress = Progress{Phase: "invalid", Reason: "bad.ini"} }, "ok\n", "files: invalid\ntwo:two_00: FATAL\n"},
		{func() { w.become(state.MoodShutdown) }, "ok\n", "the daemon is shutting down or restarting\nfiles: invalid\ntwo:two_00: FATAL\n"},
		{func() { w.snapErr = errors.New("no") }, "the supervisor does not answer\n", "the supervisor does not answer\n"},
	} {
		row.change()
		for path, want := range map[string]string{"/healthz": row.health, "/readyz": row.ready} {
			status := 200
			if want != "ok\n" {
				status = 503
			}
			if resp, body := c.do(t, "GET", path, ""); body != want || resp.StatusCode != status {
				t.Errorf("%s: %s %q, want %q", path, resp.Status, body, want)
			}
		}
	}
}

// TestDiscovery: who has a port is listed, at the address by which we were asked, while he
// is to run.
func TestDiscovery(t *testing.T) {
	dir := shortDir(t)
	w := newFakeDaemon(t, dir)
	c := dial(t, serve(t, w.options(dir)), 0)
	if resp, body := c.do(t, "GET", "/sd", ""); body != "[]" || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v %s", resp.Header, body)
	}
	for i := range w.procs {
		w.procs[i].MetricsPort = 9100 + i
	}
	w.procs[0].State, w.procs[3].State, w.procs[5].State, w.procs[6].MetricsPort = state.Fatal, state.Exited, state.Backoff, 0
	w.procs[1].MetricsPath = "/m"
	_, body := c.do(t, "GET", "/sd", "", "Host", "[::1]:9001")
	want := `[{"targets":["[::1]:9100"],"labels":{"__metrics_path__":"/metrics","supervisord_group":"badcmd","supervisord_name":"badcmd"}},` +
		`{"targets":["[::1]:9101"],"labels":{"__metrics_path__":"/m","supervisord_group":"cat","supervisord_name":"cat"}},` +
		`{"targets":["[::1]:9102"],"labels":{"__metrics_path__":"/metrics","supervisord_group":"nolog","supervisord_name":"nolog"}},` +
		`{"targets":["[::1]:9105"],"labels":{"__metrics_path__":"/metrics","supervisord_group":"two","supervisord_name":"two_00"}}]`
	if body != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

// TestMetricsOpen: with metrics=open the four paths need no password, but the right name
// of the machine, and nothing else is opened.
func TestMetricsOpen(t *testing.T) {
	dir := shortDir(t)
	w := newFakeDaemon(t, dir)
	w.progress.Phase = "synced"
	o := w.options(dir)
	o.Servers[1].MetricsOpen = true
	c := dial(t, serve(t, o), 1)
	for _, row := range []struct {
		method, path, host string
		want               int
	}{
		{"GET", "/metrics", "", 200}, {"GET", "/healthz", "", 200}, {"GET", "/readyz", "", 200}, {"GET", "/sd", "", 200},
		{"GET", "/metrics", "evil.example", 403}, {"GET", "/sd", "evil.example:9001", 403}, {"GET", "/metrics", "localhost:1", 200},
		{"POST", "/metrics", "", 401}, {"HEAD", "/metrics", "", 200}, {"GET", "/", "", 401}, {"GET", "/metrics/", "", 401},
		{"GET", "/metrics/../", "", 401}, {"GET", "//metrics", "", 401}, {"GET", "/METRICS", "", 401}, {"GET", "/logtail/cat", "", 401},
		{"GET", "/metrics;x", "", 401}, {"POST", "/RPC2", "", 401}, {"GET", "/sdx", "", 401},
	} {
		if row.host == "" {
			row.host = "127.0.0.1"
		}
		if resp, _ := c.do(t, row.method, row.path, "", "Host", row.host); resp.StatusCode != row.want {
			t.Errorf("%s %s at %s: %s, want %d", row.method, row.path, row.host, resp.Status, row.want)
		}
	}
}

// TestMonitoringFiles: the dashboard and the alert rules ask for metrics that there are.
func TestMonitoringFiles(t *testing.T) {
	dir := shortDir(t)
	w := newFakeDaemon(t, dir)
	w.procs[0].Listener, w.procs[0].Ends.Status = &runtime.ListenerInfo{}, 1
	o := w.options(dir)
	o.Usage = fakeUsage(t, 101)
	_, body := dial(t, serve(t, o), 0).do(t, "GET", "/metrics", "")
	for _, file := range []string{"alerts.yml", "rules_test.yml", "dashboard.json"} {
		text, err := os.ReadFile(filepath.Join("monitoring", file))
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`\b(supervisord|process)_[a-z_]+\b`).FindAllString(string(text), -1)
		if len(names) < 10 {
			t.Errorf("%s names %d metrics", file, len(names))
		}
		for _, name := range names {
			if !strings.Contains(body, "# TYPE "+name+" ") {
				t.Errorf("%s asks for %s, which there is not", file, name)
			}
		}
		if strings.HasSuffix(file, ".json") && !json.Valid(text) {
			t.Errorf("%s is no JSON", file)
		}
	}
}
