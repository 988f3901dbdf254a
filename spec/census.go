package spec

import (
	"cmp"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

// Key is what can be said of a key of a section without reading any file.
type Key struct {
	Section string // a name, or the kind of one, such as program:x
	Name    string
	Type    string   // such as integer
	Hint    string   // what a right value looks like; "" where the type says it
	Words   []string // values that the hint names
	Default string   // as a file would give it; "" for none
	Unit    string   // of a number, such as seconds; "" for none
	Since   string   // the release of Supervisor that brought it; "" for a key of ours
	Effect  string   // what a change of the value does, as a sentence
}

// What a change does.
const onReload = "In force after a reload, which restarts everything."

var effects = map[effect]string{
	inPlace:    "In force at once; the process keeps its pid.",
	restarts:   "The processes are restarted.",
	mayRestart: "In force at once; the process keeps its pid, but is restarted if notify or fd:N is added or removed.",
	resizes:    "Processes are added and removed; those that stay are left alone.",
}

// Keys is every key of every section. What a table of fields says of a key of a
// program comes from there. The keys of the other sections are what their readers ask
// of an empty one.
func Keys() []Key {
	b := newBuilder(newLoad(noHost{}, "/", Options{}))
	return slices.Concat(
		b.keysOf("supervisord", onReload, func(r *reader) { b.daemon(r) }),
		b.keysOf("unix_http_server", onReload, func(r *reader) { b.unixServer(r) }),
		b.keysOf("inet_http_server", onReload, func(r *reader) { b.inetServer(r) }),
		b.keysOf("supervisorctl", "In force for the next supervisorctl.", func(r *reader) { readCtl(r, "/") }),
		b.keysOf("include", "The files are read at the next scan.", func(*reader) {}),
		b.keysOf("reconcile", "In force as soon as the file has been read.", func(r *reader) { b.reconcile(r) }),
		b.keysOf("program:x", "", func(*reader) {}),
		b.keysOf("eventlistener:x", "", func(r *reader) { b.listenerGroup(r) }), // whose priority is another
		b.keysOf("fcgi-program:x", "", func(*reader) {}),
		b.keysOf("group:x", effects[resizes], func(r *reader) { b.groupSection(r) }),
	)
}

// keysOf is the keys of one kind of section. What reading an empty section does not
// say, the tables of fields do. effect is that of keys that stand in no such table.
func (b *builder) keysOf(name, effect string, read func(*reader)) []Key {
	var asked census
	read(&reader{section: &section{name: name, from: &source{}}, host: b.host, census: &asked})
	var list []Key
	for _, key := range keysFor(name) {
		k := Key{Name: key, Type: "text", Effect: effect}
		row, isField := fieldKeys()[key]
		if isField = isField && strings.HasSuffix(name, ":x"); isField {
			k = row
		}
		if i := slices.IndexFunc(asked, func(k Key) bool { return k.Name == key && k.Type != "" }); i >= 0 {
			k.Type, k.Hint, k.Words, k.Default = asked[i].Type, asked[i].Hint, asked[i].Words, asked[i].Default
		}
		plugins, isPlugins := pluginCensus[key]
		if isPlugins = isPlugins && name != "supervisord"; isPlugins {
			k = plugins
		}
		k.Section, k.Since = name, sinceOf(name, key, isPlugins || isField && row.Since == "")
		list = append(list, k)
	}
	return list
}

// pluginCensus is the keys of the start-order plug-in, which are read by themselves.
var pluginCensus = map[string]Key{
	"dependent_startup":                  {Name: "dependent_startup", Type: "boolean", Hint: asBool.hint, Default: "false", Effect: effects[inPlace]},
	"dependent_startup_wait_for":         {Name: "dependent_startup_wait_for", Type: asWaitFor.name, Hint: asWaitFor.hint, Effect: effects[inPlace]},
	"dependent_startup_inherit_priority": {Name: "dependent_startup_inherit_priority", Type: "boolean", Hint: asBool.hint, Default: "false", Effect: effects[inPlace]},
}

// census is the keys that a reader was asked for, and as what.
type census []Key

func (c *census) note(k Key) {
	if c != nil {
		*c = append(*c, k)
	}
}

// aspects is what a kind says of a value.
func aspects[T any](name string, as kind[T], def T) Key {
	k := Key{Name: name, Type: as.name, Hint: as.hint, Words: as.words()}
	if as.show != nil {
		k.Default = as.show(def)
	}
	return k
}

// words are the values that the hint of a kind names. A kind that takes any text
// names none.
func (k kind[T]) words() (list []string) {
	takes := func(word string) bool {
		_, err := k.parse(noHost{}, word)
		return err == nil
	}
	if k.parse == nil || takes("any text") {
		return nil
	}
	for _, word := range strings.FieldsFunc(k.hint, func(c rune) bool { return c == ' ' || c == ';' }) {
		if word = strings.TrimSuffix(word, ","); takes(word) {
			list = append(list, word)
		}
	}
	return list
}

// fieldKeys is what the tables of fields say of their keys.
var fieldKeys = sync.OnceValue(func() map[string]Key {
	m := map[string]Key{}
	add := func(keys []key) {
		for _, k := range keys {
			since := "3.0"
			if k.ours {
				since = ""
			}
			var words []string
			if k.words != nil {
				words = k.words()
			}
			m[k.name] = Key{Name: k.name, Type: k.kind, Hint: k.hint, Words: words, Default: k.def, Unit: k.unit, Since: since, Effect: effects[k.effect]}
		}
	}
	add(rowsOf(groupFields))
	add(rowsOf(numberedFields))
	add(rowsOf(processFields))
	return m
})

// rowsOf are the keys of some fields.
func rowsOf[S any](fields []field[S]) []key {
	keys := make([]key, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

// SectionKinds are the kinds of section that a file may have, as in [program:x].
func SectionKinds() []string {
	return []string{
		"supervisord", "unix_http_server", "inet_http_server", rpcPrefix + "supervisor", "supervisorctl", "include", "reconcile",
		programPrefix + "x", groupPrefix + "x", listenerPrefix + "x", fastCGIPrefix + "x",
	}
}

// KindOf is the kind of a section, such as program:x; "" if there is none of that name.
func KindOf(name string) string {
	for _, kind := range SectionKinds() {
		if prefix, named := strings.CutSuffix(kind, "x"); kind == name || named && strings.HasPrefix(name, prefix) {
			return kind
		}
	}
	for _, kind := range []string{inetPrefix, unixPrefix} {
		if strings.HasPrefix(name, kind) {
			return kind
		}
	}
	return ""
}

// Which keys of sections without a table of fields Supervisor has, and which of all its
// keys came after release 3.0, with the release.
//
// Source: docs/configuration.rst, Introduced.
var (
	supervisors = map[string]string{
		"supervisord": "logfile logfile_maxbytes logfile_backups loglevel pidfile umask nodaemon silent minfds minprocs " +
			"nocleanup childlogdir user directory strip_ansi environment identifier",
		"unix_http_server": "file chmod chown username password",
		"inet_http_server": "port username password",
		"supervisorctl":    "serverurl username password prompt history_file",
		"include":          "files",
		"group:x":          "programs priority",
	}
	later = map[string]string{
		"silent": "4.2.0", "history_file": "3.0a5", "stopasgroup": "3.0b1", "killasgroup": "3.0a11",
		"stdout_events_enabled": "3.0a7", "stderr_events_enabled": "3.0a7",
		"stdout_syslog": "4.0.0", "stderr_syslog": "4.0.0", "socket_backlog": "3.4.0",
	}
)

// sinceOf is the release of Supervisor that brought a key, "" for a key of ours.
func sinceOf(section, key string, ours bool) string {
	known, listed := supervisors[section]
	if ours || section == "reconcile" || listed && !slices.Contains(strings.Fields(known), key) {
		return ""
	}
	return cmp.Or(later[key], "3.0")
}

// noHost is a machine on which there is nothing.
type noHost struct{}

func (noHost) Stat(string) (fs.FileInfo, error)      { return nil, fs.ErrNotExist }
func (noHost) Getwd() string                         { return "/" }
func (noHost) Home(string) (string, error)           { return "", ErrNoAccount }
func (noHost) LookupUser(string) (Account, error)    { return Account{}, ErrNoAccount }
func (noHost) LookupGroup(string) (int, error)       { return 0, ErrNoAccount }
func (noHost) ReadFile(string) ([]byte, error)       { return nil, fs.ErrNotExist }
func (noHost) ReadDir(string) ([]fs.DirEntry, error) { return nil, fs.ErrNotExist }
func (noHost) Environ() []string                     { return nil }
func (noHost) Hostname() string                      { return "" }
func (noHost) TempDir() string                       { return "" }
func (noHost) UID() int                              { return 0 }
