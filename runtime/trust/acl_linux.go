package trust

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// accessList is the attribute that holds a POSIX access control list.
const accessList = "system.posix_acl_access"

// HasACL reports whether something, which must be no link, has an access control
// list. Where nobody can tell, it has one.
func HasACL(path string) bool {
	_, err := unix.Lgetxattr(path, accessList, nil)
	return listed(err)
}

// hasACL is HasACL for what is open, if only to go through it.
func hasACL(fd int) bool {
	_, err := unix.Getxattr(fmt.Sprintf("/proc/self/fd/%d", fd), accessList, nil)
	return listed(err)
}

// listed reads the answer: there is none of that name, or no attributes at all.
func listed(err error) bool { return err != unix.ENODATA && err != unix.ENOTSUP }
