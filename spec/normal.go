package spec

import (
	"fmt"
	"strings"
	"syscall"

	"supervisord/spec/value"
)

// hidden is shown in place of a secret.
const hidden = "***"

// Normal is the whole desired state as plain values that encoding/json writes
// out: the objects supervisord, http_servers, rpcinterfaces and groups, the last
// with their processes. Passwords and the values of environment variables are
// "***" unless showSecrets is set.
//
// Two files that mean the same give the same, and it is comparable with what
// Supervisor's own parser says.
func Normal(c *Config, showSecrets bool) map[string]any {
	n := normal{showSecrets}
	groups := make([]any, len(c.Groups))
	for i := range c.Groups {
		groups[i] = n.group(&c.Groups[i])
	}
	servers := make([]any, len(c.Servers))
	for i := range c.Servers {
		servers[i] = n.server(&c.Servers[i])
	}
	interfaces := make([]any, len(c.RPC))
	for i, r := range c.RPC {
		interfaces[i] = map[string]any{"name": r.Name, "factory": r.Factory, "options": r.Extra}
	}
	return map[string]any{
		"supervisord":   n.daemon(&c.Daemon),
		"http_servers":  servers,
		"rpcinterfaces": interfaces,
		"groups":        groups,
	}
}

type normal struct{ showSecrets bool }

func (n normal) daemon(d *Daemon) map[string]any {
	user := any(nil)
	if d.User != nil {
		user = d.User.Name
	}
	return map[string]any{
		"logfile":          d.LogFile,
		"logfile_maxbytes": d.LogFileMaxBytes,
		"logfile_backups":  d.LogFileBackups,
		"loglevel":         d.LogLevel,
		"pidfile":          d.PidFile,
		"nodaemon":         d.NoDaemon,
		"silent":           d.Silent,
		"minfds":           d.MinFDs,
		"minprocs":         d.MinProcs,
		"umask":            octal(d.Umask),
		"user":             user,
		"identifier":       d.Identifier,
		"directory":        orNull(d.Directory),
		"nocleanup":        d.NoCleanup,
		"childlogdir":      d.ChildLogDirText,
		"strip_ansi":       d.StripANSI,
		"environment":      n.environment(d.Environment),
		"serverurl":        orNull(d.ServerURL),
	}
}

func (n normal) server(s *Server) map[string]any {
	m := map[string]any{"section": s.Section, "username": nil, "password": nil}
	if s.HasAuth {
		m["username"] = s.Username
		m["password"] = n.secret(s.Password)
	}
	if s.Network == "unix" {
		m["family"] = "unix"
		m["file"] = s.Path
		m["chmod"] = octal(s.Mode)
		m["chown"] = owner(s.Chown)
		return m
	}
	m["family"] = "inet"
	m["host"] = s.Host
	m["port"] = s.Port
	for key, file := range map[string]string{"certfile": s.CertFile, "keyfile": s.KeyFile, "client_ca": s.ClientCA} {
		if file != "" {
			m[key] = file
		}
	}
	return m
}

func (n normal) group(g *Group) map[string]any {
	processes := make([]any, len(g.Processes))
	for i := range g.Processes {
		processes[i] = n.process(g, &g.Processes[i])
	}
	m := map[string]any{
		"name":      g.Name,
		"type":      g.Kind.String(),
		"priority":  g.Priority,
		"processes": processes,
	}
	if l := g.Listener; l != nil {
		m["events"] = l.Events
		m["buffer_size"] = l.BufferSize
		m["result_handler"] = l.ResultHandler
		if l.StallTimeout != 0 {
			m["stall_timeout"] = l.StallTimeout.String()
		}
	}
	if g.Kind == KindFastCGI && len(g.Processes) > 0 && g.Processes[0].Socket != nil {
		m["socket"] = n.socket(g.Processes[0].Socket)
	}
	return m
}

func (n normal) socket(s *Socket) map[string]any {
	m := map[string]any{"url": s.URL, "backlog": nil}
	if s.Backlog != 0 {
		m["backlog"] = s.Backlog
	}
	if s.Network == "unix" {
		m["path"] = s.Path
		m["mode"] = octal(s.Mode)
		m["owner"] = owner(s.OwnerName)
	}
	return m
}

func (n normal) process(g *Group, p *Process) map[string]any {
	class := "ProcessConfig"
	switch g.Kind {
	case KindListener:
		class = "EventListenerConfig"
	case KindFastCGI:
		class = "FastCGIProcessConfig"
	}
	m := map[string]any{
		"name":            p.Name,
		"class":           class,
		"command":         p.Command,
		"directory":       nil,
		"umask":           nil,
		"priority":        p.Priority,
		"autostart":       p.Autostart,
		"autorestart":     p.Autorestart.String(),
		"startsecs":       p.StartSecs,
		"startretries":    p.StartRetries,
		"exitcodes":       append([]int{}, p.ExitCodes...),
		"stopsignal":      signalWord(p.StopSignal),
		"stopwaitsecs":    p.StopWaitSecs,
		"stopasgroup":     p.StopAsGroup,
		"killasgroup":     p.KillAsGroup,
		"user":            nil,
		"redirect_stderr": p.RedirectStderr,
		"environment":     n.environment(p.Environment),
		"serverurl":       nil,
	}
	if p.HasDir {
		m["directory"] = p.Directory
	}
	if p.Umask != noUmask {
		m["umask"] = octal(p.Umask)
	}
	if p.User != nil {
		m["user"] = p.User.Name
	}
	if !p.ServerURLAuto {
		m["serverurl"] = p.ServerURL
	}
	if p.KillMode != KillProcess {
		m["killmode"] = p.KillMode.String()
	}
	if g.Kind == KindGroup && p.Socket != nil {
		m["socket"] = n.socket(p.Socket)
	}
	switch argv, err := value.Split(p.Command); {
	case err != nil:
		m["argv_error"] = fmt.Sprintf("can't parse command %s: %v", value.PyRepr(p.Command), err)
	case len(argv) == 0:
		m["argv_error"] = "command is empty"
	default:
		m["argv"] = argv
	}
	n.output(m, "stdout", p.Stdout)
	n.output(m, "stderr", p.Stderr)
	return m
}

func (n normal) output(m map[string]any, stream string, o Output) {
	logfile := any(nil)
	switch {
	case o.Kind == OutputAuto:
		logfile = "AUTO"
	case o.Kind == OutputFile || o.Empty:
		logfile = o.File
	}
	m[stream+"_logfile"] = logfile
	m[stream+"_logfile_maxbytes"] = o.MaxBytes
	m[stream+"_logfile_backups"] = o.Backups
	m[stream+"_capture_maxbytes"] = o.CaptureMaxBytes
	m[stream+"_events_enabled"] = o.EventsEnabled
	m[stream+"_syslog"] = o.Syslog
}

func (n normal) environment(e Env) map[string]any {
	m := make(map[string]any, len(e))
	for key, value := range e {
		m[key] = n.secret(value)
	}
	return m
}

func (n normal) secret(value string) string {
	if n.showSecrets || value == "" {
		return value
	}
	return hidden
}

// owner is user:group as a pair, of which a half that is not given is null.
func owner(text string) any {
	if text == "" {
		return nil
	}
	user, group, ok := strings.Cut(text, ":")
	if !ok {
		return []any{user, nil}
	}
	return []any{user, group}
}

// signalWord is a signal's name without SIG, or its number if it has none. Of
// two names it is the first in the alphabet, where logs have SIGPOLL.
func signalWord(n int) string {
	if n == int(syscall.SIGIO) {
		return "IO"
	}
	return strings.TrimPrefix(strings.TrimPrefix(value.SignalName(n), "SIG"), "signal ")
}

func octal(n int) string { return fmt.Sprintf("%03o", n) }

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
