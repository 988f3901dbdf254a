package spec

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing/fstest"
)

// memHost is a machine made of a map. It answers as the machine on which the
// expected answers of the corpus were recorded: every directory that a path
// names exists, and so does every user whose name could be one.
type memHost struct {
	files map[string]string
	cwd   string
	env   map[string]string
	// strict makes only the directories of files exist, and the user root.
	strict bool
	// executable are the paths of files that can be executed.
	executable []string
	stamps     map[string]Stamp // nil for a host that has none

	reads atomic.Int64
}

func (h *memHost) tree() fstest.MapFS {
	tree := fstest.MapFS{}
	for name, content := range h.files {
		tree[strings.TrimPrefix(name, "/")] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
	}
	for _, name := range h.executable {
		tree[strings.TrimPrefix(name, "/")] = &fstest.MapFile{Mode: 0o755}
	}
	return tree
}

func inTree(name string) string {
	name = strings.Trim(path.Clean(name), "/")
	if name == "" {
		return "."
	}
	return name
}

func (h *memHost) ReadFile(name string) ([]byte, error) {
	h.reads.Add(1)
	content, ok := h.files[path.Clean(name)]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if content == unreadable {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return []byte(content), nil
}

// unreadable is the content of a file that cannot be read.
const unreadable = "\x00unreadable"

func (h *memHost) ReadDir(name string) ([]fs.DirEntry, error) { return h.tree().ReadDir(inTree(name)) }

func (h *memHost) Stat(name string) (fs.FileInfo, error) {
	info, err := h.tree().Stat(inTree(name))
	if err == nil || h.strict || !errors.Is(err, fs.ErrNotExist) || strings.Contains(strings.Trim(path.Base(name), "."), ".") {
		return info, err
	}
	return fstest.MapFS{"d": &fstest.MapFile{Mode: fs.ModeDir | 0o755}}.Stat("d")
}

func (h *memHost) Getwd() string { return h.cwd }

func (h *memHost) Environ() []string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(h.env)) {
		list = append(list, key+"="+h.env[key])
	}
	return list
}

func (h *memHost) Hostname() string { return "oracle-host" }
func (h *memHost) TempDir() string  { return "/tmp" }
func (h *memHost) UID() int         { return 0 }

func (h *memHost) Home(name string) (string, error) {
	if name == "" {
		return h.env["HOME"], nil
	}
	return "", ErrNoAccount
}

var accountName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*\$?$`)

func (h *memHost) LookupUser(name string) (Account, error) {
	id, err := h.LookupGroup(name)
	return Account{Name: name, UID: id, GID: id}, err
}

func (h *memHost) LookupGroup(name string) (int, error) {
	n, err := strconv.Atoi(name)
	switch {
	case err == nil && n >= 0 && n <= 65535:
		return n, nil
	case name == "root":
		return 0, nil
	case err == nil, h.strict, !accountName.MatchString(name):
		return 0, ErrNoAccount
	}
	id := 1000
	for _, c := range name {
		id += int(c)
	}
	return id, nil
}

// stampedHost is a memHost that can tell whether a file changed.
type stampedHost struct{ *memHost }

func (h stampedHost) Stamp(name string) (Stamp, bool) {
	s, ok := h.stamps[name]
	return s, ok
}
