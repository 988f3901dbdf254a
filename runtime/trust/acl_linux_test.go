package trust

import (
	"encoding/binary"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"supervisord/runtime/needs"
)

// letWrite adds mallory to those who can write to a directory or file.
func letWrite(name string) error {
	const owner, user, group, mask, other, nobody = 0x01, 0x02, 0x04, 0x10, 0x20, ^uint32(0)
	list := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, bits uint16
		id        uint32
	}{{owner, 7, nobody}, {user, 7, mallory}, {group, 5, nobody}, {mask, 7, nobody}, {other, 5, nobody}} {
		list = binary.LittleEndian.AppendUint16(list, e.tag)
		list = binary.LittleEndian.AppendUint16(list, e.bits)
		list = binary.LittleEndian.AppendUint32(list, e.id)
	}
	return unix.Setxattr(name, accessList, list, 0)
}

// TestHasACL: whether there is one is told by path and by descriptor, and where no
// attributes are, there is none.
func TestHasACL(t *testing.T) {
	needs.Root(t)
	root := tree(t)
	world(t, root, "plain/:775 list/:755+ file= listed=+")
	for _, r := range []struct {
		path string
		want bool
	}{
		{root + "/plain", false}, {root + "/list", true}, {root + "/file", false}, {root + "/listed", true},
		{"/proc", false}, {"/dev/null", false}, {"/sys", false},
	} {
		if got := HasACL(r.path); got != r.want {
			t.Errorf("%s has a list: %v", r.path, got)
		}
		fd, err := openat(unix.AT_FDCWD, r.path, unix.O_PATH, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := hasACL(fd); got != r.want {
			t.Errorf("%s, open, has a list: %v", r.path, got)
		}
		unix.Close(fd)
	}
	info, err := os.Stat(root + "/listed")
	if err != nil || info.Mode().Perm()&0o020 == 0 {
		t.Errorf("%v, %v: the list does not show in the mode", info, err)
	}
}
