package rpc

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/rpc/xmlrpc"
)

// changing are the methods that a client may not call who may change nothing.
var changing = []string{
	"processes.reset", "processes.resetAll", "processes.startWithDependencies",
	"reconcile.apply", "reconcile.applyPlan", "reconcile.disable", "reconcile.enable", "reconcile.pause", "reconcile.resume",
	"reconcile.revert", "reconcile.setAutoupdate", "reconcile.unpin",
	"supervisor.addProcessGroup", "supervisor.clearAllProcessLogs", "supervisor.clearLog", "supervisor.clearProcessLog",
	"supervisor.clearProcessLogs", "supervisor.reloadConfig", "supervisor.removeProcessGroup", "supervisor.restart",
	"supervisor.sendProcessStdin", "supervisor.sendRemoteCommEvent", "supervisor.shutdown", "supervisor.signalAllProcesses",
	"supervisor.signalProcess", "supervisor.signalProcessGroup", "supervisor.startAllProcesses", "supervisor.startProcess",
	"supervisor.startProcessGroup", "supervisor.stopAllProcesses", "supervisor.stopProcess", "supervisor.stopProcessGroup",
}

// TestReadOnly: the client with the second name sees all pages and may call what reads, and
// is answered 403 to each change, by calls and by pages alike.
func TestReadOnly(t *testing.T) {
	w, o := unixOnly(t)
	o.Servers[0].Username, o.Servers[0].Password = "user", "pa:ss"
	o.Servers[0].ReadOnlyUsername, o.Servers[0].ReadOnlyPassword = "eye", "look"
	o.Extra = []Namespace{ReconcileNamespace(fakeReconciler{}), IntentNamespace(w), WhyNamespace(nil), EventsNamespace(w), ProcessesNamespace(w, nil), OrderNamespace(struct{ Order }{})}
	s := serve(t, o)
	if diff := cmp.Diff(changing, slices.DeleteFunc(slices.Clone(s.methods.names), func(name string) bool { return reading[name] })); diff != "" {
		t.Errorf("what changes something (-want +got):\n%s", diff)
	}
	if unknown := slices.DeleteFunc(slices.Collect(maps.Keys(reading)), func(name string) bool {
		return name == "reconcile.getProgram" || slices.Contains(s.methods.names, name)
	}); len(unknown) > 0 {
		t.Errorf("there are no methods %v", unknown)
	}
	c := dial(t, s, 0)
	eye := []string{"Authorization", "Basic ZXllOmxvb2s=", "Accept", "text/html"}
	before, _ := w.Snapshot(t.Context())
	for _, method := range changing {
		params := make([]any, s.methods.rows[method].required())
		for i := range params {
			params[i] = "cat"
		}
		call, err := xmlrpc.EncodeCall(method, params...)
		if err != nil {
			t.Fatal(err)
		}
		resp, body := c.do(t, "POST", "/RPC2", string(call), append(eye, "Content-Type", "text/xml")...)
		if resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "<int>403</int>") || !strings.Contains(body, onlyReads) {
			t.Errorf("%s: %s %s", method, resp.Status, body)
		}
	}
	for _, path := range []string{"/act?do=stop+cat", "/index.html?action=stop&processname=cat", "/?action=stopall", "/classic.html?action=stopall"} {
		if resp, body := c.do(t, "POST", path, "", eye...); resp.StatusCode != http.StatusForbidden || !strings.Contains(body, onlyReads) {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
	many, _ := xmlrpc.EncodeCall("system.multicall", []any{
		xmlrpc.Struct{{Name: "methodName", Value: "supervisor.getPID"}, {Name: "params", Value: []any{}}},
		xmlrpc.Struct{{Name: "methodName", Value: "supervisor.stopProcess"}, {Name: "params", Value: []any{"cat"}}},
	})
	if resp, body := c.do(t, "POST", "/RPC2", string(many), append(eye, "Content-Type", "text/xml")...); resp.StatusCode != http.StatusOK ||
		!strings.Contains(body, "4711") || !strings.Contains(body, "<int>403</int>") {
		t.Errorf("several calls: %s %s", resp.Status, body)
	}
	if after, _ := w.Snapshot(t.Context()); states(after) != states(before) || len(w.emitted)+len(w.stdin)+len(w.signals)+len(w.said) > 0 {
		t.Errorf("something was done: %s", states(after))
	}
	for _, path := range []string{"/", "/process?name=cat", "/files", "/listeners", "/metrics", "/classic.html", "/log?name=cat"} {
		resp, body := c.do(t, "GET", path, "", eye...)
		if resp.StatusCode != http.StatusOK || strings.Contains(body, `name="do"`) {
			t.Errorf("%s: %s, or it has buttons", path, resp.Status)
		}
	}
	for _, wrong := range []string{"ZXllOnBhOnNz", "dXNlcjpsb29r", "Og=="} { // eye:pa:ss user:look :
		if resp, _ := c.do(t, "GET", "/", "", "Authorization", "Basic "+wrong); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %s", wrong, resp.Status)
		}
	}
	if resp, _ := c.do(t, "POST", "/act?do=stop+cat", "", "Authorization", "Basic dXNlcjpwYTpzcw=="); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("with the full pair: %s", resp.Status)
	}
}
