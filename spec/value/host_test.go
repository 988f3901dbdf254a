package value

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// valueHost is a Host with two accounts and a few directories.
type valueHost struct{ Host }

var valueDirs = fstest.MapFS{
	"home/ann/logs": {Mode: fs.ModeDir}, "work/dir": {Mode: fs.ModeDir}, "etc/file": {},
}

func (valueHost) Stat(name string) (fs.FileInfo, error) {
	name = strings.Trim(path.Clean(name), "/")
	if name == "" {
		name = "."
	}
	return valueDirs.Stat(name)
}
func (valueHost) Getwd() string { return "/work" }
func (valueHost) Home(name string) (string, error) {
	home, ok := map[string]string{"": "/home/ann", "ann": "/home/ann/", "root": "/"}[name]
	if !ok {
		return "", notFound(name)
	}
	return home, nil
}
func (valueHost) LookupUser(name string) (Account, error) {
	switch name {
	case "ann", "1000":
		return Account{Name: name, UID: 1000, GID: 100, Groups: []int{4}}, nil
	case "root", "0":
		return Account{Name: name}, nil
	}
	return Account{}, notFound(name)
}
func (valueHost) LookupGroup(name string) (int, error) {
	gid, ok := map[string]int{"adm": 4, "4": 4}[name]
	if !ok {
		return 0, notFound(name)
	}
	return gid, nil
}

// notFound is the error of a lookup: nobody answers for names that begin with far.
func notFound(name string) error {
	if strings.HasPrefix(name, "far") {
		return &Unanswered{Reason: "nobody is at home", Again: 5 * time.Second}
	}
	return ErrNoAccount
}

// TestUnanswered: a name that nobody has answered for is not told as one that does not
// exist, whatever it is for.
func TestUnanswered(t *testing.T) {
	user := func(s string) error { _, err := ParseUser(valueHost{}, s); return err }
	owner := func(s string) error { _, err := ParseOwner(valueHost{}, s); return err }
	dir := func(s string) error { _, err := ExistingDir(valueHost{}, s); return err }
	file := func(s string) error { _, err := ExistingDirPath(valueHost{}, s); return err }
	for _, r := range []struct {
		read       func(string) error
		text, want string
	}{
		{user, "far", "the user far cannot be looked up: nobody is at home"},
		{owner, "far", "the user far cannot be looked up: nobody is at home"},
		{owner, "ann:far", "the group far cannot be looked up: nobody is at home"},
		{dir, "~far/x", "the user far cannot be looked up: nobody is at home"},
		{file, "~far/x/log", "the user far cannot be looked up: nobody is at home"},
	} {
		err := r.read(r.text)
		var open *lookupError
		if !errors.As(err, &open) || open.Error() != r.want || open.Hint() != "it may exist; a running daemon looks it up again after 5s" {
			t.Errorf("%s: %v", r.text, err)
		}
	}
	if got := ExpandUser(valueHost{}, "~far/x"); got != "~far/x" {
		t.Errorf("~far/x becomes %s", got)
	}
}

func TestParseUser(t *testing.T) {
	for _, text := range []string{"ann", "1000", " 1000 ", "+1_000"} {
		a, err := ParseUser(valueHost{}, text)
		if err != nil || a.UID != 1000 || a.GID != 100 || a.Name != text {
			t.Errorf("ParseUser(%q) = %+v, %v; want ann, named as written", text, a, err)
		}
	}
	for text, want := range map[string]string{
		"bob": "Invalid user name bob", "": "Invalid user name ", "ann ": "Invalid user name ann ",
		"42": "Invalid user id 42", "-1": "Invalid user id -1",
	} {
		if a, err := ParseUser(valueHost{}, text); err == nil || err.Error() != want {
			t.Errorf("ParseUser(%q) = %+v, %v; want error %q", text, a, err, want)
		}
	}
}

func TestParseUsers(t *testing.T) {
	for text, want := range map[string][]int{"": {}, " ": {}, "ann": {1000}, "0, ann": {0, 1000}} {
		if got, err := ParseUsers(valueHost{}, text); got == nil || !slices.Equal(got, want) || err != nil {
			t.Errorf("ParseUsers(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{"ann,bob": "Invalid user name bob", "ann,": "Invalid user name ", "ann 0": "Invalid user name ann 0"} {
		if got, err := ParseUsers(valueHost{}, text); err == nil || err.Error() != want {
			t.Errorf("ParseUsers(%q) = %v, %v; want error %q", text, got, err, want)
		}
	}
}

func TestParseOwner(t *testing.T) {
	for text, want := range map[string]Owner{
		"ann": {1000, -1}, "0": {0, -1}, "ann:adm": {1000, 4}, "1000:4": {1000, 4},
	} {
		if got, err := ParseOwner(valueHost{}, text); got != want || err != nil {
			t.Errorf("ParseOwner(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "bob", "ann:", "ann:bob", ":adm", "ann:adm:x"} {
		want := "Invalid user:group definition " + text
		if got, err := ParseOwner(valueHost{}, text); err == nil || err.Error() != want {
			t.Errorf("ParseOwner(%q) = %+v, %v; want error %q", text, got, err, want)
		}
	}
}

func TestExistingDir(t *testing.T) {
	for text, want := range map[string]string{
		"/home": "/home", "/home/": "/home/", "/": "/", "dir": "dir", ".": ".",
		"~": "/home/ann", "~/logs": "/home/ann/logs", "~ann/logs": "/home/ann/logs", "~root": "/", "~root/etc": "/etc",
	} {
		if got, err := ExistingDir(valueHost{}, text); got != want || err != nil {
			t.Errorf("ExistingDir(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "/nope", "nope", "/etc/file", "~bob", "~/nope"} {
		want := text + " is not an existing directory"
		if got, err := ExistingDir(valueHost{}, text); err == nil || err.Error() != want {
			t.Errorf("ExistingDir(%q) = %q, %v; want error %q", text, got, err, want)
		}
	}
}

func TestExistingDirPath(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "log": "log", "dir/log": "dir/log", "/log": "/log", "//log": "//log", "/home/": "/home/",
		"/home//log": "/home//log", "/nope": "/nope", "~/log": "/home/ann/log", "~bob": "~bob", "~": "/home/ann",
	} {
		if got, err := ExistingDirPath(valueHost{}, text); got != want || err != nil {
			t.Errorf("ExistingDirPath(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"/nope/log", "nope/log", "/etc/file/log", "~bob/log", "~/nope/log"} {
		want := "The directory named as part of the path " + text + " does not exist"
		if got, err := ExistingDirPath(valueHost{}, text); err == nil || err.Error() != want {
			t.Errorf("ExistingDirPath(%q) = %q, %v; want error %q", text, got, err, want)
		}
	}
}
