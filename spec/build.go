package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"supervisord/spec/value"
)

// builder makes a Config of the sections of all files.
type builder struct {
	notes
	load     *load
	options  *Options
	cfg      *Config
	host     *recordingHost
	sections []*section          // in the order of their first appearance
	byName   map[string]*section // and [DEFAULT]
	context  buildContext
	hostname string
	textual  bool

	envNames *value.Names // ENV_x
	names    *value.Names // here and ENV_x

	daemonEnv  Env
	daemonUser string // user of [supervisord], expanded
	hasUser    bool
	built      map[buildKey]*built
	ownErrs    []*Error // mistakes of which Supervisor says nothing
}

func newBuilder(l *load) *builder {
	b := &builder{
		notes: l.notes, load: l, options: &l.options, cfg: &l.cfg,
		host:     newRecordingHost(newMemoHost(l.host)),
		hostname: l.host.Hostname(), daemonEnv: Env{},
	}
	b.sections = merge(l.sources, l.cache.sections, l.yielding())
	b.byName = make(map[string]*section, len(b.sections)+1)
	for _, s := range b.sections {
		b.byName[s.name] = s
		if s.defaults != nil {
			b.byName[defaultSection] = s.defaults
		}
	}
	b.textual = b.byName["include"] != nil || l.options.Watch != nil
	env := environ(l.host)
	b.envNames = (*value.Names)(nil).WithEnv(env)
	b.names = b.envNames.With(value.TextVar("here", b.cfg.Here))
	b.context = buildContext{
		textual: b.textual, here: b.cfg.Here, hostname: b.hostname, cwd: b.host.cwd, uid: l.host.UID(), env: env,
	}
	return b
}

// environ is the environment at start. Of a variable that stands twice the first
// counts.
func environ(h Host) Env {
	list := h.Environ()
	env := make(Env, len(list))
	for _, text := range list {
		key, value, ok := strings.Cut(text, "=")
		if _, known := env[key]; ok && !known {
			env[key] = value
		}
	}
	return env
}

// build checks everything, in the order in which Supervisor does.
//
// Source: contract/config.md section 5.
func (b *builder) build() {
	b.parseErrors()
	b.cfg.Daemon = Daemon{Environment: Env{}}
	supervisord := b.supervisord()
	b.interfaces()
	servers := b.servers() // noted after the groups, but their processes name one
	b.groups()
	b.add(servers)
	if supervisord != nil {
		b.cfg.Daemon.User = b.user(supervisord)
	}
	b.interfaceOptions()
	b.cfg.Reconcile = defaultReconcile()
	if s := b.byName["reconcile"]; s != nil {
		r := b.reader(s)
		b.cfg.Reconcile = b.reconcile(r)
		b.add(r.notes)
	}
	b.errs = append(b.errs, b.ownErrs...)
	b.checkUnique()
	b.checkOrder()
	b.checkVerify()
	b.assignGroups()
	b.adviseSections()
}

// reader begins to read a section, with here and ENV_x for names.
func (b *builder) reader(s *section) *reader {
	return &reader{section: s, host: b.host, names: b.names, textual: b.textual}
}

// parseErrors notes the lines that could not be read: the main file's before all else,
// those of included files after what is wrong with including.
func (b *builder) parseErrors() {
	including := b.errs
	b.errs = nil
	for i, from := range b.load.sources {
		if i == 1 {
			b.errs = append(b.errs, including...)
		}
		b.errs = append(b.errs, from.parseErrors()...)
	}
	if len(b.load.sources) < 2 {
		b.errs = append(b.errs, including...)
	}
}

// parseErrors are the lines of a file that could not be read, in Supervisor's order.
func (s *source) parseErrors() []*Error {
	var errs []*Error
	for _, m := range s.doc.Mistakes(s.shown) {
		errs = append(errs, &Error{File: s.shown, Line: m.Line, Section: m.Section, Text: m.Text, Plain: m.Plain, Hint: m.Hint})
	}
	return errs
}

// supervisord reads the daemon's own section, without which there is no
// configuration.
func (b *builder) supervisord() *reader {
	s := b.byName["supervisord"]
	if s == nil {
		if !b.mayHideSections() {
			b.errs = append(b.errs, &Error{
				File: b.cfg.Path, Text: ".ini file does not include supervisord section", Hint: b.fragmentHint(),
			})
		}
		return nil
	}
	r := b.reader(s)
	b.cfg.Daemon = b.daemon(r)
	b.add(r.notes)
	b.overrides(&b.cfg.Daemon)
	b.daemonEnv = b.cfg.Daemon.Environment
	b.context.daemon, b.context.dependentStartup = b.daemonEnv, b.cfg.Daemon.DependentStartup
	b.names = b.names.WithEnv(b.daemonEnv)
	b.envNames = b.envNames.WithEnv(b.daemonEnv)
	return r
}

// fragmentHint says what to do about a main file without [supervisord].
func (b *builder) fragmentHint() string {
	for _, s := range b.sections {
		if !definesGroup(s.name) {
			return "add a line [supervisord]"
		}
	}
	if len(b.sections) == 0 {
		return "add a line [supervisord]"
	}
	return "this looks like an included file: name its main file with -c, or use --watch " + b.cfg.Here
}

// interfaces reads the [rpcinterface:x] sections.
func (b *builder) interfaces() {
	for _, s := range b.sections {
		if strings.HasPrefix(s.name, rpcPrefix) {
			r := b.reader(s)
			r.names = b.envNames
			b.cfg.RPC = append(b.cfg.RPC, b.rpcInterface(r))
			b.add(r.notes)
		}
	}
}

// servers reads the HTTP servers: all inet ones, then all unix ones.
func (b *builder) servers() (n notes) {
	for _, s := range b.sections {
		if strings.HasPrefix(s.name, inetPrefix) {
			r := b.reader(s)
			r.names = b.envNames
			b.cfg.Servers = append(b.cfg.Servers, b.inetServer(r))
			n.add(r.notes)
		}
	}
	for _, s := range b.sections {
		if strings.HasPrefix(s.name, unixPrefix) {
			r := b.reader(s)
			r.names = b.envNames
			b.cfg.Servers = append(b.cfg.Servers, b.unixServer(r))
			n.add(r.notes)
		}
	}
	b.cfg.Daemon.ServerURL = serverAddress(b.cfg.Servers)
	b.context.serverURL = b.cfg.Daemon.ServerURL
	return n
}

// job is one group, or one member of one, to be built.
type job struct {
	buildKey
	make  func(r *reader) Group
	built *built
}

// groups builds all groups, many at a time, and lines them up.
//
// Source: contract/config.md section 8.
func (b *builder) groups() {
	groups, jobs := b.plan()
	b.reuse()
	b.built = make(map[buildKey]*built, len(jobs))
	b.cfg.Groups = make([]Group, 0, len(groups)+len(jobs))
	inParallel(len(jobs), func(i int) { b.run(&jobs[i]) })
	next := 0
	for _, h := range groups {
		b.add(h.notes)
		for _, m := range h.members {
			if m.section == nil {
				b.add(m.notes)
				h.group.Processes = append(h.group.Processes, m.kept...)
				continue
			}
			j := jobs[next]
			next++
			b.add(j.built.notes)
			h.group.Processes = append(h.group.Processes, j.built.group.Processes...)
		}
		h.preferLive()
		b.cfg.Groups = append(b.cfg.Groups, h.group)
	}
	for _, j := range jobs[next:] {
		b.add(j.built.notes)
		b.cfg.Groups = append(b.cfg.Groups, j.built.group)
	}
	for _, j := range jobs {
		b.built[j.buildKey] = j.built
	}
	b.cfg.sortGroups()
}

// sortGroups puts the groups into the order that Groups promises.
func (c *Config) sortGroups() {
	slices.SortStableFunc(c.Groups, func(g, h Group) int {
		return cmp.Or(cmp.Compare(g.Priority, h.Priority), cmp.Compare(g.Name, h.Name))
	})
}

// groupSection is a [group:x] section, of which the members are still to be built.
type groupSection struct {
	notes
	group   Group
	members []member
}

// preferLive leaves out processes of members that are kept as they are in force where
// another member has one of that name by now.
func (h *groupSection) preferLive() {
	kept := make(map[string]bool)
	for _, m := range h.members {
		for _, p := range m.kept {
			kept[p.Origin.Section] = true
		}
	}
	if len(kept) == 0 {
		return
	}
	live := make(map[string]bool)
	for _, p := range h.group.Processes {
		live[p.Name] = live[p.Name] || !kept[p.Origin.Section]
	}
	h.group.Processes = slices.DeleteFunc(h.group.Processes, func(p Process) bool { return kept[p.Origin.Section] && live[p.Name] })
}

// plan lists what is to be built, in Supervisor's order: the members of each
// group, then programs, listeners and fcgi-programs that are in none.
func (b *builder) plan() (groups []groupSection, jobs []job) {
	grouped := map[*section]bool{}
	withheld := b.withheld()
	jobs = make([]job, 0, len(b.sections))
	for _, s := range b.sections {
		if !strings.HasPrefix(s.name, groupPrefix) {
			continue
		}
		h := b.groupSection(b.reader(s))
		groups = append(groups, h)
		for _, m := range h.members {
			if m.section == nil {
				continue
			}
			grouped[m.section] = true
			name := h.group.Name
			jobs = append(jobs, job{buildKey{m.section, name, true}, func(r *reader) Group { return b.processesIn(r, name, m.fastCGI) }, nil})
		}
	}
	for _, kind := range []struct {
		prefix string
		make   func(*reader) Group
	}{
		{programPrefix, b.programGroup},
		{listenerPrefix, b.listenerGroup},
		{fastCGIPrefix, b.fastCGIGroup},
	} {
		for _, s := range b.sections {
			if !strings.HasPrefix(s.name, kind.prefix) || grouped[s] {
				continue
			}
			if by := withheld[s.name]; by != "" {
				b.load.withheld = append(b.load.withheld, &Error{
					File: s.from.shown, Line: s.origin.Line, Section: s.name,
					Text: "it is not run as a group of its own: it is a member of [" + by + "], which cannot be used now",
				})
			} else {
				jobs = append(jobs, job{buildKey{section: s}, kind.make, nil})
			}
		}
	}
	return groups, jobs
}

// processesIn builds the processes of one member of a group. An fcgi-program
// keeps its socket there (differences.md row 19).
func (b *builder) processesIn(r *reader, group string, fastCGI bool) Group {
	if !fastCGI {
		return Group{Processes: b.processes(r, group, nil)}
	}
	programs := reader{section: r.section, host: r.host, names: r.names, textual: r.textual}
	socket := b.socket(&programs)
	g := Group{Processes: b.processes(r, group, socket)}
	r.add(programs.notes)
	return g
}

// run builds one job, unless the cache has it.
func (b *builder) run(j *job) {
	if old := b.load.cache.built[j.buildKey]; old != nil && b.host.unchanged(old.dependsOn) {
		j.built = old
		return
	}
	r := b.reader(j.section)
	r.host = newRecordingHost(b.host.memoHost)
	group := j.make(r)
	b.adviseSection(r, r.errs)
	j.built = &built{notes: r.notes, group: group, dependsOn: r.host.asked}
}

// reuse keeps what the cache has built only while its context is the same.
func (b *builder) reuse() {
	cache := b.load.cache
	if !cache.context.equal(&b.context) {
		cache.built = nil
		context := b.context
		cache.context = &context
	}
}

// assignGroups notes which groups each file defines or adds to.
func (b *builder) assignGroups() {
	index := make(map[string]int, len(b.cfg.Files))
	for i, f := range b.cfg.Files {
		index[f.Path] = i
	}
	note := func(s *section, group string) {
		if s == nil {
			return // of a member that is kept as it is in force
		}
		for _, p := range s.parts {
			i, ok := index[p.from.path]
			if !ok {
				continue
			}
			// One group after the other is noted, so only the last can be this one.
			if noted := b.cfg.Files[i].Groups; len(noted) == 0 || noted[len(noted)-1] != group {
				b.cfg.Files[i].Groups = append(noted, group)
			}
		}
	}
	for _, g := range b.cfg.Groups {
		note(b.byName[g.Origin.Section], g.Name)
		for _, p := range g.Processes {
			note(b.byName[p.Origin.Section], g.Name)
		}
	}
}

// checkUnique refuses two groups of one name, and two processes of one name in a
// group: only one of them would ever run. The mistake is put at the later one.
//
// Differs: Supervisor says nothing (differences.md row 45).
func (b *builder) checkUnique() {
	place := make(map[string]int, len(b.sections))
	for i, s := range b.sections {
		place[s.name] = i
	}
	groups := make([]*Group, len(b.cfg.Groups))
	for i := range b.cfg.Groups {
		groups[i] = &b.cfg.Groups[i]
	}
	slices.SortFunc(groups, func(g, h *Group) int { return place[g.Origin.Section] - place[h.Origin.Section] })
	wrong := make(map[string]bool, len(b.errs))
	for _, e := range b.errs {
		wrong[e.Section] = true
	}
	names := make(map[string]*Group, len(groups))
	for _, g := range groups {
		if first := names[g.Name]; first != nil {
			b.duplicate(first.Origin, g.Origin, fmt.Sprintf("the group name %s is already used by [%s]", value.PyRepr(g.Name), first.Origin.Section))
			continue
		}
		names[g.Name] = g
		b.checkUniqueProcesses(g, wrong)
	}
}

// checkUniqueProcesses looks at one group. wrong are the sections with a mistake: of
// the names of their processes nothing is known.
func (b *builder) checkUniqueProcesses(g *Group, wrong map[string]bool) {
	if len(g.Processes) < 2 {
		return
	}
	names := make(map[string]*Process, len(g.Processes))
	for i := range g.Processes {
		p := &g.Processes[i]
		if wrong[p.Origin.Section] {
			continue
		}
		if first := names[p.Name]; first != nil {
			b.duplicate(first.Origin, p.Origin, fmt.Sprintf("the process name %s is already used in group %s by [%s]",
				value.PyRepr(p.Name), g.Name, first.Origin.Section))
			continue
		}
		names[p.Name] = p
	}
}

// duplicate notes that two places define one name.
func (b *builder) duplicate(first, second Origin, text string) {
	hint := fmt.Sprintf("rename one; the other is at %s:%d", b.byName[first.Section].from.shown, first.Line)
	if first == second {
		hint = "put %(process_num)d into process_name, so that each process has its own"
	}
	b.errs = append(b.errs, &Error{
		File: b.byName[second.Section].from.shown, Line: second.Line, Section: second.Section, Text: text, Hint: hint,
	})
}
