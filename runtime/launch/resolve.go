package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// DefaultPath is where programs are looked for when neither the program's
// environment nor the daemon's has a PATH.
//
// Source: contract/process.md section 4.
const DefaultPath = "/bin:/usr/bin:/usr/local/bin"

// NotFound says that a command names no file.
type NotFound struct{ Command string }

func (e *NotFound) Error() string { return fmt.Sprintf("can't find command '%s'", e.Command) }

// NotExecutable says that a command names a file which cannot be executed.
type NotExecutable struct{ text string }

func (e *NotExecutable) Error() string { return e.text }

// Resolve finds the file that the first word of a command line names. A word
// without a slash is looked for in the directories of pathEnv (DefaultPath if
// it is empty). One with a slash, and a directory of pathEnv, that is not
// absolute is taken from dir, the directory in which the program will run, and
// if there is nothing from the daemon's own; dir is "" for the daemon's.
//
// The first file that can be executed wins; with none, the error is about the
// first that was found. It is a *NotFound or a *NotExecutable, whose texts are
// Supervisor's. The path returned is absolute. It reads the disk, so the loop
// does not call it.
//
// Source: contract/process.md section 4. Differs: differences.md section 3,
// rows 12 and 13.
func Resolve(argv0, dir, pathEnv string) (string, error) {
	var firstErr error
	for _, c := range candidates(argv0, dir, pathEnv) {
		err := executable(c)
		if err == nil {
			return absolute(c.path), nil
		}
		if _, missing := err.(*NotFound); firstErr == nil && !missing {
			firstErr = err
		}
	}
	if firstErr == nil {
		firstErr = &NotFound{argv0}
	}
	return "", firstErr
}

// candidate is a file to look at and how to call it in an error.
type candidate struct{ path, shown string }

func candidates(argv0, dir, pathEnv string) []candidate {
	names := []string{argv0}
	if !strings.Contains(argv0, "/") {
		if pathEnv == "" {
			pathEnv = DefaultPath
		}
		names = filepath.SplitList(pathEnv)
		for i, d := range names {
			names[i] = filepath.Join(d, argv0)
		}
	}
	var list []candidate
	for _, name := range names {
		if dir != "" && !filepath.IsAbs(name) {
			list = append(list, candidate{filepath.Join(dir, name), name})
		}
		list = append(list, candidate{name, name})
	}
	return list
}

// executable tells whether the daemon may execute c.
func executable(c candidate) error {
	info, err := os.Stat(c.path)
	switch {
	case err != nil:
		return &NotFound{}
	case info.IsDir():
		return &NotExecutable{fmt.Sprintf("command at '%s' is a directory", c.shown)}
	case info.Mode()&0o111 == 0:
		return &NotExecutable{fmt.Sprintf("command at '%s' is not executable", c.shown)}
	case syscall.Access(c.path, unix.X_OK) != nil:
		return &NotExecutable{fmt.Sprintf("no permission to run command '%s'", c.shown)}
	}
	return nil
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path // the daemon's own directory is gone; the name may still work
}
