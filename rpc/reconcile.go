package rpc

import (
	"context"
	"math"

	"supervisord/rpc/xmlrpc"
)

// Reconciler is what rpc asks of the reconciler for reconcile.*. The results are what the
// client gets; an error is as that of Method.Func. The methods may be called from any
// goroutine, and give up when ctx ends.
type Reconciler interface {
	State(ctx context.Context) (xmlrpc.Struct, error)
	Diff(ctx context.Context, names []string) ([]any, error)
	Apply(ctx context.Context, names []string) (xmlrpc.Struct, error)
	// Plan is Diff with the name of the plan; a tree that is not "" stands in place of
	// the daemon's files.
	Plan(ctx context.Context, names []string, tree string) (xmlrpc.Struct, error)
	// ApplyPlan is Apply, or the fault Conflict if that would be another plan.
	ApplyPlan(ctx context.Context, plan string, names []string) (xmlrpc.Struct, error)
	Files(ctx context.Context) ([]any, error)
	// History is at most limit updates, the newest first; 0 or less is all.
	History(ctx context.Context, limit int) ([]any, error)
	// Generation is one update; DiffGenerations what differs in the files between two.
	Generation(ctx context.Context, number int) (xmlrpc.Struct, error)
	DiffGenerations(ctx context.Context, from, to int) ([]any, error)
	SetAutoupdate(ctx context.Context, on bool) error
	Revert(ctx context.Context, target string) (xmlrpc.Struct, error)
	Unpin(ctx context.Context, target string) error
}

// ReconcileNamespace is the reconciler over XML-RPC, beside the namespaces that
// Supervisor has, for Options.Extra.
//
// Source: reconciler.md, Seeing it.
func ReconcileNamespace(r Reconciler) Namespace {
	names := Param{Type: "array", Name: "names", Text: "groups to consider; none means all", Optional: true}
	return Namespace{Name: "reconcile", Methods: append([]Method{
		{
			Name:    "getState",
			Help:    "How the files and the active groups compare.",
			Returns: Param{Type: "struct", Name: "result", Text: "phase, generation, desired, applied, reason, since, autoupdate, directories, deferred (all that is held is so by pauses or a closed window), verifying (all is applied, and has not proved itself yet), rejected, revision (in force), attempted_revision (as read last), outcome (of that: success, failure, pending or empty), statedir_error (why nothing can be stored; empty if it can)"},
			Func:    func(ctx context.Context, _ Args) (any, error) { return r.State(ctx) },
		}, {
			Name:    "diff",
			Help:    "What an update would do, and why. Nothing is changed. Values of environment variables are not shown.",
			Params:  []Param{names},
			Returns: Param{Type: "array", Name: "actions", Text: "structs with action, group, process, changes, reason and file"},
			Waits:   true,
			Func: func(ctx context.Context, a Args) (any, error) {
				only, err := a.Names(0)
				if err != nil {
					return nil, err
				}
				return r.Diff(ctx, only)
			},
		}, {
			Name: "plan",
			Help: "What an update would do and why, the plan's name for applyPlan, and what it means to what runs. With a\n" +
				"tree, which is a directory or a main file that this machine has, it is said of an update with that in the\n" +
				"place of the daemon's own: for root and the daemon's own user, over a unix socket.",
			Params:  []Param{names, {Type: "string", Name: "tree", Text: "an absolute path", Optional: true}},
			Returns: Param{Type: "struct", Name: "result", Text: "plan, actions (as of diff), reach"},
			Waits:   true,
			Func: func(ctx context.Context, a Args) (any, error) {
				only, err := a.Names(0)
				if err != nil {
					return nil, err
				}
				tree := ""
				if len(a) > 1 {
					tree, err = a.Name(1)
				}
				switch {
				case err != nil:
					return nil, err
				case tree != "" && !fromOwner(ctx):
					return nil, faultWith(xmlrpc.Failed, "a tree is read only for root and the daemon's own user, over a unix socket")
				}
				return r.Plan(ctx, only, tree)
			},
		}, {
			Name: "applyPlan",
			Help: "Does the same as apply if the plan still has that name, which reconcile.plan returned for the same names.\n" +
				"Otherwise nothing is done: fault CONFLICT.",
			Params:  []Param{{Type: "string", Name: "plan", Text: "the name of a plan"}, names},
			Returns: Param{Type: "struct", Name: "result", Text: "generation, result, ok, actions, lines"},
			Waits:   true,
			Done:    "plan %s applied",
			Func: func(ctx context.Context, a Args) (any, error) {
				plan, err := a.Name(0)
				if err != nil || plan == "" {
					return nil, badParameters
				}
				only, err := a.Names(1)
				if err != nil {
					return nil, err
				}
				return r.ApplyPlan(ctx, plan, only)
			},
		}, {
			Name: "apply",
			Help: "Reads the files and makes the active groups match them, as one operation: a client that goes away\n" +
				"does not affect the result.",
			Params:  []Param{names},
			Returns: Param{Type: "struct", Name: "result", Text: "generation, result, ok, actions, lines"},
			Waits:   true,
			Done:    "update applied",
			Func: func(ctx context.Context, a Args) (any, error) {
				only, err := a.Names(0)
				if err != nil {
					return nil, err
				}
				return r.Apply(ctx, only)
			},
		}, {
			Name: "revert",
			Help: "Takes a file back to what it was before its last change, by its path or the name of a group from it, or all\n" +
				"files to what they were in an update, by its number. They stay so until they change, or unpin.",
			Params:  []Param{{Type: "string", Name: "target", Text: "a file, a group, or the number of an update"}},
			Returns: Param{Type: "struct", Name: "result", Text: "generation, result, ok, actions, lines"},
			Waits:   true,
			Done:    "%s taken back",
			Func: func(ctx context.Context, a Args) (any, error) {
				target, err := a.Name(0)
				if err != nil {
					return nil, err
				}
				return r.Revert(ctx, target)
			},
		}, {
			Name:    "unpin",
			Help:    "Puts a file that revert took back into force again, by its path or the name of a group from it.",
			Params:  []Param{{Type: "string", Name: "target", Text: "a file or a group"}},
			Returns: Param{Type: "boolean", Name: "result", Text: "always true"},
			Done:    "%s is in force again",
			Waits:   true,
			Func: func(ctx context.Context, a Args) (any, error) {
				target, err := a.Name(0)
				if err != nil {
					return nil, err
				}
				return true, r.Unpin(ctx, target)
			},
		}, {
			Name:    "getFiles",
			Help:    "Each watched file or directory, its state and the programs from it.",
			Returns: Param{Type: "array", Name: "files", Text: "structs with path, state, programs, changed, reason and warnings"},
			Func:    func(ctx context.Context, _ Args) (any, error) { return r.Files(ctx) },
		}, {
			Name:    "getHistory",
			Help:    "The last updates, the newest first.",
			Params:  []Param{{Type: "int", Name: "limit", Text: "the maximum number; 10 if not given", Optional: true}},
			Returns: Param{Type: "array", Name: "entries", Text: "structs with generation, time, trigger, caller, actions, reasons (of each action), result, duration_ms, reason, revision, revertible (whether reconcile.revert can go back to it)"},
			Func: func(ctx context.Context, a Args) (any, error) {
				limit := int64(10)
				if len(a) > 0 {
					var err error
					if limit, err = a.Int(0); err != nil {
						return nil, err
					}
				}
				return r.History(ctx, int(min(max(limit, 0), math.MaxInt32)))
			},
		}, {
			Name:    "setAutoupdate",
			Help:    "Turns automatic updates on or off until the daemon is restarted.",
			Params:  []Param{{Type: "boolean", Name: "flag", Text: "whether changes are applied automatically"}},
			Returns: Param{Type: "boolean", Name: "result", Text: "always true"},
			Done:    "autoupdate set to %s",
			Waits:   true,
			Func: func(ctx context.Context, a Args) (any, error) {
				on, ok := a[0].(bool)
				if !ok {
					return nil, badParameters
				}
				return true, r.SetAutoupdate(ctx, on)
			},
		},
	}, generationMethods(r)...)}
}
