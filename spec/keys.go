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
		"environment", "identifier", "survivors", "subreaper", "reply_memory", "exit_when", "shutdown_timeout",
		"dependent_startup",
	}
	ctlKeys  = []string{"serverurl", "username", "password", "prompt", "history_file", "certfile", "keyfile", "server_ca"}
	inetKeys = []string{"port", "username", "password", "certfile", "keyfile", "client_ca", "metrics", "readonly_username", "readonly_password"}
	unixKeys = []string{"file", "chmod", "chown", "username", "password", "metrics", "readonly_username", "readonly_password", "operators"}

	// pluginKeys are those of the start-order plug-in for Supervisor.
	pluginKeys = []string{"dependent_startup", "dependent_startup_wait_for", "dependent_startup_inherit_priority"}

	programKeys = slices.Concat(namesOf(numberedFields), pluginKeys, slices.DeleteFunc(namesOf(processFields), func(name string) bool {
		return slices.Contains(socketKeys, name)
	}))
	socketKeys   = namesOf(socketFields)
	listenerKeys = slices.Concat(programKeys, namesOf(listenerFields))
	fastCGIKeys  = slices.Concat(programKeys, socketKeys)

	groupKeys     = []string{"programs", "priority", "depends_on", "restart_with"}
	includeKeys   = []string{"files"}
	reconcileKeys = []string{
		"autoupdate", "settle", "settle_removals", "rescan", "on_invalid", "max_removals", "window", "permissions", "statedir",
		"verify", "verify_stable", "on_failure", "atomic",
		"revision", "environment_revision", "report_command", "report_url", "report_secret_file",
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
