package xmlrpc

import (
	"fmt"
	"strings"
)

// Code is a fault code of Supervisor's XML-RPC interface.
type Code int

// The fault codes. Success is never a fault: it is the status of an entry in
// the arrays that calls on several processes return.
const (
	UnknownMethod        Code = 1
	IncorrectParameters  Code = 2
	BadArguments         Code = 3
	SignatureUnsupported Code = 4
	ShutdownState        Code = 6
	BadName              Code = 10
	BadSignal            Code = 11
	NoFile               Code = 20
	NotExecutable        Code = 21
	Failed               Code = 30
	AbnormalTermination  Code = 40
	SpawnError           Code = 50
	AlreadyStarted       Code = 60
	NotRunning           Code = 70
	Success              Code = 80
	AlreadyAdded         Code = 90
	StillRunning         Code = 91
	CantReread           Code = 92
	Forbidden            Code = 403 // ours beyond Supervisor, as is the next; HTTP says the same
	Conflict             Code = 409
)

// Codes lists every code in ascending order.
var Codes = []Code{
	UnknownMethod, IncorrectParameters, BadArguments, SignatureUnsupported, ShutdownState,
	BadName, BadSignal, NoFile, NotExecutable, Failed, AbnormalTermination, SpawnError,
	AlreadyStarted, NotRunning, Success, AlreadyAdded, StillRunning, CantReread, Forbidden, Conflict,
}

var codeNames = map[Code]string{
	UnknownMethod:        "UNKNOWN_METHOD",
	IncorrectParameters:  "INCORRECT_PARAMETERS",
	BadArguments:         "BAD_ARGUMENTS",
	SignatureUnsupported: "SIGNATURE_UNSUPPORTED",
	ShutdownState:        "SHUTDOWN_STATE",
	BadName:              "BAD_NAME",
	BadSignal:            "BAD_SIGNAL",
	NoFile:               "NO_FILE",
	NotExecutable:        "NOT_EXECUTABLE",
	Failed:               "FAILED",
	AbnormalTermination:  "ABNORMAL_TERMINATION",
	SpawnError:           "SPAWN_ERROR",
	AlreadyStarted:       "ALREADY_STARTED",
	NotRunning:           "NOT_RUNNING",
	Success:              "SUCCESS",
	AlreadyAdded:         "ALREADY_ADDED",
	StillRunning:         "STILL_RUNNING",
	CantReread:           "CANT_REREAD",
	Forbidden:            "FORBIDDEN",
	Conflict:             "CONFLICT",
}

// String is the code's name as fault strings begin with it, or "UNKNOWN" for a
// number that is no code.
func (c Code) String() string {
	if name, ok := codeNames[c]; ok {
		return name
	}
	return "UNKNOWN"
}

// Fault is a refusal as it goes over the wire. It is an error, so that a call
// can return it as it is.
type Fault struct {
	Code Code
	// Text is the faultString: the code's name, or the name, ": " and what it
	// is about.
	Text string
}

// NewFault makes a fault whose text is "NAME", or "NAME: extra" where extra is
// not empty.
func NewFault(code Code, extra string) *Fault {
	if extra == "" {
		return &Fault{Code: code, Text: code.String()}
	}
	return &Fault{Code: code, Text: code.String() + ": " + extra}
}

// Error says the fault as Supervisor's activity log does.
func (f *Fault) Error() string { return fmt.Sprintf("[%d] %s", f.Code, f.Text) }

// Extra is the part of the text after "NAME: ", or "" where the text has none.
func (f *Fault) Extra() string {
	extra, ok := strings.CutPrefix(f.Text, f.Code.String()+": ")
	if !ok {
		return ""
	}
	return extra
}
