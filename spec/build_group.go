package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"supervisord/runtime/state"
	"supervisord/spec/value"
)

// Prefixes of section names.
const (
	programPrefix  = "program:"
	listenerPrefix = "eventlistener:"
	fastCGIPrefix  = "fcgi-program:"
	groupPrefix    = "group:"
	rpcPrefix      = "rpcinterface:"
	ctlPrefix      = "ctlplugin:"
	inetPrefix     = "inet_http_server"
	unixPrefix     = "unix_http_server"
)

// The fields of groups that a section gives as they are.
var (
	priorityField = pick(groupFields, "priority")
	dependsFields = pick(groupFields, "depends_on", "restart_with")
	bufferField   = pick(listenerFields, "buffer_size")
	stallField    = pick(listenerFields, "stall_timeout")
)

// programGroup makes the group of a program that no [group:x] names.
func (b *builder) programGroup(r *reader) Group {
	g := Group{Kind: KindProgram, Origin: r.section.origin}
	g.Name = r.name()
	read(r, priorityField, &g)
	g.Processes = b.processes(r, g.Name, nil)
	return g
}

// fastCGIGroup makes the group of an fcgi-program that no [group:x] names.
func (b *builder) fastCGIGroup(r *reader) Group {
	g := Group{Kind: KindFastCGI, Origin: r.section.origin}
	g.Name = r.name()
	read(r, priorityField, &g)
	g.Processes = b.processes(r, g.Name, b.socket(r))
	return g
}

// listenerGroup makes the pool of an event listener. The pool has the text of the
// header for its name, spaces and all.
func (b *builder) listenerGroup(r *reader) Group {
	g := Group{Kind: KindListener, Name: r.section.id(), Origin: r.section.origin}
	g.Priority = get(r, "priority", -1, asInt)
	l := &Listener{ResultHandler: standardHandler}
	g.Listener = l
	read(r, bufferField, l)
	if l.BufferSize < 1 {
		r.report("buffer_size", fmt.Sprintf("[%s] section sets invalid buffer_size (%d)", r.section.name, l.BufferSize),
			"the number of events that may wait, at least 1")
	}
	if handler, ok := r.text("result_handler"); ok {
		l.ResultHandler = handler
		b.resolve(r, "result_handler", handler, standardHandler)
	}
	l.Events = events(r)
	if get(r, "redirect_stderr", false, asBool) {
		r.report("redirect_stderr", fmt.Sprintf("[%s] section sets redirect_stderr=true but this is not allowed because "+
			"it will interfere with the eventlistener protocol", r.section.name), "leave redirect_stderr out")
	}
	g.Processes = b.processes(r, g.Name, nil)
	read(r, stallField, l)
	return g
}

// standardHandler is the only result handler there is without Python.
const standardHandler = "supervisor.dispatchers:default_handler"

// resolve refuses a reference to a Python object unless it is the standard one,
// which the daemon itself stands in for.
//
// Source: contract/differences.md section 4.
func (b *builder) resolve(r *reader, key, reference, standard string) {
	if reference == standard || b.options.Resolve != nil && b.options.Resolve(key, reference) {
		return
	}
	r.report(key, fmt.Sprintf("%s cannot be resolved within [%s]", reference, r.section.name),
		"only "+standard+" is built in; Python objects cannot be loaded")
}

// events reads the event types that a listener asks for: upper case, sorted, each
// once.
func events(r *reader) []string {
	text, ok := r.text("events")
	if text == "" {
		if !ok && r.section.find("events") != nil {
			return nil // what is wrong with it has been noted
		}
		r.missing("events", fmt.Sprintf(`[%s] section requires an "events" line`, r.section.name),
			"add events=PROCESS_STATE or another event type")
		return nil
	}
	var list []string
	for _, word := range strings.Split(text, ",") {
		word = strings.ToUpper(value.Strip(word))
		if !slices.Contains(eventTypes, word) {
			hint := "no such type"
			if near := value.Nearest(word, eventTypes); near != "" {
				hint = "did you mean " + near + "?"
			} else if word == "" {
				hint = "remove the trailing comma"
			}
			r.report("events", fmt.Sprintf("Unknown event type %s in [%s] events", word, r.section.name), hint)
			continue
		}
		list = append(list, word)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// eventTypes are the names that events= knows.
var eventTypes = func() (names []string) {
	for _, t := range state.EventTypes {
		names = append(names, t.Name)
	}
	return names
}()

// socket reads the socket of an fcgi-program. It is nil when it is wrong.
func (b *builder) socket(r *reader) *Socket {
	s := &Socket{Mode: 0o700, Owner: Owner{UID: -1, GID: -1}}
	if user := get(r, "user", nil, asUser); user != nil && user.UID != r.host.UID() {
		s.Owner, s.OwnerName = Owner{UID: user.UID, GID: user.GID}, user.Name
	}
	s.Backlog = get(r, "socket_backlog", 0, asBacklog)
	owner := get(r, "socket_owner", "", asText)
	if e := r.section.find("socket_owner"); e != nil {
		s.Owner, s.OwnerName = get(r, "socket_owner", s.Owner, asSocketOwner), owner
	}
	s.Mode = get(r, "socket_mode", s.Mode, asSocketMode)
	names := r.names
	defer func() { r.names = names }()
	r.names = names.With(value.TextVar("program_name", value.Strip(r.section.id())))
	address, ok := r.text("socket")
	if !ok && r.section.find("socket") != nil {
		return nil
	}
	if address == "" {
		r.missing("socket", fmt.Sprintf(`[%s] section requires a "socket" line`, r.section.name), socketHint)
		return nil
	}
	if err := s.parse(address); err != "" {
		r.report("socket", fmt.Sprintf("%s in [%s] socket", err, r.section.name), socketHint)
		return nil
	}
	if s.Network == "tcp" {
		for _, key := range []string{"socket_owner", "socket_mode"} {
			if r.section.find(key) != nil {
				r.report(key, fmt.Sprintf("socket_owner and socket_mode params should only be used with a Unix "+
					"domain socket in [%s] socket", r.section.name), "leave it out, or use socket=unix:///path")
				break
			}
		}
	}
	return s
}

const socketHint = "socket=unix:///path or socket=tcp://host:port"

// asBacklog, asSocketOwner and asSocketMode word a mistake their own way, the
// backlog only one of range.
var (
	asBacklog = pure("integer", func(s string) (int, error) {
		n, err := value.ParseInt(s)
		if err == nil && (n < 1 || n > 65535) {
			return 0, fmt.Errorf("Invalid socket_backlog value %d", n)
		}
		return int(n), err
	}, number[int](), "a number from 1 to 65535")
	asSocketOwner = named("socket_owner", asOwner)
	asSocketMode  = named("socket_mode", asOctal)
)

// named is a kind whose mistakes name nothing but the key and the value.
func named[T any](key string, as kind[T]) kind[T] {
	return kind[T]{as.name, func(h value.Host, s string) (T, error) {
		value, err := as.parse(h, s)
		if err != nil && hintOf(err, "") == "" {
			err = fmt.Errorf("Invalid %s value %s", key, s)
		}
		return value, err
	}, as.hint, as.form}
}

// parse takes an address apart. Its error is in Supervisor's words, formatted
// where Supervisor shows the parts of its message (differences.md row 47).
func (s *Socket) parse(address string) (wrong string) {
	if file, ok := strings.CutPrefix(address, "unix://"); ok {
		if !strings.HasPrefix(file, "/") {
			return "Unix socket path " + file + " is not an absolute path"
		}
		s.Network, s.Path = "unix", cleanPath(file)
		s.URL = "unix://" + s.Path
		return ""
	}
	rest, ok := strings.CutPrefix(address, "tcp://")
	host, port, found := strings.Cut(rest, ":")
	if !ok || !found || host == "" || port == "" || strings.ContainsFunc(host, value.IsSpace) ||
		strings.Trim(port, "0123456789") != "" {
		return "Bad socket format " + address
	}
	n, err := value.ParsePort(port)
	if err != nil {
		return err.Error()
	}
	s.Network, s.Host, s.Port = "tcp", strings.ToLower(host), n
	s.URL = "tcp://" + s.Host + ":" + strconv.Itoa(n)
	return ""
}

// member is what a [group:x] names: a section, or what is wrong with the name.
type member struct {
	section *section // nil if something is wrong, or it is not there
	fastCGI bool
	kept    []Process // if its file was left out: as they are in force
	notes   notes
}

// groupSection reads a [group:x] section but for the processes of its members.
// What is wrong with the name of a member comes after what is wrong with the
// members before it, as in Supervisor.
func (b *builder) groupSection(r *reader) groupSection {
	h := groupSection{group: Group{Kind: KindGroup, Origin: r.section.origin}}
	h.group.Name = r.name()
	read(r, priorityField, &h.group)
	read(r, dependsFields, &h.group)
	text, _ := r.text("programs")
	h.notes = r.take()
	if text == "" {
		return h
	}
	var seen []string
	for _, name := range strings.Split(text, ",") {
		name = value.Strip(name)
		if slices.Contains(seen, name) {
			b.repeated(r, name)
			continue
		}
		seen = append(seen, name)
		m := b.member(r, name)
		if m.section == nil {
			m.kept = b.inForce(h.group.Name, name)
		}
		if m.section != nil || len(m.kept) > 0 || len(m.notes.errs) > 0 {
			h.members = append(h.members, m)
		}
	}
	return h
}

// member finds what a group means by a name. It is neither a section nor wrong if
// it may be missing.
func (b *builder) member(r *reader, name string) member {
	program, fastCGI := b.byName[programPrefix+name], b.byName[fastCGIPrefix+name]
	switch {
	case program != nil && fastCGI != nil:
		r.report("programs", fmt.Sprintf("[%s] name %s is ambiguous (exists as program and fcgi-program)",
			r.section.name, name), "rename one of the two sections")
	case program != nil:
		return member{section: program}
	case fastCGI != nil:
		return member{section: fastCGI, fastCGI: true}
	case !b.mayBeMissing(name):
		r.report("programs", fmt.Sprintf("[%s] names unknown program or fcgi-program %s", r.section.name, name),
			b.unknownMemberHint(name))
	}
	return member{notes: r.take()}
}

// inForce are the processes that a group has in force of a program whose file was left
// out.
func (b *builder) inForce(group, program string) (list []Process) {
	if b.load.inForce == nil || !b.load.absent[program] {
		return nil
	}
	for _, g := range b.load.inForce.Groups {
		if g.Name != group || g.Kind != KindGroup {
			continue
		}
		for _, p := range g.Processes {
			if p.Origin.Section == programPrefix+program || p.Origin.Section == fastCGIPrefix+program {
				list = append(list, p)
			}
		}
	}
	return list
}

// withheld are the sections of programs that groups in files left out name, and the
// section of such a group. They do not become groups of their own: what they are
// depends on that file.
func (b *builder) withheld() map[string]string {
	list := make(map[string]string)
	for _, from := range b.load.aside {
		for i := range from.doc.Sections {
			s := &from.doc.Sections[i]
			if !strings.HasPrefix(s.Name, groupPrefix) {
				continue
			}
			text, _ := b.reader(mergeParts([]part{{s, from}}, b.byName[defaultSection], nil)).text("programs")
			for _, name := range strings.Split(text, ",") {
				list[programPrefix+value.Strip(name)], list[fastCGIPrefix+value.Strip(name)] = s.Name, s.Name
			}
		}
	}
	return list
}

// repeated notes that a group names a program twice. Supervisor says nothing
// (differences.md row 45), so that its own mistakes come first.
func (b *builder) repeated(r *reader, name string) {
	file, line := r.at("programs")
	b.ownErrs = append(b.ownErrs, &Error{
		File: file, Line: line, Section: r.section.name, Key: "programs",
		Text: fmt.Sprintf("[%s] names %s twice", r.section.name, name), Hint: "leave one out",
	})
}

// mayBeMissing reports whether a group may name a program that is not there: its
// file was left out, or it may stand where a file could not be read.
func (b *builder) mayBeMissing(name string) bool {
	return b.load.absent[name] || b.mayHideSections()
}

// mayHideSections reports whether a section may be there although it was not read.
func (b *builder) mayHideSections() bool {
	return slices.ContainsFunc(b.load.sources, func(s *source) bool { return s.doc.MayHideSections() })
}

// unknownMemberHint guesses what an unknown member of a group was to be.
func (b *builder) unknownMemberHint(name string) string {
	if name == "" {
		return "remove the trailing comma"
	}
	if b.byName[listenerPrefix+name] != nil {
		return "an event listener cannot be a member of a group"
	}
	var known []string
	for _, s := range b.sections {
		for _, prefix := range []string{programPrefix, fastCGIPrefix} {
			if id, ok := strings.CutPrefix(s.name, prefix); ok {
				known = append(known, id)
			}
		}
	}
	if near := value.Nearest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	return "add a section [program:" + name + "], or leave the name out"
}
