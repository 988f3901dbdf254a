//go:build amd64 || arm64 || riscv64

package cmd

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"supervisord/cmd/internal/oracle"
)

// disk is a file system that can be made to hang: what is asked of it then waits
// until it answers again, or until whoever asks is killed, as with a file server
// that is away. A process of its own serves it, so that the test can never wait
// for itself, and the end of the test ends every wait.
type disk struct {
	t       testing.TB
	dir     string // where it is mounted
	under   string // what it shows, which the test reads and writes
	server  *exec.Cmd
	orders  io.WriteCloser
	answers *os.File
}

// mayMount reports whether the machine lets tests mount file systems of their
// own. Where they must run (REQUIRE_ROOT=1), anything else is a failure.
func mayMount(t testing.TB) bool {
	t.Helper()
	why := "not root"
	if os.Getuid() == 0 {
		f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
		if err == nil {
			f.Close()
			return true
		}
		why = err.Error()
	}
	if os.Getenv("REQUIRE_ROOT") == "1" {
		t.Fatal("cannot mount: " + why)
	}
	t.Logf("left out: %s", why)
	return false
}

// ownMounts gives this goroutine, and what it starts, a mount namespace that ends
// with them. Other goroutines of the test do not see its mounts.
func ownMounts(t testing.TB) {
	t.Helper()
	runtime.LockOSThread() // for good: the thread ends with the test
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
}

// newDisk mounts a disk on dir, which is made. The goroutine must have called
// ownMounts. The test must see to it that the disk answers when the test ends,
// with defer, since its daemons are stopped before the disk is unmounted. The kind
// squashed is that of a file server which gives root's files to mallory.
func newDisk(t testing.TB, dir string, kind ...string) *disk {
	t.Helper()
	d := &disk{t: t, dir: dir, under: dir + ".under"}
	for _, path := range []string{d.dir, d.under} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d.server = exec.Command(os.Args[0], append([]string{"loopback", d.under, d.dir}, kind...)...)
	d.server.Stderr = os.Stderr
	var err error
	if d.orders, err = d.server.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	answers, err := d.server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.answers = answers.(*os.File)
	if err := d.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.orders.Close()
		d.server.Process.Kill() // it holds nothing back then, whatever state it is in
		d.server.Wait()
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("cannot unmount %s: %v", dir, err)
		}
	})
	d.expect("mounted")
	return d
}

func (d *disk) expect(answer string) {
	d.t.Helper()
	d.answers.SetReadDeadline(time.Now().Add(oracle.Deadline))
	line, err := bufio.NewReader(d.answers).ReadString('\n') // the server says nothing unasked
	if line != answer+"\n" {
		d.t.Fatalf("the disk on %s says %q (%v), not %s", d.dir, line, err, answer)
	}
}

func (d *disk) order(what string) {
	d.t.Helper()
	if _, err := fmt.Fprintln(d.orders, what); err != nil {
		d.t.Fatal(err)
	}
	d.expect(what)
}

// hang makes the disk hang, once what is under way is done.
func (d *disk) hang() { d.t.Helper(); d.order("hang") }

// answer ends that. It does nothing to a disk that answers.
func (d *disk) answer() { d.t.Helper(); d.order("answer") }

// read is the content of a file on the disk, "" if there is none, even if the disk
// hangs.
func (d *disk) read(name string) string {
	text, _ := os.ReadFile(filepath.Join(d.under, name))
	return string(text)
}

// write puts a file on the disk, even if it hangs.
func (d *disk) write(name, text string) {
	d.t.Helper()
	mode := os.FileMode(0o644)
	if strings.HasPrefix(text, "#!") {
		mode = 0o755
	}
	path := filepath.Join(d.under, name)
	syscall.ForkLock.RLock() // or a child could have it open when it is executed
	err := os.WriteFile(path+".tmp", []byte(text), mode)
	syscall.ForkLock.RUnlock()
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// TestDisk holds such a disk against what it is for: it keeps readers and writers
// of open files waiting, lets them go when they are killed, and loses nothing.
func TestDisk(t *testing.T) {
	t.Parallel()
	if !mayMount(t) {
		return
	}
	ownMounts(t)
	d := newDisk(t, filepath.Join(t.TempDir(), "disk"))
	defer d.answer()
	d.write("file", "text")
	start := func(script string) (*os.Process, <-chan error) {
		c := exec.Command("/bin/sh", "-c", script)
		c.Dir = filepath.Dir(d.dir)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		end := make(chan error, 1)
		go func() { end <- c.Wait() }()
		return c.Process, end
	}
	await := func(what string, end <-chan error) error {
		t.Helper()
		select {
		case err := <-end:
			return err
		case <-time.After(oracle.Deadline):
			t.Fatalf("waited %v in vain for: %s", oracle.Deadline, what)
			return nil
		}
	}
	writer, written := start("exec >>disk/log; while :; do echo x; done")
	oracle.WaitFor(t, "something to be written", func() bool { return len(d.read("log")) > 10 })
	d.hang()
	_, copied := start("cat disk/file >copy")
	size := len(d.read("log"))
	select {
	case err := <-copied:
		t.Fatalf("a disk that hangs was read: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if now := len(d.read("log")); now != size {
		t.Errorf("%d bytes were written to a disk that hangs", now-size)
	}
	writer.Kill()
	if err := await("the end of a writer that was killed", written); err == nil {
		t.Error("it was not killed")
	}
	d.answer()
	if err := await("the end of a reader", copied); err != nil {
		t.Error(err)
	}
	if text, _ := os.ReadFile(filepath.Join(filepath.Dir(d.dir), "copy")); string(text) != "text" {
		t.Errorf("%q was read", text)
	}
}

// squashed is the kind of a disk on which what root makes is mallory's.
const squashed = "squashed"

// loopback is the role of the server of a disk: it shows args[0] on args[1], as the
// kind args[2] if there is one, and does as it is told on standard input until that
// ends.
func loopback(args []string) int {
	root, err := fs.NewLoopbackRoot(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	raw := fs.NewNodeFS(root, &fs.Options{}) // no name is cached
	if slices.Contains(args[2:], squashed) {
		raw = squashedFS{raw}
	}
	gated := &gatedFS{RawFileSystem: raw, opened: make(chan struct{})}
	gated.open()
	server, err := fuse.NewServer(gated, args[1], &fuse.MountOptions{
		DirectMountStrict: true, AllowOther: true, FsName: "disk", Name: "disk",
		MaxStackDepth: -1, // else the kernel reads and writes what is below by itself, past the gate
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go server.Serve() // ends with the process
	if err := server.WaitMount(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("mounted")
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); fmt.Println(orders.Text()) {
		switch orders.Text() {
		case "hang":
			gated.shut()
		case "answer":
			gated.open()
		}
	}
	return 0
}

// squashedFS is a file system that gives mallory what root makes.
type squashedFS struct{ fuse.RawFileSystem }

func squash(h *fuse.InHeader) {
	if h.Uid == 0 {
		h.Uid, h.Gid = mallory, mallory
	}
}

func (s squashedFS) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	squash(&in.InHeader)
	return s.RawFileSystem.Create(cancel, in, name, out)
}

func (s squashedFS) Mkdir(cancel <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	squash(&in.InHeader)
	return s.RawFileSystem.Mkdir(cancel, in, name, out)
}

// gatedFS is a file system in which whatever may take time waits for a gate. What a
// process does as it ends does not, since nothing ends a wait of that.
type gatedFS struct {
	fuse.RawFileSystem

	mu     sync.RWMutex  // held for reading while a request is done
	opened chan struct{} // closed while the gate is open; only who gives orders changes it
}

func (g *gatedFS) open() {
	select {
	case <-g.opened:
	default:
		close(g.opened)
	}
}

// shut shuts the gate when what has passed it is done.
func (g *gatedFS) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
		g.opened = make(chan struct{})
	default:
	}
}

// pass does a request once the gate is open, unless the thread that asks is killed
// before. Nothing else that interrupts it ends its wait, so that nobody sees an
// error which a disk never gives.
func (g *gatedFS) pass(cancel <-chan struct{}, h *fuse.InHeader, do func() fuse.Status) fuse.Status {
	for !g.enter() {
		select {
		case <-g.gate():
		case <-cancel: // closed by the first signal; nothing tells of a further one
			if beingKilled(h.Pid) {
				return fuse.EINTR
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	defer g.mu.RUnlock()
	return do()
}

// gate is closed when the gate is opened.
func (g *gatedFS) gate() <-chan struct{} {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.opened
}

// enter reports whether the gate is open, and then keeps it so until mu is let go.
func (g *gatedFS) enter() bool {
	g.mu.RLock()
	select {
	case <-g.opened:
		return true
	default:
		g.mu.RUnlock()
		return false
	}
}

// beingKilled reports whether a thread has SIGKILL before it, or is gone.
func beingKilled(thread uint32) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", thread))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(status), "SigPnd:")
	hex, _, _ := strings.Cut(rest, "\n")
	pending, _ := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
	return pending&(1<<(syscall.SIGKILL-1)) != 0
}

func (g *gatedFS) Lookup(cancel <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	return g.pass(cancel, h, func() fuse.Status { return g.RawFileSystem.Lookup(cancel, h, name, out) })
}

func (g *gatedFS) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	return g.pass(cancel, &in.InHeader, func() fuse.Status { return g.RawFileSystem.GetAttr(cancel, in, out) })
}

func (g *gatedFS) SetAttr(cancel <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	return g.pass(cancel, &in.InHeader, func() fuse.Status { return g.RawFileSystem.SetAttr(cancel, in, out) })
}

func (g *gatedFS) Mkdir(cancel <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return g.pass(cancel, &in.InHeader, func() fuse.Status { return g.RawFileSystem.Mkdir(cancel, in, name, out) })
}

func (g *gatedFS) Unlink(cancel <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	return g.pass(cancel, h, func() fuse.Status { return g.RawFileSystem.Unlink(cancel, h, name) })
}

func (g *gatedFS) Rename(cancel <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	return g.pass(cancel, &in.InHeader, func() fuse.Status { return g.RawFileSystem.Rename(cancel, in, from, to) })
}

func (g *gatedFS) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	return g.pass(cancel, &in.InHeader, func() fuse.Status { return g.RawFileSystem.Create(cancel, in, name, out) })
}

func (g *gatedFS) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	return g.pass(cancel, &in.InHeader, func() fuse.Status { return g.RawFileSystem.Open(cancel, in, out) })
}

func (g *gatedFS) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (result fuse.ReadResult, status fuse.Status) {
	status = g.pass(cancel, &in.InHeader, func() fuse.Status { result, status = g.RawFileSystem.Read(cancel, in, buf); return status })
	return result, status
}

func (g *gatedFS) Writev(cancel <-chan struct{}, in *fuse.WriteIn, data [][]byte) (n uint32, status fuse.Status) {
	status = g.pass(cancel, &in.InHeader, func() fuse.Status { n, status = g.RawFileSystem.Writev(cancel, in, data); return status })
	return n, status
}

// Flush is asked for when a file is closed, unless it is not known.
func (g *gatedFS) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.ENOSYS }

func (g *gatedFS) Fsync(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return g.pass(cancel, &in.InHeader, func() fuse.Status { return g.RawFileSystem.Fsync(cancel, in) })
}

func (g *gatedFS) OpenDir(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	return g.pass(cancel, &in.InHeader, func() fuse.Status { return g.RawFileSystem.OpenDir(cancel, in, out) })
}

func (g *gatedFS) ReadDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return g.pass(cancel, &in.InHeader, func() fuse.Status { return g.RawFileSystem.ReadDir(cancel, in, out) })
}

func (g *gatedFS) ReadDirPlus(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return g.pass(cancel, &in.InHeader, func() fuse.Status { return g.RawFileSystem.ReadDirPlus(cancel, in, out) })
}

func (g *gatedFS) FsyncDir(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return g.pass(cancel, &in.InHeader, func() fuse.Status { return g.RawFileSystem.FsyncDir(cancel, in) })
}

func (g *gatedFS) Statx(cancel <-chan struct{}, in *fuse.StatxIn, out *fuse.StatxOut) fuse.Status {
	return g.pass(cancel, &in.InHeader, func() fuse.Status { return g.RawFileSystem.Statx(cancel, in, out) })
}

func (g *gatedFS) StatFs(cancel <-chan struct{}, h *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	return g.pass(cancel, h, func() fuse.Status { return g.RawFileSystem.StatFs(cancel, h, out) })
}

func init() { roles["loopback"] = loopback }
