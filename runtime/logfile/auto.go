package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"supervisord/runtime/lazy"
	"supervisord/runtime/trust"
)

const autoLetters = "abcdefghijklmnopqrstuvwxyz0123456789_"

// markLetters is how many of the eight letters at the end of an AUTO log's name are
// its daemon's.
const markLetters = 4

// NewAutoMark is a random mark for CreateAuto.
func NewAutoMark() string { return letters(markLetters) }

func letters(n int) string {
	salt := make([]byte, n)
	for i := range salt {
		salt[i] = autoLetters[rand.IntN(len(autoLetters))]
	}
	return string(salt)
}

// CreateAuto creates a file for an AUTO log, mode 0600, under an unused name:
// <process>-<channel>---<identifier>-<8 letters>.log in dir. The letters begin
// with the daemon's mark, from NewAutoMark, by which CleanAuto recognises the
// logs of one daemon, including those that are not open.
//
// Source: contract/config.md section 12, AUTO name.
func CreateAuto(dir, process, channel, identifier, mark string) (path string, err error) {
	for range 1000 {
		path = filepath.Join(dir, fmt.Sprintf("%s-%s---%s-%s%s.log", process, channel, identifier, mark, letters(8-len(mark))))
		f, err := trust.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("cannot create automatic log: %w", err)
		}
		return path, f.Close()
	}
	return "", fmt.Errorf("cannot create automatic log in %s: every name is taken", dir)
}

// CleanAuto deletes the AUTO logs, and their backups, that an earlier daemon of
// that identifier left in dir. Those of a daemon that has one of them open are left
// alone. It returns the paths it could not delete; the error says that dir could not
// be looked through.
//
// Source: contract/config.md section 12, AUTO cleanup at start.
// Differs: the identifier is taken literally, and what is in use is kept.
func CleanAuto(dir, identifier string) (failed []string, err error) {
	list, err := trust.OpenFile(dir, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer list.Close()
	entries, err := list.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(entries)
	name := regexp.MustCompile(`^.+?---` + regexp.QuoteMeta(identifier) + `-\S+\.log\.?\d{0,4}`)
	logs := make(map[string][]string) // by daemon
	for _, e := range entries {
		if name.MatchString(e) {
			logs[daemonOf(e)] = append(logs[daemonOf(e)], e)
		}
	}
	at := int(list.Fd())
	for _, daemon := range slices.Sorted(maps.Keys(logs)) {
		if slices.ContainsFunc(logs[daemon], func(e string) bool { return inUse(at, e) }) {
			continue
		}
		for _, e := range logs[daemon] {
			// Not os.Remove, which would also delete an empty directory.
			if err := unix.Unlinkat(at, e, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
				failed = append(failed, filepath.Join(dir, e))
			}
		}
	}
	return failed, nil
}

// autoEnd is the end of an AUTO log's name, with the daemon's mark.
var autoEnd = lazy.Regexp(fmt.Sprintf(`-([%[1]s]{%[2]d})[%[1]s]{%[3]d}\.log`, autoLetters, markLetters, 8-markLetters))

// daemonOf is the mark in the name of an AUTO log. Supervisor's logs have another for
// each log and its backups; what has none at all is on its own.
func daemonOf(name string) string {
	if all := autoEnd().FindAllStringSubmatch(name, -1); len(all) > 0 {
		return all[len(all)-1][1]
	}
	return name
}

// inUse reports whether a daemon has a log of the directory dir open. Ours lock theirs; of others, such as
// the original Supervisor, the kernel may know. Where it cannot tell, as on a network
// file system, nobody has.
func inUse(dir int, name string) bool {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd) // ends the lock, too
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return false
	}
	return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == unix.EWOULDBLOCK || trust.OpenForWriting(fd)
}

// openLog opens what path names; nil for no path. An AUTO log is locked.
func (w *Writer) openLog(path string) (target, error) { return w.openLogOn(path, trust.Mount{}) }

// openLogOn is openLog for a path whose directory is on the mount on, if that is not zero.
func (w *Writer) openLogOn(path string, on trust.Mount) (target, error) {
	for try := 0; ; try++ {
		t, err := w.openTarget(path, on)
		if err != nil || !w.opts.Auto {
			return t, err
		}
		if f, ok := t.(*fileTarget); !ok || f.lock(path) || try == 2 {
			return t, nil
		}
		t.close() // somebody cleaned up just before it was locked
	}
}

// lock locks an AUTO log, where it is a regular file and its file system has locks.
// The lock is shared, so it is in nobody's way but of who asks for one of his own;
// it is flock's, which belongs to the open file: it ends with that, and children, who
// are not given the descriptor, do not keep it. It reports whether path still names
// the file.
func (t *fileTarget) lock(path string) bool {
	f, ok := t.file.(*os.File)
	if !ok || !t.regular {
		return true
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return true
	}
	for range 10 {
		busy := false
		conn.Control(func(fd uintptr) { busy = unix.Flock(int(fd), unix.LOCK_SH|unix.LOCK_NB) == syscall.EWOULDBLOCK })
		if !busy {
			break
		}
		time.Sleep(time.Millisecond) // for who cleans up, and looks whether it is in use
	}
	return t.named(path)
}
