package host

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func TestAccounts(t *testing.T) {
	h := New()
	root, err := h.LookupUser("root")
	if err != nil || root.UID != 0 || root.Name != "root" {
		t.Fatalf("LookupUser(root) = %+v, %v", root, err)
	}
	byNumber, err := h.LookupUser("0")
	if err != nil || byNumber.UID != 0 || byNumber.GID != root.GID || byNumber.Name != "0" {
		t.Errorf("LookupUser(0) = %+v, %v; want root's numbers under the name 0", byNumber, err)
	}
	for _, name := range []string{"", "no such user", "-1", "+0", "4294967294"} {
		if a, err := h.LookupUser(name); err == nil {
			t.Errorf("LookupUser(%q) = %+v, want none", name, a)
		}
		if gid, err := h.LookupGroup(name); err == nil {
			t.Errorf("LookupGroup(%q) = %d, want none", name, gid)
		}
	}
	if gid, err := h.LookupGroup(strconv.Itoa(root.GID)); err != nil || gid != root.GID {
		t.Errorf("LookupGroup(%d) = %d, %v", root.GID, gid, err)
	}
	for _, gid := range root.Groups {
		if gid == root.GID {
			t.Errorf("Groups %v hold the primary group %d", root.Groups, root.GID)
		}
	}
}

func TestAccountsAreForgotten(t *testing.T) {
	var a accounts
	a.user("root")
	if len(a.known) != 1 && accountsAreFiles {
		t.Fatalf("%d accounts remembered after one lookup, want 1", len(a.known))
	}
	other := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	changed, err := os.Stat(other)
	if err != nil {
		t.Fatal(err)
	}
	a.files[0] = changed // as if /etc/passwd had been another file before
	a.user("daemon")
	if _, ok := a.known["root"]; ok {
		t.Error("an account outlived a change of the account files")
	}
}

func TestHome(t *testing.T) {
	h := New()
	t.Setenv("HOME", "/somewhere/else")
	if dir, err := h.Home(""); err != nil || dir != "/somewhere/else" {
		t.Errorf("Home() = %q, %v; want $HOME", dir, err)
	}
	os.Unsetenv("HOME")
	if dir, err := h.Home(""); err != nil || dir == "" || dir == "/somewhere/else" {
		t.Errorf("Home() without $HOME = %q, %v; want the account's own", dir, err)
	}
	if dir, err := h.Home("root"); err != nil || dir == "" {
		t.Errorf("Home(root) = %q, %v", dir, err)
	}
	if dir, err := h.Home("no such user"); err == nil {
		t.Errorf("Home(no such user) = %q, want none", dir)
	}
}

func TestTempDir(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name              string
		tmpdir, temp, tmp string
		want              string
	}{
		{"the first wins", dir, "/", "/", dir},
		{"a missing one is passed over", dir + "/missing", dir, "/", dir},
		{"a file is passed over", file, "", dir, dir},
		{"without any", "", "", "", "/tmp"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("TMPDIR", test.tmpdir)
			t.Setenv("TEMP", test.temp)
			t.Setenv("TMP", test.tmp)
			if got := New().TempDir(); got != test.want {
				t.Errorf("TempDir() = %q, want %q", got, test.want)
			}
		})
	}
	t.Run("a relative one stands in the working directory", func(t *testing.T) {
		t.Chdir(dir)
		t.Setenv("TMPDIR", ".")
		if got, want := New().TempDir(), New().Getwd()+"/."; got != want {
			t.Errorf("TempDir() = %q, want %q", got, want)
		}
	})
}

func TestGetwdIsPhysical(t *testing.T) {
	physical, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(physical, link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(link)
	t.Setenv("PWD", link)
	if got := New().Getwd(); got != physical {
		t.Errorf("Getwd() = %q, want %q", got, physical)
	}
}

func BenchmarkLookupUser(b *testing.B) {
	h := New()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.LookupUser("root"); err != nil {
			b.Fatal("no root")
		}
	}
}
