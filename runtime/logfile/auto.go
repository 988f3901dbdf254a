package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"golang.org/x/sys/unix"

	"supervisord/runtime/trust"
)

const autoLetters = "abcdefghijklmnopqrstuvwxyz0123456789_"

// CreateAuto creates a file for an AUTO log, mode 0600, under a name that
// nobody uses: <process>-<channel>---<identifier>-<8 letters>.log in dir.
//
// Source: contract/config.md section 12, AUTO name.
func CreateAuto(dir, process, channel, identifier string) (path string, err error) {
	for range 1000 {
		var salt [8]byte
		for i := range salt {
			salt[i] = autoLetters[rand.IntN(len(autoLetters))]
		}
		path = filepath.Join(dir, fmt.Sprintf("%s-%s---%s-%s.log", process, channel, identifier, salt[:]))
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
// that identifier left in dir. It returns the paths it could not delete; the
// error says that dir could not be looked through.
//
// Source: contract/config.md section 12, AUTO cleanup at start.
// Differs: the identifier is taken literally.
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
	for _, e := range entries {
		if !name.MatchString(e) {
			continue
		}
		// Not os.Remove, which would also delete an empty directory.
		if err := unix.Unlinkat(int(list.Fd()), e, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, filepath.Join(dir, e))
		}
	}
	return failed, nil
}
