package spec

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"supervisord/spec/value"
)

// daemon reads [supervisord].
//
// Source: contract/config.md sections 5 and 6.
func (b *builder) daemon(r *reader) Daemon {
	d := Daemon{}
	d.MinFDs = get(r, "minfds", 1024, asInt)
	d.MinProcs = get(r, "minprocs", 200, asInt)
	d.Directory = get(r, "directory", "", b.checked(asDir, r.section.find("directory")))
	r.census.note(aspects[*Account]("user", asUser, nil))
	user, hasUser := r.text("user")
	d.Umask = get(r, "umask", 0o022, asOctal)
	d.LogFile = get(r, "logfile", "supervisord.log", b.checked(asMainLog, r.section.find("logfile")))
	d.LogFileMaxBytes = get(r, "logfile_maxbytes", defaultLogBytes, asBytes)
	d.LogFileBackups = get(r, "logfile_backups", 10, asInt)
	d.LogLevel = get(r, "loglevel", "info", asLevel)
	d.PidFile = get(r, "pidfile", "supervisord.pid", b.checked(asDirPath, r.section.find("pidfile")))
	d.Identifier = get(r, "identifier", "supervisor", asText)
	d.NoDaemon = get(r, "nodaemon", false, asBool)
	d.Silent = get(r, "silent", false, asBool)
	d.ChildLogDir = get(r, "childlogdir", b.host.TempDir(), asDir)
	d.NoCleanup = get(r, "nocleanup", false, asBool)
	d.StripANSI = get(r, "strip_ansi", false, asBool)
	d.Environment = b.daemonEnvironment(r)
	d.Survivors = get(r, "survivors", "stop", asSurvivors)
	d.ReplyMemory = get(r, "reply_memory", defaultReplyMemory, asReplyMemory)
	d.Subreaper = get(r, "subreaper", false, asBool)
	d.DependentStartup = get(r, "dependent_startup", false, asBool)
	d.ExitWhen = get(r, "exit_when", ExitNever, asExitWhen)
	d.ShutdownTimeout = get(r, "shutdown_timeout", 0, asDuration)
	b.daemonUser, b.hasUser = user, hasUser
	d.LogFile = b.absoluteLog(d.LogFile)
	d.PidFile = b.absolute(d.PidFile)
	d.ChildLogDirText, d.ChildLogDir = d.ChildLogDir, b.absolute(d.ChildLogDir)
	return d
}

// asMainLog is a path, or the word syslog.
var asMainLog = kind[string]{"log", func(h value.Host, s string) (string, error) {
	if s == "syslog" {
		return s, nil
	}
	return value.ExistingDirPath(h, s)
}, asDirPath.hint, textForm}

// asSurvivors is ours beyond Supervisor.
var asSurvivors = oneOf("survivors", "stop", "adopt", "ignore")

// asReplyMemory is ours beyond Supervisor. With less, no status of a few hundred
// programs could be told.
var asReplyMemory = pure("reply_memory", func(s string) (int64, error) {
	n, err := value.ParseBytes(s)
	if err == nil && n < leastReplyMemory {
		err = fmt.Errorf("invalid 'reply_memory' value %s: too small", value.PyRepr(s))
	}
	return n, err
}, number[int64](), "a size of 4MB or more")

const (
	defaultReplyMemory = 64 << 20
	leastReplyMemory   = 4 << 20
)

// oneOf is a kind that knows a few words, in any case.
func oneOf(key string, words ...string) kind[string] {
	return pure(key, func(s string) (string, error) {
		if low := strings.ToLower(value.Strip(s)); slices.Contains(words, low) {
			return low, nil
		}
		return "", fmt.Errorf("invalid '%s' value %s", key, value.PyRepr(s))
	}, textForm, alternatives(words))
}

// checked is a kind of path, or any text where the value is the daemon's own:
// directories of its own it makes itself.
func (b *builder) checked(as kind[string], e *entry) kind[string] {
	if e != nil && e.from.builtin {
		return asText
	}
	return as
}

// daemonEnvironment reads the variables that every program gets.
//
// Differs: names are expanded once and host_node_name is among them, as in later
// versions of Supervisor; the doubled %%%% of earlier ones is accepted.
func (b *builder) daemonEnvironment(r *reader) Env {
	r.census.note(aspects[Env]("environment", asEnv, nil))
	e := r.section.find("environment")
	if e == nil {
		return Env{}
	}
	names := r.names
	r.names = names.With(value.TextVar("host_node_name", b.hostname))
	text, ok := r.expand(e, r.section.name+".environment")
	r.names = names
	if !ok {
		return Env{}
	}
	text = strings.ReplaceAll(text, "%%", "%")
	b.adviseEnvironment(r, text)
	return convert(r, e, text, Env{}, asEnv)
}

// overrides puts what the command line says over what the file says. The command
// line is not expanded.
func (b *builder) overrides(d *Daemon) {
	for _, key := range slices.Sorted(maps.Keys(b.options.Override)) {
		value := b.options.Override[key]
		r := &reader{host: b.host, section: &section{
			name:    "supervisord",
			from:    &source{},
			entries: []entry{{name: key, text: strings.ReplaceAll(value, "%", "%%"), from: &source{}}},
		}}
		b.override(r, d, key)
		for _, e := range r.errs {
			e.File, e.Line = "", 0
		}
		b.add(r.notes)
	}
}

// override sets the one key that r holds.
//
// Source: contract/config.md section 9.
func (b *builder) override(r *reader, d *Daemon, key string) {
	switch key {
	case "nodaemon":
		d.NoDaemon = get(r, key, d.NoDaemon, asBool)
	case "silent":
		d.Silent = get(r, key, d.Silent, asBool)
	case "user":
		b.daemonUser, b.hasUser = get(r, key, "", asText), true
	case "umask":
		d.Umask = get(r, key, d.Umask, asOctal)
	case "directory":
		d.Directory = get(r, key, d.Directory, asDir)
	case "logfile":
		d.LogFile = b.absoluteLog(get(r, key, d.LogFile, asMainLog))
	case "logfile_maxbytes":
		d.LogFileMaxBytes = get(r, key, d.LogFileMaxBytes, asBytes)
	case "logfile_backups":
		d.LogFileBackups = get(r, key, d.LogFileBackups, asInt)
	case "loglevel":
		d.LogLevel = get(r, key, d.LogLevel, asLevel)
	case "pidfile":
		d.PidFile = b.absolute(get(r, key, d.PidFile, asDirPath))
	case "identifier":
		d.Identifier = get(r, key, d.Identifier, asText)
	case "childlogdir":
		d.ChildLogDirText = get(r, key, d.ChildLogDirText, asDir)
		d.ChildLogDir = b.absolute(d.ChildLogDirText)
	case "nocleanup":
		d.NoCleanup = get(r, key, d.NoCleanup, asBool)
	case "minfds":
		d.MinFDs = get(r, key, d.MinFDs, asInt)
	case "minprocs":
		d.MinProcs = get(r, key, d.MinProcs, asInt)
	case "strip_ansi":
		d.StripANSI = get(r, key, d.StripANSI, asBool)
	default:
		panic("spec: the command line cannot set [supervisord] " + key)
	}
}

// user looks the daemon's own user up. Supervisor does this last.
func (b *builder) user(r *reader) *Account {
	if !b.hasUser {
		return nil
	}
	account, err := value.ParseUser(b.host, b.daemonUser)
	switch {
	case err == nil:
		return account
	case b.options.Override["user"] != "":
		b.errs = append(b.errs, &Error{Section: "supervisord", Key: "user", Text: err.Error(), Hint: hintOf(err, asUser.hint)})
	default:
		r.report("user", err.Error(), hintOf(err, asUser.hint))
		b.errs = append(b.errs, r.errs[len(r.errs)-1])
	}
	return nil
}

// absolute stands a path against the working directory.
func (b *builder) absolute(name string) string {
	if !path.IsAbs(name) {
		name = b.host.Getwd() + "/" + name
	}
	return cleanPath(name)
}

func (b *builder) absoluteLog(name string) string {
	if name == "syslog" {
		return name
	}
	return b.absolute(name)
}

// cleanPath removes what means nothing from a path. Two slashes at its beginning
// stay, as in Supervisor.
func cleanPath(name string) string {
	clean := path.Clean(name)
	if strings.HasPrefix(name, "//") && !strings.HasPrefix(name, "///") {
		return "/" + clean
	}
	return clean
}
