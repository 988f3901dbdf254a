package spec

import (
	"slices"
	"strings"
)

// singleSections are the sections whose name is fixed.
var singleSections = []string{
	"supervisord", "supervisorctl", "include", "reconcile", inetPrefix, unixPrefix, defaultSection,
}

// The keys that each kind of section knows.
//
// Source: contract/config.md section 6; reconciler.md for what is ours.
var (
	daemonKeys = []string{
		"logfile", "logfile_maxbytes", "logfile_backups", "loglevel", "pidfile", "umask", "nodaemon",
		"silent", "minfds", "minprocs", "nocleanup", "childlogdir", "user", "directory", "strip_ansi",
		"environment", "identifier", "survivors",
	}
	ctlKeys  = []string{"serverurl", "username", "password", "prompt", "history_file", "certfile", "keyfile", "server_ca"}
	inetKeys = []string{"port", "username", "password", "certfile", "keyfile", "client_ca"}
	unixKeys = []string{"file", "chmod", "chown", "username", "password"}

	programKeys = []string{
		"command", "process_name", "numprocs", "numprocs_start", "priority", "autostart", "autorestart",
		"startsecs", "startretries", "exitcodes", "stopsignal", "stopwaitsecs", "stopasgroup",
		"killasgroup", "killmode", "user", "redirect_stderr", "directory", "umask", "environment",
		"serverurl",
		"stdout_logfile", "stdout_logfile_maxbytes", "stdout_logfile_backups", "stdout_capture_maxbytes",
		"stdout_events_enabled", "stdout_syslog",
		"stderr_logfile", "stderr_logfile_maxbytes", "stderr_logfile_backups", "stderr_capture_maxbytes",
		"stderr_events_enabled", "stderr_syslog",
	}
	listenerKeys = slices.Concat(programKeys, []string{"events", "buffer_size", "result_handler", "stall_timeout"})
	fastCGIKeys  = slices.Concat(programKeys, []string{"socket", "socket_backlog", "socket_owner", "socket_mode"})

	groupKeys     = []string{"programs", "priority"}
	includeKeys   = []string{"files"}
	reconcileKeys = []string{
		"autoupdate", "settle", "rescan", "on_invalid", "max_removals", "permissions", "statedir",
	}
)

// keysFor are the known keys of a section; nil for an unknown section, and for one
// that may have any keys.
func keysFor(name string) []string {
	switch name {
	case "supervisord":
		return daemonKeys
	case "supervisorctl":
		return ctlKeys
	case "include":
		return includeKeys
	case "reconcile":
		return reconcileKeys
	}
	for _, kind := range []struct {
		prefix string
		keys   []string
	}{
		{programPrefix, programKeys}, {listenerPrefix, listenerKeys}, {fastCGIPrefix, fastCGIKeys},
		{groupPrefix, groupKeys}, {inetPrefix, inetKeys}, {unixPrefix, unixKeys},
	} {
		if strings.HasPrefix(name, kind.prefix) {
			return kind.keys
		}
	}
	return nil
}

// Keys are the known keys of the section of that name, without the brackets; nil
// for an unknown section, and for one that may have any keys.
func Keys(section string) []string { return slices.Clone(keysFor(section)) }
