package rpc

import (
	"context"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/runtime/usage"
)

// ProcessesNamespace tells of processes what the structs of supervisor.*, which are not
// ours to add to, do not, for Options.Extra.
func ProcessesNamespace(p Processes, measured *usage.Sampler) Namespace {
	reset := func(ctx context.Context, sel runtime.Select, _ Args) ([]runtime.Result, error) {
		return p.Reset(ctx, sel)
	}
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
	}, {
		Name: "getUsage",
		Help: "What each process takes with all that descends from it, as measured within the last five seconds, and how often\n" +
			"it was started again. pid is 0, and so is the rest, of what does not run or cannot be measured.",
		Returns: Param{Type: "array", Name: "usage", Text: "structs with group, name, restarts, pid, at, cpu (seconds), memory (bytes), files, threads and processes"},
		Func: func(ctx context.Context, args Args) (any, error) {
			sample, err := measured.Sample(ctx)
			at := 0.0
			if err == nil {
				at = float64(sample.At.UnixMilli()) / 1000
			} else {
				sample = new(usage.Sample)
			}
			return ofEach(p, func(i runtime.Info) xmlrpc.Struct {
				u := sample.Of[usage.Process{Group: i.Group, Name: i.Name}]
				if u.PID != i.PID {
					u = usage.Usage{}
				}
				return xmlrpc.Struct{
					{Name: "restarts", Value: max(i.Starts-1, 0)},
					{Name: "pid", Value: u.PID},
					{Name: "at", Value: at},
					{Name: "cpu", Value: u.CPU.Seconds()},
					{Name: "memory", Value: float64(u.Resident)},
					{Name: "files", Value: u.Descriptors},
					{Name: "threads", Value: u.Threads},
					{Name: "processes", Value: u.Processes},
				}
			})(ctx, args)
		},
	}, {
		Name: "getHealth",
		Help: "What is known of each process that is probed: whether it is ready (yes or no), whether it is healthy (passing,\n" +
			"failing or unknown), each empty where it is not asked, what the last look said that failed, and what the process\n" +
			"itself has said last (STATUS=).",
		Returns: Param{Type: "array", Name: "processes", Text: "structs with group, name, ready, health, complaint and status_text"},
		Func: ofEach(p, func(i runtime.Info) xmlrpc.Struct {
			if i.Probed == nil {
				return nil
			}
			return xmlrpc.Struct{
				{Name: "ready", Value: readyWord(i.Probed)},
				{Name: "health", Value: i.Probed.Health},
				{Name: "complaint", Value: i.Probed.Complaint},
				{Name: "status_text", Value: i.Probed.Status},
			}
		}),
	}, {
		Name: "reset",
		Help: "Forgets what went wrong with a process: one that is FATAL is STOPPED again, and the waits and counts of its\n" +
			"restart policy begin anew. Nothing is started.",
		Params:  []Param{{Type: "string", Name: "name", Text: "name of the process, or group:name, or group:* for a whole group"}},
		Returns: Param{Type: "boolean", Name: "result", Text: "true, or for group:* the result of startProcessGroup and the like"},
		Done:    "%s reset",
		Func:    forProcess(reset),
	}, {
		Name:    "resetAll",
		Help:    "Does that for every process.",
		Returns: Param{Type: "array", Name: "result", Text: "a struct for each process: name, group, status, description"},
		Done:    "all processes reset",
		Func:    forAll(reset),
	}}}
}

func readyWord(p *runtime.ProbeInfo) string {
	switch {
	case !p.Asked:
		return ""
	case p.Ready:
		return "yes"
	}
	return "no"
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
