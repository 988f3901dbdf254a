package reconcile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
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

	source *source
	view   *view
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
	s := newSource(h, path, o)
	s.statedir = statedir
	v := s.load(forAutoupdate)
	if v.config != nil && len(v.bad) > 0 {
		if restored, with := s.startAgain(v); with != nil {
			s, v = restored, with
		}
	}
	if v.config == nil {
		return nil, v.err
	}
	return &Start{Config: v.config, Bad: v.bad, source: s, view: v}, nil
}

// startAgain reads the configuration once more, with the last good content of the
// files that are bad. Whose content that is depends on the user that the daemon will
// run as, and on where he keeps it; so it must not say otherwise itself. The view is
// nil if there is no such content.
func (s *source) startAgain(v *view) (*source, *view) {
	dir := s.stateDir(v.config)
	var good map[string][]byte
	if dir.Path == "" || !openExisting(dir).Load(goodItem, &good) {
		return nil, nil
	}
	again := newSource(s.host, s.path, s.options)
	again.statedir = s.statedir
	again.restore(good)
	with := again.load(forAutoupdate)
	if with.config == nil || again.stateDir(with.config) != dir {
		return nil, nil
	}
	return again, with
}

// StateDir is the directory in which this daemon is to keep its state, "" for none.
// Daemons with different main files, or of different users, have different ones.
func (s *Start) StateDir() string { return s.source.stateDir(s.Config).Path }

// PrepareStateDir makes the directory and gives it to the account that the daemon
// will run as; for use before privileges are dropped.
func (s *Start) PrepareStateDir(gid int) error {
	dir := s.source.stateDir(s.Config)
	if dir.Path == "" {
		return nil
	}
	_, _, err := trust.MakeDir(dir, gid) // what is refused the store says
	return err
}

// stateDir is the place that the settings name, else the default one, and in it one
// directory for each main file and user that the daemon runs as; the path is "" for
// none. What one user has left there is not read by a daemon of another.
func (s *source) stateDir(cfg *spec.Config) trust.Dir {
	dir := cmp.Or(cfg.Reconcile.StateDir, s.statedir)
	if dir == "" {
		return trust.Dir{}
	}
	id := append([]string{s.path}, s.options.Watch...)
	for i, p := range id {
		if p != "" && !filepath.IsAbs(p) {
			id[i] = filepath.Join(s.host.Getwd(), p)
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(id, "\x00")))
	uid, name := s.host.UID(), hex.EncodeToString(sum[:8])
	if cfg.Daemon.User != nil {
		uid = cfg.Daemon.User.UID
	}
	if uid != 0 {
		name += fmt.Sprintf("-%d", uid)
	}
	return trust.Dir{Path: filepath.Join(dir, name), UID: uid}
}
