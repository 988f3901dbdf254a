package runtime

import (
	"fmt"

	"supervisord/runtime/launch"
	"supervisord/runtime/logfile"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// parts are what a definition needs on disk and in the kernel before it can be
// put in force. They are made outside the loop.
type parts struct {
	fresh   map[string]*process      // processes that are new, by name
	logs    map[string]*[2]logChange // of processes that stay
	sockets map[string]*launch.Socket
	// What is taken back if it comes to nothing.
	autos   []string                                // AUTO logs that were made
	changed map[*launch.Socket]launch.SocketOptions // sockets in force that were given other options, with theirs
}

// logChange is a new setting for a log that is in use.
type logChange struct {
	wanted  bool
	options logfile.Options
	auto    string
}

// inForce is what a new definition takes over from the active group: a copy,
// since it is read outside the loop. It is empty for a group that is new.
type inForce struct {
	processes map[string]activeProcess
	sockets   map[string]*launch.Socket // never changed, only replaced
}

// activeProcess is a process of the active group.
type activeProcess struct {
	def  *spec.Process // never changed, only replaced
	auto [2]string     // its AUTO logs
}

// prepare makes the parts of def.
func (s *Supervisor) prepare(def *spec.Group, now inForce) (*parts, error) {
	made := &parts{
		fresh:   make(map[string]*process),
		logs:    make(map[string]*[2]logChange),
		sockets: make(map[string]*launch.Socket),
		changed: make(map[*launch.Socket]launch.SocketOptions),
	}
	for i := range def.Processes {
		d := &def.Processes[i]
		if err := made.socket(s, d, now); err != nil {
			made.discard()
			return nil, err
		}
		if old, stays := now.processes[d.Name]; stays {
			made.logs[d.Name] = made.changes(s, old, d)
			continue
		}
		p := &process{heapIndex: -1}
		for ch := range p.out {
			options, auto := made.options(s, d, state.Channel(ch))
			p.out[ch] = output{log: logfile.New(options), path: options.Path, auto: auto}
		}
		made.fresh[d.Name] = p
	}
	return made, nil
}

// changes are the log settings of a process that stays, where they differ from
// those it has.
func (m *parts) changes(s *Supervisor, has activeProcess, d *spec.Process) *[2]logChange {
	var c [2]logChange
	for ch := range c {
		old, new := outputOf(has.def, state.Channel(ch)), outputOf(d, state.Channel(ch))
		if old == new {
			continue
		}
		c[ch].wanted = true
		if old.Kind == spec.OutputAuto && new.Kind == spec.OutputAuto {
			c[ch].auto = has.auto[ch]
			c[ch].options = s.outputOptions(d, state.Channel(ch), has.auto[ch])
			continue
		}
		c[ch].options, c[ch].auto = m.options(s, d, state.Channel(ch))
	}
	return &c
}

// outputOf is where a stream goes. The error stream of a process that redirects
// it has no log of its own.
func outputOf(d *spec.Process, ch state.Channel) spec.Output {
	if ch == state.Stdout {
		return d.Stdout
	}
	if d.RedirectStderr {
		return spec.Output{Kind: spec.OutputNone}
	}
	return d.Stderr
}

// options are the log options of a stream; an AUTO log is made.
func (m *parts) options(s *Supervisor, d *spec.Process, ch state.Channel) (logfile.Options, string) {
	auto := ""
	if outputOf(d, ch).Kind == spec.OutputAuto {
		var err error
		auto, err = logfile.CreateAuto(s.opt.ChildLogDir, d.Name, ch.String(), s.opt.Identifier, s.autoMark)
		if err != nil {
			s.log.Warn(fmt.Sprintf("cannot create the %s log of %s, it is not kept: %v", ch, d.Name, err))
		}
		m.autos = append(m.autos, auto)
	}
	return s.outputOptions(d, ch, auto), auto
}

// outputOptions are the log options of a stream whose AUTO log is auto, "" for none.
func (s *Supervisor) outputOptions(d *spec.Process, ch state.Channel, auto string) logfile.Options {
	out := outputOf(d, ch)
	path := auto
	if out.Kind == spec.OutputFile {
		path = out.File
	}
	options := s.logOptions(d.Name, out, path)
	if auto != "" {
		options.Mode, options.Auto = 0o600, true
	}
	return options
}

// socket makes a FastCGI socket ready, or takes over the one that is in use.
func (m *parts) socket(s *Supervisor, d *spec.Process, now inForce) error {
	want := d.Socket
	if want == nil || m.sockets[want.URL] != nil {
		return nil
	}
	options := socketOptions(want)
	if socket := now.sockets[want.URL]; socket != nil {
		m.sockets[want.URL] = socket
		for _, old := range now.processes {
			if has := old.def.Socket; has != nil && has.URL == want.URL {
				m.changed[socket] = socketOptions(has)
				break
			}
		}
		return socket.Configure(options)
	}
	socket := launch.NewSocket(options, func(text string) { s.log.Info(text) })
	if err := socket.Check(); err != nil {
		return &Error{Kind: Failed, Name: d.Name, Detail: err.Error()}
	}
	m.sockets[want.URL] = socket
	return nil
}

func socketOptions(s *spec.Socket) launch.SocketOptions {
	return launch.SocketOptions{
		URL: s.URL, Network: s.Network, Path: s.Path, Host: s.Host, Port: s.Port,
		Mode: s.Mode, UID: s.Owner.UID, GID: s.Owner.GID, Backlog: s.Backlog,
	}
}

// discard takes back what was made on disk. It is safe on nil.
func (m *parts) discard() {
	if m == nil {
		return
	}
	for _, path := range m.autos {
		removeAuto(path)
	}
	for socket, options := range m.changed {
		_ = socket.Configure(options) // they could be had before
	}
}
