package reconcile

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"supervisord/runtime/hang"
	"supervisord/runtime/trust"
	"supervisord/spec"
)

// How a look finds out which revision of the files it has read. Whoever can write to a
// checkout can write any text there, and lead to any file: only what has the form of a
// revision is taken from one.

// readRevision notes which revision these files are. What does not answer leaves it as it
// was.
func (l *look) readRevision(dirs []Directory) {
	v := l.view
	near := "" // the include directory
	read := func(name string) ([]byte, error) {
		v.revisionFiles = append(v.revisionFiles, name)
		return hang.Call(l.try, path.Dir(name), func() ([]byte, error) {
			switch {
			case strings.HasSuffix(name, ".lock") && isLeftBehind(name), path.Base(name) == ".git" && !l.isOurs(name, near):
				return nil, fs.ErrNotExist
			}
			return trust.ReadFile(name)
		})
	}
	packed := func(name, ref string) (commit string, err error) {
		v.revisionFiles = append(v.revisionFiles, name)
		return hang.Call(l.try, path.Dir(name), func() (string, error) {
			f, err := trust.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
			if err != nil {
				return "", err
			}
			defer f.Close()
			if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
				return "", cmp.Or(err, trust.ErrNotRegular)
			}
			return packedRef(f, ref), nil
		})
	}
	var err error
	switch where := v.settings.Revision; where {
	case "":
	case spec.RevisionAuto:
		for _, d := range dirs {
			if d.Real == "" {
				continue
			}
			near = d.Real
			if v.revision, err = gitRevision(d.Real, read, packed); v.revision != "" || isSilent(err) || errors.Is(err, errMoving) {
				break
			}
		}
	default:
		var content []byte
		if content, err = read(where); err == nil {
			v.revision = revisionWord(content)
		}
	}
	if isSilent(err) || errors.Is(err, errMoving) {
		v.revision = l.revision
	}
	if v.moving = errors.Is(err, errMoving); v.moving { // Git writes the files first, and the reference last
		v.lookAgain(time.Now().Add(max(v.settings.Settle, movingPause)))
	}
	slices.Sort(v.revisionFiles)
	v.revisionFiles = slices.Compact(v.revisionFiles)
}

// isLeftBehind reports whether a lock file of Git is so old that nobody holds it.
func isLeftBehind(name string) bool {
	info, err := os.Lstat(name)
	return err == nil && time.Since(info.ModTime()) > movingLimit
}

// isOurs reports whether a .git is root's, the daemon's own, or of the owner of the include
// directory: somebody else may have put one above it.
func (l *look) isOurs(name, near string) bool {
	info, err := os.Lstat(name)
	if err != nil {
		return true // which is said when it is read
	}
	uid := owner(info)
	if dir, err := os.Stat(near); err == nil && uid == owner(dir) {
		return true
	}
	return uid == 0 || uid == l.host.UID()
}

// owner is the user that a file belongs to.
func owner(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

func isSilent(err error) bool {
	_, silent := errors.AsType[*hang.Silent](err)
	return silent
}

// maxRefs is how many references are followed from HEAD to a commit.
const maxRefs = 5

// errNoCommit is a checkout in which no commit is to be found.
var errNoCommit = errors.New("no commit is checked out there")

// errMoving is a checkout that Git is changing just now.
var errMoving = errors.New("git is at work there")

// How long a checkout that Git is changing is left alone: movingPause at least, and at most
// movingLimit, since a lock may be left behind.
const (
	movingPause = 100 * time.Millisecond
	movingLimit = time.Minute
)

// gitRevision is the commit of the checkout that a directory is in, "" if it is in none. read
// reads a small regular file; of a directory its error is trust.ErrNotRegular. packed looks for
// a reference in a file packed-refs, which may be large. An error is theirs, or errNoCommit.
//
// In a checkout there is a directory .git, or, in a worktree or submodule, a file that
// names it. A worktree whose .git leads to nothing here, such as one of git-sync's that is
// seen from another container, is known by its name, which is that of the commit.
func gitRevision(dir string, read func(string) ([]byte, error), packed func(name, ref string) (string, error)) (string, error) {
	for at := path.Clean(dir); ; at = path.Dir(at) {
		name := path.Join(at, ".git")
		content, err := read(name)
		switch {
		case err == nil:
			git, ok := strings.CutPrefix(firstLine(content), "gitdir: ")
			if !ok || !isPath(git) {
				return "", errNoCommit
			}
			commit, err := headOf(resolved(at, git), read, packed)
			if commit == "" && !isSilent(err) && isCommit(strings.TrimPrefix(path.Base(at), "rev-")) {
				return strings.TrimPrefix(path.Base(at), "rev-"), nil
			}
			return commit, err
		case errors.Is(err, trust.ErrNotRegular):
			return headOf(name, read, packed)
		case isSilent(err):
			return "", err
		case at == path.Dir(at):
			return "", nil
		}
	}
}

// headOf is the commit that HEAD of a git directory leads to.
func headOf(git string, read func(string) ([]byte, error), packed func(name, ref string) (string, error)) (string, error) {
	common := git // the directory that its worktrees share
	if content, err := read(path.Join(git, "commondir")); err == nil && isPath(firstLine(content)) {
		common = resolved(git, firstLine(content))
	} else if isSilent(err) {
		return "", err
	}
	for _, lock := range []string{"index.lock", "HEAD.lock"} {
		if _, err := read(path.Join(git, lock)); err == nil || isSilent(err) {
			return "", cmp.Or(err, errMoving)
		}
	}
	name, dir := "HEAD", git
	for range maxRefs {
		content, err := read(path.Join(dir, name))
		if isSilent(err) {
			return "", err
		}
		text := firstLine(content)
		ref, isRef := strings.CutPrefix(text, "ref:")
		ref = strings.TrimSpace(ref)
		switch {
		case err == nil && isCommit(text):
			return text, nil
		case err == nil && isRef && isRefName(ref):
			name, dir = ref, common
		case err != nil && name != "HEAD":
			commit, err := packed(path.Join(common, "packed-refs"), name)
			if commit != "" || isSilent(err) {
				return commit, err
			}
			return "", errNoCommit
		default:
			return "", errNoCommit
		}
	}
	return "", errNoCommit
}

// packedRef is the commit of a reference in the file packed-refs, "" for none. A repository
// may have hundreds of thousands of them, so that it goes through the file line by line.
func packedRef(packed io.Reader, name string) string {
	for lines := bufio.NewScanner(packed); lines.Scan(); {
		commit, ref, ok := bytes.Cut(bytes.TrimSpace(lines.Bytes()), []byte(" "))
		if ok && string(ref) == name && isCommit(string(commit)) {
			return string(commit)
		}
	}
	return ""
}

func firstLine(content []byte) string {
	line, _, _ := bytes.Cut(content, []byte("\n"))
	return strings.TrimSpace(string(line))
}

// resolved is a path that a file in dir names.
func resolved(dir, name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(dir, name)
}

// isPath reports whether a text may be a path.
func isPath(name string) bool {
	return name != "" && len(name) <= 4096 && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// isRefName reports whether a text names a reference, and nothing outside of refs.
func isRefName(name string) bool {
	return strings.HasPrefix(name, "refs/") && filepath.IsLocal(name) && path.Clean(name) == name && isPath(name)
}

// isCommit reports whether a text is the name of a commit, by SHA-1 or SHA-256.
func isCommit(s string) bool { return (len(s) == 40 || len(s) == 64) && isHex(s) }

func isHex(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !('0' <= r && r <= '9' || 'a' <= r && r <= 'f') })
}

// maxRevision is how long the revision in a file may be.
const maxRevision = 100

// revisionWord is the revision that a file of one says in its first line: letters, digits
// and a few signs. "" is anything else.
func revisionWord(content []byte) string {
	word := firstLine(content)
	if len(word) > maxRevision || strings.ContainsFunc(word, func(r rune) bool {
		return !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || strings.ContainsRune("._:/@+~-", r))
	}) {
		return ""
	}
	return word
}

// revisions are those that the loop knows of, beside that of its view.
type revisions struct {
	InForce    string `json:"in_force"`   // the last with which all that it said was in force
	Started    string `json:"started"`    // what processes are started with now: that of the last update
	Generation int    `json:"generation"` // and the number of that
}

// Revisions is what the loop has published of them.
type Revisions struct {
	InForce   string `json:"revision"`           // the last of which everything was in force; "" for none
	Attempted string `json:"attempted_revision"` // as the files were read last; "" where there is none
	Outcome   string `json:"outcome"`            // what became of the latter: success, failure or pending; "" while it is under way
}

// begins notes the current update, with which processes are started from now on.
func (r *revisions) begins(u *update, last int) {
	r.Generation = last + 1
	if u.gen != 0 {
		r.Generation = u.gen
	}
	r.Started = u.revision
	if u.back {
		r.Started = r.InForce
	}
}

// settles notes that all is in force of this revision, by the update of that number.
func (r *revisions) settles(revision string, generation int) {
	*r = revisions{revision, revision, generation}
}

// Revisions are those of the configuration files.
func (s *snapshot) told() Revisions {
	return Revisions{s.revisions.InForce, s.view.revision, s.outcome.State}
}

// Variables give a process that is started now the revision; none where
// environment_revision does not say so.
func (r *Reconciler) Variables() map[string]string {
	s := r.published.Load()
	if !s.view.settings.InEnvironment {
		return nil
	}
	return map[string]string{"SUPERVISOR_REVISION": s.revisions.Started, "SUPERVISOR_GENERATION": strconv.Itoa(s.revisions.Generation)}
}
