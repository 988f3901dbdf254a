package rpc

import (
	"errors"
	"fmt"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
)

// codes is the one table from the supervisor's refusals to fault codes.
//
// Source: contract/rpc.md sections 2 and 4, contract/process.md section 7.
var codes = map[runtime.Kind]xmlrpc.Code{
	runtime.BadName:        xmlrpc.BadName,
	runtime.BadSignal:      xmlrpc.BadSignal,
	runtime.NoFile:         xmlrpc.NoFile,
	runtime.NotExecutable:  xmlrpc.NotExecutable,
	runtime.Failed:         xmlrpc.Failed,
	runtime.Abnormal:       xmlrpc.AbnormalTermination,
	runtime.SpawnFailed:    xmlrpc.SpawnError,
	runtime.AlreadyStarted: xmlrpc.AlreadyStarted,
	runtime.NotRunning:     xmlrpc.NotRunning,
	runtime.AlreadyAdded:   xmlrpc.AlreadyAdded,
	runtime.StillRunning:   xmlrpc.StillRunning,
	runtime.ShuttingDown:   xmlrpc.ShutdownState,
	runtime.InUnknownState: xmlrpc.Failed,
	runtime.NoStdin:        xmlrpc.NoFile,
	runtime.Conflict:       xmlrpc.Failed,
	runtime.StdinFull:      xmlrpc.Failed,
	runtime.Upgrading:      xmlrpc.Failed,
}

// toFault makes the fault that a client sees of an error, with the name as the
// client gave it. An error that is no refusal is returned as it is.
func toFault(err error, name string) error {
	var refusal *runtime.Error
	if !errors.As(err, &refusal) {
		return err
	}
	extra := name
	if refusal.Detail != "" {
		extra = refusal.Detail
	}
	switch refusal.Kind {
	case runtime.ShuttingDown:
		return xmlrpc.NewFault(xmlrpc.ShutdownState, "")
	case runtime.InUnknownState:
		extra = fmt.Sprintf("%s is in an unknown process state", name)
	case runtime.Upgrading:
		extra = refusal.Kind.String()
	case runtime.Conflict, runtime.StdinFull:
		if refusal.Detail == "" {
			extra = fmt.Sprintf("%s: %s", name, refusal.Kind)
		}
	}
	return faultWith(codes[refusal.Kind], extra)
}

// faultWith is a fault with its extra text, which is said even when it is empty: a
// client may ask for a process without a name.
func faultWith(code xmlrpc.Code, extra string) *xmlrpc.Fault {
	return &xmlrpc.Fault{Code: code, Text: code.String() + ": " + extra}
}

// badParameters is the fault for parameters of a wrong type or number. Where
// Supervisor fails with HTTP 500 on some of them, this is said instead.
var badParameters = xmlrpc.NewFault(xmlrpc.IncorrectParameters, "")
