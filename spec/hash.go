package spec

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"maps"
	"slices"
)

// Hash is a fingerprint of the desired state: the same on every machine whose
// files mean the same, and another as soon as anything that Equal compares, or a
// setting of the daemon or its servers, differs.
//
// Source: reconciler.md, getState.
func (c *Config) Hash() [32]byte {
	d := newDigest()
	d.daemon(&c.Daemon)
	d.number(len(c.Servers))
	for i := range c.Servers {
		d.server(&c.Servers[i])
	}
	d.number(len(c.RPC))
	for _, r := range c.RPC {
		d.text(r.Name, r.Factory)
		d.pairs(r.Extra)
	}
	d.number(len(c.Groups))
	for i := range c.Groups {
		d.group(&c.Groups[i])
	}
	return d.sum()
}

// Hash is a fingerprint of one group: the same exactly if two groups are Equal.
func (g *Group) Hash() [32]byte {
	d := newDigest()
	d.group(g)
	return d.sum()
}

// Hash is a fingerprint of one process: the same exactly if two are Equal.
func (p *Process) Hash() [32]byte {
	d := newDigest()
	d.process(p)
	return d.sum()
}

// digest feeds values to a hash so that no two lists of values feed it the same
// bytes: every text goes after its length.
type digest struct {
	hash hash.Hash
	buf  []byte
}

func newDigest() *digest { return &digest{hash: sha256.New(), buf: make([]byte, 0, 4096)} }

func (d *digest) sum() (sum [32]byte) {
	d.flush()
	d.hash.Sum(sum[:0])
	return sum
}

func (d *digest) flush() {
	d.hash.Write(d.buf)
	d.buf = d.buf[:0]
}

func (d *digest) text(list ...string) {
	for _, s := range list {
		d.buf = append(binary.AppendUvarint(d.buf, uint64(len(s))), s...)
	}
	if len(d.buf) > 3000 {
		d.flush()
	}
}

func (d *digest) number(list ...int) {
	for _, n := range list {
		d.buf = binary.AppendVarint(d.buf, int64(n))
	}
}

func (d *digest) flag(list ...bool) {
	for _, b := range list {
		n := 0
		if b {
			n = 1
		}
		d.number(n)
	}
}

func (d *digest) pairs(m map[string]string) {
	d.number(len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		d.text(key, m[key])
	}
}

// account counts by its numbers, as Equal does.
func (d *digest) account(a *Account) {
	d.flag(a != nil)
	if a != nil {
		d.number(a.UID, a.GID)
	}
}

func (d *digest) daemon(c *Daemon) {
	d.text(c.LogFile, c.LogLevel, c.PidFile, c.ChildLogDir, c.Directory, c.Identifier, c.Survivors)
	d.number(int(c.LogFileMaxBytes), c.LogFileBackups, c.Umask, c.MinFDs, c.MinProcs)
	d.flag(c.NoDaemon, c.Silent, c.NoCleanup, c.StripANSI)
	d.account(c.User)
	d.pairs(c.Environment)
}

func (d *digest) server(s *Server) {
	d.text(s.Section, s.Network, s.Host, s.Path, s.Username, s.Password, s.CertFile, s.KeyFile, s.ClientCA)
	d.number(s.Port, s.Mode, s.Owner.UID, s.Owner.GID)
}

func (d *digest) group(g *Group) {
	d.text(g.Name)
	d.number(int(g.Kind), g.Priority)
	d.flag(g.Listener != nil)
	if l := g.Listener; l != nil {
		d.number(len(l.Events))
		d.text(l.Events...)
		d.number(l.BufferSize, int(l.StallTimeout))
		d.text(l.ResultHandler)
	}
	d.number(len(g.Processes))
	for i := range g.Processes {
		d.process(&g.Processes[i])
	}
}

func (d *digest) process(p *Process) {
	d.text(p.Name, p.Command, p.Directory)
	d.flag(p.HasDir, p.ServerURLAuto, p.Autostart, p.StopAsGroup, p.KillAsGroup, p.RedirectStderr)
	if !p.ServerURLAuto {
		d.text(p.ServerURL)
	}
	d.number(p.Umask, p.Priority, int(p.Autorestart), p.StartSecs, p.StartRetries, p.StopSignal, p.StopWaitSecs, int(p.KillMode))
	d.number(len(p.ExitCodes))
	d.number(p.ExitCodes...)
	d.account(p.User)
	d.pairs(p.Environment)
	d.output(&p.Stdout)
	d.output(&p.Stderr)
	d.flag(p.Socket != nil)
	if s := p.Socket; s != nil {
		d.text(s.URL)
		d.number(s.Mode, s.Owner.UID, s.Owner.GID, s.Backlog)
	}
}

func (d *digest) output(o *Output) {
	d.text(o.File)
	d.number(int(o.Kind), int(o.MaxBytes), o.Backups, int(o.CaptureMaxBytes))
	d.flag(o.Empty, o.EventsEnabled, o.Syslog)
}
