package spec

import (
	"maps"
	"slices"
	"strings"
	"time"

	"supervisord/spec/value"
)

// key is what can be said of a key of a section without reading any file.
type key struct {
	name string // as a file has it
	kind string // of value, such as integer
	// hint is what a right value looks like, and words are those that it names; nil for none.
	hint  string
	words func() []string
	// def is the value where a file does not give the key, as it would be written
	// there; "" where there is none.
	def    string
	unit   string // of a number, such as seconds; "" for none
	effect effect
	ours   bool // beyond Supervisor; shown by Normal only where it is not the default
}

// effect is what happens to running processes when the value of a key changes.
//
// Source: reconciler.md, What counts as a change.
type effect int

const (
	inPlace    effect = iota // the new value is in force at once; the process keeps its pid
	restarts                 // the process was given the value at its start, and is started again
	mayRestart               // one or the other, as the value says
	resizes                  // processes are added and removed; those that stay are left alone
)

// field is one key of a definition S, and where in it the value is. Everything
// that goes over the fields of a definition goes over a table of these.
type field[S any] struct {
	key
	same  func(p, q *S) bool
	show  func(p *S) string         // as a file would give the value; secrets hidden
	feed  func(d *digest, p *S)     // to a fingerprint, where it is not the default
	plain func(n normal, p *S) any  // for Normal; nil where that shows it elsewhere
	read  func(r *reader, p *S)     // from a section; nil where that takes more than its text
	reset func(p *S)                // to the default; nil where that is the zero value
	each  func(old, new *S) []Field // what Compare says of it, if more than the value; else nil
	start func(p *S) string         // what a process is given of the value at its start, "" for nothing; nil where the effect says it
}

// at is the field of a value that stands by itself.
func at[S, T any](name string, of kind[T], def T, e effect, place func(*S) *T) field[S] {
	as := &of // which all functions below share
	f := field[S]{
		key:   key{name: name, kind: as.name, hint: as.hint, words: as.words, def: as.show(def), effect: e},
		same:  func(p, q *S) bool { return as.equal(*place(p), *place(q)) },
		show:  func(p *S) string { return as.show(*place(p)) },
		feed:  func(d *digest, p *S) { as.feed(d, *place(p)) },
		read:  func(r *reader, p *S) { *place(p) = get(r, name, def, *as) },
		reset: func(p *S) { *place(p) = def },
	}
	if as.plain != nil {
		f.plain = func(n normal, p *S) any { return as.plain(n, *place(p)) }
	}
	return f
}

// in is the field with a unit.
func (f field[S]) in(unit string) field[S] {
	f.unit = unit
	return f
}

// naming is the field whose values are of some words.
func (f field[S]) naming(words []string) field[S] {
	f.words = func() []string { return words }
	return f
}

// beyond is the field of a key that Supervisor does not have.
func (f field[S]) beyond() field[S] {
	f.ours = true
	return f
}

// given is the field of a key that is in force at once, but for what a process is given at
// its start.
func (f field[S]) given(start func(*S) string) field[S] {
	f.effect, f.start = mayRestart, start
	return f
}

// atStart reports whether a process that runs has other than it would be started with.
func (f *field[S]) atStart(old, new *S) bool {
	if f.start != nil {
		return f.start(old) != f.start(new)
	}
	return f.effect == restarts
}

// within makes the fields of a part those of the whole, which may lack the part:
// they are compared and shown there, and read only from the part.
func within[S, P any](fields []field[P], part func(*S) *P) []field[S] {
	list := make([]field[S], len(fields))
	for i, f := range fields {
		w := field[S]{
			key:  f.key,
			same: func(p, q *S) bool { return f.same(part(p), part(q)) },
			show: func(p *S) string { return f.show(part(p)) },
			feed: func(d *digest, p *S) { f.feed(d, part(p)) },
		}
		if f.plain != nil {
			w.plain = func(n normal, p *S) any { return f.plain(n, part(p)) }
		}
		list[i] = w
	}
	return list
}

// The fields of a process, which all kinds of program have, in the order in which
// a difference is told.
//
// Source: contract/config.md section 6; reconciler.md, What counts as a change.
var processFields = slices.Concat([]field[Process]{
	at("command", asText, "", restarts, func(p *Process) *string { return &p.Command }),
	{
		key:   key{name: "directory", kind: "directory", effect: restarts},
		same:  func(p, q *Process) bool { return p.HasDir == q.HasDir && p.Directory == q.Directory },
		show:  func(p *Process) string { return orEmpty(p.HasDir, p.Directory) },
		feed:  func(d *digest, p *Process) { d.flag(p.HasDir); d.text(p.Directory) },
		plain: func(_ normal, p *Process) any { return orAbsent(p.HasDir, p.Directory) },
		read:  func(r *reader, p *Process) { p.Directory, p.HasDir = r.text("directory") },
	},
	at("umask", asUmask, noUmask, restarts, func(p *Process) *int { return &p.Umask }),
	at("user", asUser, nil, restarts, func(p *Process) **Account { return &p.User }),
	environmentField,
	at("redirect_stderr", asBool, false, restarts, func(p *Process) *bool { return &p.RedirectStderr }),
	{ // the address of the daemon's own server is no part of a process that asks for it with AUTO
		key: key{name: "serverurl", kind: "address", def: "AUTO", effect: restarts},
		same: func(p, q *Process) bool {
			return p.ServerURLAuto == q.ServerURLAuto && (p.ServerURLAuto || p.ServerURL == q.ServerURL)
		},
		show:  showServerURL,
		feed:  func(d *digest, p *Process) { d.text(p.ServerURL) },
		plain: func(_ normal, p *Process) any { return orAbsent(!p.ServerURLAuto, p.ServerURL) },
		reset: func(p *Process) { p.ServerURLAuto = true },
	},
}, within(socketFields, (*Process).socket), []field[Process]{
	at("priority", asInt, 999, inPlace, func(p *Process) *int { return &p.Priority }),
	at("autostart", asBool, true, inPlace, func(p *Process) *bool { return &p.Autostart }),
	at("autorestart", asRestart, RestartUnexpected, inPlace, func(p *Process) *Autorestart { return &p.Autorestart }),
	at("startsecs", asInt, 1, inPlace, func(p *Process) *int { return &p.StartSecs }).in("seconds"),
	at("startretries", asInt, 3, inPlace, func(p *Process) *int { return &p.StartRetries }).in("starts"),
	at("exitcodes", asExitCodes, []int{0}, inPlace, func(p *Process) *[]int { return &p.ExitCodes }),
	at("stopsignal", asSignal, 15, inPlace, func(p *Process) *int { return &p.StopSignal }),
	at("stopwaitsecs", asInt, 10, inPlace, func(p *Process) *int { return &p.StopWaitSecs }).in("seconds"),
	at("stopasgroup", asBool, false, inPlace, func(p *Process) *bool { return &p.StopAsGroup }),
	killAsGroupField,
	at("killmode", asKillMode, KillProcess, inPlace, func(p *Process) *KillMode { return &p.KillMode }).beyond(),
	at("on_exit", asOnExit, OnExitIgnore, inPlace, func(p *Process) *OnExit { return &p.OnExit }).beyond(),
	at("metrics_port", asPort, 0, inPlace, func(p *Process) *int { return &p.MetricsPort }).beyond(),
	at("metrics_path", asURLPath, "", inPlace, func(p *Process) *string { return &p.MetricsPath }).beyond(),
	at("depends_on", asDepends, nil, inPlace, func(p *Process) *[]Dependency { return &p.DependsOn }).beyond(),
	at("restart_with", asTargets, nil, inPlace, func(p *Process) *[]string { return &p.RestartWith }).beyond(),
	share("rollout", asRollout, Rollout{}, func(p *Process) *Rollout { return &p.Rollout }),
}, retryFields, probeFields, verifyFields, within(stdoutFields, func(p *Process) *Output { return &p.Stdout }),
	within(stderrFields, func(p *Process) *Output { return &p.Stderr }))

// retryFields say when a process that has failed is started again.
var retryFields = []field[Process]{
	at("backoff", asWait, 0, inPlace, func(p *Process) *time.Duration { return &p.Retry.Backoff }).beyond(),
	at("backoff_factor", asFactor, 0, inPlace, func(p *Process) *float64 { return &p.Retry.Factor }).beyond(),
	at("backoff_max", asWait, 0, inPlace, func(p *Process) *time.Duration { return &p.Retry.Max }).beyond(),
	share("backoff_jitter", asPercent, 0, func(p *Process) *Percent { return &p.Retry.Jitter }),
	at("backoff_reset", asWait, 0, inPlace, func(p *Process) *time.Duration { return &p.Retry.Reset }).beyond(),
	at("give_up", asGiveUp, GiveUpRetries, inPlace, func(p *Process) *GiveUp { return &p.Retry.GiveUp }).beyond(),
	at("crash_limit", asCrashLimit, CrashLimit{}, inPlace, func(p *Process) *CrashLimit { return &p.Retry.Crashes }).beyond(),
}

// share is the field of a percentage, which needs no doubled percent sign.
func share[T any](name string, as kind[T], def T, place func(*Process) *T) field[Process] {
	f := at(name, as, def, inPlace, place).beyond()
	f.read = func(r *reader, p *Process) {
		if e := r.section.find(name); e != nil {
			*place(p) = convert(r, e, strings.ReplaceAll(r.unexpanded(e), "%%", "%"), def, as)
		}
	}
	return f
}

// probeFields say how one finds out whether a process is ready and healthy.
var probeFields = []field[Process]{
	at("ready", asReady, Probe{}, inPlace, func(p *Process) *Probe { return &p.Probes.Ready }).beyond().given(readyAtStart),
	at("ready_timeout", asReadyTimeout, 0, inPlace, func(p *Process) *time.Duration { return &p.Probes.ReadyTimeout }).beyond(),
	at("ready_interval", asReadyInterval, 0, inPlace, func(p *Process) *time.Duration { return &p.Probes.ReadyInterval }).beyond(),
	at("health", asHealth, Probe{}, inPlace, func(p *Process) *Probe { return &p.Probes.Health }).beyond(),
	at("health_interval", asHealthInterval, 0, inPlace, func(p *Process) *time.Duration { return &p.Probes.HealthInterval }).beyond(),
	at("health_timeout", asHealthTimeout, 0, inPlace, func(p *Process) *time.Duration { return &p.Probes.HealthTimeout }).beyond(),
	at("health_failures", asFailures, 0, inPlace, func(p *Process) *int { return &p.Probes.HealthFailures }).beyond(),
	at("on_unhealthy", asOnUnhealthy, UnhealthyRestart, inPlace, func(p *Process) *OnUnhealthy { return &p.Probes.OnUnhealthy }).beyond(),
	at("watchdog", asWait, 0, restarts, func(p *Process) *time.Duration { return &p.Probes.Watchdog }).beyond(),
}

// readyAtStart is what a process is given to say with that it is ready, if anything.
func readyAtStart(p *Process) string {
	if p.Probes.Ready.Kind == value.ProbeLog || !p.Probes.Ready.Told() {
		return ""
	}
	return p.Probes.Ready.String()
}

// verifyFields say how an update of a process is proved.
var verifyFields = []field[Process]{
	at("verify", asVerify, 0, inPlace, func(p *Process) *time.Duration { return &p.Verify.Within }).beyond(),
	at("verify_stable", asVerify, 0, inPlace, func(p *Process) *time.Duration { return &p.Verify.Stable }).beyond(),
	at("on_failure", asOnFailure, OnFailureInherit, inPlace, func(p *Process) *OnFailure { return &p.Verify.OnFailure }).beyond(),
}

// numberedFields are the keys of a program that say which processes it has.
var numberedFields = []field[program]{
	at("process_name", asText, "%(program_name)s", resizes, func(p *program) *string { return &p.processName }),
	at("numprocs", asInt, 1, resizes, func(p *program) *int { return &p.numprocs }).in("processes"),
	at("numprocs_start", asInt64, 0, resizes, func(p *program) *int64 { return &p.numprocsStart }),
}

// killAsGroupField follows stopasgroup where the file does not say otherwise.
var killAsGroupField = func() field[Process] {
	f := at("killasgroup", asBool, false, inPlace, func(p *Process) *bool { return &p.KillAsGroup })
	f.read = func(r *reader, p *Process) { p.KillAsGroup = get(r, "killasgroup", p.StopAsGroup, asBool) }
	return f
}()

// environmentField is listed variable by variable; their values are never shown.
var environmentField = func() field[Process] {
	f := at("environment", asEnv, nil, restarts, func(p *Process) *Env { return &p.Environment })
	f.each = func(old, new *Process) []Field { return compareEnv(old.Environment, new.Environment) }
	return f
}()

func compareEnv(old, new Env) (list []Field) {
	keys := maps.Clone(old)
	if keys == nil {
		keys = Env{}
	}
	maps.Copy(keys, new)
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		f := Field{Key: "environment " + name, Old: "set", New: "set", Restart: true}
		was, had := old[name]
		is, has := new[name]
		switch {
		case !had:
			f.Old = ""
		case !has:
			f.New = ""
		case was != is:
			f.New = "changed"
		default:
			continue
		}
		list = append(list, f)
	}
	return list
}

// socketFields are only of an fcgi-program. The address stands for its parts, and
// the owner's numbers for the name. Normal shows the socket as a whole.
var socketFields = []field[Socket]{
	{
		key:  key{name: "socket", kind: "address", effect: restarts},
		same: func(s, t *Socket) bool { return s.URL == t.URL },
		show: func(s *Socket) string { return s.URL },
		feed: func(d *digest, s *Socket) { d.text(s.URL) },
	},
	apart(at("socket_owner", asSocketOwner, noOwner, restarts, func(s *Socket) *Owner { return &s.Owner })),
	apart(at("socket_mode", asSocketMode, 0o700, restarts, func(s *Socket) *int { return &s.Mode })),
	apart(at("socket_backlog", asBacklog, 0, restarts, func(s *Socket) *int { return &s.Backlog })),
}

var noOwner = Owner{UID: -1, GID: -1}

// noSocket stands for that of a process that has none.
var noSocket = Socket{Mode: -1, Owner: noOwner}

func (p *Process) socket() *Socket {
	if p.Socket == nil {
		return &noSocket
	}
	return p.Socket
}

// The fields of the two streams of a process.
var (
	stdoutFields = outputFields("stdout")
	stderrFields = outputFields("stderr")
)

func outputFields(stream string) []field[Output] {
	return []field[Output]{
		{
			key:   key{name: stream + "_logfile", kind: "file", def: "AUTO"},
			same:  func(o, p *Output) bool { return o.Kind == p.Kind && o.File == p.File && o.Empty == p.Empty },
			show:  (*Output).target,
			feed:  func(d *digest, o *Output) { d.number(int64(o.Kind)); d.text(o.File); d.flag(o.Empty) },
			plain: func(_ normal, o *Output) any { return orAbsent(o.Kind != OutputNone || o.Empty, o.target()) },
		},
		at(stream+"_logfile_maxbytes", asBytes, defaultLogBytes, inPlace, func(o *Output) *int64 { return &o.MaxBytes }).in("bytes"),
		at(stream+"_logfile_backups", asInt, 10, inPlace, func(o *Output) *int { return &o.Backups }).in("files"),
		at(stream+"_capture_maxbytes", asBytes, 0, inPlace, func(o *Output) *int64 { return &o.CaptureMaxBytes }).in("bytes"),
		at(stream+"_events_enabled", asBool, false, inPlace, func(o *Output) *bool { return &o.EventsEnabled }),
		at(stream+"_syslog", asBool, false, inPlace, func(o *Output) *bool { return &o.Syslog }),
	}
}

// defaultLogBytes is the size at which logs rotate when nothing is said.
const defaultLogBytes = 50 << 20

// The fields of a group beside its processes.
//
// Source: contract/config.md section 6; reconciler.md, What counts as a change.
var (
	groupFields = slices.Concat(plainGroupFields, within(listenerFields, (*Group).listener))

	plainGroupFields = []field[Group]{
		{ // another kind makes it another group: everything in it is started again
			key:   key{name: "type", effect: restarts},
			same:  func(g, h *Group) bool { return g.Kind == h.Kind },
			show:  func(g *Group) string { return g.Kind.String() },
			feed:  func(d *digest, g *Group) { d.number(int64(g.Kind)) },
			plain: func(_ normal, g *Group) any { return g.Kind.String() },
		},
		at("priority", asInt, 999, inPlace, func(g *Group) *int { return &g.Priority }),
		at("depends_on", asDepends, nil, inPlace, func(g *Group) *[]Dependency { return &g.DependsOn }).beyond(),
		at("restart_with", asTargets, nil, inPlace, func(g *Group) *[]string { return &g.RestartWith }).beyond(),
	}
)

// listenerFields are what an eventlistener has beyond a program.
var listenerFields = []field[Listener]{
	at("events", asEvents, nil, inPlace, func(l *Listener) *[]string { return &l.Events }).naming(eventTypes),
	at("buffer_size", asInt, 10, inPlace, func(l *Listener) *int { return &l.BufferSize }).in("events"),
	at("result_handler", asText, standardHandler, inPlace, func(l *Listener) *string { return &l.ResultHandler }),
	at("stall_timeout", asDuration, 0, inPlace, func(l *Listener) *time.Duration { return &l.StallTimeout }).beyond(),
}

// noListener stands for that of a group that is none.
var noListener Listener

func (g *Group) listener() *Listener {
	if g.Listener == nil {
		return &noListener
	}
	return g.Listener
}

// apart is the field without its part in Normal.
func apart[S any](f field[S]) field[S] {
	f.plain = nil
	return f
}

// equal reports whether no field differs.
func equal[S any](fields []field[S], p, q *S) bool {
	for i := range fields {
		if !fields[i].same(p, q) {
			return false
		}
	}
	return true
}

// compare lists the fields that differ.
func compare[S any](fields []field[S], old, new *S) (list []Field) {
	for i := range fields {
		switch f := &fields[i]; {
		case f.same(old, new):
		case f.each != nil:
			list = append(list, f.each(old, new)...)
		default:
			list = append(list, Field{f.name, f.show(old), f.show(new), f.atStart(old, new)})
		}
	}
	return list
}

// defaults is a definition of which a file says nothing.
func defaults[S any](fields []field[S]) *S {
	p := new(S)
	for _, f := range fields {
		if f.reset != nil {
			f.reset(p)
		}
	}
	return p
}

var (
	defaultGroup   = defaults(groupFields)
	defaultProcess = func() *Process {
		p := defaults(processFields)
		p.Stdout, p.Stderr = *defaults(stdoutFields), *defaults(stderrFields)
		return p
	}()
)

// namesOf are the keys of some fields.
func namesOf[S any](fields []field[S]) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}

// pick is the fields of the given names, in that order.
func pick[S any](fields []field[S], names ...string) []field[S] {
	list := make([]field[S], len(names))
	for i, name := range names {
		list[i] = fields[slices.IndexFunc(fields, func(f field[S]) bool { return f.name == name })]
	}
	return list
}

// read reads fields from a section, one after the other.
func read[S any](r *reader, fields []field[S], p *S) {
	for i := range fields {
		fields[i].read(r, p)
	}
}

// orEmpty shows an empty value that was given.
func orEmpty(given bool, text string) string {
	if given && text == "" {
		return "(empty)"
	}
	return text
}

// orAbsent is a value as JSON has it, null where it was not given.
func orAbsent(given bool, text string) any {
	if !given {
		return nil
	}
	return text
}

func showServerURL(p *Process) string {
	if p.ServerURLAuto {
		return "AUTO"
	}
	return orEmpty(true, p.ServerURL)
}

// target is the value of a *_logfile key.
func (o *Output) target() string {
	switch {
	case o.Kind == OutputAuto:
		return "AUTO"
	case o.Kind == OutputNone && !o.Empty:
		return "NONE"
	}
	return o.File
}
