package reconcile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"supervisord/runtime/trust"
)

// Store keeps what outlives the daemon in one directory of its own, mode 0700, that
// no other user has a hand in. Each item is one file, replaced whole; what cannot be
// read or understood, or is not ours, is as if it were not there. The first write that fails is reported once, later ones
// in Err. Its methods may be called from any goroutine.
type Store struct {
	dir trust.Dir
	log *slog.Logger

	writing sync.Mutex // held while one item is written, however long the disk takes

	mu     sync.Mutex // guards all below; held for a few instructions
	warned bool
	errs   map[string]error // why the last write of an item failed, by its name; "" is the directory
}

// The items that the reconciler keeps itself. Others may be added by name.
const (
	goodItem        = "files"       // last good content of each file
	historyItem     = "history"     // the last updates
	generationsItem = "generations" // what files were before the last updates
	proofItem       = "proof"       // what of the files is not proved to run, and what has failed
	revisionItem    = "revision"    // the last that was in force
	intentsItem     = "intents"     // what people have paused and disabled
)

// OpenStore makes the directory if need be. Where another user has made it, or
// something on the way to it, that is said in a warning, nothing of it is read, and
// one beside it is used, see Dir. It never fails: where nothing can be written the
// store is empty, and Err says why. log may be nil.
func OpenStore(dir string, log *slog.Logger) *Store {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Store{dir: trust.Dir{Path: dir, UID: os.Geteuid()}, log: log, errs: make(map[string]error)}
	made, refused, err := trust.MakeDir(s.dir, -1)
	if err == nil {
		s.dir = made
		if refused != nil {
			log.Warn(fmt.Sprintf("the state directory %s is not used, since another user could have written to it: %v; state is kept in %s", dir, refused, made.Path))
		}
	}
	s.note("", err)
	return s
}

// rootStateDir is a variable so that a build can set another one, with -ldflags=-X, as
// the end-to-end tests do.
var rootStateDir = "/var/lib/supervisord"

// openExisting is a store to read from; it makes no directory.
func openExisting(dir trust.Dir) *Store {
	if found, _, err := trust.FindDir(dir); err == nil {
		dir = found
	}
	return &Store{dir: dir, log: slog.New(slog.DiscardHandler), errs: make(map[string]error)}
}

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

// Dir is the directory that is used.
func (s *Store) Dir() string { return s.dir.Path }

// Err is why the last write of an item failed, nil while all are well.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, item := range slices.Sorted(maps.Keys(s.errs)) {
		return s.errs[item]
	}
	return nil
}

// Keeps reports whether an item can be written, as far as that is known.
func (s *Store) Keeps(item string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.errs[item] == nil && s.errs[""] == nil
}

// Save replaces an item. With sync it is on the disk when Save returns, so that
// it outlives the machine; without, it outlives the daemon, and costs little.
func (s *Store) Save(item string, v any, sync bool) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot encode %s: %w", item, err)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	f, err := trust.Replace(s.dir, item+".json", data, sync)
	if err == nil {
		err = f.Close()
	}
	s.note(item, err)
	return err
}

// Load reads an item into v, and reports whether there was one. Garbage is none.
func (s *Store) Load(item string, v any) bool {
	data, err := trust.Read(s.dir, item+".json")
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && s.Err() == nil { // of a directory that is no use it is said already
			s.log.Warn(fmt.Sprintf("cannot read the state file: %v", err))
		}
		return false
	}
	if err := json.Unmarshal(data, v); err != nil {
		s.log.Warn(fmt.Sprintf("the state file %s is damaged and not used: %v", filepath.Join(s.Dir(), item+".json"), err))
		return false
	}
	return true
}

func (s *Store) note(item string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		delete(s.errs, item)
		if item != "" {
			delete(s.errs, "") // the directory is there
		}
	} else {
		s.errs[item] = err
	}
	if err != nil && !s.warned {
		s.warned = true
		s.log.Warn(fmt.Sprintf("the state directory cannot be written: last good files, history and survivors of a crash will not be known after a restart: %v", err))
	}
}
