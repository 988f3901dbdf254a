package host

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"supervisord/runtime/lazy"
	"supervisord/spec"
)

// Given is the main file where that can be read only once: a pipe, as from a here-document
// or <(command), or a FIFO.
type Given struct {
	path    string // absolute and clean
	content []byte
	at      time.Time
}

// maxGiven bounds it, in bytes, as the other files are bounded.
const maxGiven = 64 << 20

// Give fixes the content of a file, whatever happens to what its name leads to.
func Give(path string, content []byte) (*Given, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	return &Given{path, content, time.Now()}, nil
}

// GivenBy reads a file that can be read only once; nil is any other. It waits for its
// end.
func GivenBy(path string) (*Given, error) {
	info, err := os.Stat(path)
	if err != nil || info.Mode().IsRegular() || info.IsDir() {
		return nil, nil // whoever reads it says what is wrong
	}
	return readGiven(path)
}

// GivenByDescriptor reads a file whose name is that of a descriptor of this process, such
// as /dev/stdin, which will not be there in the daemon; nil is any other.
func GivenByDescriptor(path string) (*Given, error) {
	if !namesDescriptor(path) {
		return nil, nil
	}
	return readGiven(path)
}

func readGiven(path string) (*Given, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := ReadGiven(f)
	if err != nil {
		return nil, err
	}
	return Give(path, content)
}

// ReadGiven reads all there is to come.
func ReadGiven(f *os.File) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(f, maxGiven+1))
	if len(content) > maxGiven {
		return nil, errors.New("larger than 64 MiB")
	}
	return content, err
}

// Content is what was read.
func (g *Given) Content() []byte { return g.content }

// On is a machine with that file.
func (g *Given) On(h *Host) spec.Host { return givenHost{h, g} }

type givenHost struct {
	*Host
	given *Given
}

// ReadFile implements spec.Host.
func (h givenHost) ReadFile(path string) ([]byte, error) {
	if h.is(path) {
		return h.given.content, nil
	}
	return h.Host.ReadFile(path)
}

// Stat implements spec.Host. It says of the file that it is a pipe.
func (h givenHost) Stat(path string) (fs.FileInfo, error) {
	if h.is(path) {
		return givenInfo{h.given}, nil
	}
	return h.Host.Stat(path)
}

// Stamp implements spec.Stamper. The file has none.
func (h givenHost) Stamp(path string) (spec.Stamp, bool) {
	if h.is(path) {
		return spec.Stamp{}, false
	}
	return h.Host.Stamp(path)
}

func (h givenHost) is(path string) bool { return filepath.Clean(path) == h.given.path }

type givenInfo struct{ given *Given }

func (i givenInfo) Name() string       { return filepath.Base(i.given.path) }
func (i givenInfo) Size() int64        { return int64(len(i.given.content)) }
func (i givenInfo) Mode() fs.FileMode  { return fs.ModeNamedPipe | 0o400 }
func (i givenInfo) ModTime() time.Time { return i.given.at }
func (i givenInfo) IsDir() bool        { return false }
func (i givenInfo) Sys() any           { return nil }

// namesDescriptor reports whether a name, or a link that it leads to, is that of a
// descriptor.
func namesDescriptor(path string) bool {
	for range 40 { // as many links as the kernel follows
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return false
		}
		if dir, err = filepath.Abs(dir); err != nil || descriptors().MatchString(dir) {
			return err == nil
		}
		path = filepath.Join(dir, filepath.Base(path))
		target, err := os.Readlink(path)
		if err != nil {
			return false
		}
		if path = target; !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
	}
	return false
}

// descriptors are directories whose names are descriptors.
var descriptors = lazy.Regexp(`^(/dev/fd|/proc/\d+(/task/\d+)?/fd)$`)
