package rpc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/runtime/hang"
	"supervisord/runtime/logfile"
)

// logMethods are those that read and clear logs.
func (s *Server) logMethods() []Method {
	name := Param{Type: "string", Name: "name", Text: "name of the process, as group:name where they differ"}
	offset := Param{Type: "int", Name: "offset", Text: "where to begin, in bytes; less than 0 counts from the end"}
	length := Param{Type: "int", Name: "length", Text: "how many bytes; 0 reads to the end"}
	seen := Param{Type: "int", Name: "offset", Text: "how far the caller has read, in bytes"}
	most := Param{Type: "int", Name: "length", Text: "the maximum number of bytes"}
	text := Param{Type: "string", Name: "result", Text: "that part of the log"}
	tail := Param{Type: "array", Name: "result", Text: "string bytes, int offset, bool overflow"}
	yes := Param{Type: "boolean", Name: "result", Text: "true"}

	stdout := func(p runtime.Info) string { return p.StdoutLog }
	stderr := func(p runtime.Info) string { return p.StderrLog }

	readLog := Method{
		Name:    "readLog",
		Help:    "Read a part of supervisord's own log.",
		Params:  []Param{offset, length},
		Returns: text,
		Func: func(ctx context.Context, args Args) (any, error) {
			return s.readPart(ctx, s.opt.MainLog.Path(), args)
		},
	}
	readStdout := Method{
		Name:    "readProcessStdoutLog",
		Help:    "Read a part of what a process wrote to its standard output.",
		Params:  []Param{name, offset, length},
		Returns: text,
		Func:    s.readProcessLog(stdout),
	}
	tailStdout := Method{
		Name: "tailProcessStdoutLog",
		Help: "Read the newest part of what a process wrote to its standard output. To follow a\n" +
			"log, call again with the offset that came back; overflow says that more was\n" +
			"written meanwhile than length bytes could hold.",
		Params:  []Param{name, seen, most},
		Returns: tail,
		Func:    s.tailProcessLog(stdout),
	}
	clear := Method{
		Name:    "clearProcessLogs",
		Help:    "Empty the logs of a process.",
		Params:  []Param{name},
		Returns: yes,
		Done:    "logs of %s cleared",
		Func:    s.clearProcessLogs,
	}
	return []Method{
		readLog,
		alias("readMainLog", readLog),
		{
			Name:    "clearLog",
			Help:    "Empty supervisord's own log.",
			Returns: yes,
			Func:    s.clearMainLog,
		},
		readStdout,
		alias("readProcessLog", readStdout),
		{
			Name:    "readProcessStderrLog",
			Help:    "Read a part of what a process wrote to its standard error.",
			Params:  []Param{name, offset, length},
			Returns: text,
			Func:    s.readProcessLog(stderr),
		},
		tailStdout,
		alias("tailProcessLog", tailStdout),
		{
			Name:    "tailProcessStderrLog",
			Help:    "Read the newest part of what a process wrote to its standard error, as\ntailProcessStdoutLog does.",
			Params:  []Param{name, seen, most},
			Returns: tail,
			Func:    s.tailProcessLog(stderr),
		},
		clear,
		alias("clearProcessLog", clear),
		{
			Name:    "clearAllProcessLogs",
			Help:    "Empty the logs of every process.",
			Returns: Param{Type: "array", Name: "result", Text: "a struct for each process: name, group, status, description"},
			Done:    "logs of all processes cleared",
			Func: func(ctx context.Context, _ Args) (any, error) {
				all, err := s.opt.Processes.ClearLogs(ctx, runtime.Select{})
				return results(all), err
			},
		},
	}
}

func (s *Server) readProcessLog(path func(runtime.Info) string) func(context.Context, Args) (any, error) {
	return func(ctx context.Context, args Args) (any, error) {
		info, err := s.processArg(ctx, args)
		if err != nil {
			return nil, err
		}
		return s.readPart(ctx, path(info), args[1:])
	}
}

// readPart reads a log by the rules of contract/rpc.md section 6. A part that is
// longer than a reply may be is refused: no client could take it.
func (s *Server) readPart(ctx context.Context, path string, args Args) (any, error) {
	offset, err := args.Int(0)
	if err != nil {
		return nil, err
	}
	length, err := args.Int(1)
	if err != nil {
		return nil, err
	}
	if path == "" {
		return nil, xmlrpc.NewFault(xmlrpc.NoFile, "")
	}
	text, err := s.openText(ctx, path, func() (*logfile.Part, error) { return logfile.OpenPart(path, offset, length) })
	switch {
	case errors.Is(err, logfile.ErrBadArguments):
		return nil, xmlrpc.NewFault(xmlrpc.BadArguments, "")
	case errors.Is(err, fs.ErrNotExist):
		return nil, xmlrpc.NewFault(xmlrpc.NoFile, path)
	case errors.Is(err, logfile.ErrNotRegular):
		return nil, faultWith(xmlrpc.Failed, path+" cannot be read back: it is not a regular file")
	case err != nil:
		return nil, diskFault(err)
	}
	if text.size() > s.opt.MaxReply {
		accountOf(ctx).closeNow(text)
		return nil, faultWith(xmlrpc.Failed, fmt.Sprintf("more than %d bytes", s.opt.MaxReply))
	}
	return text, nil
}

// diskFault is the fault for what a disk did not do.
func diskFault(err error) error {
	if silent, is := errors.AsType[*hang.Silent](err); is {
		return faultWith(xmlrpc.Failed, silent.Error())
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err // nobody is there to answer
	}
	return xmlrpc.NewFault(xmlrpc.Failed, "")
}

// tailProcessLog never refuses a log that is not there or that cannot be read: it is
// empty. What only this moment lacks, such as a file descriptor, is no empty log.
func (s *Server) tailProcessLog(path func(runtime.Info) string) func(context.Context, Args) (any, error) {
	return func(ctx context.Context, args Args) (any, error) {
		info, err := s.processArg(ctx, args)
		if err != nil {
			return nil, err
		}
		offset, err := args.Int(1)
		if err != nil {
			return nil, err
		}
		length, err := args.Int(2)
		if err != nil {
			return nil, err
		}
		if path(info) == "" {
			return []any{"", 0, false}, nil
		}
		end, err := hang.Ask(ctx, s.disks, filepath.Dir(path(info)), func() (logTail, error) {
			part, next, overflow, err := logfile.OpenTail(path(info), offset, min(length, s.opt.MaxReply))
			return logTail{part, next, overflow}, err
		})
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return []any{"", 0, false}, nil
		case errors.Is(err, fs.ErrPermission), errors.Is(err, logfile.ErrNotRegular):
			return []any{"", offset, false}, nil
		case err != nil:
			return nil, diskFault(err)
		}
		return []any{s.textOf(ctx, path(info), end.Part), end.next, end.overflow}, nil
	}
}

// logTail is the end of a log, and what is reported with its text.
type logTail struct {
	*logfile.Part
	next     int64 // offset to continue from
	overflow bool
}

func (s *Server) clearProcessLogs(ctx context.Context, args Args) (any, error) {
	info, err := s.processArg(ctx, args)
	if err != nil {
		return nil, err
	}
	_, err = s.opt.Processes.ClearLogs(ctx, runtime.Select{Group: info.Group, Process: info.Name})
	return true, err
}
