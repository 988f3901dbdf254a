package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/rpc/client"
)

func TestDeps(t *testing.T) {
	need := func(text string, met bool, targets ...string) client.Need {
		return client.Need{Text: text, Met: met, Targets: targets}
	}
	o := newOrderView([]client.Dependency{
		{Group: "db", Name: "db", State: "RUNNING"},
		{Group: "g", Name: "a", State: "STARTING", Needs: []client.Need{need("db", true, "db")}},
		{Group: "g", Name: "b", State: "RUNNING", Needs: []client.Need{need("db", true, "db")}},
		{Group: "migrate", Name: "migrate", State: "EXITED", Needs: []client.Need{need("db", true, "db")}},
		{Group: "nginx", Name: "nginx", State: "STOPPED", Waiting: "g, mail (not defined)", Needs: []client.Need{
			need("g", false, "g:a", "g:b"), need("migrate:done", true, "migrate"), need("migrate", false, "migrate"), need("mail?", false)}},
		{Group: "other", Name: "other", State: "RUNNING"},
	})
	if diff := cmp.Diff([]string{"nginx"}, o.roots()); diff != "" {
		t.Errorf("roots (-want +got):\n%s", diff)
	}
	want := `nginx  STOPPED, waiting for g, mail (not defined)
├─ g:a (g)  STARTING
│  └─ db  RUNNING
├─ g:b (g)  RUNNING
│  └─ db  RUNNING
├─ migrate:done  EXITED
│  └─ db  RUNNING
├─ migrate  EXITED (see above)
└─ mail?  not defined`
	if diff := cmp.Diff(want, strings.Join(o.tree([]string{"nginx"}), "\n")); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	want = `digraph supervisord {
	rankdir=LR;
	node [shape=box];
	"db" [label="db\nRUNNING"];
	"migrate" [label="migrate\nEXITED"];
	"migrate" -> "db";
	"nginx" [label="nginx\nSTOPPED"];
	"nginx" -> "g:a" [label="g", color=red];
	"nginx" -> "g:b" [label="g", color=red];
	"nginx" -> "migrate" [label="migrate:done"];
	"nginx" -> "migrate" [color=red];
	"nginx" -> "mail" [label="mail?", style=dashed, color=red];
}
`
	got := o.dot([]string{"nginx"})
	for _, line := range strings.Split(strings.TrimSpace(want), "\n") {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no line %q in\n%s", line, got)
		}
	}
	if diff := cmp.Diff([]string{"g:a", "g:b"}, o.named("g:*")); diff != "" {
		t.Errorf("g:* (-want +got):\n%s", diff)
	}
}
