package spec

import (
	"fmt"
	"strings"
	"testing"
)

// TestCompareContents: two contents of a file are compared by section and key, and no secret
// is told.
func TestCompareContents(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"nothing":                  {"[program:a]\ncommand=x\n", "; a comment\n[program:a]\ncommand=x ; another\n", ""},
		"order":                    {"[program:a]\ncommand=x\n[program:b]\ncommand=y\n", "[program:b]\ncommand=y\n[program:a]\ncommand=x\n", ""},
		"from nothing":             {"", "[program:a]\ncommand=x\n", "[program:a] added"},
		"to nothing":               {"[program:a]\ncommand=x\n", "", "[program:a] removed"},
		"a key changed":            {"[program:a]\ncommand=x\nuser=u\n", "[program:a]\nuser=u\ncommand=y\n", `[program:a] changed command="x"->"y"`},
		"a key new and one gone":   {"[program:a]\ncommand=x\nuser=u\n", "[program:a]\ncommand=x\npriority=3\n", `[program:a] changed priority=""->"3" user="u"->""`},
		"a section in two parts":   {"[program:a]\ncommand=x\n[program:a]\nuser=u\n", "[program:a]\ncommand=x\nuser=u\n", ""},
		"variables":                {"[program:a]\nenvironment=A=\"s1\",B=\"s2\",C=\"s3\"\n", "[program:a]\nenvironment=B=\"s4\",C=\"s3\",D=\"s5\"\n", `[program:a] changed environment A="set"->"" environment B="set"->"changed" environment D=""->"set"`},
		"variables of no sense":    {"[program:a]\nenvironment=s1\n", "[program:a]\nenvironment=s2\n", `[program:a] changed environment=""->""`},
		"a password":               {"[unix_http_server]\npassword=s1\n", "[unix_http_server]\npassword=s2\nusername=u\n", `[unix_http_server] changed password=""->"" username=""->"u"`},
		"a password that comes":    {"[inet_http_server]\n", "[inet_http_server]\nreadonly_password=s2\n", `[inet_http_server] changed readonly_password=""->""`},
		"an address with a secret": {"[reconcile]\nreport_url=https://s1@h\n", "[reconcile]\nreport_url=https://s2@h\n", `[reconcile] changed report_url=""->""`},
		"an unknown key":           {"[program:a]\ntoken=s1\n", "[program:a]\ntoken=s2\n", `[program:a] changed token=""->""`},
		"an unknown section":       {"[x]\na=s1\n", "[x]\na=s2\n", `[x] changed a=""->""`},
	} {
		var got []string
		for _, d := range CompareContents([]byte(c.old), []byte(c.new)) {
			text := fmt.Sprintf("[%s] %s", d.Section, d.Change)
			for _, f := range d.Fields {
				text += fmt.Sprintf(" %s=%q->%q", f.Key, f.Old, f.New)
			}
			got = append(got, text)
		}
		all := strings.Join(got, "; ")
		if all != c.want {
			t.Errorf("%s: %s, want %s", name, all, c.want)
		}
		for _, secret := range []string{"s1", "s2", "s3", "s4", "s5"} {
			if strings.Contains(all, secret) {
				t.Errorf("%s: %s is told", name, secret)
			}
		}
	}
}
