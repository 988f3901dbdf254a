package host

import (
	"os/user"
	"strconv"
)

// UserName is what to call the account of that number: its name, or "uid 1000"
// where it has none.
func UserName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return "uid " + strconv.Itoa(uid)
}
