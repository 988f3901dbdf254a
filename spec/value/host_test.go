package value

import (
	"io/fs"
	"path"
	"strings"
	"testing"
	"testing/fstest"
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
func (valueHost) Home(name string) (string, bool) {
	home, ok := map[string]string{"": "/home/ann", "ann": "/home/ann/", "root": "/"}[name]
	return home, ok
}
func (valueHost) LookupUser(name string) (Account, bool) {
	switch name {
	case "ann", "1000":
		return Account{Name: name, UID: 1000, GID: 100, Groups: []int{4}}, true
	case "root", "0":
		return Account{Name: name}, true
	}
	return Account{}, false
}
func (valueHost) LookupGroup(name string) (int, bool) {
	gid, ok := map[string]int{"adm": 4, "4": 4}[name]
	return gid, ok
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
