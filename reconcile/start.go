package reconcile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"supervisord/runtime/trust"
	"supervisord/spec"
)

// Start is what the daemon starts with: the configuration, and the state of
// the files it came from, which New takes over.
type Start struct {
	// Config is the first desired state.
	Config *spec.Config
	// Bad are the mistakes in included files that were set aside: their last
	// good content from the state directory is in force, or they are left out.
	Bad []*spec.Error
	// Broken is why nothing can be made of the files as they are, after Resume: what was
	// in force is the Config. nil while all is well.
	Broken error

	reader   *reader
	real     string // the main file without symbolic links, as far as its disk tells
	statedir string // where state is kept if the files name no place
	view     *view
	memory   *Memory // of the reconciler before; nil for none
	// Of the daemon before.
	proof       proofRecord
	good        map[string][]byte
	generations []generation
}

// Startup reads the configuration for a daemon that starts. path is the main
// file, empty with o.Watch. It fails as Supervisor refuses to start: for a bad
// main file, and for any bad file if on_invalid=strict or autoupdate=false; the
// error then is that of spec.Load. It writes nothing.
//
// statedir is where state is kept if the files name no place, "" for nowhere; the
// caller asks DefaultStateDir for it once, before it gives up its privileges, so
// that a daemon which is another user by then finds its state again.
//
// Source: reconciler.md, When it does not act.
func Startup(h spec.Host, path, statedir string, o spec.Options) (*Start, error) {
	s := newStart(h, path, statedir, o)
	s.read(newContents(nil))
	if v := s.view; v.config != nil {
		dir := s.stateDir(v.config)
		good := s.stored(dir)
		if len(v.bad) > 0 && good != nil || len(s.proof.Failed) > 0 {
			s.read(newContents(good))
			// Whose content this is depends on the user that the daemon will run as, and
			// on where he keeps it; so it must not say otherwise itself.
			if s.view.config == nil || s.stateDir(s.view.config) != dir {
				s.proof = proofRecord{}
				s.read(newContents(nil))
			}
		}
	}
	if s.view.config == nil {
		return nil, s.view.err
	}
	s.Config, s.Bad = s.view.config, s.view.bad
	return s, nil
}

// newStart is a Start that has read nothing.
func newStart(h spec.Host, path, statedir string, o spec.Options) *Start {
	s := &Start{reader: newReader(h, path, o), statedir: statedir, real: path}
	if path != "" {
		real, err := answering(s.reader.disks, filepath.Dir(path), func() string { p, _ := filepath.EvalSymlinks(path); return p })
		if err == nil && real != "" {
			s.real = real
		}
	}
	return s
}

// Resume is Startup for a reconciler that continues where another handed over. The files as they
// are by now are looked at as that one would have; should nothing be made of them, what
// was in force stays so.
func Resume(h spec.Host, path, statedir string, o spec.Options, m *Memory) (*Start, error) {
	s := newStart(h, path, statedir, o)
	s.memory = m
	q := m.question()
	s.view = s.reader.look(nil, q)
	if s.Config, s.Bad = s.view.config, s.view.bad; s.Config != nil {
		return s, nil
	}
	o.Content, o.Cache = m.Good, nil
	before := newReader(h, path, o).look(nil, q)
	if before.config == nil {
		return nil, s.view.err
	}
	s.Config, s.Broken = before.config, s.view.err
	return s, nil
}

// read looks at the files as they are, and at these last good contents.
func (s *Start) read(good *contents) {
	q := question{good: good, failed: s.proof.Failed}
	if s.view != nil {
		q.seq = s.view.seq + 1
	}
	s.view = s.reader.look(nil, q)
}

// stored is the last good content of each file in a state directory, nil where there
// is none. It also takes from there what is not proved.
func (s *Start) stored(dir trust.Dir) (good map[string][]byte) {
	if dir.Path == "" {
		return nil
	}
	type items struct {
		good        map[string][]byte
		proof       proofRecord
		generations []generation
	}
	found, _ := answering(s.reader.disks, dir.Path, func() (i items) {
		store := openExisting(dir)
		store.Load(goodItem, &i.good)
		store.Load(proofItem, &i.proof)
		store.Load(generationsItem, &i.generations)
		return i
	})
	s.proof, s.good, s.generations = found.proof, found.good, found.generations
	return found.good
}

// StateDir is the directory in which this daemon is to keep its state, "" for none. No
// two daemons that may run at the same time have the same; see TakeLock.
func (s *Start) StateDir() string { return s.stateDir(s.Config).Path }

// stateDir is the place that the settings name, else the default one, and in it one
// directory for each daemon; the path is "" for none. A daemon is known by its main file,
// whatever link leads there, its pidfile, sockets and identifier together, and by the user
// that it runs as: two that share a file and differ in one of these are two, and what one
// user has left there is not read by a daemon of another. Where the main file is a pipe,
// its name says nothing, and its content stands for it.
func (s *Start) stateDir(cfg *spec.Config) trust.Dir {
	dir := cmp.Or(cfg.Reconcile.StateDir, s.statedir)
	if dir == "" {
		return trust.Dir{}
	}
	id := append([]string{s.real}, s.reader.options.Watch...)
	for i, p := range id {
		if p != "" && !filepath.IsAbs(p) {
			id[i] = filepath.Join(s.reader.host.Getwd(), p)
		}
	}
	if s.view.given {
		id = append(id, string(cfg.Files[0].Hash[:]))
	}
	id = append(id, "", cfg.Daemon.PidFile, cfg.Daemon.Identifier)
	var sockets []string
	for _, sv := range cfg.Servers {
		sockets = append(sockets, cmp.Or(sv.Path, net.JoinHostPort(sv.Host, strconv.Itoa(sv.Port))))
	}
	slices.Sort(sockets)
	sum := sha256.Sum256([]byte(strings.Join(append(id, sockets...), "\x00")))
	uid, name := s.reader.host.UID(), hex.EncodeToString(sum[:8])
	if cfg.Daemon.User != nil {
		uid = cfg.Daemon.User.UID
	}
	if uid != 0 {
		name += fmt.Sprintf("-%d", uid)
	}
	return trust.Dir{Path: filepath.Join(dir, name), UID: uid}
}
