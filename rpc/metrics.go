package rpc

import (
	"cmp"
	"context"
	"math"
	"mime"
	"net/http"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"supervisord/runtime"
	"supervisord/runtime/state"
	"supervisord/runtime/usage"
	"supervisord/spec"
)

// serveMetrics answers in Prometheus' text format or, who asks for it, in that of
// OpenMetrics. What it says of the table is of one moment, what processes take is
// measured once in five seconds at the most.
//
// It is written by hand. Everything here is read from one snapshot and given out at once;
// client_golang would have each sample made into three objects and sorted again, which
// for 1,000 processes takes longer than all the rest, and brings protocol buffers along.
// That what we write is well-formed, promtool says in the tests.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	all, err := s.opt.Processes.Snapshot(r.Context())
	if err == nil {
		err = accountOf(r.Context()).take(r.Context(), int64(len(all))*2*bytesPerProcess) // should the buffer have to grow
	}
	if err != nil {
		httpError(w, http.StatusServiceUnavailable)
		return
	}
	e := &exposition{open: wantsOpenMetrics(r), text: make([]byte, 0, (len(all)+10)*bytesPerProcess)}
	s.daemonMetrics(e, all)
	s.configMetrics(e)
	of := processesOf(all)
	for _, m := range perProcess {
		m.write(e, of)
	}
	endMetrics(e, of)
	readyMetrics(e, of)
	probeMetrics(e, of)
	s.usageMetrics(r.Context(), e, of)
	listenerMetrics(e, of)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	if e.open {
		w.Header().Set("Content-Type", openMetrics+"; version=1.0.0; charset=utf-8")
		e.text = append(e.text, "# EOF\n"...)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(e.text)))
	w.Write(e.text)
}

// bytesPerProcess is how much is said of one, about.
const bytesPerProcess = 1200

// openMetrics is the type of that format.
const openMetrics = "application/openmetrics-text"

// wantsOpenMetrics reports whether a client prefers OpenMetrics, in the one version that
// there is, to plain text.
func wantsOpenMetrics(r *http.Request) bool {
	open, plain := 0.0, 0.0
	for _, header := range r.Header["Accept"] {
		for one := range strings.SplitSeq(header, ",") {
			kind, params, err := mime.ParseMediaType(one)
			if err != nil {
				continue
			}
			q, err := strconv.ParseFloat(cmp.Or(params["q"], "1"), 64)
			switch {
			case err != nil:
			case kind == openMetrics && cmp.Or(params["version"], "1.0.0") == "1.0.0":
				open = max(open, q)
			case kind == "text/plain":
				plain = max(plain, q)
			}
		}
	}
	return open > 0 && open >= plain
}

// exposition is what is answered, as it is made.
type exposition struct {
	open bool // OpenMetrics
	text []byte
}

// family begins a family. OpenMetrics calls a counter without the ending that its samples
// have.
func (e *exposition) family(name, kind, help string) {
	if e.open && kind == counter {
		name = strings.TrimSuffix(name, "_total")
	}
	for _, part := range []string{"# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"} {
		e.text = append(e.text, part...)
	}
}

const (
	gauge   = "gauge"
	counter = "counter"
)

// sample adds one value, with the labels that labels made.
func (e *exposition) sample(name, labels string, value float64) {
	e.text = append(append(append(e.text, name...), labels...), ' ')
	if value == math.Trunc(value) && math.Abs(value) < 1<<53 {
		e.text = strconv.AppendInt(e.text, int64(value), 10)
	} else {
		e.text = strconv.AppendFloat(e.text, value, 'f', -1, 64)
	}
	e.text = append(e.text, '\n')
}

// single is a family of one value.
func (e *exposition) single(name, kind, help string, value float64) {
	e.family(name, kind, help)
	e.sample(name, "", value)
}

// inLabel escapes what has a meaning in a label's value.
var inLabel = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// labels writes names and values, one after the other, as a sample has them.
func labels(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		b.WriteByte(',')
		b.WriteString(pairs[i])
		b.WriteString(`="`)
		b.WriteString(inLabel.Replace(strings.ToValidUTF8(pairs[i+1], "\uFFFD")))
		b.WriteByte('"')
	}
	return "{" + b.String()[1:] + "}"
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// daemonMetrics are about the daemon, and tell how many processes are in which state.
func (s *Server) daemonMetrics(e *exposition, all []runtime.Info) {
	e.family("supervisord_build_info", gauge, "The running program, and the version of Supervisor that it behaves like; always 1.")
	e.sample("supervisord_build_info", labels("version", s.opt.Release, "revision", s.opt.Build, "goversion", goruntime.Version(), "supervisor", s.opt.Version), 1)
	e.single("supervisord_state", gauge, "State of the daemon: 1 running, 0 restarting, -1 shutting down.", float64(s.opt.Processes.Mood()))
	e.single("process_start_time_seconds", gauge, "When this supervisord began.", float64(began.UnixMilli())/1000)
	e.single("go_goroutines", gauge, "Number of goroutines of supervisord.", float64(goruntime.NumGoroutine()))
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil {
		e.single("process_max_fds", gauge, "Number of files that supervisord may have open.", float64(files.Cur))
	}

	byState := make(map[state.Process]int)
	for _, p := range all {
		byState[p.State]++
	}
	const processes = "supervisord_processes"
	e.family(processes, gauge, "Number of processes in each state.")
	for _, p := range state.Processes {
		e.sample(processes, labels("state", strings.ToLower(p.String())), float64(byState[p]))
	}
	s.certificateMetrics(e)
}

// began is when the program was started, nearly.
var began = time.Now()

// certificateMetrics is about servers with TLS.
func (s *Server) certificateMetrics(e *exposition) {
	const name = "supervisord_certificate_expiry_time_seconds"
	e.family(name, gauge, "When the server's certificate that is in use expires.")
	for _, hs := range s.servers {
		if hs.certificates != nil {
			e.sample(name, labels("section", hs.Section), float64(hs.certificates.expires().Unix()))
		}
	}
}

// configMetrics tell how far the files are in force, which no process shows.
func (s *Server) configMetrics(e *exposition) {
	byState, warnings := make(map[string]int), 0
	for _, f := range s.opt.Config.ConfigFiles() {
		byState[f.State]++
		warnings += f.Warnings
	}
	const files, phase = "supervisord_config_files", "supervisord_reconcile_phase"
	e.family(files, gauge, "Number of configuration files in each state; what is invalid is not in force.")
	for _, state := range FileStates {
		e.sample(files, labels("state", state), float64(byState[state]))
	}
	e.single("supervisord_config_warnings", gauge, "Number of warnings about configuration files, such as unknown keys.", float64(warnings))

	p := s.opt.Config.Progress()
	e.family(phase, gauge, "How the files and the processes stand to each other; 1 for the phase that it is.")
	for _, one := range Phases {
		e.sample(phase, labels("phase", one), number(one == p.Phase))
	}
	const info = "supervisord_reconcile_info"
	applied, desired, revision := s.opt.Config.Prints()
	if slices.ContainsFunc(s.opt.Servers, func(c spec.Server) bool { return c.MetricsOpen }) {
		applied, desired = "", "" // secrets are hashed with all else, and a weak one can be guessed
	}
	e.family(info, gauge, "The revision in force, and fingerprints of what is active and what the files say; always 1.")
	e.sample(info, labels("revision", revision, "applied", applied, "desired", desired), 1)
	e.single("supervisord_reconcile_phase_start_time_seconds", gauge, "When that phase began.", float64(epoch(p.Since)))
	e.single("supervisord_reconcile_generation", gauge, "Number of the last update that did something.", float64(p.Generation))
	e.single("supervisord_reconcile_held", gauge, "Number of changes that wait for a person.", float64(p.Held))
	e.single("supervisord_reconcile_deferred", gauge, "Number of groups of which a pause or a closed window holds the change.", float64(p.Deferred))
	e.single("supervisord_reconcile_autoupdate", gauge, "Whether changes are applied by themselves.", number(p.Autoupdate))
	e.single("supervisord_reconcile_paused", gauge, "Number of groups and processes that no automatic update touches for now.", float64(p.Paused))
	e.single("supervisord_reconcile_disabled", gauge, "Number of groups and processes that nothing but a person starts.", float64(p.Disabled))
	e.single("supervisord_reconcile_reverts_total", counter, "How often content that did not run as it must was taken back.", float64(p.Reverts))
	e.single("supervisord_reconcile_last_success_time_seconds", gauge, "When the last update that was applied began; 0 for never.", float64(epoch(p.LastSuccess)))
}

// labelled is a process with its labels, which are made once for all of its samples.
type labelled struct {
	runtime.Info
	labels string
}

func processesOf(all []runtime.Info) []labelled {
	list := make([]labelled, len(all))
	for i, p := range all {
		list[i] = labelled{p, labels("group", p.Group, "name", p.Name)}
	}
	return list
}

// metric is one family with a sample for each process.
type metric struct {
	name, kind, help string
	value            func(*runtime.Info) float64
}

func (m *metric) write(e *exposition, of []labelled) {
	e.family(m.name, m.kind, m.help)
	for i := range of {
		e.sample(m.name, of[i].labels, m.value(&of[i].Info))
	}
}

var perProcess = []metric{
	{"supervisord_process_up", gauge, "Whether the process is RUNNING.", func(p *runtime.Info) float64 {
		return number(p.State == state.Running)
	}},
	{"supervisord_process_state", gauge, "State of the process, by Supervisor's number.", func(p *runtime.Info) float64 {
		return float64(p.State)
	}},
	{"supervisord_process_start_time_seconds", gauge, "When the process was last started; 0 for never.", func(p *runtime.Info) float64 {
		return float64(epoch(p.Start))
	}},
	{"supervisord_process_exit_status", gauge, "Exit status of the last run; -1 for death by signal.", func(p *runtime.Info) float64 {
		return float64(p.ExitStatus)
	}},
	{"supervisord_process_restarts_total", counter, "How often the process was started again.", func(p *runtime.Info) float64 {
		return float64(max(p.Starts-1, 0))
	}},
	{"supervisord_process_log_dropped_bytes_total", counter, "Output that no log could take.", func(p *runtime.Info) float64 {
		return float64(p.Dropped)
	}},
	{"supervisord_process_log_bytes", gauge, "Size of the logs that are open, without backups.", func(p *runtime.Info) float64 {
		return float64(p.LogBytes)
	}},
}

var perListener = []metric{
	{"supervisord_listener_waiting_events", gauge, "Events that wait in the listener's pool.", func(p *runtime.Info) float64 {
		return float64(p.Listener.Waiting)
	}},
	{"supervisord_listener_dropped_events_total", counter, "Events that the listener's pool discarded.", func(p *runtime.Info) float64 {
		return float64(p.Listener.Dropped)
	}},
	{"supervisord_listener_busy_seconds", gauge, "How long the listener has been at its event; 0 when it has none.", func(p *runtime.Info) float64 {
		if p.Listener.Since.IsZero() {
			return 0
		}
		return max(p.Now.Sub(p.Listener.Since), 0).Round(time.Millisecond).Seconds()
	}},
}

// figure is what a process and its descendants take of one thing. The daemon's own has the
// name that all programs have for it, with which dashboards begin.
type figure struct {
	name, own, kind, help string
	value                 func(*usage.Usage) float64 // negative where it is not known
}

var figures = []figure{
	{"supervisord_process_cpu_seconds_total", "process_cpu_seconds_total", counter, "CPU time since the last start, in user and kernel mode, with that of descendants.", func(u *usage.Usage) float64 {
		return u.CPU.Seconds()
	}},
	{"supervisord_process_resident_memory_bytes", "process_resident_memory_bytes", gauge, "Resident memory, with that of descendants.", func(u *usage.Usage) float64 {
		return float64(u.Resident)
	}},
	{"supervisord_process_open_fds", "process_open_fds", gauge, "Open files, with those of descendants.", func(u *usage.Usage) float64 {
		return float64(u.Descriptors)
	}},
	{"supervisord_process_threads", "process_threads", gauge, "Threads, with those of descendants.", func(u *usage.Usage) float64 {
		return float64(u.Threads)
	}},
	{"supervisord_process_descendants", "", gauge, "Number of descendants that live.", func(u *usage.Usage) float64 {
		return float64(max(u.Processes-1, 0))
	}},
}

// usageMetrics are what processes and the daemon take; nothing where that is not known in
// time.
func (s *Server) usageMetrics(ctx context.Context, e *exposition, of []labelled) {
	if s.opt.Usage == nil {
		return
	}
	sample, err := s.opt.Usage.Sample(ctx)
	if err != nil {
		return
	}
	for _, f := range figures {
		e.family(f.name, f.kind, f.help)
		for i := range of {
			p := &of[i]
			u := sample.Of[usage.Process{Group: p.Group, Name: p.Name}]
			if v := f.value(&u); u.PID != 0 && u.PID == p.PID && v >= 0 {
				e.sample(f.name, p.labels, v)
			}
		}
		if v := f.value(&sample.Daemon); f.own != "" && v >= 0 {
			e.single(f.own, f.kind, "The same of supervisord itself, without its children.", v)
		}
	}
}

// What probes have found out.
var (
	readyMetric = metric{"supervisord_process_ready", gauge, "Whether the process was found ready: 1, or 0 while it is waited for.", func(p *runtime.Info) float64 {
		return number(p.Probed.Ready)
	}}
	healthyMetric = metric{"supervisord_process_healthy", gauge, "Whether the process is healthy: 1, or 0 once too many looks in a row have failed.", func(p *runtime.Info) float64 {
		return number(p.Probed.Health == "passing")
	}}
)

// probeMetrics tell that; what is not asked, or not known, has no sample, and where nothing
// is asked there is no metric.
func probeMetrics(e *exposition, of []labelled) {
	var asked, known []labelled
	probed := false
	for i := range of {
		p := of[i].Probed
		if p == nil {
			continue
		}
		probed = true
		if p.Asked {
			asked = append(asked, of[i])
		}
		if p.Health == "passing" || p.Health == "failing" {
			known = append(known, of[i])
		}
	}
	if probed {
		readyMetric.write(e, asked)
		healthyMetric.write(e, known)
	}
}

// readyMetrics tell how long the last start took that came to be RUNNING; what was never
// seen to has no sample.
func readyMetrics(e *exposition, of []labelled) {
	const name = "supervisord_process_start_duration_seconds"
	e.family(name, gauge, "How long the last start took until the process was RUNNING: startsecs, or until it was found ready.")
	for i := range of {
		if took, ok := of[i].ReadyAfter(); ok {
			e.sample(name, of[i].labels, took.Round(time.Millisecond).Seconds())
		}
	}
}

// endMetrics tell how processes have ended; a kind of end that a process never came to has no
// sample.
func endMetrics(e *exposition, of []labelled) {
	const name = "supervisord_process_exits_total"
	e.family(name, counter, "How often the process has ended: with an exit status, by a signal, with a core dump, killed by the OOM killer (oom), or in an unknown way.")
	for i := range of {
		p := &of[i]
		for _, k := range []struct {
			kind string
			n    int64
		}{{"status", p.Ends.Status}, {"signal", p.Ends.Signal}, {"core", p.Ends.Core}, {"oom", p.Ends.OOM}, {"unknown", p.Ends.Unknown}} {
			if k.n > 0 {
				e.sample(name, labels("group", p.Group, "name", p.Name, "kind", k.kind), float64(k.n))
			}
		}
	}
}

func listenerMetrics(e *exposition, of []labelled) {
	var listeners []labelled
	for i := range of {
		if of[i].Listener != nil {
			listeners = append(listeners, of[i])
		}
	}
	for _, m := range perListener {
		m.write(e, listeners)
	}
}
