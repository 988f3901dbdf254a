package reconcile

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"supervisord/spec"
)

// overlay is the host as a load sees it: as it is, but for directories that are
// held, which look as they did when they were last seen. It also notes what it
// read, so that the content that a load used can be stored.
type overlay struct {
	spec.Host
	held map[string]*directory // by path; never changed

	mu   sync.Mutex
	read map[string][]byte
}

// directory is the last known state of a directory that configuration files come
// from.
type directory struct {
	path  string
	dev   uint64            // the device it is on
	files map[string][]byte // content by name
	// partial: of a held directory, the files are those missing from it; all
	// else is as it stands.
	partial bool
	// lost is set from when the directory was out of sight until all its files
	// are back; then since is when the number of those missing last changed.
	lost    bool
	missing int
	since   time.Time
}

// content is what a held directory has under a name; known is false where the
// directory itself is to be asked.
func (d *directory) content(name string) (content []byte, ok, known bool) {
	content, ok = d.files[name]
	return content, ok, ok || !d.partial
}

func newOverlay(h spec.Host, held map[string]*directory) *overlay {
	return &overlay{Host: h, held: held, read: make(map[string][]byte)}
}

// ReadFile implements spec.Host.
func (o *overlay) ReadFile(name string) ([]byte, error) {
	if d, held := o.held[path.Dir(name)]; held {
		content, ok, known := d.content(path.Base(name))
		switch {
		case ok:
			return content, nil
		case known:
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
	}
	content, err := o.Host.ReadFile(name)
	if err == nil {
		o.mu.Lock()
		o.read[name] = content
		o.mu.Unlock()
	}
	return content, err
}

// ReadDir implements spec.Host.
func (o *overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	if len(o.held) == 0 {
		return o.Host.ReadDir(name)
	}
	clean := path.Clean(name)
	if d, ok := o.held[clean]; ok {
		var list []fs.DirEntry
		if d.partial {
			var err error
			if list, err = o.Host.ReadDir(name); err != nil {
				return nil, err
			}
			list = slices.Clone(list)
		}
		for _, base := range slices.Sorted(maps.Keys(d.files)) {
			list = append(list, heldEntry{base, 0, int64(len(d.files[base]))})
		}
		return list, nil
	}
	list, err := o.Host.ReadDir(name)
	for held := range o.held {
		rest, below := strings.CutPrefix(held, strings.TrimSuffix(clean, "/")+"/")
		if !below {
			continue
		}
		child, _, _ := strings.Cut(rest, "/")
		err = nil
		at := slices.IndexFunc(list, func(e fs.DirEntry) bool { return e.Name() == child })
		if at < 0 {
			list = append(list, heldEntry{child, fs.ModeDir, 0})
		}
	}
	return list, err
}

// Stat implements spec.Host.
func (o *overlay) Stat(name string) (fs.FileInfo, error) {
	if len(o.held) == 0 {
		return o.Host.Stat(name)
	}
	clean := path.Clean(name)
	if d, ok := o.held[path.Dir(clean)]; ok {
		if content, ok := d.files[path.Base(clean)]; ok {
			return heldEntry{path.Base(clean), 0, int64(len(content))}, nil
		}
	}
	for held := range o.held {
		if held == clean || strings.HasPrefix(held, clean+"/") {
			return heldEntry{path.Base(clean), fs.ModeDir, 0}, nil
		}
	}
	return o.Host.Stat(name)
}

// Stamp implements spec.Stamper. What is held has none.
func (o *overlay) Stamp(name string) (spec.Stamp, bool) {
	s, ok := o.Host.(spec.Stamper)
	if !ok {
		return spec.Stamp{}, false
	}
	if d, held := o.held[path.Dir(name)]; held {
		if _, _, known := d.content(path.Base(name)); known {
			return spec.Stamp{}, false
		}
	}
	return s.Stamp(name)
}

// heldEntry is an entry of a held directory, or a parent of one.
type heldEntry struct {
	name string
	mode fs.FileMode
	size int64
}

func (g heldEntry) Name() string               { return g.name }
func (g heldEntry) Size() int64                { return g.size }
func (g heldEntry) Mode() fs.FileMode          { return g.mode | 0o500 }
func (g heldEntry) ModTime() time.Time         { return time.Time{} }
func (g heldEntry) IsDir() bool                { return g.mode.IsDir() }
func (g heldEntry) Sys() any                   { return nil }
func (g heldEntry) Type() fs.FileMode          { return g.mode.Type() }
func (g heldEntry) Info() (fs.FileInfo, error) { return g, nil }
