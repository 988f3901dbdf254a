package spec

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"supervisord/spec/value"
)

// program is what a [program:x], [eventlistener:x] or [fcgi-program:x] section
// says once for all its processes.
type program struct {
	Process // the same in all processes
	name    string
	group   string

	numprocs      int
	numprocsStart int64  // a number that is shown is the same on every machine
	processName   string // not expanded
	names         *value.Names
	env           programEnv // of the process built last
}

// programEnv is the value of environment= for one process. Mostly that of the
// next is the same, and both share it.
type programEnv struct {
	text   string // expanded
	own    Env
	merged Env // over that of [supervisord]
}

// processes reads a section's processes, by ascending name, as members of a
// group. Errors come in Supervisor's order.
//
// Source: contract/config.md sections 5, 6 and 8.
func (b *builder) processes(r *reader, group string, socket *Socket) []Process {
	r.inProcess = true
	defer func(names *value.Names) { r.inProcess, r.names = false, names }(r.names)
	name := r.name()
	r.names = r.names.With(
		value.TextVar("host_node_name", b.hostname),
		value.TextVar("program_name", name),
		value.TextVar("group_name", group),
	)
	p := b.program(r, name)
	p.group, p.Socket, p.names = group, socket, r.names
	var list []Process
	for i := range min(p.numprocs, maxProcs) {
		before := len(r.errs)
		list = append(list, b.process(r, p, p.numprocsStart+int64(i)))
		if len(r.errs) > before {
			break // the others would only repeat it
		}
	}
	slices.SortStableFunc(list, func(p, q Process) int { return cmp.Compare(p.Name, q.Name) })
	return list
}

// maxProcs bounds numprocs, so that a typing error does not take the machine's
// memory.
const maxProcs = 100_000

// What is read once for all processes of a section, in Supervisor's order; what is
// ours comes last.
var (
	sharedFields = pick(processFields, "priority", "autostart", "autorestart", "startsecs", "startretries", "stopsignal",
		"stopwaitsecs", "stopasgroup", "killasgroup", "exitcodes", "redirect_stderr")
	numberFields      = pick(numberedFields, "numprocs", "numprocs_start")
	earlyStdoutFields = pick(stdoutFields, "stdout_capture_maxbytes", "stdout_events_enabled")
	earlyStderrFields = pick(stderrFields, "stderr_capture_maxbytes", "stderr_events_enabled")
	lateSharedFields  = pick(processFields, "user", "umask")
	ownFields         = slices.Concat(pick(processFields, "killmode", "on_exit", "rollout"), retryFields, probeFields, verifyFields)
)

// What is read for each process.
var (
	metricsFields    = pick(processFields, "metrics_port", "metrics_path")
	directoryField   = pick(processFields, "directory")
	orderFields      = pick(processFields, "depends_on", "restart_with")
	lateStdoutFields = pick(stdoutFields, "stdout_logfile_backups", "stdout_logfile_maxbytes", "stdout_syslog")
	lateStderrFields = pick(stderrFields, "stderr_logfile_backups", "stderr_logfile_maxbytes", "stderr_syslog")
)

// program reads what the processes of a section share.
func (b *builder) program(r *reader, name string) *program {
	p := defaults(numberedFields)
	p.name = name
	p.Origin = r.section.origin
	read(r, sharedFields, &p.Process)
	read(r, numberFields, p)
	read(r, earlyStdoutFields, &p.Stdout)
	read(r, earlyStderrFields, &p.Stderr)
	p.ServerURL, p.ServerURLAuto = b.serverURL(r)
	read(r, lateSharedFields, &p.Process)
	if e := r.section.find("process_name"); e != nil {
		p.processName = r.unexpanded(e)
		if _, err := value.ParseName(p.processName); err != nil {
			r.wrong(e, err.Error(), asName.hint)
		}
	}
	if p.numprocs > 1 && !strings.Contains(p.processName, "%(process_num)") {
		r.report("numprocs", "%(process_num) must be present within process_name when numprocs > 1",
			"add process_name=%(program_name)s_%(process_num)02d")
	}
	if p.StopAsGroup && !p.KillAsGroup {
		r.report("killasgroup", "Cannot set stopasgroup=true and killasgroup=false", "leave killasgroup out: it follows stopasgroup")
	}
	read(r, ownFields, &p.Process)
	b.adviseProgram(r, p)
	return p
}

// noUmask is the umask of a process that has none of its own.
const noUmask = -1

// asUmask reads a umask. -1, which Supervisor accepts, is not the lack of one: the
// system takes its last nine bits.
var asUmask = pure("octal", func(s string) (int, error) {
	n, err := value.ParseOctal(s)
	if n == noUmask {
		n = 0o777
	}
	return n, err
}, modeForm, asOctal.hint)

// serverURL reads serverurl, of which AUTO in any case is the daemon's own.
func (b *builder) serverURL(r *reader) (url string, auto bool) {
	url, ok := r.text("serverurl")
	if !ok || strings.EqualFold(value.Strip(url), "AUTO") {
		return b.cfg.Daemon.ServerURL, true
	}
	return url, false
}

// process reads what is evaluated for each process of a program by itself.
func (b *builder) process(r *reader, p *program, number int64) Process {
	proc := p.Process
	r.names = p.names.With(value.IntVar("process_num", number), value.IntVar("numprocs", int64(p.numprocs)))

	b.environment(r, &p.env)
	proc.Environment = p.env.merged
	r.names = r.names.WithEnv(p.env.own)
	read(r, directoryField, &proc)
	read(r, metricsFields, &proc)
	b.output(r, "stdout", &proc.Stdout, lateStdoutFields, false)
	b.output(r, "stderr", &proc.Stderr, lateStderrFields, proc.RedirectStderr)
	if proc.RedirectStderr {
		if proc.Stderr.Kind == OutputFile {
			r.warn("stderr_logfile", fmt.Sprintf("For [%s], redirect_stderr=true but stderr_logfile has "+
				"also been set to a filename, the filename has been ignored", r.section.name),
				"the file is not used, since redirect_stderr=true sends standard error to stdout_logfile", "remove one of the two")
		}
		proc.Stderr.Kind, proc.Stderr.File, proc.Stderr.Empty = OutputNone, "", false
	}
	read(r, orderFields, &proc)
	b.dependentStartup(r, &proc)
	var ok bool
	if proc.Command, ok = r.text("command"); !ok && r.section.find("command") == nil {
		r.missing("command", fmt.Sprintf("program section %s does not specify a command", r.section.name),
			"add command=/path/to/program arguments")
	}
	proc.Name = p.name
	if e := r.section.find("process_name"); e != nil {
		if name, ok := r.expand(e, "process_name"); ok {
			proc.Name = name
		}
	}
	if ok {
		b.adviseCommand(r, &proc)
	}
	return proc
}

// environment reads the program's own variables into env. In their text they
// themselves are not known yet.
func (b *builder) environment(r *reader, env *programEnv) {
	text := ""
	e := r.section.find("environment")
	if e != nil {
		text, _ = r.expand(e, "environment")
	}
	if env.merged != nil && env.text == text {
		return
	}
	*env = programEnv{text: text, merged: b.daemonEnv}
	if text == "" {
		return
	}
	b.adviseEnvironment(r, text)
	env.own = convert(r, e, text, nil, asEnv)
	if len(env.own) > 0 {
		env.merged = maps.Clone(b.daemonEnv)
		maps.Copy(env.merged, env.own)
	}
}

// output reads the log keys of one stream, the others after the name. unused is set for a stream that goes
// where the other one does.
//
// Source: contract/config.md sections 4 and 6. Differs: names are expanded once.
// The doubled %%%% that Supervisor asks for is accepted (differences.md row 39), and
// nothing is said about AUTO logs that are never written (row 51).
func (b *builder) output(r *reader, stream string, o *Output, others []field[Output], unused bool) {
	key := stream + "_logfile"
	if e := r.section.find(key); e != nil {
		if text, ok := r.expand(e, r.section.name+"."+key); ok {
			b.logfile(r, e, strings.ReplaceAll(text, "%%", "%"), o)
		}
	}
	deprecated := o.Syslog
	read(r, others, o)
	o.Syslog = o.Syslog || deprecated
	if o.Kind == OutputAuto && o.MaxBytes == 0 && !unused {
		r.warn(key+"_maxbytes", fmt.Sprintf("For [%s], AUTO logging used for %s without rollover, "+
			"set maxbytes > 0 to avoid filling up filesystem unintentionally", r.section.name, key),
			"the AUTO log is never rotated and may fill the disk", "a size such as 50MB, or "+key+"=NONE")
	}
	if deprecated {
		r.warn(key, fmt.Sprintf("For [%s], %s=syslog but this is deprecated and will be removed.  "+
			"Use %s_syslog=true to enable syslog instead.", r.section.name, key, stream),
			"syslog as the name of a file is deprecated", fmt.Sprintf("%s_syslog=true", stream))
	}
}

// logfile reads the name of a child's log.
func (b *builder) logfile(r *reader, e *entry, text string, o *Output) {
	switch strings.ToLower(text) {
	case "auto":
		o.Kind = OutputAuto
	case "none", "off":
		o.Kind = OutputNone
	case "":
		o.Kind, o.Empty = OutputNone, true
	case "syslog":
		o.Kind, o.Syslog = OutputNone, true
	default:
		o.Kind = OutputFile
		o.File = convert(r, e, text, "", asDirPath)
	}
}
