package spec

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestGroupsAsJSON: a group that was written down is the same in every field, since the
// next image of the daemon goes on by it.
func TestGroupsAsJSON(t *testing.T) {
	forCorpus(t, func(t *testing.T, _ expectation, h *memHost) {
		cfg, err := Load(h, "/base/here/supervisord.conf", corpusOptions)
		if err != nil {
			return // TestCorpus says whether that is right
		}
		for i := range cfg.Groups {
			g := &cfg.Groups[i]
			data, err := json.Marshal(g)
			if err != nil {
				t.Fatal(err)
			}
			var read Group
			if err := json.Unmarshal(data, &read); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*g, read) {
				t.Errorf("%+v became\n%+v", *g, read)
			}
			if Fingerprint([]*Group{g}) != Fingerprint([]*Group{&read}) {
				t.Errorf("%s has another fingerprint", g.Name)
			}
		}
	})
}
