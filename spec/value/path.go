package value

import (
	"fmt"
	"path"
	"strings"
)

// ExistingDir expands ~ in s and demands that it names a directory.
//
// Source: contract/config.md section 4.
func ExistingDir(h Host, s string) (string, error) {
	dir, err := expandUser(h, s)
	if err != nil {
		return "", err
	}
	if !IsDir(h, dir) {
		return "", fmt.Errorf("%s is not an existing directory", s)
	}
	return dir, nil
}

// ExistingDirPath expands ~ in s and demands that the directory part of the
// path, if there is one, names a directory.
//
// Source: contract/config.md section 4.
func ExistingDirPath(h Host, s string) (string, error) {
	file, err := expandUser(h, s)
	if err != nil {
		return "", err
	}
	if dir := DirName(file); dir != "" && !IsDir(h, dir) {
		return "", fmt.Errorf("The directory named as part of the path %s does not exist", s)
	}
	return file, nil
}

// ExpandUser replaces a leading ~ or ~name by that user's home directory. A path
// whose user is unknown stays as it is.
func ExpandUser(h Host, s string) string {
	s, _ = expandUser(h, s)
	return s
}

// expandUser is ExpandUser, and an error where it cannot be known whether there is such
// a user.
func expandUser(h Host, s string) (string, error) {
	if !strings.HasPrefix(s, "~") {
		return s, nil
	}
	name, rest := s[1:], ""
	if i := strings.IndexByte(name, '/'); i >= 0 {
		name, rest = name[:i], name[i:]
	}
	home, err := h.Home(name)
	if err != nil {
		return s, unanswered(err, "user", name)
	}
	if full := strings.TrimRight(home, "/") + rest; full != "" {
		return full, nil
	}
	return "/", nil
}

// DirName is the directory part of a path: what stands before the last slash,
// without slashes at its end unless it is nothing else; "" without a slash.
func DirName(s string) string {
	head := s[:strings.LastIndexByte(s, '/')+1]
	if trimmed := strings.TrimRight(head, "/"); trimmed != "" {
		return trimmed
	}
	return head
}

// IsDir reports whether a path, which may be relative to the working directory,
// names a directory.
func IsDir(h Host, dir string) bool {
	if dir == "" {
		return false
	}
	if !path.IsAbs(dir) {
		dir = h.Getwd() + "/" + dir // not cleaned: .. may follow a symbolic link
	}
	info, err := h.Stat(dir)
	return err == nil && info.IsDir()
}
