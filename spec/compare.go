package spec

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"supervisord/spec/value"
)

// Field is one key whose value differs between two definitions.
type Field struct {
	Key string // as in the file; a variable is "environment NAME"
	// Old and New are the values as a file would give them. What is not set is
	// empty. The values of variables are never shown: they are "set", "changed"
	// or empty.
	Old, New string
	// Restart is set when a running child was given the value at its start, so
	// that only a restart brings the new one into force.
	Restart bool
}

// Compare lists the keys in which two definitions of one process differ, in the
// order of contract/config.md section 6. It is empty exactly if they are Equal,
// the name aside.
//
// Source: reconciler.md, What counts as a change.
func Compare(old, new Process) []Field {
	c := comparison{}
	c.restart = true
	c.text("command", old.Command, new.Command)
	c.text("directory", directory(old), directory(new))
	c.text("umask", umask(old.Umask), umask(new.Umask))
	c.user(old.User, new.User)
	c.environment(old.Environment, new.Environment)
	c.text("redirect_stderr", yesNo(old.RedirectStderr), yesNo(new.RedirectStderr))
	c.text("serverurl", serverURL(old), serverURL(new))
	c.socket(old.Socket, new.Socket)

	c.restart = false
	c.number("priority", old.Priority, new.Priority)
	c.text("autostart", yesNo(old.Autostart), yesNo(new.Autostart))
	c.text("autorestart", old.Autorestart.String(), new.Autorestart.String())
	c.number("startsecs", old.StartSecs, new.StartSecs)
	c.number("startretries", old.StartRetries, new.StartRetries)
	c.text("exitcodes", numbers(old.ExitCodes), numbers(new.ExitCodes))
	c.text("stopsignal", value.SignalName(old.StopSignal), value.SignalName(new.StopSignal))
	c.number("stopwaitsecs", old.StopWaitSecs, new.StopWaitSecs)
	c.text("stopasgroup", yesNo(old.StopAsGroup), yesNo(new.StopAsGroup))
	c.text("killasgroup", yesNo(old.KillAsGroup), yesNo(new.KillAsGroup))
	c.text("killmode", old.KillMode.String(), new.KillMode.String())
	c.output("stdout", old.Stdout, new.Stdout)
	c.output("stderr", old.Stderr, new.Stderr)
	return c.fields
}

// CompareGroups lists what differs between two groups of one name beside their
// processes. A change of kind makes it another group: everything in it is
// restarted.
func CompareGroups(old, new Group) []Field {
	c := comparison{}
	c.restart = true
	c.text("type", old.Kind.String(), new.Kind.String())
	c.restart = false
	c.number("priority", old.Priority, new.Priority)
	a, b := listenerOf(old), listenerOf(new)
	c.text("events", strings.Join(a.Events, ","), strings.Join(b.Events, ","))
	c.number("buffer_size", a.BufferSize, b.BufferSize)
	c.text("result_handler", a.ResultHandler, b.ResultHandler)
	c.text("stall_timeout", a.StallTimeout.String(), b.StallTimeout.String())
	if old.Kind == KindGroup && new.Kind == KindGroup {
		c.text("programs", names(old), names(new))
	}
	return c.fields
}

// comparison collects the fields that differ.
type comparison struct {
	restart bool // of the fields added from here on
	fields  []Field
}

func (c *comparison) text(key, old, new string) {
	if old != new {
		c.fields = append(c.fields, Field{Key: key, Old: old, New: new, Restart: c.restart})
	}
}

func (c *comparison) number(key string, old, new int) {
	c.text(key, strconv.Itoa(old), strconv.Itoa(new))
}

func (c *comparison) user(old, new *Account) {
	if !old.Equal(new) {
		c.fields = append(c.fields, Field{Key: "user", Old: userText(old), New: userText(new), Restart: c.restart})
	}
}

func (c *comparison) environment(old, new Env) {
	keys := slices.Collect(maps.Keys(old))
	for key := range new {
		if _, ok := old[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		was, had := old[key]
		is, has := new[key]
		name := "environment " + key
		switch {
		case !had:
			c.text(name, "", "set")
		case !has:
			c.text(name, "set", "")
		case was != is:
			c.text(name, "set", "changed")
		}
	}
}

func (c *comparison) socket(old, new *Socket) {
	if old.Equal(new) {
		return
	}
	a, b := socketOf(old), socketOf(new)
	c.text("socket", a.URL, b.URL)
	c.text("socket_owner", a.Owner.String(), b.Owner.String())
	c.text("socket_mode", umask(a.Mode), umask(b.Mode))
	c.number("socket_backlog", a.Backlog, b.Backlog)
}

func (c *comparison) output(stream string, old, new Output) {
	c.text(stream+"_logfile", old.target(), new.target())
	c.text(stream+"_logfile_maxbytes", strconv.FormatInt(old.MaxBytes, 10), strconv.FormatInt(new.MaxBytes, 10))
	c.number(stream+"_logfile_backups", old.Backups, new.Backups)
	c.text(stream+"_capture_maxbytes", strconv.FormatInt(old.CaptureMaxBytes, 10), strconv.FormatInt(new.CaptureMaxBytes, 10))
	c.text(stream+"_events_enabled", yesNo(old.EventsEnabled), yesNo(new.EventsEnabled))
	c.text(stream+"_syslog", yesNo(old.Syslog), yesNo(new.Syslog))
}

func directory(p Process) string {
	if p.HasDir && p.Directory == "" {
		return "(empty)"
	}
	return p.Directory
}

func serverURL(p Process) string {
	switch {
	case p.ServerURLAuto:
		return "AUTO"
	case p.ServerURL == "":
		return "(empty)"
	}
	return p.ServerURL
}

// umask formats an octal number; -1 is not set.
func umask(n int) string {
	if n == -1 {
		return ""
	}
	return fmt.Sprintf("%03o", n)
}

func userText(a *Account) string {
	if a == nil {
		return ""
	}
	return fmt.Sprintf("%s (uid %d, gid %d)", a.Name, a.UID, a.GID)
}

func yesNo(b bool) string { return strconv.FormatBool(b) }

func numbers(list []int) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ",")
}

func names(g Group) string {
	words := make([]string, len(g.Processes))
	for i, p := range g.Processes {
		words[i] = p.Name
	}
	return strings.Join(words, ",")
}

func listenerOf(g Group) Listener {
	if g.Listener == nil {
		return Listener{}
	}
	return *g.Listener
}

// socketOf is a socket's value, in which nothing is set for none.
func socketOf(s *Socket) Socket {
	if s == nil {
		return Socket{Mode: -1, Owner: Owner{UID: -1, GID: -1}}
	}
	return *s
}

// target is the value of a *_logfile key.
func (o Output) target() string {
	switch {
	case o.Kind == OutputAuto:
		return "AUTO"
	case o.Kind == OutputNone && !o.Empty:
		return "NONE"
	}
	return o.File
}

// String is the kind of section that makes such a group.
func (k GroupKind) String() string {
	switch k {
	case KindGroup:
		return "group"
	case KindListener:
		return "eventlistener"
	case KindFastCGI:
		return "fcgi-program"
	}
	return "program"
}
