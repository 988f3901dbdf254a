package host

import (
	"io/fs"
	"os"
	"os/user"
	goruntime "runtime"
	"strconv"
	"sync"

	"supervisord/spec"
)

// Home is the home directory of a user: for "" $HOME, or if that is not set the
// directory of the account that runs this process.
func (h *Host) Home(name string) (dir string, err error) {
	var u *user.User
	if name == "" {
		if dir, ok := os.LookupEnv("HOME"); ok {
			return dir, nil
		}
		name = strconv.Itoa(os.Getuid())
		u, err = user.LookupId(name)
	} else {
		u, err = user.Lookup(name)
	}
	if err != nil {
		a, err := h.nss.passwd(name)
		return a.home, err
	}
	return u.HomeDir, nil
}

// LookupUser finds an account by name, or by number where name is all digits.
func (h *Host) LookupUser(name string) (spec.Account, error) {
	a, ok := h.accounts.user(name)
	if !ok {
		return h.nss.user(name)
	}
	if groups, ok := h.nss.moreGroups(name, a); ok {
		a.Groups = groups
	}
	return a, nil
}

// LookupGroup finds a group's number by name, or checks a number.
func (h *Host) LookupGroup(name string) (gid int, err error) {
	var g *user.Group
	if isNumber(name) {
		g, err = user.LookupGroupId(name)
	} else {
		g, err = user.LookupGroup(name)
	}
	if err != nil {
		return h.nss.group(name)
	}
	return strconv.Atoi(g.Gid)
}

// accounts remembers the accounts that were found, so that a thousand programs
// with the same user= read the account files once. It forgets them when one of
// those files changes, and never remembers that an account is missing.
type accounts struct {
	mu    sync.Mutex // held across one lookup; guards all below
	files [2]fs.FileInfo
	known map[string]spec.Account
}

// accountFiles are the files behind an account and its groups. On macOS accounts
// come from a directory service, whose changes no file shows: there nothing is
// remembered.
var accountFiles = [2]string{"/etc/passwd", "/etc/group"}

const accountsAreFiles = goruntime.GOOS != "darwin"

func (a *accounts) user(name string) (spec.Account, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, path := range accountFiles {
		info, err := os.Stat(path)
		if err != nil || !accountsAreFiles || !unchanged(a.files[i], info) {
			a.files[i], a.known = info, nil
		}
	}
	if account, ok := a.known[name]; ok {
		return account, true
	}
	account, ok := lookup(name)
	if ok {
		if a.known == nil {
			a.known = map[string]spec.Account{}
		}
		a.known[name] = account
	}
	return account, ok
}

// unchanged reports whether two looks at a file saw the same content.
func unchanged(before, now fs.FileInfo) bool {
	return before != nil && os.SameFile(before, now) &&
		before.Size() == now.Size() && before.ModTime().Equal(now.ModTime())
}

// lookup asks the system for an account and the groups it belongs to.
func lookup(name string) (spec.Account, bool) {
	var u *user.User
	var err error
	if isNumber(name) {
		u, err = user.LookupId(name)
	} else {
		u, err = user.Lookup(name)
	}
	if err != nil {
		return spec.Account{}, false
	}
	account := spec.Account{Name: name}
	if account.UID, err = strconv.Atoi(u.Uid); err != nil {
		return spec.Account{}, false
	}
	if account.GID, err = strconv.Atoi(u.Gid); err != nil {
		return spec.Account{}, false
	}
	ids, err := u.GroupIds()
	if err != nil {
		return spec.Account{}, false
	}
	for _, id := range ids {
		if gid, err := strconv.Atoi(id); err == nil && gid != account.GID {
			account.Groups = append(account.Groups, gid)
		}
	}
	return account, true
}

func isNumber(name string) bool {
	_, err := strconv.ParseUint(name, 10, 64)
	return err == nil && name[0] != '+'
}
