package spec

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"supervisord/spec/dialect"
	"supervisord/spec/value"
)

// Options are what Load may be told beside the main file. The zero value is
// right for reading a file as it stands.
type Options struct {
	// Cache makes loading again cheap: only what changed is read, parsed and
	// built. nil remembers nothing.
	Cache *Cache
	// Content is used in place of what the host has for an absolute path. A nil
	// value leaves the file out although an include pattern matches it.
	Content map[string][]byte
	// Held reports whether a file stands as it was when it could last be seen. What it
	// says of a program, group or listener yields to what another file says of it now
	// and did not say in InForce. nil holds none.
	Held func(path string) bool
	// InForce is what is in force, for Held; nil is nothing.
	InForce *Config
	// Watch are directories whose *.ini and *.conf files are the whole
	// configuration; then there is no main file.
	Watch []string
	// WatchSocket is the path of the unix server's socket under Watch.
	WatchSocket string
	// Override holds what the command line says for keys of [supervisord]: raw
	// values, which win over the files'.
	Override map[string]string
	// Resolve reports whether a Python reference other than the standard one may
	// be the value of a key, which is result_handler or
	// supervisor.rpcinterface_factory. nil allows none.
	Resolve func(key, reference string) bool
}

// Stamper is a Host that can tell without reading it whether a file may have
// changed. Load reads every file of a Host that is none.
type Stamper interface {
	// Stamp identifies the present content of a file: as long as it is the same,
	// so is the content. ok is false where that cannot be promised, as for a
	// file that changed so lately that another change would not show.
	Stamp(path string) (stamp Stamp, ok bool)
}

// Stamp is the identity of a file's content at a time.
type Stamp struct {
	Dev, Ino     uint64
	Size         int64
	MTime, CTime int64 // nanoseconds
}

// Load reads the main file and everything it includes. The error is a
// *LoadError, which holds every mistake.
//
// Load is a pure function of what the host answers. A Config that it returns is
// never changed.
//
// Source: contract/config.md.
func Load(h Host, path string, o Options) (*Config, error) {
	return newLoad(h, path, o).run()
}

// SearchPaths are the default places of the configuration file, for a program
// that was called as argv0.
//
// Source: contract/config.md section 1.
func SearchPaths(argv0 string) []string {
	prefix := value.DirName(value.DirName(argv0))
	return []string{
		joinPath(prefix, "etc/supervisord.conf"),
		joinPath(prefix, "supervisord.conf"),
		"supervisord.conf",
		"etc/supervisord.conf",
		"/etc/supervisord.conf",
		"/etc/supervisor/supervisord.conf",
	}
}

// joinPath puts a directory before a path, unless that is absolute. Nothing is
// cleaned: the name appears in messages.
func joinPath(dir, name string) string {
	if dir == "" || strings.HasPrefix(name, "/") {
		return name
	}
	return strings.TrimSuffix(dir, "/") + "/" + name
}

// load is one run of Load.
type load struct {
	host    Host
	options Options
	main    string
	cache   *Cache
	// absent are names of programs in files that were left out, aside those files, and
	// inForce what is in force; withheld becomes Config.Withheld. All LoadIsolated's.
	absent   map[string]bool
	aside    []*source
	inForce  *Config
	withheld []*Error

	cfg      Config
	sources  []*source    // in the order in which they are read
	taken    []knownFile  // the same, each file once
	included []fileToRead // what the include patterns match
	notes
}

func newLoad(h Host, path string, o Options) *load {
	l := &load{host: h, options: o, main: path, cache: o.Cache}
	if l.cache == nil {
		l.cache = &Cache{}
	}
	return l
}

func (l *load) run() (*Config, error) {
	if !l.cache.mu.TryLock() { // by a load that may wait for a disk without end
		l.cache = &Cache{}
		l.cache.mu.Lock()
	}
	defer l.cache.mu.Unlock()
	if err := l.gather(); err != nil {
		return nil, newLoadError([]*Error{err})
	}
	b := newBuilder(l)
	b.build()
	l.cache.keep(l, b)
	if len(b.errs) > 0 {
		failed := newLoadError(distinct(b.errs))
		failed.advice, failed.files = byPlace(distinct(b.advice)), l.cfg.Files
		return nil, failed
	}
	cfg := l.cfg
	cfg.Warnings, cfg.Advice = b.warnings, byPlace(distinct(b.advice))
	cfg.Ignored, cfg.sections = l.ignored(), b.byName
	return &cfg, nil
}

// gather reads all files. The error is about the main file; of the others what
// is wrong is in their documents.
func (l *load) gather() *Error {
	if l.options.Watch != nil {
		l.watch()
		return nil
	}
	main, err := l.readMain()
	if err != nil {
		return err
	}
	l.include(main)
	l.readIncluded()
	return nil
}

// readMain reads only the main file.
func (l *load) readMain() (*source, *Error) {
	l.cfg.Path = l.main
	name := cleanPath(joinPath(l.host.Getwd(), l.main))
	l.cfg.Here = path.Dir(name)
	main := &fileToRead{from: &source{path: name, shown: l.main, here: l.cfg.Here, main: true}}
	l.read(main)
	if main.err != nil {
		return nil, l.mainError(name, main.err)
	}
	l.take(main)
	return main.from, nil
}

// mainError says why the main file cannot be read. To Supervisor a file about
// which the system says nothing is not there, whatever the reason.
//
// Source: contract/config.md section 1.
func (l *load) mainError(name string, err error) *Error {
	if errors.Is(err, fs.ErrNotExist) {
		return &Error{File: l.main, Text: "could not find config file " + l.main, Hint: "name an existing file with -c, or make one: echo_supervisord_conf > " + l.main}
	}
	e := &Error{
		File: l.main, Text: "could not read config file " + l.main,
		Plain: "could not read config file: " + err.Error(), Hint: "name a readable file with -c",
	}
	if _, statErr := l.host.Stat(name); statErr != nil {
		e.Text = "could not find config file " + l.main
	}
	return e
}

// watch takes the place of a main file: what the daemon brings itself, then the
// files of the watched directories.
//
// Source: reconciler.md, Configuration.
func (l *load) watch() {
	socket := strings.ReplaceAll(l.options.WatchSocket, "%", "%%")
	text := "[supervisord]\nnodaemon=true\nlogfile=/dev/stdout\nlogfile_maxbytes=0\n" +
		"pidfile=" + joinPath(value.DirName(socket), "supervisord.pid") + "\n" +
		"[unix_http_server]\nfile=" + socket + "\n" +
		"[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=" + standardRPC + "\n"
	l.sources = append(l.sources, &source{builtin: true, main: true, doc: dialect.Parse([]byte(text), keysFor)})
	defer l.readIncluded()
	for _, dir := range l.options.Watch {
		dir = cleanPath(joinPath(l.host.Getwd(), dir))
		if l.cfg.Here == "" {
			l.cfg.Here = dir
		}
		for _, base := range []string{"*.ini", "*.conf"} {
			l.pattern(joinPath(escapeGlob(dir), base), nil)
		}
	}
}

// escapeGlob makes a path that is no pattern match only itself.
func escapeGlob(name string) string {
	return strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(name)
}

// include reads what the [include] section of the main file asks for. Included
// files include nothing.
//
// Source: contract/config.md section 7.
func (l *load) include(main *source) {
	s := sectionNamed([]*source{main}, "include")
	if s == nil {
		return
	}
	r := l.includeReader(s)
	defer func() { l.add(r.notes) }()
	e := r.section.find("files")
	if e == nil {
		r.missing("files", ".ini file has [include] section, but no files setting", "add files = conf.d/*.conf")
		return
	}
	files, ok := r.text("files")
	if !ok {
		return
	}
	for _, word := range strings.FieldsFunc(files, value.IsSpace) {
		pattern := joinPath(l.cfg.Here, word)
		if strings.IndexByte(listedDir(pattern), 0) >= 0 {
			r.wrong(e, "embedded null byte", "a file name cannot contain a NUL character")
			return
		}
		l.pattern(pattern, e)
	}
}

// includeReader reads the [include] section, with the names that are known
// there.
func (l *load) includeReader(s *section) *reader {
	names := (*value.Names)(nil).With(value.TextVar("here", l.cfg.Here), value.TextVar("host_node_name", l.host.Hostname())).
		WithEnv(environ(l.host))
	return &reader{section: s, host: newRecordingHost(newMemoHost(l.host)), names: names, textual: true}
}

// fileToRead is the main file, or one that an include pattern matches.
type fileToRead struct {
	from    *source
	stamp   Stamp // of the content that was read
	stamped bool
	err     error
}

// pattern notes every file that one pattern matches. e is where the pattern
// stands, nil for one that the command line gave.
func (l *load) pattern(pattern string, e *entry) {
	l.cfg.Includes = append(l.cfg.Includes, pattern)
	matched, leftover := false, ""
	found := Glob(l.host, pattern)
	l.included = slices.Grow(l.included, len(found))
	l.cfg.Infos = slices.Grow(l.cfg.Infos, len(found))
	for _, name := range found {
		if Ignored(pattern, name) {
			l.cfg.Ignored = append(l.cfg.Ignored, name)
			leftover = name
			continue
		}
		matched = true
		if content, ok := l.options.Content[name]; ok && content == nil {
			continue
		}
		l.cfg.Infos = append(l.cfg.Infos, included(name))
		l.included = append(l.included, fileToRead{from: &source{path: name, shown: name, here: value.DirName(name)}})
	}
	if !matched {
		l.noMatch(pattern, leftover, e)
	}
}

// included is Supervisor's word of a file that it reads.
func included(name string) string { return `Included extra file "` + name + `" during parsing` }

// noMatch says that a pattern matches nothing but, if it is not "", what is left out
// by its name. Of a watched directory's two
// patterns one may well match nothing.
func (l *load) noMatch(pattern, leftover string, e *entry) {
	dir := value.DirName(pattern)
	missing := !hasMagic(dir) && !value.IsDir(l.host, dir)
	advice := &Error{Text: "no file matches " + pattern, Logged: e != nil}
	if leftover != "" {
		advice.Hint = "a name such as that of " + leftover + " is never read as configuration"
	}
	if missing {
		advice.Hint = "the directory " + dir + " does not exist"
	}
	if e == nil {
		if missing {
			l.advice = append(l.advice, advice)
		}
		return
	}
	l.warnings = append(l.warnings, fmt.Sprintf(`No file matches via include "%s"`, pattern))
	advice.File, advice.Line, advice.Section, advice.Key = e.from.shown, e.line, "include", "files"
	l.advice = append(l.advice, advice)
}

// readIncluded reads the included files, many at a time. A file that cannot be
// read is passed over; one that two patterns match is read once and counts twice.
func (l *load) readIncluded() {
	first := make(map[string]int, len(l.included))
	for i, w := range l.included {
		if _, ok := first[w.from.path]; !ok {
			first[w.from.path] = i
		}
	}
	inParallel(len(l.included), func(i int) {
		if w := &l.included[i]; first[w.from.path] == i {
			l.read(w)
		}
	})
	l.sources = slices.Grow(l.sources, len(l.included))
	l.taken = slices.Grow(l.taken, len(l.included))
	l.cfg.Files = slices.Grow(l.cfg.Files, len(l.included))
	for i := range l.included {
		w := &l.included[first[l.included[i].from.path]]
		again := w != &l.included[i]
		switch {
		case w.err != nil && !again:
			l.unreadable(w.from.path, w.err)
		case w.err != nil:
		case again:
			l.sources = append(l.sources, w.from)
		default:
			l.take(w)
		}
	}
	l.notIncluded()
}

// notIncluded takes back what was said of files that turned out to be unreadable.
func (l *load) notIncluded() {
	if len(l.cfg.Unreadable) == 0 {
		return
	}
	said := make(map[string]bool, len(l.cfg.Unreadable))
	for _, name := range l.cfg.Unreadable {
		said[included(name)] = true
	}
	l.cfg.Infos = slices.DeleteFunc(l.cfg.Infos, func(info string) bool { return said[info] })
}

// ignored are the files that were matched and not read, each once.
func (l *load) ignored() []string {
	seen := make(map[string]bool, len(l.included))
	for _, w := range l.included {
		seen[w.from.path] = true
	}
	var list []string
	for _, name := range l.cfg.Ignored {
		if !seen[name] {
			seen[name] = true
			list = append(list, name)
		}
	}
	return list
}

// unreadable says that a file is passed over.
func (l *load) unreadable(name string, err error) {
	l.cfg.Unreadable = append(l.cfg.Unreadable, name)
	l.warnings = append(l.warnings, fmt.Sprintf(`Could not read included file "%s": %v`, name, err))
	l.advice = append(l.advice, &Error{File: name, Text: fmt.Sprintf("the file cannot be read and is left out: %v", err), Logged: true})
}

// take adds a file to the load.
func (l *load) take(w *fileToRead) {
	l.sources = append(l.sources, w.from)
	l.taken = append(l.taken, knownFile{w.from, w.stamp, w.stamped})
	if !w.from.main && w.from.sameFile(l.sources[0]) {
		return // it includes itself, and counts once
	}
	l.cfg.Files = append(l.cfg.Files, File{Path: w.from.path, Hash: w.from.hash, Sections: w.from.sections})
}

// maxFileSize bounds included files, in bytes. What is larger, such as a log or an
// archive that a pattern happens to match, would cost memory and hold no program.
const maxFileSize = 64 << 20

// Why a file that a pattern matches is not read.
var (
	errNotRegular = errors.New("not a regular file")
	errTooLarge   = errors.New("larger than 64 MiB")
)

// content reads a file. An included one may not be a pipe or a device, which can
// hold the load up for ever. The main file may, as in -c <(command).
func (l *load) content(from *source) ([]byte, error) {
	if !from.main {
		info, err := l.host.Stat(from.path)
		switch {
		case err != nil || info.IsDir(): // reading it gives the reason
		case !info.Mode().IsRegular():
			return nil, errNotRegular
		case info.Size() > maxFileSize:
			return nil, errTooLarge
		}
	}
	return l.host.ReadFile(from.path)
}

// read gives a file its content: the source that the cache has if that is of the
// same content. It is called from many goroutines.
func (l *load) read(w *fileToRead) {
	name := w.from.path
	known := l.cache.files[name]
	content, given := l.options.Content[name]
	if !given {
		if stamper, ok := l.host.(Stamper); ok {
			w.stamp, w.stamped = stamper.Stamp(name)
		}
		if known.stamped && w.stamped && known.stamp == w.stamp && known.is(w.from) {
			w.from = known.source
			return
		}
		if content, w.err = l.content(w.from); w.err != nil {
			return
		}
	}
	w.from.hash = sha256.Sum256(content)
	if known.is(w.from) && known.hash == w.from.hash {
		w.from = known.source
		return
	}
	w.from.doc = dialect.Parse(content, keysFor)
	w.from.sections = fileSections(w.from.doc)
}

// SectionNames are the names of the sections of a file, found only from its content.
func SectionNames(content []byte) (names []string) {
	for _, s := range dialect.Parse(content, keysFor).Sections {
		names = append(names, s.Name)
	}
	return names
}
