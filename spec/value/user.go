package value

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Account is a user that the host's password database knows.
type Account struct {
	Name     string // as written in the file: a name or a number
	UID, GID int    // GID is the primary group
	Groups   []int  // supplementary groups, without GID
}

// Equal compares two accounts by their numbers; a name and its number are the
// same user. Either may be nil, which is no user.
func (a *Account) Equal(b *Account) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.UID == b.UID && a.GID == b.GID
}

// Owner is the user:group of a socket. -1 leaves that half unchanged.
type Owner struct{ UID, GID int }

// String is the owner as uid:gid, empty when nothing is to be changed.
func (o Owner) String() string {
	if o == (Owner{-1, -1}) {
		return ""
	}
	return fmt.Sprintf("%d:%d", o.UID, o.GID)
}

// ParseUser finds the account that a user= value names, by name or by number.
//
// Source: contract/config.md section 4.
func ParseUser(h Host, s string) (*Account, error) {
	lookup, isNumber := accountKey(s)
	a, err := h.LookupUser(lookup)
	if err == nil {
		a.Name = s
		return &a, nil
	}
	if err := unanswered(err, "user", s); err != nil {
		return nil, err
	}
	if isNumber {
		return nil, fmt.Errorf("Invalid user id %s", s)
	}
	return nil, fmt.Errorf("Invalid user name %s", s)
}

// ParseUsers finds the numbers of users that are named with commas between them, by name or
// by number. An empty text names nobody.
func ParseUsers(h Host, s string) ([]int, error) {
	uids := []int{}
	if strings.TrimSpace(s) == "" {
		return uids, nil
	}
	for name := range strings.SplitSeq(s, ",") {
		user, err := ParseUser(h, strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		uids = append(uids, user.UID)
	}
	return uids, nil
}

// ParseOwner reads USER or USER:GROUP, each a name or a number. Without a group
// the group stays unchanged (-1).
//
// Source: contract/config.md section 4.
func ParseOwner(h Host, s string) (Owner, error) {
	userName, groupName, hasGroup := strings.Cut(s, ":")
	user, err := ParseUser(h, userName)
	var open *lookupError
	switch {
	case errors.As(err, &open):
		return Owner{}, err
	case err != nil:
		return Owner{}, fmt.Errorf("Invalid user:group definition %s", s)
	}
	owner := Owner{UID: user.UID, GID: -1}
	if hasGroup {
		lookup, _ := accountKey(groupName)
		gid, err := h.LookupGroup(lookup)
		if err := unanswered(err, "group", groupName); err != nil {
			return Owner{}, err
		}
		if err != nil {
			return Owner{}, fmt.Errorf("Invalid user:group definition %s", s)
		}
		owner.GID = gid
	}
	return owner, nil
}

// accountKey is what to look up for the name of a user or group: the plain
// digits of a number however it is written, or the name itself.
func accountKey(s string) (lookup string, isNumber bool) {
	n, ok := parseBase(s, 10)
	if !ok {
		return s, false
	}
	return strconv.FormatInt(n, 10), true
}
