package rpc

import (
	"context"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
)

// ProcessesNamespace tells of processes what the structs of supervisor.*, which are not
// ours to add to, do not, for Options.Extra.
func ProcessesNamespace(p Processes) Namespace {
	return Namespace{Name: "processes", Methods: []Method{{
		Name: "getExits",
		Help: "How each process that has ended since its group was added did so last: the words of the log, the signal's name\n" +
			"(empty for none), whether its memory was dumped (core) and whether the kernel's out-of-memory killer ended it (oom).",
		Returns: Param{Type: "array", Name: "exits", Text: "structs with group, name, how, signal, core and oom"},
		Func: ofEach(p, func(i runtime.Info) xmlrpc.Struct {
			if i.LastEnd == nil {
				return nil
			}
			return xmlrpc.Struct{
				{Name: "how", Value: i.LastEnd.How},
				{Name: "signal", Value: i.LastEnd.Signal},
				{Name: "core", Value: i.LastEnd.Core},
				{Name: "oom", Value: i.LastEnd.OOM},
			}
		}),
	}}}
}

// ofEach is a method that lists processes with what one tells of each, nil for nothing.
func ofEach(p Processes, one func(runtime.Info) xmlrpc.Struct) func(context.Context, Args) (any, error) {
	return func(ctx context.Context, _ Args) (any, error) {
		infos, err := p.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		list := []any{}
		for _, i := range infos {
			if told := one(i); told != nil {
				list = append(list, append(xmlrpc.Struct{{Name: "group", Value: i.Group}, {Name: "name", Value: i.Name}}, told...))
			}
		}
		return list, nil
	}
}
