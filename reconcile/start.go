package reconcile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

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

	reader   *reader
	statedir string // where state is kept if the files name no place
	view     *view
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
	s := &Start{reader: newReader(h, path, o), statedir: statedir}
	s.read(newContents(nil))
	if v := s.view; v.config != nil && len(v.bad) > 0 {
		if good := s.stored(); good != nil {
			s.read(newContents(good))
		}
	}
	if s.view.config == nil {
		return nil, s.view.err
	}
	s.Config, s.Bad = s.view.config, s.view.bad
	return s, nil
}

// read looks at the files as they are, and at these last good contents.
func (s *Start) read(good *contents) {
	q := question{good: good}
	if s.view != nil {
		q.seq = s.view.seq + 1
	}
	s.view = s.reader.look(nil, q)
}

// stored is the last good content of each file in the state directory; nil where
// there is none.
func (s *Start) stored() (good map[string][]byte) {
	dir := s.stateDir(s.view.settings)
	if dir == "" {
		return nil
	}
	good, _ = answering(s.reader.disks, dir, func() (good map[string][]byte) {
		OpenExisting(dir).Load(goodItem, &good)
		return good
	})
	return good
}

// StateDir is the directory in which this daemon keeps its state, "" for none.
// Daemons with different main files have different ones.
func (s *Start) StateDir() string { return s.stateDir(s.Config.Reconcile) }

// PrepareStateDir makes the directory and gives it to the account that the
// daemon will run as; for use before privileges are dropped.
func (s *Start) PrepareStateDir(uid, gid int) error {
	dir := s.StateDir()
	if dir == "" {
		return nil
	}
	base := filepath.Dir(dir)
	if err := os.MkdirAll(base, 0o711); err != nil {
		return err
	}
	// A daemon that stayed root may have made it for root alone.
	if info, err := os.Stat(base); err == nil && info.Mode().Perm()&0o011 != 0o011 {
		if err := os.Chmod(base, info.Mode().Perm()|0o011); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.Chown(dir, uid, gid)
}

// stateDir is the place that the settings name, else the default one, and in it
// one directory for each main file.
func (s *Start) stateDir(settings spec.Reconcile) string {
	dir := cmp.Or(settings.StateDir, s.statedir)
	if dir == "" {
		return ""
	}
	id := append([]string{s.reader.path}, s.reader.options.Watch...)
	for i, p := range id {
		if p != "" && !filepath.IsAbs(p) {
			id[i] = filepath.Join(s.reader.host.Getwd(), p)
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(id, "\x00")))
	return filepath.Join(dir, hex.EncodeToString(sum[:8]))
}

// OpenExisting is a store to read from; it makes no directory.
func OpenExisting(dir string) *Store {
	return &Store{dir: dir, log: slog.New(slog.DiscardHandler)}
}
