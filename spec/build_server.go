package spec

import (
	"cmp"
	"fmt"
	"slices"

	"supervisord/spec/value"
)

// standardRPC is the only RPC interface there is without Python.
const standardRPC = "supervisor.rpcinterface:make_main_rpcinterface"

// factoryKey names what makes an RPC interface.
const factoryKey = "supervisor.rpcinterface_factory"

// rpcInterface reads one [rpcinterface:x] section. Names are ENV_x only.
func (b *builder) rpcInterface(r *reader) RPCInterface {
	i := RPCInterface{Name: r.section.id(), Extra: map[string]string{}}
	factory, ok := r.text(factoryKey)
	switch {
	case ok:
		i.Factory = factory
		b.resolve(r, factoryKey, factory, standardRPC)
		if factory == standardRPC && i.Name != "supervisor" {
			r.advise("", "clients look for the standard RPC interface only under the name supervisor",
				"did you mean ["+rpcPrefix+"supervisor]?")
		}
	case r.section.find(factoryKey) == nil:
		r.missing(factoryKey, fmt.Sprintf("section [%s] does not specify a %s", r.section.name, factoryKey),
			"add "+factoryKey+" = "+standardRPC)
	}
	for _, e := range slices.Concat(r.section.entries, r.section.inherited()) {
		if e.name != factoryKey {
			i.Extra[e.name], _ = r.text(e.name)
		}
	}
	return i
}

// interfaceOptions refuses options of the standard RPC interface, which takes
// none. Supervisor finds out when it makes the interface for its first server, so
// without a server nothing is wrong.
//
// Source: contract/config.md section 6.
func (b *builder) interfaceOptions() {
	for _, i := range b.cfg.RPC {
		if i.Factory != standardRPC {
			continue
		}
		r := b.reader(b.byName[rpcPrefix+i.Name])
		for _, e := range slices.Concat(r.section.entries, r.section.inherited()) {
			switch {
			case e.name == factoryKey:
			case len(b.cfg.Servers) > 0:
				wrong := interfaceOption(r, e)
				wrong.Plain, wrong.Text = wrong.Text, "Could not make "+i.Name+" rpc interface"
				r.note(wrong)
			default:
				r.advice = append(r.advice, interfaceOption(r, e))
			}
		}
		b.add(r.notes)
	}
}

// interfaceOption says in our words what is wrong with one option.
func interfaceOption(r *reader, e entry) *Error {
	hint := cmp.Or(e.headerHint(), "remove the line")
	if r.section.position(e.name) < 0 {
		hint = "what is in [DEFAULT] applies to every section: move it to the sections it is meant for"
	}
	return &Error{
		File: e.from.shown, Line: e.line, Section: r.section.name, Key: e.name,
		Text: "the standard RPC interface takes no options", Hint: hint,
	}
}

// inetServer reads one [inet_http_server] section.
func (b *builder) inetServer(r *reader) Server {
	s := Server{Section: r.section.name, Network: "tcp"}
	b.credentials(r, &s)
	if r.section.find("port") == nil {
		r.missing("port", fmt.Sprintf("section [%s] has no port value", r.section.name), "add port=127.0.0.1:9001")
	}
	address := get(r, "port", inetAddress{}, asInetPort)
	s.Host, s.Port = address.host, address.port
	s.CertFile = b.file(r, "certfile")
	s.KeyFile = b.file(r, "keyfile")
	s.ClientCA = b.file(r, "client_ca")
	s.MetricsOpen = get(r, "metrics", false, asMetrics)
	if (s.CertFile == "") != (s.KeyFile == "") {
		r.report("certfile", "certfile and keyfile must be given together", "give both, or neither for plain HTTP")
	}
	if s.ClientCA != "" && s.CertFile == "" {
		r.report("client_ca", "client_ca needs certfile and keyfile", "clients present certificates only over TLS")
	}
	return s
}

// inetAddress is the value of port.
type inetAddress struct {
	host string
	port int
}

var asInetPort = pure("address", func(s string) (inetAddress, error) {
	host, port, err := value.ParseInetPort(s)
	return inetAddress{host, port}, err
}, form[inetAddress]{}, "a port from 1 to 65535, or host:port, such as 127.0.0.1:9001")

// file reads a key that names a file, which makes it absolute.
func (b *builder) file(r *reader, key string) string {
	r.census.note(Key{Name: key, Type: "file"})
	name, ok := r.text(key)
	if !ok || name == "" {
		return ""
	}
	return b.absolute(value.ExpandUser(r.host, name))
}

// unixServer reads one [unix_http_server] section. In file, and nowhere else in
// it, %(here)s is known.
func (b *builder) unixServer(r *reader) Server {
	s := Server{Section: r.section.name, Network: "unix"}
	if r.section.find("file") == nil {
		r.missing("file", fmt.Sprintf("section [%s] has no file value", r.section.name), "add file=/run/supervisor.sock")
	}
	names := r.names
	r.names = b.names
	if file, ok := r.text("file"); ok {
		s.Path = b.absolute(value.ExpandUser(r.host, file))
	}
	r.names = names
	b.credentials(r, &s)
	s.Owner = get(r, "chown", Owner{UID: -1, GID: -1}, asSockChown)
	s.Chown, _ = r.text("chown")
	s.Mode = get(r, "chmod", 0o700, asChmod)
	s.Operators = get(r, "operators", nil, asUsers)
	s.MetricsOpen = get(r, "metrics", false, asMetrics)
	return s
}

var (
	asSockChown = named("sockchown", asOwner)
	asChmod     = named("chmod", asOctal)
)

// asMetrics is whether what is for monitoring is shown to everybody.
var asMetrics = pure("metrics", value.ParseMetrics, form[bool]{}, "password or open")

// credentials reads username and password, of which there must be both or none.
func (b *builder) credentials(r *reader, s *Server) {
	s.Username, _ = r.text("username")
	s.Password, _ = r.text("password")
	hasUsername, hasPassword := r.section.find("username") != nil, r.section.find("password") != nil
	s.HasAuth = hasUsername && hasPassword
	if hasUsername != hasPassword {
		key := "username"
		if hasPassword {
			key = "password"
		}
		r.report(key, fmt.Sprintf("Section [%s] contains incomplete authentication: If a username or a password is "+
			"specified, both the username and password must be specified", r.section.name), "give both")
	}
	b.readOnly(r, s)
}

// readOnly reads the credentials of a client that may change nothing. They mean nothing
// where there are no others: everybody may do everything there.
func (b *builder) readOnly(r *reader, s *Server) {
	const username, password = "readonly_username", "readonly_password"
	s.ReadOnlyUsername, _ = r.text(username)
	s.ReadOnlyPassword, _ = r.text(password)
	hasUsername, hasPassword := r.section.find(username) != nil, r.section.find(password) != nil
	switch {
	case !hasUsername && !hasPassword:
	case !hasUsername:
		r.report(password, password+" has no "+username, "give both, or neither")
	case !hasPassword:
		r.report(username, username+" has no "+password, "give both, or neither")
	case s.ReadOnlyUsername == "":
		r.report(username, username+" is empty", "give a name, or remove both keys")
	case s.Username == "":
		r.report(username, "without username and password everybody may do everything", "also set username and password, for those who may change things")
	case s.ReadOnlyUsername == s.Username:
		r.report(username, "the name is the same as username", "give another name")
	}
}

// serverAddress is the address that children are given: of the first unix server, or
// else of the last inet one.
//
// Source: contract/config.md section 6.
func serverAddress(servers []Server) string {
	address := ""
	for _, s := range servers {
		if s.Network == "unix" {
			return "unix://" + s.Path
		}
		host := s.Host
		if host == "" {
			host = "localhost"
		}
		scheme := "http"
		if s.CertFile != "" {
			scheme = "https"
		}
		address = fmt.Sprintf("%s://%s:%d", scheme, host, s.Port)
	}
	return address
}
