package rpc

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// readOnlyKey marks the context of a client that may change nothing.
type readOnlyKey struct{}

// readOnly reports whether a request is of a client that may change nothing.
func readOnly(ctx context.Context) bool { return ctx.Value(readOnlyKey{}) != nil }

// onlyReads is the answer to such a client.
const onlyReads = "you may read, but change nothing (readonly_username, operators)"

// mayOnlyLook reports whether the user at the other end of a unix socket is none of its
// operators, where there are any. root and the daemon's own user always are.
func (hs *httpServer) mayOnlyLook(c *conn) bool {
	return hs.Operators != nil && !c.owner && !slices.ContainsFunc(hs.Operators, func(uid int) bool { return strconv.Itoa(uid) == c.client })
}

// mayChange reports whether a request could change something by its kind. Of calls the
// method says it.
func mayChange(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && !strings.HasPrefix(r.URL.Path, "/RPC2")
}

// reading are the methods that a client may call who may change nothing. What does not
// stand here is refused: a new method is a decision.
var reading = map[string]bool{
	"system.listMethods": true, "system.methodHelp": true, "system.methodSignature": true,
	"system.multicall": true, // of which each call is looked up here

	"supervisor.getAPIVersion": true, "supervisor.getVersion": true, "supervisor.getSupervisorVersion": true,
	"supervisor.getIdentification": true, "supervisor.getState": true, "supervisor.getPID": true,
	"supervisor.getProcessInfo": true, "supervisor.getAllProcessInfo": true, "supervisor.getAllConfigInfo": true,
	"supervisor.readLog": true, "supervisor.readMainLog": true,
	"supervisor.readProcessLog": true, "supervisor.readProcessStdoutLog": true, "supervisor.readProcessStderrLog": true,
	"supervisor.tailProcessLog": true, "supervisor.tailProcessStdoutLog": true, "supervisor.tailProcessStderrLog": true,

	"reconcile.getState": true, "reconcile.diff": true, "reconcile.plan": true, "reconcile.explain": true, "reconcile.getDrift": true, "reconcile.getIntents": true, "reconcile.getFiles": true, "reconcile.getHistory": true, "reconcile.getGeneration": true, "reconcile.diffGenerations": true, "reconcile.getProgram": true,

	"events.getListeners": true, "processes.getExits": true, "processes.getUsage": true,
	"processes.getHealth": true, "processes.getDependencies": true,
}
