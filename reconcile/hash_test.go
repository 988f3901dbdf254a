package reconcile

import (
	"reflect"
	"testing"

	"supervisord/spec"
)

// TestHashCensus lists every field that a definition has, so that a new one
// cannot be forgotten in the hash: whoever adds one decides about it here.
func TestHashCensus(t *testing.T) {
	fields := func(v any) []string {
		var names []string
		for i := range reflect.TypeOf(v).NumField() {
			names = append(names, reflect.TypeOf(v).Field(i).Name)
		}
		return names
	}
	equal(t, "Group", fields(spec.Group{}), []string{"Name", "Kind", "Priority", "Processes", "Listener", "Origin"})
	equal(t, "Listener", fields(spec.Listener{}), []string{"Events", "BufferSize", "ResultHandler", "StallTimeout"})
	equal(t, "Process", fields(spec.Process{}), []string{
		"Name", "Priority", "Command", "Directory", "HasDir", "Umask", "User", "Environment", "ServerURL", "ServerURLAuto",
		"Autostart", "Autorestart", "StartSecs", "StartRetries", "ExitCodes", "StopSignal", "StopWaitSecs", "StopAsGroup",
		"KillAsGroup", "KillMode", "RedirectStderr", "Stdout", "Stderr", "Socket", "Origin",
	})
}

// TestHash: the hash tells apart exactly what Equal tells apart; the properties
// hold it against random definitions. Here what must not count.
func TestHash(t *testing.T) {
	base := func() []*spec.Group {
		a, b := program("a"), program("b")
		return []*spec.Group{&a, &b}
	}
	same := map[string]func([]*spec.Group){
		"the order of groups":   func(g []*spec.Group) { g[0], g[1] = g[1], g[0] },
		"the place in a file":   func(g []*spec.Group) { g[0].Origin.Line, g[0].Processes[0].Origin.File = 7, "/x" },
		"an empty environment":  func(g []*spec.Group) { g[0].Processes[0].Environment = spec.Env{} },
		"the daemon's own URL":  func(g []*spec.Group) { g[0].Processes[0].ServerURLAuto = true; g[1].Processes[0].ServerURLAuto = true },
		"the name of a user id": func(g []*spec.Group) { g[0].Processes[0].User = nil },
	}
	for what, edit := range same {
		if what == "the daemon's own URL" {
			a, b := base(), base()
			edit(a)
			edit(b)
			a[0].Processes[0].ServerURL = "http://x"
			if ConfigHash(a) != ConfigHash(b) {
				t.Errorf("%s counts", what)
			}
			continue
		}
		g := base()
		edit(g)
		if ConfigHash(g) != ConfigHash(base()) {
			t.Errorf("%s counts", what)
		}
	}
	p, q := program("a").Processes[0], program("a", command("/n")).Processes[0]
	if ProcessHash(&p) == ProcessHash(&q) {
		t.Error("another command has the same hash")
	}
	q = p
	q.Origin.Line = 99
	if ProcessHash(&p) != ProcessHash(&q) {
		t.Error("the place of a definition counts")
	}
}
