package rpc

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/spec"
	"supervisord/spec/value"
)

// processMethods are those that tell about processes and act on them.
func (s *Server) processMethods() []Method {
	one := Param{Type: "string", Name: "name", Text: "name of the process, as group:name where they differ"}
	some := Param{Type: "string", Name: "name", Text: "name of the process, or group:name, or group:* for a whole group"}
	group := Param{Type: "string", Name: "name", Text: "name of the group"}
	wait := Param{Type: "boolean", Name: "wait", Text: "answer only when it is done", Optional: true}
	sig := Param{Type: "string", Name: "signal", Text: "the signal, by its name or number"}
	yes := Param{Type: "boolean", Name: "result", Text: "true, or for group:* the result of startProcessGroup and the like"}
	list := Param{Type: "array", Name: "result", Text: "a struct for each process: name, group, status, description"}

	return []Method{
		{
			Name:    "getProcessInfo",
			Help:    "What one process is doing.",
			Params:  []Param{one},
			Returns: Param{Type: "struct", Name: "result", Text: "name, group, state, pid and more"},
			Func:    s.getProcessInfo,
		},
		{
			Name:    "getAllProcessInfo",
			Help:    "What every process is doing, all at the same moment.",
			Returns: Param{Type: "array", Name: "result", Text: "the structs of getProcessInfo, sorted by group, then name"},
			Func: func(ctx context.Context, _ Args) (any, error) {
				all, err := s.opt.Processes.Snapshot(ctx)
				return processInfos(all), err
			},
		},
		{
			Name:    "startProcess",
			Help:    "Start a process. With wait, the answer comes when it has stayed up for startsecs.",
			Params:  []Param{some, wait},
			Returns: yes,
			Done:    "%s started",
			Func:    forProcess(withWait(s.opt.Processes.Start)),
		},
		{
			Name:    "startProcessGroup",
			Help:    "Start every process of a group that is not running.",
			Params:  []Param{group, wait},
			Returns: list,
			Done:    "%s:* started",
			Func:    forGroup(withWait(s.opt.Processes.Start)),
		},
		{
			Name:    "startAllProcesses",
			Help:    "Start every process that is not running.",
			Params:  []Param{wait},
			Returns: list,
			Done:    "all processes started",
			Func:    forAll(withWait(s.opt.Processes.Start)),
		},
		{
			Name:    "stopProcess",
			Help:    "Stop a process. With wait, the answer comes when it has ended.",
			Params:  []Param{some, wait},
			Returns: yes,
			Done:    "%s stopped",
			Func:    forProcess(withWait(s.opt.Processes.Stop)),
		},
		{
			Name:    "stopProcessGroup",
			Help:    "Stop every process of a group that is running.",
			Params:  []Param{group, wait},
			Returns: list,
			Done:    "%s:* stopped",
			Func:    forGroup(withWait(s.opt.Processes.Stop)),
		},
		{
			Name:    "stopAllProcesses",
			Help:    "Stop every process that is running.",
			Params:  []Param{wait},
			Returns: list,
			Done:    "all processes stopped",
			Func:    forAll(withWait(s.opt.Processes.Stop)),
		},
		{
			Name:    "signalProcess",
			Help:    "Send a signal to a process.",
			Params:  []Param{some, sig},
			Returns: yes,
			Done:    "%s signalled",
			Func:    forProcess(s.signal),
		},
		{
			Name:    "signalProcessGroup",
			Help:    "Send a signal to every process of a group that is running.",
			Params:  []Param{group, sig},
			Returns: list,
			Done:    "%s:* signalled",
			Func:    forGroup(s.signal),
		},
		{
			Name:    "signalAllProcesses",
			Help:    "Send a signal to every process that is running.",
			Params:  []Param{sig},
			Returns: list,
			Done:    "all processes signalled",
			Func:    forAll(s.signal),
		},
		{
			Name: "sendProcessStdin",
			Help: "Write text to the standard input of a process. To send bytes that are not text,\n" +
				"give them as base64.",
			Params:  []Param{one, {Type: "string", Name: "chars", Text: "what to write"}},
			Returns: Param{Type: "boolean", Name: "result", Text: "true"},
			Func:    s.sendStdin,
		},
	}
}

// operation acts on what sel names; rest are the parameters after the name.
type operation func(ctx context.Context, sel runtime.Select, rest Args) ([]runtime.Result, error)

// forProcess makes a method of an operation on one process; the name group:* makes
// it the method for a group.
func forProcess(do operation) func(context.Context, Args) (any, error) {
	return func(ctx context.Context, args Args) (any, error) {
		name, err := args.Name(0)
		if err != nil {
			return nil, err
		}
		n := spec.ParseNamespec(name)
		if n.Group == "" { // an empty Select would mean everything
			return nil, faultWith(xmlrpc.BadName, name)
		}
		all, err := do(ctx, runtime.Select(n), args[1:])
		if err != nil || !n.WholeGroup() {
			return true, err
		}
		return results(all), nil
	}
}

// forGroup makes a method of an operation on a group.
func forGroup(do operation) func(context.Context, Args) (any, error) {
	return func(ctx context.Context, args Args) (any, error) {
		group := args.Text(0)
		if group == "" { // as in forProcess
			return nil, faultWith(xmlrpc.BadName, group)
		}
		all, err := do(ctx, runtime.Select{Group: group}, args[1:])
		return results(all), err
	}
}

// forAll makes a method of an operation on all processes.
func forAll(do operation) func(context.Context, Args) (any, error) {
	return func(ctx context.Context, args Args) (any, error) {
		all, err := do(ctx, runtime.Select{}, args)
		return results(all), err
	}
}

// withWait makes an operation of Start or Stop, whose parameter is whether to
// wait, by default yes.
func withWait(do func(context.Context, runtime.Select, bool) ([]runtime.Result, error)) operation {
	return func(ctx context.Context, sel runtime.Select, rest Args) ([]runtime.Result, error) {
		wait := rest.Bool(0, true)
		if wait {
			if err := lasts(ctx, waiting); err != nil {
				return nil, err
			}
		}
		return do(ctx, sel, wait)
	}
}

// signal sends a signal. The name is checked before the signal, and the signal
// before the state of the process; of several processes, each one that a signal
// would have reached tells of a bad one.
func (s *Server) signal(ctx context.Context, sel runtime.Select, rest Args) ([]runtime.Result, error) {
	text := rest.Text(0)
	switch rest[0].(type) {
	case bool, float64: // numbers to Python
		if n, err := rest.Int(0); err == nil {
			text = strconv.FormatInt(n, 10)
		}
	}
	sig, err := value.ParseSignal(text)
	if err == nil {
		return s.opt.Processes.Signal(ctx, sel, sig)
	}
	bad := faultWith(xmlrpc.BadSignal, rest.Text(0))
	if sel.Process != "" {
		if _, err := s.opt.Processes.Info(ctx, sel.Group, sel.Process); err != nil {
			return nil, err
		}
		return nil, bad
	}
	if sel.Group != "" && !s.opt.Config.Active(sel.Group) {
		return nil, &runtime.Error{Kind: runtime.BadName, Name: sel.Group}
	}
	all, err := s.opt.Processes.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b runtime.Info) int {
		return cmp.Or(cmp.Compare(a.GroupPrio, b.GroupPrio), cmp.Compare(a.Priority, b.Priority))
	})
	var refused []runtime.Result
	for _, p := range all {
		if p.State.Signallable() && (sel.Group == "" || p.Group == sel.Group) {
			refused = append(refused, runtime.Result{Group: p.Group, Name: p.Name, Err: bad})
		}
	}
	return refused, nil
}

func (s *Server) getProcessInfo(ctx context.Context, args Args) (any, error) {
	info, err := s.processArg(ctx, args)
	return processInfo(info), err
}

// processArg is the process that the first parameter names; it must be one, not a
// group.
func (s *Server) processArg(ctx context.Context, args Args) (runtime.Info, error) {
	name, err := args.Name(0)
	if err != nil {
		return runtime.Info{}, err
	}
	n := spec.ParseNamespec(name)
	if n.WholeGroup() {
		return runtime.Info{}, faultWith(xmlrpc.BadName, name)
	}
	return s.opt.Processes.Info(ctx, n.Group, n.Process)
}

func (s *Server) sendStdin(ctx context.Context, args Args) (any, error) {
	var data []byte
	switch chars := args[1].(type) {
	case string:
		data = []byte(chars)
	case []byte:
		data = chars
	case nil:
		return nil, badParameters
	default:
		return nil, faultWith(xmlrpc.IncorrectParameters, pyStr(chars))
	}
	info, err := s.processArg(ctx, args)
	if err != nil {
		return nil, err
	}
	return true, s.opt.Processes.WriteStdin(ctx, info.Group, info.Name, data)
}
