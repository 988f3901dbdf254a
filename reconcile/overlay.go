package reconcile

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"supervisord/runtime/hang"
	"supervisord/spec"
)

// overlay is the host as a look sees it: as it is, but for directories that are
// held, which look as they did when they were last seen. Each access of it may be
// left behind, as package hang says. It also notes what it has seen, so that the
// content that a look used can be stored.
type overlay struct {
	spec.Host
	try  *hang.Try
	main string                // the main file
	held map[string]*directory // by path

	mu     sync.Mutex // loading reads many files at a time
	read   map[string][]byte
	times  map[string]time.Time // when a file was last modified
	silent map[string]bool      // files that do not answer
	links  map[string]bool      // symbolic links, as directories list them
	roots  map[string]string    // see root
	mounts map[string]string    // hang.Mounts, once it was asked for
}

// directory is the last known state of a directory that configuration files come
// from.
type directory struct {
	path  string
	mount mountID           // the one it is on
	files map[string][]byte // content by name
	// mounted is what was mounted over single files, by name.
	mounted map[string]string
	// partial: of a held directory, the files are those missing from it; all
	// else is as it stands.
	partial bool
	// lost is set from when the directory was inaccessible until all its files are back.
	// Once it can be seen again, awaited are those that have not been seen since, nil for
	// all of them, back is set once there was one, and since is when that last changed.
	lost    bool
	awaited map[string]bool
	back    bool
	since   time.Time
}

// isAwaited reports whether a file of a lost directory may still come back.
func (d *directory) isAwaited(name string) bool { return d.awaited == nil || d.awaited[name] }

// content is what a held directory has under a name; known is false where the
// directory itself is to be asked.
func (d *directory) content(name string) (content []byte, ok, known bool) {
	content, ok = d.files[name]
	return content, ok, ok || !d.partial
}

func newOverlay(h spec.Host, try *hang.Try, main string, held map[string]*directory) *overlay {
	return &overlay{
		Host: h, try: try, main: main, held: held,
		read: make(map[string][]byte), times: make(map[string]time.Time), silent: make(map[string]bool),
		links: make(map[string]bool), roots: make(map[string]string),
	}
}

// root is what falls silent if a file does not answer: the directory that it is in,
// unless it may be on another disk than that. Of a link it is the directory that it
// leads to, and of a file that something is mounted over, or of the main file, the file.
func (o *overlay) root(file string) string {
	o.mu.Lock()
	root, known := o.roots[file]
	if o.mounts == nil {
		if o.mounts = hang.Mounts(); o.mounts == nil {
			o.mounts = make(map[string]string)
		}
	}
	link := o.links[file]
	o.mu.Unlock()
	switch {
	case known:
		return root
	case file == o.main || o.mounts[file] != "":
		return file
	case !link:
		return path.Dir(file)
	}
	root = o.leadsTo(file)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.roots[file] = root
	return root
}

// leadsTo is the root of a link. It asks the directories only that links are in.
func (o *overlay) leadsTo(link string) string {
	at := link
	for range maxLinks {
		root := path.Dir(at)
		if above := strings.TrimSuffix(root, "/") + "/"; o.mounts[at] != "" || root != path.Dir(link) && strings.HasPrefix(link, above) {
			root = at // or all else would fall silent with it
		}
		target, err := hang.Call(o.try, root, func() (string, error) { return os.Readlink(at) })
		var silent *hang.Silent
		switch {
		case errors.As(err, &silent):
			return silent.Dir
		case errors.Is(err, syscall.EINVAL): // it is no link
			return root
		case err != nil:
			return link
		case path.IsAbs(target):
			at = path.Clean(target)
		default:
			at = path.Join(path.Dir(at), target)
		}
	}
	return link
}

// maxLinks is how many links are followed, as the kernel does.
const maxLinks = 40

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
	content, err := o.readFile(name)
	var silent *hang.Silent
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
		o.read[name] = content
	case errors.As(err, &silent):
		o.silent[name] = true
	}
	return content, err
}

// readFile reads what is there, held or not.
func (o *overlay) readFile(name string) ([]byte, error) {
	return hang.Call(o.try, o.root(name), func() ([]byte, error) { return o.Host.ReadFile(name) })
}

// readDir lists what is there, held or not.
func (o *overlay) readDir(name string) ([]fs.DirEntry, error) {
	list, err := hang.Call(o.try, path.Clean(name), func() ([]fs.DirEntry, error) { return o.Host.ReadDir(name) })
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range list {
		if e.Type()&fs.ModeSymlink != 0 {
			o.links[path.Join(name, e.Name())] = true
		}
	}
	return list, err
}

// stat describes what is there, held or not.
func (o *overlay) stat(name string) (fs.FileInfo, error) {
	root := path.Clean(name)
	o.mu.Lock()
	link := o.links[root]
	o.mu.Unlock()
	if link {
		root = o.root(root)
	}
	return hang.Call(o.try, root, func() (fs.FileInfo, error) { return o.Host.Stat(name) })
}

// changed is when a file or directory was last modified; ok is false where it is
// not there.
func (o *overlay) changed(name string) (at time.Time, ok bool) {
	o.mu.Lock()
	at, ok = o.times[name]
	o.mu.Unlock()
	if ok {
		return at, true
	}
	info, err := o.stat(name)
	if err != nil {
		return time.Time{}, false
	}
	return info.ModTime(), true
}

// ReadDir implements spec.Host.
func (o *overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	if len(o.held) == 0 {
		return o.readDir(name)
	}
	clean := path.Clean(name)
	if d, ok := o.held[clean]; ok {
		var list []fs.DirEntry
		if d.partial {
			var err error
			if list, err = o.readDir(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			list = slices.Clone(list)
		}
		for _, base := range slices.Sorted(maps.Keys(d.files)) {
			list = append(list, heldEntry{base, 0, int64(len(d.files[base]))})
		}
		return list, nil
	}
	list, err := o.readDir(name)
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

// Stat implements spec.Host. What does not answer is taken for a directory: the
// files ask it of those for logs, which are not wrong for being on a slow disk, and
// of what they are to be read from, where reading gives the reason.
func (o *overlay) Stat(name string) (fs.FileInfo, error) {
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
	info, err := o.stat(name)
	var silent *hang.Silent
	if errors.As(err, &silent) {
		return heldEntry{path.Base(clean), fs.ModeDir, 0}, nil
	}
	return info, err
}

// Stamp implements spec.Stamper. What is held has none, and nothing has one where
// the host is no Stamper.
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
	stamp, err := hang.Call(o.try, o.root(name), func() (spec.Stamp, error) {
		stamp, sure := s.Stamp(name)
		if !sure {
			return stamp, errUnsure
		}
		return stamp, nil
	})
	if stamp.MTime != 0 {
		o.mu.Lock()
		o.times[name] = time.Unix(0, stamp.MTime)
		o.mu.Unlock()
	}
	return stamp, err == nil
}

// errUnsure is a Stamp that cannot be promised.
var errUnsure = errors.New("unsure")

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
