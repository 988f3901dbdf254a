package rpc

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/runtime/hang"
)

// APIVersion is the version of the interface, which clients check.
const APIVersion = "3.0"

// supervisorNamespace is every method of supervisor.*, with the aliases that
// older clients use.
//
// Source: contract/rpc.md section 4.
func (s *Server) supervisorNamespace() Namespace {
	return Namespace{Name: "supervisor", Methods: slices.Concat(
		s.daemonMethods(), s.configMethods(), s.processMethods(), s.logMethods(),
	)}
}

// alias is a method under an older name.
func alias(name string, m Method) Method {
	m.Name = name
	return m
}

// daemonMethods are those about the daemon itself.
func (s *Server) daemonMethods() []Method {
	apiVersion := Method{
		Name:    "getAPIVersion",
		Help:    "The version of this interface, which is not that of the daemon.",
		Returns: Param{Type: "string", Name: "version", Text: "version of the interface"},
		Func:    func(context.Context, Args) (any, error) { return APIVersion, nil },
	}
	return []Method{
		apiVersion,
		alias("getVersion", apiVersion),
		{
			Name:    "getSupervisorVersion",
			Help:    "The version of the running supervisord.",
			Returns: Param{Type: "string", Name: "version", Text: "version of supervisord"},
			Func:    func(context.Context, Args) (any, error) { return s.opt.Version, nil },
		},
		{
			Name:    "getIdentification",
			Help:    "The identifier of this supervisord, which distinguishes the events of several daemons.",
			Returns: Param{Type: "string", Name: "identifier", Text: "the configured identifier"},
			Func:    func(context.Context, Args) (any, error) { return s.opt.Identification, nil },
		},
		{
			Name: "getState",
			Help: "The state that supervisord is in. A caller only ever sees RUNNING: in the\n" +
				"other states every call but a few is refused with SHUTDOWN_STATE.",
			Returns: Param{Type: "struct", Name: "state", Text: "int statecode, string statename"},
			Func: func(context.Context, Args) (any, error) {
				mood := s.opt.Processes.Mood()
				return xmlrpc.Struct{{Name: "statecode", Value: int(mood)}, {Name: "statename", Value: mood.String()}}, nil
			},
		},
		{
			Name:    "getPID",
			Help:    "The process ID of supervisord.",
			Returns: Param{Type: "int", Name: "PID", Text: "of the daemon"},
			Func:    func(context.Context, Args) (any, error) { return s.opt.PID, nil },
		},
		{
			Name:    "shutdown",
			Help:    "Stop every process in order, then end supervisord. The answer does not wait for that.",
			Returns: Param{Type: "boolean", Name: "result", Text: "true"},
			Asked:   "shutdown requested",
			Func: func(ctx context.Context, _ Args) (any, error) {
				return true, s.opt.Processes.Shutdown(ctx)
			},
		},
		{
			Name: "restart",
			Help: "Stop every process in order, then start again with the configuration read anew.\n" +
				"It is refused with CANT_REREAD, and nothing stops, if the configuration has a mistake or names\n" +
				"something that cannot be used, such as a socket or a certificate.\n" +
				"The answer does not wait for the restart.",
			Returns: Param{Type: "boolean", Name: "result", Text: "true"},
			Waits:   true,
			Asked:   "restart requested",
			Func: func(ctx context.Context, _ Args) (any, error) {
				return true, s.opt.Processes.Restart(ctx)
			},
		},
		{
			Name:          "sendRemoteCommEvent",
			Help:          "Send an event of type REMOTE_COMMUNICATION to the event listeners that asked for it.",
			Params:        []Param{{Type: "string", Name: "type", Text: "what kind of event it is"}, {Type: "string", Name: "data", Text: "what it says"}},
			Returns:       Param{Type: "boolean", Name: "result", Text: "true"},
			WhileStopping: true,
			Func: func(ctx context.Context, args Args) (any, error) {
				return true, s.opt.Processes.Emit(ctx, args.Text(0), args.Text(1))
			},
		},
	}
}

// configMethods are those about the groups that the configuration has.
func (s *Server) configMethods() []Method {
	group := []Param{{Type: "string", Name: "name", Text: "name of the group"}}
	return []Method{
		{
			Name: "reloadConfig",
			Help: "Read the configuration again and tell how it differs from what is active.\n" +
				"Nothing is started, stopped, added or removed.",
			Returns: Param{Type: "array", Name: "result", Text: "one array of three: the names of added, changed and removed groups"},
			Waits:   true,
			Func: func(ctx context.Context, _ Args) (any, error) {
				return s.reread(ctx)
			},
		},
		{
			Name:    "addProcessGroup",
			Help:    "Activate a group of the configuration as it was last read, and start its autostart processes.",
			Params:  group,
			Returns: Param{Type: "boolean", Name: "result", Text: "true"},
			Waits:   true,
			Done:    "%s added",
			Func: func(ctx context.Context, args Args) (any, error) {
				return s.changeGroup(ctx, args, s.opt.Config.AddGroup)
			},
		},
		{
			Name:    "removeProcessGroup",
			Help:    "Remove a group whose processes have all stopped.",
			Params:  group,
			Returns: Param{Type: "boolean", Name: "result", Text: "true"},
			Waits:   true,
			Done:    "%s removed",
			Func: func(ctx context.Context, args Args) (any, error) {
				return s.changeGroup(ctx, args, s.opt.Config.RemoveGroup)
			},
		},
		{
			Name:    "getAllConfigInfo",
			Help:    "What the configuration, as last read, says about each process.",
			Returns: Param{Type: "array", Name: "result", Text: "a struct for each process, sorted by name"},
			Func:    s.allConfigInfo,
		},
	}
}

func (s *Server) reread(ctx context.Context) (any, error) {
	added, changed, removed, err := s.opt.Config.Reread(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, faultWith(xmlrpc.CantReread, err.Error())
	}
	return []any{[]any{added, changed, removed}}, nil
}

// changeGroup adds or removes a group. What goes wrong in a way that the
// supervisor has no name for is FAILED with the reason.
func (s *Server) changeGroup(ctx context.Context, args Args, change func(context.Context, string) error) (any, error) {
	err := change(ctx, args.Text(0))
	var refusal *runtime.Error
	if err != nil && ctx.Err() == nil && !errors.As(err, &refusal) {
		err = faultWith(xmlrpc.Failed, err.Error())
	}
	return true, err
}

func (s *Server) allConfigInfo(ctx context.Context, _ Args) (any, error) {
	active, err := s.opt.Processes.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	all := configInfos{logs: make(map[runtime.Select]runtime.Info, len(active))}
	for _, info := range active {
		all.logs[runtime.Select{Group: info.Group, Process: info.Name}] = info
	}
	desired := s.opt.Config.Desired()
	for i := range desired.Groups {
		g := &desired.Groups[i]
		inUse := s.opt.Config.Active(g.Name)
		for j := range g.Processes {
			all.configs = append(all.configs, config{g, &g.Processes[j], inUse})
		}
	}
	slices.SortStableFunc(all.configs, func(a, b config) int { return cmp.Compare(a.process.Name, b.process.Name) })
	return all, nil
}

// clearMainLog empties the daemon's own log. Who did it is said before, so that
// the log is empty afterwards, as clients expect.
func (s *Server) clearMainLog(ctx context.Context, args Args) (any, error) {
	path := s.opt.MainLog.Path()
	if path == "" {
		return nil, xmlrpc.NewFault(xmlrpc.NoFile, "")
	}
	dir := filepath.Dir(path)
	switch _, err := hang.Ask(ctx, s.disks, dir, func() (fs.FileInfo, error) { return os.Stat(path) }); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, xmlrpc.NewFault(xmlrpc.NoFile, "")
	case err != nil:
		return nil, diskFault(err)
	}
	s.logChange(ctx, "main log cleared", args)
	if _, err := hang.Ask(ctx, s.disks, dir, func() (any, error) { return nil, s.opt.MainLog.Clear() }); err != nil {
		return nil, diskFault(err)
	}
	return true, nil
}
