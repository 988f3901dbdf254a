package spec

import (
	"path"
	"strings"

	"supervisord/spec/value"
)

// Ctl is [supervisorctl] after defaults, before the command line.
//
// Source: contract/config.md section 6.
type Ctl struct {
	ServerURL   string // http://host:port or unix:///absolute/path; not checked
	Username    string
	Password    string
	Prompt      string
	HistoryFile string // absolute; "" for none

	// For an https ServerURL, absolute, "" for none: what the client shows of
	// itself, both or neither, and the authorities whose servers it trusts in
	// place of the system's.
	CertFile, KeyFile, ServerCA string
}

// DefaultCtl is the configuration of a client that finds no file.
func DefaultCtl() Ctl { return Ctl{ServerURL: "http://localhost:9001", Prompt: "supervisor"} }

// LoadCtl reads what a client needs of a configuration file. The error is a
// *LoadError.
//
// Differs: where Supervisor ends with a traceback the mistake is reported like
// any other (differences.md row 49). A main file without the section may have
// it in a file that it includes. [ctlplugin:x] sections, of which Supervisor
// refuses those that it cannot load, are passed over.
func LoadCtl(h Host, file string) (*Ctl, error) {
	l := newLoad(h, file, Options{})
	main, err := l.readMain()
	if err != nil {
		return nil, newLoadError([]*Error{err})
	}
	if errs := main.parseErrors(); len(errs) > 0 {
		return nil, newLoadError(errs)
	}
	s := ctlSection(l.sources)
	if s == nil {
		l.include(main)
		l.readIncluded()
		s = ctlSection(l.sources)
	}
	if s == nil {
		return nil, newLoadError([]*Error{{
			File: file, Text: ".ini file does not include supervisorctl section",
			Hint: "add a section [supervisorctl] with serverurl=unix:///path/to/supervisor.sock",
		}})
	}
	r := &reader{section: s, host: newRecordingHost(newMemoHost(h))}
	c := readCtl(r, path.Dir(s.from.path))
	if len(r.errs) > 0 {
		return nil, newLoadError(r.errs)
	}
	return &c, nil
}

func ctlSection(sources []*source) *section {
	for _, s := range merge(sources, nil, nil) {
		if s.name == "supervisorctl" {
			return s
		}
	}
	return nil
}

// readCtl reads the section. here is known in serverurl and in names of files
// only.
func readCtl(r *reader, here string) Ctl {
	c := DefaultCtl()
	env := (*value.Names)(nil).WithEnv(environ(r.host))
	withHere := env.With(value.TextVar("here", here))
	absolute := func(name string) string { return cleanPath(joinPath(r.host.Getwd(), value.ExpandUser(r.host, name))) }

	r.names = withHere
	if url, ok := r.text("serverurl"); ok {
		c.ServerURL = url
		if socket, ok := strings.CutPrefix(url, "unix://"); ok {
			c.ServerURL = "unix://" + absolute(socket)
		}
	}
	r.names = env
	c.Prompt = get(r, "prompt", c.Prompt, asText)
	c.Username, _ = r.text("username")
	c.Password, _ = r.text("password")
	r.names = withHere
	file := func(key string) string {
		name, ok := r.text(key)
		if !ok || name == "" {
			return ""
		}
		return absolute(name)
	}
	c.HistoryFile = file("history_file")
	c.CertFile, c.KeyFile, c.ServerCA = file("certfile"), file("keyfile"), file("server_ca")
	if (c.CertFile == "") != (c.KeyFile == "") {
		r.report("certfile", "certfile and keyfile must be given together", "give both, or neither for no client certificate")
	}
	return c
}

// FindConfig is the first of the paths that exists; ok is false if none does.
func FindConfig(h Host, paths []string) (file string, ok bool) {
	for _, name := range paths {
		if _, err := h.Stat(joinPath(h.Getwd(), name)); err == nil {
			return name, true
		}
	}
	return "", false
}
