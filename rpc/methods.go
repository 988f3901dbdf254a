package rpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/runtime/state"
)

// Namespace is a set of methods under one name: supervisor, system, and what
// else the daemon adds.
type Namespace struct {
	Name    string
	Methods []Method
}

// Method is one row of the table: what a client may call, what it is told about
// it, and what is done. The table is everything that can be called: a method's
// full name is looked up as it is, and nothing is ever reached by walking from
// one name to the next.
type Method struct {
	Name string
	// Help is free text, in whole sentences.
	Help string
	// Params are described in order; the optional ones come last.
	Params []Param
	// Returns describes the result; its Name may be empty.
	Returns Param

	// WhileStopping methods answer also when the daemon is shutting down or
	// restarting; the others are refused with SHUTDOWN_STATE.
	WhileStopping bool
	// Waits methods may wait for what others do, or for the files to be read; there may be
	// so many at once that short calls keep their place, and an upgrade keeps nobody
	// waiting for them. Those with a parameter wait say so themselves.
	Waits bool
	// Done is what the activity log says of a call that succeeded, before "by"
	// and the caller: "%s stopped", where %s is the first parameter. Methods
	// that change nothing leave it empty.
	Done string
	// Asked is the same, said before it is done, of what does not end with the call.
	Asked string

	// Func does it. It may wait as long as ctx lives. The result is one of the
	// types of xmlrpc.AppendValue. An error of type *xmlrpc.Fault or
	// *runtime.Error is the fault that the client sees, any other is answered
	// with HTTP 500 and logged as a defect, and a context's error means that
	// nobody is there to answer.
	Func func(ctx context.Context, args Args) (any, error)
}

// Param describes a parameter or a result.
type Param struct {
	Type     string // int, string, boolean, array or struct
	Name     string
	Text     string
	Optional bool
}

// row is a method as the table holds it.
type row struct {
	*Method
	full string // namespace.name
}

// methodTable is every method by its full name.
type methodTable struct {
	rows  map[string]row
	names []string // sorted
}

// newMethodTable makes a table of namespaces. Two methods of one name are a mistake
// in the program.
func newMethodTable(namespaces []Namespace) *methodTable {
	t := &methodTable{rows: make(map[string]row)}
	for i := range namespaces {
		for j := range namespaces[i].Methods {
			m := &namespaces[i].Methods[j]
			full := namespaces[i].Name + "." + m.Name
			if _, twice := t.rows[full]; twice {
				panic("rpc: the method " + full + " is defined twice")
			}
			t.rows[full] = row{m, full}
			t.names = append(t.names, full)
		}
	}
	slices.Sort(t.names)
	return t
}

// call runs one method and says in the activity log what happened. Faults are
// *xmlrpc.Fault.
func (s *Server) call(ctx context.Context, method string, args Args) (any, error) {
	s.trace(ctx, "XML-RPC method called: %s()", method)
	result, err := s.invoke(ctx, s.methods, method, args)
	var fault *xmlrpc.Fault
	switch {
	case err == nil:
		s.trace(ctx, "XML-RPC method %s() returned successfully", method)
	case errors.As(err, &fault):
		s.trace(ctx, "XML-RPC method %s() returned fault: [%d] %s", method, fault.Code, fault.Text)
	}
	return result, err
}

// invoke runs one method of a table.
func (s *Server) invoke(ctx context.Context, t *methodTable, method string, args Args) (any, error) {
	m, ok := t.rows[method]
	if !ok {
		return nil, xmlrpc.NewFault(xmlrpc.UnknownMethod, "")
	}
	if readOnly(ctx) && !reading[method] {
		return nil, xmlrpc.NewFault(xmlrpc.Forbidden, onlyReads)
	}
	if len(args) > len(m.Params) || len(args) < m.required() {
		return nil, badParameters
	}
	if !m.WhileStopping && s.opt.Processes.Mood() != state.MoodRunning {
		return nil, xmlrpc.NewFault(xmlrpc.ShutdownState, "")
	}
	if m.Waits {
		if err := lasts(ctx, waiting); err != nil {
			return nil, err
		}
	}
	if m.Asked != "" {
		s.logChange(ctx, m.Asked, args)
	}
	result, err := m.Func(ctx, args)
	if err != nil {
		name := ""
		if len(args) > 0 {
			name = pyStr(args[0])
		}
		return nil, toFault(err, name)
	}
	if m.Done != "" && anySucceeded(result) {
		s.logChange(ctx, m.Done, args)
	}
	return result, nil
}

// anySucceeded reports whether a result tells of anything done.
func anySucceeded(result any) bool {
	all, several := result.(results)
	return !several || slices.ContainsFunc(all, func(r runtime.Result) bool { return r.Err == nil })
}

// logChange writes who did what.
func (s *Server) logChange(ctx context.Context, done string, args Args) {
	if strings.Contains(done, "%s") {
		done = fmt.Sprintf(done, pyStr(args[0]))
	}
	s.log.InfoContext(ctx, done+" by "+Caller(ctx))
}

// required is how many parameters must be given.
func (m *Method) required() int {
	n := 0
	for _, p := range m.Params {
		if !p.Optional {
			n++
		}
	}
	return n
}
