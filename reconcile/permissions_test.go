package reconcile

import (
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
)

// entry is something of a made-up file system.
type entry struct {
	heldEntry
	uid, gid uint32
	target   string
	acl      bool
}

func (e entry) Mode() fs.FileMode { return e.mode }
func (e entry) Sys() any          { return &syscall.Stat_t{Uid: e.uid, Gid: e.gid} }

func dir(mode fs.FileMode, owner ...uint32) entry  { return made(fs.ModeDir|mode, owner) }
func file(mode fs.FileMode, owner ...uint32) entry { return made(mode, owner) }
func link(target string, owner ...uint32) entry {
	e := made(fs.ModeSymlink|0o777, owner)
	e.target = target
	return e
}

// listed has an access control list.
func listed(e entry) entry {
	e.acl = true
	return e
}

func made(mode fs.FileMode, owner []uint32) entry {
	e := entry{heldEntry: heldEntry{mode: mode}}
	if len(owner) > 0 {
		e.uid = owner[0]
	}
	if len(owner) > 1 {
		e.gid = owner[1]
	}
	return e
}

func TestPermissionCheck(t *testing.T) {
	const sticky = fs.ModeSticky
	rows := []struct {
		name string
		tree map[string]entry
		path string
		want string // part of the problem, "" for none
	}{
		{"all root's", map[string]entry{"/": dir(0o755), "/etc": dir(0o755), "/etc/a.ini": file(0o644)}, "/etc/a.ini", ""},
		{"the file is another's", map[string]entry{"/": dir(0o755), "/a": file(0o644, 7)}, "/a", "file /a is owned by uid 7"},
		{"the file is everyone's", map[string]entry{"/": dir(0o755), "/a": file(0o666)}, "/a", "file /a is writable by everyone (mode 0666)"},
		{"the file is a group's", map[string]entry{"/": dir(0o755), "/a": file(0o664, 0, 5)}, "/a", "file /a is writable by group 5"},
		{"root's own group", map[string]entry{"/": dir(0o755), "/a": file(0o664)}, "/a", ""},
		{"a list of root's own group's file", map[string]entry{"/": dir(0o755), "/a": listed(file(0o664))}, "/a", "file /a is writable by the users that its access control list names (mode 0664)"},
		{"a list of readers", map[string]entry{"/": dir(0o755), "/a": listed(file(0o644))}, "/a", ""},
		{"a list of a parent", map[string]entry{"/": dir(0o755), "/d": listed(dir(0o775)), "/d/a": file(0o644)}, "/d/a", "directory /d is writable by the users that its access control list names (mode 0775)"},
		{"a list of a sticky parent", map[string]entry{"/": dir(0o755), "/d": listed(dir(sticky | 0o775)), "/d/a": file(0o644)}, "/d/a", ""},
		{"the directory is another's", map[string]entry{"/": dir(0o755), "/d": dir(0o755, 7), "/d/a": file(0o644)}, "/d/a", "directory /d is owned by uid 7"},
		{"a parent is everyone's", map[string]entry{"/": dir(0o755), "/p": dir(0o777), "/p/d": dir(0o755), "/p/d/a": file(0o644)}, "/p/d/a", "directory /p is writable by everyone"},
		{"a sticky parent", map[string]entry{"/": dir(0o755), "/tmp": dir(sticky | 0o777), "/tmp/d": dir(0o755), "/tmp/d/a": file(0o644)}, "/tmp/d/a", ""},
		{"another's file in a sticky directory", map[string]entry{"/": dir(0o755), "/tmp": dir(sticky | 0o777), "/tmp/a": file(0o644, 7)}, "/tmp/a", "owned by uid 7"},
		{"behind a link", map[string]entry{"/": dir(0o755), "/l": link("d/a"), "/d": dir(0o777), "/d/a": file(0o644)}, "/l", "directory /d is writable"},
		{"behind an absolute link in the middle", map[string]entry{"/": dir(0o755), "/x": dir(0o755), "/x/l": link("/d"), "/d": dir(0o755), "/d/a": file(0o644, 9)}, "/x/l/a", "file /d/a is owned by uid 9"},
		{"another's link", map[string]entry{"/": dir(0o755), "/l": link("a", 7), "/a": file(0o644)}, "/l", "link /l is owned by uid 7"},
		{"up and down", map[string]entry{"/": dir(0o755), "/x": dir(0o755), "/x/l": link("../d/./a"), "/d": dir(0o755), "/d/a": file(0o644)}, "/x/l", ""},
		{"a loop", map[string]entry{"/": dir(0o755), "/l": link("l")}, "/l", ""},
		{"not there", map[string]entry{"/": dir(0o755)}, "/a", ""},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			trust := &PermissionCheck{
				dirs: make(map[string]string), parents: make(map[string]place),
				lstat: func(p string) (fs.FileInfo, error) {
					if e, ok := r.tree[p]; ok {
						return e, nil
					}
					return nil, os.ErrNotExist
				},
				readlink: func(p string) (string, error) { return r.tree[p].target, nil },
				hasACL:   func(p string) bool { return r.tree[p].acl },
			}
			for range 2 { // the second time from memory
				got := trust.Problem(r.path)
				if (got == "") != (r.want == "") || !strings.Contains(got, r.want) {
					t.Errorf("problem %q, want %q", got, r.want)
				}
			}
		})
	}
}

// TestPermissions: what each value of permissions does with a file that others
// can write, for a daemon run by root.
func TestPermissions(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Log("not run as root: every file here is another's to root")
	}
	rows := []struct {
		setting string
		uid     int
		groups  string // after a was made writable by everyone and changed
		state   string
		warned  bool
	}{
		{"", 0, "a=n, b", FileApplied, true},
		{"permissions=warn\n", 0, "a=n, b", FileApplied, true},
		{"permissions=ignore\n", 0, "a=n, b", FileApplied, false},
		{"permissions=enforce\n", 0, "a, b", FileIgnored, true},
		{"permissions=enforce\n", 1000, "a=n, b", FileApplied, false},
	}
	if os.Getuid() != 0 {
		rows = rows[4:]
	}
	for _, r := range rows {
		t.Run(strings.TrimSpace(r.setting), func(t *testing.T) {
			t.Parallel()
			w := newFixture(t, quick+r.setting, map[string]string{"conf.d/a.ini": ini("a"), "conf.d/b.ini": ini("b")})
			w.host.uid = r.uid
			w.start()
			w.becomes("a, b")
			w.sh("chmod 666 conf.d/a.ini; echo command=/bin/n >>conf.d/a.ini")
			w.becomes(r.groups)
			w.eventually("files says so", func() bool { return w.file("conf.d/a.ini").State == r.state })
			w.eventually("the log says so", func() bool { return (w.log.count("level=WARN", "writable by everyone") == 1) == r.warned })
			w.sh("chmod 644 conf.d/a.ini")
			w.becomes("a=n, b")
			w.phase(Synced)
			w.eventually("the log takes it back", func() bool {
				return (w.log.count("level=INFO", "reconcile: no longer ", "writable by everyone") == 1) == r.warned &&
					w.log.count("no longer reconcile:") == 0
			})
		})
	}
}
