package spec

import (
	"fmt"
	"strings"
	"syscall"

	"supervisord/runtime/state"
	"supervisord/spec/value"
)

// hidden is shown in place of a secret.
const hidden = "***"

// Normal is the whole desired state as plain values for encoding/json: the
// objects supervisord, http_servers, rpcinterfaces and groups, the last with
// their processes. Passwords and the values of environment variables are "***"
// unless showSecrets is set.
//
// Two files that mean the same give the same result, which can be compared
// with what Supervisor's own parser says.
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
		"umask":            showMode(d.Umask),
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
	if s.MetricsOpen {
		m["metrics"] = "open"
	}
	if s.ReadOnlyUsername != "" {
		m["readonly_username"], m["readonly_password"] = s.ReadOnlyUsername, n.secret(s.ReadOnlyPassword)
	}
	if s.Operators != nil {
		m["operators"] = s.Operators
	}
	if s.Network == "unix" {
		m["family"] = "unix"
		m["file"] = s.Path
		m["chmod"] = showMode(s.Mode)
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
	m := map[string]any{"name": g.Name, "processes": processes}
	put(n, m, plainGroupFields, g, defaultGroup)
	if g.Listener != nil {
		put(n, m, listenerFields, g.Listener, &noListener)
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
		m["mode"] = showMode(s.Mode)
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
	m := map[string]any{"name": p.Name, "class": class}
	put(n, m, processFields, p, defaultProcess)
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
	return m
}

// put puts the fields of a definition into an object, those beyond Supervisor only
// where they are not the default.
func put[S any](n normal, m map[string]any, fields []field[S], p, defaults *S) {
	for i := range fields {
		if f := &fields[i]; f.plain != nil && !(f.ours && f.same(p, defaults)) {
			m[f.name] = f.plain(n, p)
		}
	}
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
	return strings.TrimPrefix(strings.TrimPrefix(state.SignalName(n), "SIG"), "signal ")
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
