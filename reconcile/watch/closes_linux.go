package watch

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// closes tells of files that were open for writing and have been closed, which the
// library does not ask for: of what is written through a mapping the kernel gives no
// other notice (inotify(7)). A nil one tells of nothing.
type closes struct {
	file *os.File
	out  chan string   // paths; the reader of the notices waits here
	done chan struct{} // closed by Close
	over chan struct{} // closed by read, when it ends

	once  sync.Once
	mu    sync.Mutex // never held while a disk is asked
	paths map[int32]string
	wds   map[string]int32
}

// openCloses is nil where the system has no more notifications for us: then the next look
// finds what there was no notice of.
func openCloses() *closes {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil
	}
	c := &closes{
		file: os.NewFile(uintptr(fd), "inotify"), out: make(chan string), done: make(chan struct{}), over: make(chan struct{}),
		paths: make(map[int32]string), wds: make(map[string]int32),
	}
	go c.read()
	return c
}

// C gives the paths, and "" where some were lost. It is closed by nobody.
func (c *closes) C() <-chan string {
	if c == nil {
		return nil
	}
	return c.out
}

// Add has it tell of a file, or of those in a directory.
func (c *closes) Add(path string) {
	if c == nil {
		return
	}
	conn, err := c.file.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) {
		wd, err := unix.InotifyAddWatch(int(fd), path, unix.IN_CLOSE_WRITE)
		if err != nil {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.paths[int32(wd)], c.wds[path] = path, int32(wd)
	})
}

// Remove ends that.
func (c *closes) Remove(path string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	wd, ok := c.wds[path]
	delete(c.wds, path)
	delete(c.paths, wd)
	c.mu.Unlock()
	if !ok {
		return
	}
	if conn, err := c.file.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) {
			_, _ = unix.InotifyRmWatch(int(fd), uint32(wd)) // an error only says that it is gone already
		})
	}
}

// Close ends it, and its goroutine. An access that hangs may hold it up.
func (c *closes) Close() {
	if c != nil {
		c.once.Do(func() { close(c.done); c.file.Close() })
		<-c.over
	}
}

// read is the goroutine; Close waits for it.
func (c *closes) read() {
	defer close(c.over)
	buf := make([]byte, 64<<10)
	for {
		n, err := c.file.Read(buf)
		if err != nil {
			return
		}
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			wd, mask := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:])
			end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
			name := b[unix.SizeofInotifyEvent:end]
			b = b[end:]
			path := c.path(wd, mask)
			if path == "" && mask&unix.IN_Q_OVERFLOW == 0 {
				continue
			}
			if name, _, _ = bytes.Cut(name, []byte{0}); len(name) > 0 {
				path = filepath.Join(path, string(name))
			}
			select {
			case c.out <- path:
			case <-c.done:
				return
			}
		}
	}
}

// path is where a notice is from; "" for one that is no close.
func (c *closes) path(wd int32, mask uint32) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	path := c.paths[wd]
	if mask&unix.IN_IGNORED != 0 {
		delete(c.paths, wd)
		if c.wds[path] == wd {
			delete(c.wds, path)
		}
	}
	if mask&unix.IN_CLOSE_WRITE == 0 {
		return ""
	}
	return path
}
