package reconcile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
)

// Store keeps what outlives the daemon in one directory of its own, mode 0700.
// Each item is one file, replaced whole; what cannot be read or understood is as
// if it were not there. The first write that fails is reported once, later ones
// in Err. Its methods may be called from any goroutine.
type Store struct {
	dir string
	log *slog.Logger

	mu     sync.Mutex // held while one item is written; it calls nobody
	warned bool
	err    error
}

// The items that the reconciler keeps itself. Others may be added by name.
const (
	goodItem    = "files"   // last good content of each file
	historyItem = "history" // the last updates
)

// OpenStore makes the directory if need be. It fails never: where nothing can
// be written the store is empty, and Err says why. log may be nil.
func OpenStore(dir string, log *slog.Logger) *Store {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Store{dir: dir, log: log}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.Chmod(dir, 0o700)
	}
	s.note(err)
	return s
}

// rootStateDir is a variable so that a build can set another one, with -ldflags=-X, as
// the end-to-end tests do.
var rootStateDir = "/var/lib/supervisord"

// DefaultStateDir is where state is kept when the configuration names no place:
// /var/lib/supervisord for root, else a directory below that of the user. It is
// "" when there is none.
//
// Source: reconciler.md, Configuration, statedir.
func DefaultStateDir(uid int, getenv func(string) string) string {
	if uid == 0 {
		return rootStateDir
	}
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "supervisord")
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "supervisord")
	}
	return ""
}

// Dir is the directory.
func (s *Store) Dir() string { return s.dir }

// Err is why the last write failed; nil while all is well.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Save replaces an item. With sync it is on the disk when Save returns, so that
// it outlives the machine; without, it outlives the daemon, and costs little.
func (s *Store) Save(item string, v any, sync bool) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot encode %s: %w", item, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err = replace(s.path(item), data, sync)
	s.noteLocked(err)
	return err
}

// Load reads an item into v, and reports whether there was one. Garbage is none.
func (s *Store) Load(item string, v any) bool {
	data, err := os.ReadFile(s.path(item))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && s.Err() == nil { // of a directory that is no use it is said already
			s.log.Warn(fmt.Sprintf("cannot read the state file: %v", err))
		}
		return false
	}
	if err := json.Unmarshal(data, v); err != nil {
		s.log.Warn(fmt.Sprintf("the state file %s is damaged and not used: %v", s.path(item), err))
		return false
	}
	return true
}

func (s *Store) path(item string) string { return filepath.Join(s.dir, item+".json") }

func (s *Store) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noteLocked(err)
}

func (s *Store) noteLocked(err error) {
	s.err = err
	if err != nil && !s.warned {
		s.warned = true
		s.log.Warn(fmt.Sprintf("the state directory cannot be written: last good files, history and survivors of a crash will not be known after a restart: %v", err))
	}
}

// replace puts data in the place of a file, whole or not at all. There is one
// temporary name for it, so that daemons that were killed leave no pile of them.
func replace(path string, data []byte, sync bool) error {
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && sync {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	if sync {
		return syncDir(filepath.Dir(path))
	}
	return nil
}

// syncDir makes a rename in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}
