package reconcile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing"

	"supervisord/runtime/bound"
	"supervisord/runtime/hang"
	"supervisord/runtime/trust"
)

const (
	commitA = "0123456789abcdef0123456789abcdef01234567"
	commitB = "ffffffffffffffffffffffffffffffffffffffff"
	sha256A = commitA + "0123456789abcdef01234567"
)

// gitFiles are files by path. What has others below it is a directory; hung does not answer.
type gitFiles map[string]string

const hung = "(hung)"

func (f gitFiles) read(name string) ([]byte, error) {
	switch content, ok := f[name]; {
	case ok && content == hung:
		return nil, &hang.Silent{Dir: path.Dir(name)}
	case ok:
		return []byte(content), nil
	}
	for other := range f {
		if strings.HasPrefix(other, name+"/") {
			return nil, &fs.PathError{Op: "read", Path: name, Err: trust.ErrNotRegular}
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// TestGitRevision: the forms of a checkout.
func TestGitRevision(t *testing.T) {
	for _, row := range []struct {
		name  string
		dir   string
		files gitFiles
		want  string
	}{
		{"no checkout", "/srv/conf.d", nil, ""},
		{"a branch", "/srv/conf.d", gitFiles{"/srv/.git/HEAD": "ref: refs/heads/main\n", "/srv/.git/refs/heads/main": commitA + "\n"}, commitA},
		{"below the root", "/", gitFiles{"/.git/HEAD": commitA + "\n"}, commitA},
		{"detached", "/srv", gitFiles{"/srv/.git/HEAD": commitA}, commitA},
		{"SHA-256", "/srv", gitFiles{"/srv/.git/HEAD": sha256A + "\n"}, sha256A},
		{"packed", "/srv", gitFiles{"/srv/.git/HEAD": "ref: refs/heads/main\n", "/srv/.git/packed-refs": "# pack-refs with: peeled\n" + commitB + " refs/heads/main2\n" + commitA + " refs/heads/main\n^" + commitB + "\n"}, commitA},
		{"loose goes before packed", "/srv", gitFiles{"/srv/.git/HEAD": "ref: refs/heads/a/b\n", "/srv/.git/refs/heads/a/b": commitA, "/srv/.git/packed-refs": commitB + " refs/heads/a/b\n"}, commitA},
		{"a reference to one", "/srv", gitFiles{"/srv/.git/HEAD": "ref: refs/heads/x\n", "/srv/.git/refs/heads/x": "ref: refs/heads/y\n", "/srv/.git/refs/heads/y": commitA}, commitA},
		{"a circle of them", "/srv", gitFiles{"/srv/.git/HEAD": "ref: refs/heads/x\n", "/srv/.git/refs/heads/x": "ref: refs/heads/x\n"}, ""},
		{"the nearest", "/srv/a/b", gitFiles{"/srv/.git/HEAD": commitB, "/srv/a/.git/HEAD": commitA}, commitA},
		{"a worktree", "/srv/w/conf.d", gitFiles{
			"/srv/w/.git": "gitdir: /repo/.git/worktrees/w\n", "/repo/.git/worktrees/w/HEAD": "ref: refs/heads/w\n",
			"/repo/.git/worktrees/w/commondir": "../..\n", "/repo/.git/refs/heads/w": commitA,
		}, commitA},
		{"a detached worktree, by a relative path", "/srv/w", gitFiles{
			"/srv/w/.git": "gitdir: ../repo/worktrees/w\n", "/srv/repo/worktrees/w/HEAD": commitA + "\n", "/srv/repo/worktrees/w/commondir": "../..\n",
		}, commitA},
		{"a submodule", "/srv/sub", gitFiles{"/srv/sub/.git": "gitdir: ../.git/modules/sub\n", "/srv/.git/modules/sub/HEAD": commitA}, commitA},
		{"git-sync in another container", "/git/.worktrees/" + commitA + "/conf.d", gitFiles{"/git/.worktrees/" + commitA + "/.git": "gitdir: /elsewhere/.git/worktrees/x\n"}, commitA},
		{"an older git-sync", "/git/rev-" + commitA, gitFiles{"/git/rev-" + commitA + "/.git": "gitdir: /elsewhere\n"}, commitA},
		{"another in another container", "/git/w", gitFiles{"/git/w/.git": "gitdir: /elsewhere\n"}, ""},
		{"no commit yet", "/srv", gitFiles{"/srv/.git/HEAD": "ref: refs/heads/main\n"}, ""},
		{"reftable", "/srv", gitFiles{"/srv/.git/HEAD": "ref: refs/heads/.invalid\n", "/srv/.git/reftable/tables.list": "x"}, ""},
		{"text", "/srv", gitFiles{"/srv/.git/HEAD": "root:x:0:0::/root:/bin/sh\n"}, ""},
		{"too short", "/srv", gitFiles{"/srv/.git/HEAD": commitA[1:]}, ""},
		{"in capitals", "/srv", gitFiles{"/srv/.git/HEAD": strings.ToUpper(commitA)}, ""},
		{"out of refs", "/srv", gitFiles{"/srv/.git/HEAD": "ref: refs/../../etc/x\n", "/etc/x": commitA, "/srv/etc/x": commitA}, ""},
		{"not in refs", "/srv", gitFiles{"/srv/.git/HEAD": "ref: FETCH_HEAD\n", "/srv/.git/FETCH_HEAD": commitA}, ""},
		{"an absolute reference", "/srv", gitFiles{"/srv/.git/HEAD": "ref: /etc/x\n", "/etc/x": commitA}, ""},
		{"Git is at work", "/srv", gitFiles{"/srv/.git/HEAD": commitA, "/srv/.git/index.lock": ""}, ""},
		{"no gitdir", "/srv", gitFiles{"/srv/.git": "/repo\n", "/repo/HEAD": commitA}, ""},
		{"an empty one", "/srv", gitFiles{"/srv/.git": "gitdir: \n", "/srv/HEAD": commitA}, ""},
	} {
		got, err := gitRevision(row.dir, row.files.read, packedBy(row.files.read))
		if got != row.want || got != "" && err != nil {
			t.Errorf("%s: %q (%v), want %q", row.name, got, err, row.want)
		}
	}
}

// TestGitRevisionHung: whatever file does not answer, that is what is said, and nothing
// else is taken for the commit.
func TestGitRevisionHung(t *testing.T) {
	whole := gitFiles{
		"/git/" + commitB + "/.git": "gitdir: /repo/worktrees/w\n", "/repo/worktrees/w/HEAD": "ref: refs/heads/w\n",
		"/repo/worktrees/w/commondir": "../..\n", "/repo/refs/heads/w": "ref: refs/heads/v\n", "/repo/packed-refs": commitA + " refs/heads/v\n",
	}
	if got, err := gitRevision("/git/"+commitB, whole.read, packedBy(whole.read)); got != commitA {
		t.Fatalf("%q, %v", got, err)
	}
	for name := range whole {
		one := gitFiles{}
		for k, v := range whole {
			one[k] = v
		}
		one[name] = hung
		got, err := gitRevision("/git/"+commitB, one.read, packedBy(one.read))
		if got != "" || !isSilent(err) {
			t.Errorf("%s hangs: %q, %v", name, got, err)
		}
	}
}

// TestRevisionWord: what a file of a revision may say.
func TestRevisionWord(t *testing.T) {
	for content, want := range map[string]string{
		"":                                 "",
		"\n":                               "",
		"v1.2.3-rc1+5\nmore\n":             "v1.2.3-rc1+5",
		"  refs/tags/v1~2@x:y_z \r\n":      "refs/tags/v1~2@x:y_z",
		"two words":                        "",
		"<script>":                         "",
		"é":                                "",
		"\x1b[31m":                         "",
		"a\x00b":                           "",
		strings.Repeat("a", maxRevision):   strings.Repeat("a", maxRevision),
		strings.Repeat("a", maxRevision+1): "",
	} {
		if got := revisionWord([]byte(content)); got != want {
			t.Errorf("%q: %q, want %q", content, got, want)
		}
	}
}

// FuzzGitRevision: whatever the files of a checkout say, nothing but a commit comes of them,
// after a few reads of which none is below what was not named.
func FuzzGitRevision(f *testing.F) {
	f.Add("ref: refs/heads/main\n", commitA+"\n", "", "")
	f.Add("gitdir: ../.git/worktrees/w\n", "ref: refs/heads/main\n", "../..\n", commitA+" refs/heads/main\n")
	f.Add(commitA, "ref: refs/../../x", "/", "^")
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, first, second, third, packed string) {
		defer b.Input(t)()
		reads, texts := 0, []string{first, second, third}
		read := func(name string) ([]byte, error) {
			reads++
			switch {
			case strings.ContainsAny(name, "\x00\n"):
				t.Errorf("it reads %q", name)
			case path.Base(name) == "packed-refs":
				return []byte(packed), nil
			case reads == 1 && first == "":
				return nil, trust.ErrNotRegular
			case reads <= len(texts):
				return []byte(texts[reads-1]), nil
			case reads%2 == 0:
				return []byte(texts[reads%len(texts)]), nil
			}
			return nil, errors.New("not there")
		}
		got, _ := gitRevision("/srv/"+commitB, read, packedBy(read))
		if got != "" && !isCommit(got) {
			t.Errorf("%q is no commit", got)
		}
		if reads > 12 {
			t.Errorf("%d reads", reads)
		}
	})
}

// packedBy looks for references in what read gives.
func packedBy(read func(string) ([]byte, error)) func(name, ref string) (string, error) {
	return func(name, ref string) (string, error) {
		content, err := read(name)
		return packedRef(bytes.NewReader(content), ref), err
	}
}

// TestPackedRefs: a reference is found in a file of them that is as large as they get.
func TestPackedRefs(t *testing.T) {
	var packed strings.Builder
	packed.WriteString("# pack-refs with: peeled fully-peeled sorted \n")
	for i := range 100_000 {
		fmt.Fprintf(&packed, "%s refs/tags/v%d\n^%s\n", commitB, i, commitB)
	}
	packed.WriteString(commitA + " refs/z\n")
	for ref, want := range map[string]string{"refs/z": commitA, "refs/tags/v99999": commitB, "refs/tags/v": "", "": ""} {
		if got := packedRef(strings.NewReader(packed.String()), ref); got != want {
			t.Errorf("%s: %q, want %q", ref, got, want)
		}
	}
}
