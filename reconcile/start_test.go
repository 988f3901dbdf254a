package reconcile

import (
	"path/filepath"
	"testing"

	"supervisord/runtime/needs"
	"supervisord/spec"
)

// rootHost is a host of root's with one more user.
type rootHost struct{ testHost }

func (rootHost) UID() int { return 0 }

func (rootHost) LookupUser(name string) (spec.Account, error) {
	uid, ok := map[string]int{"root": 0, "daemon": 4242}[name]
	if !ok {
		return spec.Account{}, spec.ErrNoAccount
	}
	return spec.Account{Name: name, UID: uid, GID: uid}, nil
}

// TestGoodContentOfAUser: what a daemon that had become another user kept as the last
// good content of an included file is taken, as far as it does not decide whose
// content is taken: with it that user would be root at the next start.
func TestGoodContentOfAUser(t *testing.T) {
	needs.Root(t)
	for _, r := range []struct {
		name, content string
		taken         bool
	}{
		{"a program", ini("kept"), true},
		{"another user", ini("kept") + "[supervisord]\nuser=root\n", false},
		{"another place", ini("kept") + "[reconcile]\nstatedir=/nowhere\n", false},
		{"nothing that can be read", "[program:kept", false},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a"), "conf.d/bad.ini": "[program:bad"})
			w.write("main.conf", "[supervisord]\nuser=daemon\n[include]\nfiles = conf.d/*.ini\n[reconcile]\nstatedir="+w.root+"/state\n")
			host := rootHost{w.host}
			startup := func() *Start {
				start, err := Startup(host, w.root+"/main.conf", "", spec.Options{})
				if err != nil {
					t.Fatal(err)
				}
				return start
			}
			start := startup()
			lock, err := start.TakeLock(4242, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer lock.Close()
			if got, want := filepath.Base(start.StateDir()), "-4242"; len(got) != 16+len(want) || got[16:] != want {
				t.Errorf("the directory is %s", got)
			}
			store := stored(start.StateDir()) // root's files are believed, too
			store.dir.UID = 4242
			if err := store.Save(goodItem, map[string][]byte{w.root + "/conf.d/bad.ini": []byte(r.content)}, false); err != nil {
				t.Fatal(err)
			}
			start = startup()
			taken := false
			for _, g := range start.Config.Groups {
				taken = taken || g.Name == "kept"
			}
			if taken != r.taken || start.Config.Daemon.User == nil || start.Config.Daemon.User.UID != 4242 {
				t.Errorf("taken: %v, user %v", taken, start.Config.Daemon.User)
			}
		})
	}
}
