package rpc

import (
	"bytes"
	"fmt"
	"net/http"
	goruntime "runtime"
	"strconv"
	"strings"
	"time"

	"supervisord/runtime"
	"supervisord/runtime/state"
)

// serveMetrics answers in Prometheus' text exposition format. Everything is
// read from one snapshot at the time of the scrape.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	all, err := s.opt.Processes.Snapshot(r.Context())
	if err == nil {
		const perProcess = 2 << 10 // bytes, about, in a buffer that grows
		err = accountOf(r.Context()).take(r.Context(), int64(len(all))*perProcess)
	}
	if err != nil {
		httpError(w, http.StatusServiceUnavailable)
		return
	}
	var b bytes.Buffer
	s.daemonMetrics(&b, all)
	fileMetrics(&b, s.opt.Config.ConfigFiles())
	processMetrics(&b, all)
	endMetrics(&b, all)
	listenerMetrics(&b, all)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.Write(b.Bytes())
}

func (s *Server) daemonMetrics(b *bytes.Buffer, all []runtime.Info) {
	family(b, "supervisord_build_info", "gauge", "The version that runs; always 1.")
	fmt.Fprintf(b, "supervisord_build_info{version=%s,goversion=%s} 1\n",
		label(s.opt.Version), label(goruntime.Version()))
	family(b, "supervisord_state", "gauge", "State of the daemon: 1 running, 0 restarting, -1 shutting down.")
	fmt.Fprintf(b, "supervisord_state %d\n", s.opt.Processes.Mood())

	byState := make(map[state.Process]int)
	for _, p := range all {
		byState[p.State]++
	}
	family(b, "supervisord_processes", "gauge", "Number of processes in each state.")
	for _, p := range state.Processes {
		fmt.Fprintf(b, "supervisord_processes{state=%s} %d\n", label(strings.ToLower(p.String())), byState[p])
	}
	s.certificateMetrics(b)
}

// certificateMetrics is about servers with TLS.
func (s *Server) certificateMetrics(b *bytes.Buffer) {
	family(b, "supervisord_certificate_expiry_time_seconds", "gauge", "When the server's certificate that is in use expires.")
	for _, hs := range s.servers {
		if hs.certificates != nil {
			fmt.Fprintf(b, "supervisord_certificate_expiry_time_seconds{section=%s} %d\n",
				label(hs.Section), hs.certificates.expires().Unix())
		}
	}
}

// fileMetrics tell of files that cannot be used, which no process shows.
func fileMetrics(b *bytes.Buffer, files []ConfigFile) {
	byState, warnings := make(map[string]int), 0
	for _, f := range files {
		byState[f.State]++
		warnings += f.Warnings
	}
	family(b, "supervisord_config_files", "gauge", "Number of configuration files in each state; what is invalid is not in force.")
	for _, state := range FileStates {
		fmt.Fprintf(b, "supervisord_config_files{state=%s} %d\n", label(state), byState[state])
	}
	family(b, "supervisord_config_warnings", "gauge", "Number of warnings about configuration files, such as unknown keys.")
	fmt.Fprintf(b, "supervisord_config_warnings %d\n", warnings)
}

// metric is one family with a sample for each process.
type metric struct {
	name, kind, help string
	value            func(runtime.Info) float64
}

var perProcess = []metric{
	{"supervisord_process_up", "gauge", "Whether the process is RUNNING.", func(p runtime.Info) float64 {
		if p.State == state.Running {
			return 1
		}
		return 0
	}},
	{"supervisord_process_state", "gauge", "State of the process, by Supervisor's number.", func(p runtime.Info) float64 {
		return float64(p.State)
	}},
	{"supervisord_process_start_time_seconds", "gauge", "When the process was last started; 0 for never.", func(p runtime.Info) float64 {
		return float64(epoch(p.Start))
	}},
	{"supervisord_process_exit_status", "gauge", "Exit status of the last run; -1 for death by signal.", func(p runtime.Info) float64 {
		return float64(p.ExitStatus)
	}},
	{"supervisord_process_restarts_total", "counter", "How often the process was started again.", func(p runtime.Info) float64 {
		return float64(max(p.Starts-1, 0))
	}},
	{"supervisord_process_log_dropped_bytes_total", "counter", "Output that no log could take.", func(p runtime.Info) float64 {
		return float64(p.Dropped)
	}},
}

var perListener = []metric{
	{"supervisord_listener_waiting_events", "gauge", "Events that wait in the listener's pool.", func(p runtime.Info) float64 {
		return float64(p.Listener.Waiting)
	}},
	{"supervisord_listener_dropped_events_total", "counter", "Events that the listener's pool discarded.", func(p runtime.Info) float64 {
		return float64(p.Listener.Dropped)
	}},
	{"supervisord_listener_busy_seconds", "gauge", "How long the listener has been at its event; 0 when it has none.", func(p runtime.Info) float64 {
		if p.Listener.Since.IsZero() {
			return 0
		}
		return max(p.Now.Sub(p.Listener.Since), 0).Round(time.Millisecond).Seconds()
	}},
}

func processMetrics(b *bytes.Buffer, all []runtime.Info) {
	for _, m := range perProcess {
		m.write(b, all)
	}
}

// endMetrics tell how processes have ended; a kind of end that a process never came to has no
// sample.
func endMetrics(b *bytes.Buffer, all []runtime.Info) {
	const name = "supervisord_process_exits_total"
	family(b, name, "counter", "How often the process has ended: with an exit status, by a signal, with a core dump, killed for want of memory (oom), or in a way that is not known.")
	for _, p := range all {
		for _, k := range []struct {
			kind string
			n    int64
		}{{"status", p.Ends.Status}, {"signal", p.Ends.Signal}, {"core", p.Ends.Core}, {"oom", p.Ends.OOM}, {"unknown", p.Ends.Unknown}} {
			if k.n > 0 {
				fmt.Fprintf(b, "%s{group=%s,name=%s,kind=%s} %d\n", name, label(p.Group), label(p.Name), label(k.kind), k.n)
			}
		}
	}
}

func listenerMetrics(b *bytes.Buffer, all []runtime.Info) {
	var listeners []runtime.Info
	for _, p := range all {
		if p.Listener != nil {
			listeners = append(listeners, p)
		}
	}
	for _, m := range perListener {
		m.write(b, listeners)
	}
}

func (m metric) write(b *bytes.Buffer, all []runtime.Info) {
	family(b, m.name, m.kind, m.help)
	for _, p := range all {
		fmt.Fprintf(b, "%s{group=%s,name=%s} %s\n", m.name, label(p.Group), label(p.Name),
			strconv.FormatFloat(m.value(p), 'f', -1, 64))
	}
}

func family(b *bytes.Buffer, name, kind, help string) {
	fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// label quotes a label's value.
func label(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(value, "\uFFFD")) + `"`
}
