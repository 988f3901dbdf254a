package spec

import (
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// adviseServers says where a server lets in everybody, or nobody.
func (b *builder) adviseServers() {
	if len(b.cfg.Servers) > 0 && len(b.cfg.RPC) == 0 {
		r := b.reader(b.byName[b.cfg.Servers[0].Section])
		r.advise("", "supervisorctl cannot talk to this server: there is no ["+rpcPrefix+"supervisor]",
			"add ["+rpcPrefix+"supervisor] and in it "+factoryKey+" = "+standardRPC)
		b.add(r.notes)
	}
	for _, s := range b.cfg.Servers {
		if s.Network == "tcp" && s.Port != 0 && EveryAddress(s.Host) && s.Username == "" && s.ClientCA == "" {
			r := b.reader(b.byName[s.Section])
			r.advise("port", "anyone who can reach this machine can start and stop programs: it listens on every address without a password",
				"port=127.0.0.1:"+strconv.Itoa(s.Port)+", or a username and a password")
			b.add(r.notes)
		}
	}
}

// EveryAddress reports whether the host of a server stands for every address of the
// machine.
func EveryAddress(host string) bool {
	return host == "" || host == "0.0.0.0" || strings.Trim(host, "[]") == "::"
}

// adviseCtl says where [supervisorctl] asks for a server that is not here.
func (b *builder) adviseCtl() {
	s := b.byName["supervisorctl"]
	if s == nil || b.byName["supervisord"] == nil || !b.complete() {
		return
	}
	r := &reader{section: s, host: b.host}
	ctl := readCtl(r, path.Dir(s.from.path))
	if len(r.errs) > 0 || slices.ContainsFunc(b.cfg.Servers, func(sv Server) bool { return sv.answers(ctl.ServerURL) || b.mayBe(sv, ctl.ServerURL) }) {
		return
	}
	if u, err := url.Parse(ctl.ServerURL); err != nil || u.Scheme != "unix" && !isHere(u.Hostname(), b.hostname) {
		return // another machine's
	}
	r = b.reader(s)
	switch address := serverAddress(b.cfg.Servers); {
	case s.find("serverurl") == nil && address == "":
		return // a client without a server has nothing to ask; neither is said to be used
	case s.find("serverurl") == nil:
		r.advise("serverurl", "no server of this file is at "+ctl.ServerURL+", which is the default", "serverurl="+address)
	case address == "":
		r.advise("serverurl", "there is no server in this file, so nothing listens at "+ctl.ServerURL, "add ["+unixPrefix+"] or ["+inetPrefix+"]")
	default:
		r.advise("serverurl", "no server of this file is at "+ctl.ServerURL, "serverurl="+address)
	}
	b.add(r.notes)
}

// mayBe reports whether a socket of a relative path is that of an address, if the
// daemon is started in the right directory.
func (b *builder) mayBe(s Server, address string) bool {
	e := b.byName[s.Section].find("file")
	return s.Network == "unix" && e != nil && !strings.HasPrefix(e.text, "/") && path.Base(address) == path.Base(s.Path)
}

// complete reports whether nothing is wrong with the servers, so that it is known what
// they are.
func (b *builder) complete() bool {
	return !slices.ContainsFunc(b.errs, func(e *Error) bool {
		return e.Section == "" || strings.HasPrefix(e.Section, inetPrefix) || strings.HasPrefix(e.Section, unixPrefix)
	})
}

// answers reports whether a server can be reached at an address of this machine.
func (s Server) answers(address string) bool {
	if s.Network == "unix" {
		return address == "unix://"+s.Path
	}
	u, err := url.Parse(address)
	if err != nil {
		return true // said by supervisorctl
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	host := strings.ToLower(u.Hostname())
	return port == strconv.Itoa(s.Port) && (EveryAddress(s.Host) || strings.EqualFold(host, s.Host) || isLoopback(host) && isLoopback(s.Host) || !isLoopback(s.Host) && !isLoopback(host))
}

func isHere(host, hostname string) bool { return isLoopback(host) || strings.EqualFold(host, hostname) }

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// adviseLogs says where two streams write to one file that one of them rotates: the
// other continues with the file that was renamed.
func (b *builder) adviseLogs() {
	type user struct {
		section, key string
		rotates      bool
	}
	users := map[string]user{}
	if d := &b.cfg.Daemon; d.LogFile != "syslog" && b.byName["supervisord"] != nil {
		users[d.LogFile] = user{section: "supervisord", key: "logfile", rotates: d.LogFileMaxBytes > 0}
	}
	type place struct{ section, key string }
	told := map[place]bool{}
	for i := range b.cfg.Groups {
		for j := range b.cfg.Groups[i].Processes {
			p := &b.cfg.Groups[i].Processes[j]
			for _, o := range []struct {
				key string
				*Output
			}{{"stdout_logfile", &p.Stdout}, {"stderr_logfile", &p.Stderr}} {
				if o.Kind != OutputFile || o.File == "" {
					continue
				}
				name := cleanPath(joinPath(b.host.cwd, o.File))
				if strings.HasPrefix(name, "/dev/") || strings.HasPrefix(name, "/proc/") {
					continue
				}
				me := user{p.Origin.Section, o.key, o.MaxBytes > 0}
				first, taken := users[name]
				if !taken {
					users[name] = me
					continue
				}
				if at := (place{me.section, me.key}); !(first.rotates || me.rotates) || told[at] {
					continue
				} else {
					told[at] = true
				}
				r := b.reader(b.byName[me.section])
				text := "[" + first.section + "] " + first.key + " is the same file: after a rotation one of them keeps writing to the old file"
				hint := "a file for each"
				switch {
				case first.section == me.section && first.key == me.key:
					text = "several processes of this program write to one log: after a rotation some keep writing to the old file"
					hint = "put %(process_num)d into its name"
				case first.section == me.section:
					text = first.key + " is the same file: after a rotation one of them keeps writing to the old file"
					hint = "leave " + me.key + " out and set redirect_stderr=true, or name another file"
				}
				r.advise(me.key, text, hint)
				b.add(r.notes)
			}
		}
	}
}
