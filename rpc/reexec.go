package rpc

import (
	"context"

	"supervisord/rpc/xmlrpc"
)

// Reexec is what rpc asks of the daemon for its upgrade in place.
type Reexec struct {
	// Begin has the daemon go on as another program, the one in the file that it was
	// started from if path is "". It returns when that program has been tried, and before it is
	// executed. An error is as that of Method.Func.
	Begin func(ctx context.Context, path string) (xmlrpc.Struct, error)
	// Refuse notes that nothing is begun, and why. The error is as that of Begin.
	Refuse func(ctx context.Context, reason string) error
	// State is which program runs and the outcome of the last upgrade. It never blocks
	// for long.
	State func() xmlrpc.Struct
}

// ReexecNamespace is the upgrade in place over XML-RPC, for Options.Extra.
func ReexecNamespace(r Reexec) Namespace {
	return Namespace{Name: "reconcile", Methods: []Method{
		{
			Name: "reexec",
			Help: "Executes supervisord again, in the same process: programs keep running undisturbed. The new program\n" +
				"is tried first. It is the file that supervisord was started from or, for root and the daemon's own\n" +
				"user over a unix socket, another one.",
			Params:  []Param{{Type: "string", Name: "path", Text: "the program; the file that supervisord was started from if not given", Optional: true}},
			Returns: Param{Type: "struct", Name: "result", Text: "pid, from, to, upgrades"},
			Func: func(ctx context.Context, a Args) (any, error) {
				path := ""
				if len(a) > 0 {
					path = a.Text(0)
				}
				if path != "" && !fromOwner(ctx) {
					return nil, r.Refuse(ctx, "only root and the daemon's own user may name another program, over a unix socket")
				}
				return r.Begin(ctx, path)
			},
		}, {
			Name:    "getProgram",
			Help:    "Which program supervisord is, and what became of its last upgrade.",
			Returns: Param{Type: "struct", Name: "result", Text: "pid, build, binary, upgrades, from, by, error"},
			Func:    func(context.Context, Args) (any, error) { return r.State(), nil },
		},
	}}
}

// fromOwner reports whether the request is root's or the daemon's own user's, over a unix
// socket.
func fromOwner(ctx context.Context) bool {
	c, ok := ctx.Value(connKey{}).(*conn)
	return ok && c.owner
}
