package spec

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSampleShowsEveryKey: what echo_supervisord_conf prints has every key that a
// section knows.
func TestSampleShowsEveryKey(t *testing.T) {
	content, err := os.ReadFile("manual/sample.conf")
	if err != nil {
		t.Fatal(err)
	}
	sample := regexp.MustCompile(`(?m)^;(\[|[a-z_]+=)`).ReplaceAllString(string(content), "$1") // every key in force
	for _, section := range []string{
		"supervisord", "unix_http_server", "inet_http_server", "supervisorctl", "reconcile", "include",
		"program:theprogramname", "eventlistener:theeventlistenername", "fcgi-program:thefcgiprogramname", "group:thegroupname",
	} {
		_, body, ok := strings.Cut(sample, "["+section+"]\n")
		if !ok {
			t.Errorf("the sample has no [%s]", section)
		}
		body, _, _ = strings.Cut(body, "\n[")
		for _, key := range keysFor(section) {
			if section != "supervisord" && slices.Contains(pluginKeys, key) {
				continue // the plug-in's own manual tells of it
			}
			if !regexp.MustCompile(`(?m)^;?` + key + `\s*=`).MatchString(body) {
				t.Errorf("[%s] does not show %s", section, key)
			}
		}
	}
}
