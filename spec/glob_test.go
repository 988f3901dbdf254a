package spec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/bound"
	"supervisord/spec/value"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"*.conf", "a.conf", true},
		{"*.conf", ".conf", false},
		{"*.conf", ".a.conf", false},
		{".*.conf", ".a.conf", true},
		{"*.conf", "a.conf~", false},
		{"*", "anything", true},
		{"*", ".hidden", false},
		{"**", "anything", true},
		{"?.ini", "a.ini", true},
		{"?.ini", "é.ini", true},
		{"?.ini", "ab.ini", false},
		{"[a-c].ini", "b.ini", true},
		{"[a-c].ini", "d.ini", false},
		{"[!a-c].ini", "d.ini", true},
		{"[!a-c].ini", "a.ini", false},
		{"[]]", "]", true},
		{"[!]]", "]", false},
		{"[a", "[a", true},
		{"[]", "[]", true},
		{"[a-]", "-", true},
		{"a*b*c", "aXbXbXc", true},
		{"a*b*c", "aXbXbX", false},
		{"*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
		{"", "", true},
		{"a", "", false},
		{"", "a", false},
		{"*", "", true},
		{"[a-]x", "-x", true},
		{"[^a]", "b", false},
		{"?", "\xff", true},
	}
	for _, test := range tests {
		if got := Match(test.pattern, test.name); got != test.want {
			t.Errorf("Match(%q, %q) = %v", test.pattern, test.name, got)
		}
	}
}

func TestMatcher(t *testing.T) {
	if Matcher("a.conf") != nil {
		t.Error("a name is taken for a pattern")
	}
	if match := Matcher("[a-c]?.conf"); !match("bé.conf") || match("d.conf") {
		t.Error("the matcher of a pattern is not Match")
	}
}

// FuzzMatch: it always ends, a name matches itself where it is no pattern, and *
// matches all but dotfiles.
func FuzzMatch(f *testing.F) {
	for _, pattern := range []string{"*.ini", "[!a]?", "[", "a*b*c*d*e", "[]-a]"} {
		f.Add(pattern, "abcde.ini")
	}
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, pattern, name string) {
		defer b.Input(t)()
		matched := Match(pattern, name)
		if !hasMagic(pattern) && matched != (pattern == name) {
			t.Errorf("Match(%q, %q) = %v", pattern, name, matched)
		}
		if Match("*", name) == strings.HasPrefix(name, ".") {
			t.Errorf("* and %q", name)
		}
		if !strings.HasPrefix(name, ".") && matched && !Match("*"+pattern, name) {
			t.Errorf("%q matches %q, and not with * before it", pattern, name)
		}
	})
}

func TestGlob(t *testing.T) {
	h := &memHost{cwd: "/", strict: true, files: map[string]string{
		"/etc/10.conf": "", "/etc/2.conf": "", "/etc/1.conf": "", "/etc/.x.conf": "",
		"/etc/a/z.ini": "", "/etc/b/y.ini": "", "/etc/b/.h/z.ini": "", "/etc/file": "",
		"/srv/x/1.ini": "", "/srv/x-y/1.ini": "",
	}}
	tests := []struct {
		pattern string
		want    []string
	}{
		{"/etc/*.conf", []string{"/etc/1.conf", "/etc/10.conf", "/etc/2.conf"}},
		{"/etc/*/*.ini", []string{"/etc/a/z.ini", "/etc/b/y.ini"}},
		{"/etc/**/*.ini", []string{"/etc/a/z.ini", "/etc/b/y.ini"}},
		{"/etc/?/z.ini", []string{"/etc/a/z.ini"}},
		{"/*/b/.*/z.ini", []string{"/etc/b/.h/z.ini"}},
		{"/etc/file", []string{"/etc/file"}},
		{"/etc/./file", []string{"/etc/./file"}},
		{"/etc/b/../f*", []string{"/etc/b/../file"}},
		{"/etc//b//*.ini", []string{"/etc//b/y.ini"}},
		{"/etc//[ab]//y.ini", []string{"/etc/b/y.ini"}},
		{"/*//file", []string{"/etc/file"}},
		{"/srv/*/1.ini", []string{"/srv/x-y/1.ini", "/srv/x/1.ini"}}, // - comes before /
		{"/etc/nothing", nil},
		{"/nowhere/*.conf", nil},
		{"/etc/file/*", nil},
		{"/etc/[ab]", []string{"/etc/a", "/etc/b"}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, Glob(h, test.pattern)); diff != "" {
			t.Errorf("Glob(%q) (-want +got):\n%s", test.pattern, diff)
		}
	}
}

func TestListedDir(t *testing.T) {
	for pattern, want := range map[string]string{
		"/etc/conf.d/*.conf": "/etc/conf.d", "/etc/*/b/?": "/etc", "/etc/a[b]/c": "/etc", "/etc/file": "", "/*": "/",
	} {
		if got := listedDir(pattern); got != want {
			t.Errorf("listedDir(%q) = %q, want %q", pattern, got, want)
		}
	}
}

func TestIgnored(t *testing.T) {
	for _, name := range []string{
		".x", "..data", "..data_tmp", "a~", "#a#", ".a.swp", "a.swp", "a.swx", "a.tmp", "a.dpkg-old", "a.conf.dpkg-new",
		"a.rpmsave", "a.rpmnew", "a.rpmorig", "a.conf.SAVE", "a.orig", ".nfs0001",
		"a.bak", "a.ini.old", "a.ini.augsave", "a.ini.augnew", "a.ini.partial", "a.ini.disabled", "a.ini.rej", "a.ini.dist",
		"a.ini.save", "a.ini.ucf-dist", "a.ini.ucf-old", "a.sync-conflict-20240301-101112-ABCDEF.ini", "a.ini.conflict1",
		"a.conflict.ini", "a (Ann's conflicted copy 2024-03-01).ini", "a (conflicted copy 2024-03-01 101112).ini",
		"a (Conflicted copy from here).ini", "a (SFConflict ann@example.org 2024-03-01).ini", "a_conflict-20240301-101112.ini", "a.ini..path1", "a.ini..path2",
		"a.ini.pacnew", "a.ini.pacsave", "a.ini.apk-new",
	} {
		if !Ignored("/etc/conf.d/*", "/etc/conf.d/"+name) {
			t.Errorf("%s is taken for configuration", name)
		}
		if Ignored("/etc/conf.d/"+name, "/etc/conf.d/"+name) {
			t.Errorf("%s is left out although it is named", name)
		}
	}
	for _, name := range []string{"a", "a.conf", "a#", "#", "a.tmp.conf", "swp", "a.save.ini", "a.conf.d",
		"bak", "old.ini", "a.old.ini", "household", "conflict.ini", "a-conflict.ini", "dist", "path1", "a.path1", "undisabled.ini", "a_conflict-x.ini"} {
		if Ignored("/etc/conf.d/*", "/etc/conf.d/"+name) {
			t.Errorf("%s is left out", name)
		}
	}
	for name, want := range map[string]bool{".a": false, ".a.swp": true, ".nfs1": true, "..data": true} {
		if got := Ignored("/etc/.*", "/etc/"+name); got != want {
			t.Errorf("with a pattern that asks for dotfiles, %s is left out: %v", name, got)
		}
	}
}

func TestNamespec(t *testing.T) {
	tests := []struct {
		text string
		want Namespec
		back string
	}{
		{"a", Namespec{"a", "a"}, "a"},
		{"g:p", Namespec{"g", "p"}, "g:p"},
		{"g:g", Namespec{"g", "g"}, "g"},
		{"g:*", Namespec{"g", ""}, "g:*"},
		{"g:", Namespec{"g", ""}, "g:*"},
		{"g:p:q", Namespec{"g", "p:q"}, "g:p:q"},
	}
	for _, test := range tests {
		got := ParseNamespec(test.text)
		if got != test.want || got.String() != test.back || got.WholeGroup() != (got.Process == "") {
			t.Errorf("ParseNamespec(%q) = %+v, which is written %q", test.text, got, got)
		}
	}
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{
		"stopsignl": "stopsignal", "stopsingal": "stopsignal", "comand": "command", "auto_start": "autostart",
		"stdoutlogfile": "stdout_logfile", "zzz": "", "": "", "umaks": "umask", "envrionment": "environment",
	} {
		if got := value.Nearest(word, programKeys); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
