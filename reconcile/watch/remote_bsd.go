//go:build darwin || freebsd

package watch

import "golang.org/x/sys/unix"

// RemoteType names the file system under path when it is one that may change
// without notice, and is "" otherwise.
func RemoteType(path string) string {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return ""
	}
	name := unix.ByteSliceToString(st.Fstypename[:])
	switch name {
	case "nfs", "smbfs", "afpfs", "webdav", "macfuse", "osxfuse", "fusefs":
		return name
	}
	return ""
}
