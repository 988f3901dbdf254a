// Package host is spec.Host on the real machine: its files, its accounts, its
// environment. Nothing it answers is older than the question, except that the name of
// the machine is taken once, and that an account of the account files is looked up once
// for as long as they stay as they are.
package host

import (
	"io/fs"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"supervisord/spec"
)

// Host is the machine this program runs on. Make it with New; it is safe for
// concurrent use.
type Host struct {
	accounts accounts
	nss      nss
	hostname func() string
}

var _ spec.Host = (*Host)(nil)

// New is the machine as seen by this process.
func New() *Host { return NewWithNSS(nil) }

// NewWithNSS is New with accounts that are in no file of this machine's: they are asked
// for by running getent as run says, which returns what it has printed and its exit
// status. It is run for five seconds altogether before it is given a rest.
func NewWithNSS(run Runner) *Host {
	return &Host{hostname: sync.OnceValue(nodeName), nss: nss{run: run, paths: getentPaths}}
}

// ReadFile returns the content of a file.
func (h *Host) ReadFile(path string) ([]byte, error) { return os.ReadFile(path) }

// ReadDir returns the entries of a directory, sorted by name.
func (h *Host) ReadDir(path string) ([]fs.DirEntry, error) { return os.ReadDir(path) }

// Stat describes what a path names, following symbolic links.
func (h *Host) Stat(path string) (fs.FileInfo, error) { return os.Stat(path) }

// Getwd is the working directory as the kernel names it, without symbolic
// links whatever $PWD says; "" when it has been removed.
func (h *Host) Getwd() string {
	dir, err := syscall.Getwd()
	if err != nil {
		return ""
	}
	return dir
}

// Environ is the environment of this process.
func (h *Host) Environ() []string { return os.Environ() }

// Hostname is the node name, as uname -n prints it; "" if the system cannot say. It
// stays what it was when it was first asked for: a machine that is given another name,
// as by DHCP, runs the same programs.
func (h *Host) Hostname() string { return h.hostname() }

func nodeName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// TempDir is the first of $TMPDIR, $TEMP, $TMP, /tmp, /var/tmp and /usr/tmp that
// is a directory in which this process may make files, else the working
// directory. It is absolute.
//
// Source: contract/config.md section 6, childlogdir.
func (h *Host) TempDir() string {
	for _, dir := range []string{
		os.Getenv("TMPDIR"), os.Getenv("TEMP"), os.Getenv("TMP"),
		"/tmp", "/var/tmp", "/usr/tmp",
	} {
		if dir == "" {
			continue
		}
		if dir[0] != '/' {
			dir = h.Getwd() + "/" + dir
		}
		if writableDir(dir) {
			return dir
		}
	}
	return h.Getwd()
}

func writableDir(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir() && unix.Access(dir, unix.W_OK|unix.X_OK) == nil
}

// UID is the effective user number of this process.
func (h *Host) UID() int { return os.Geteuid() }
