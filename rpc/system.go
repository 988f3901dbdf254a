package rpc

import (
	"context"
	"errors"
	"fmt"

	"supervisord/rpc/xmlrpc"
)

// systemNamespace is every method of system.*. They answer in every mood, and
// without [rpcinterface:supervisor] too.
//
// Source: contract/rpc.md section 7.
func (s *Server) systemNamespace() Namespace {
	name := []Param{{Type: "string", Name: "name", Text: "full name of the method"}}
	return Namespace{Name: "system", Methods: []Method{
		{
			Name:          "listMethods",
			Help:          "The names of all methods that can be called.",
			Returns:       Param{Type: "array", Name: "result", Text: "names, sorted"},
			WhileStopping: true,
			Func:          func(context.Context, Args) (any, error) { return s.methods.names, nil },
		},
		{
			Name:          "methodHelp",
			Help:          "What a method does, and its parameters and result.",
			Params:        name,
			Returns:       Param{Type: "string", Name: "result", Text: "text, then a line for each parameter and one for the result"},
			WhileStopping: true,
			Func: func(_ context.Context, args Args) (any, error) {
				m, err := s.lookUp(args)
				if err != nil {
					return nil, err
				}
				return m.help(), nil
			},
		},
		{
			Name:          "methodSignature",
			Help:          "The types of a method's result and parameters.",
			Params:        name,
			Returns:       Param{Type: "array", Name: "result", Text: "type of the result, then those of the parameters"},
			WhileStopping: true,
			Func: func(_ context.Context, args Args) (any, error) {
				m, err := s.lookUp(args)
				if err != nil {
					return nil, err
				}
				return m.signature(), nil
			},
		},
		{
			Name: "multicall",
			Help: "Run several calls, one after another, and answer with all their results. A call is\n" +
				"a struct of string methodName and array params. A result is the value itself,\n" +
				"not an array around it, or a struct of int faultCode and string faultString.",
			Params:        []Param{{Type: "array", Name: "calls", Text: "the calls"}},
			Returns:       Param{Type: "array", Name: "result", Text: "a result for each call"},
			WhileStopping: true,
			Func:          s.multicall,
		},
	}}
}

func (s *Server) lookUp(args Args) (row, error) {
	m, ok := s.methods.rows[args.Text(0)]
	if !ok {
		return row{}, xmlrpc.NewFault(xmlrpc.SignatureUnsupported, "")
	}
	return m, nil
}

// multicall gives bare values, as Supervisor does and its clients expect,
// where the convention wants each in an array of one
// (contract/differences.md row 55). Each is encoded at once, so that a list of
// calls cannot ask for more memory than there is for it.
func (s *Server) multicall(ctx context.Context, args Args) (any, error) {
	calls, ok := args[0].([]any)
	if !ok {
		return nil, badParameters
	}
	for _, c := range calls {
		if _, ok := c.(map[string]any); !ok {
			return nil, badParameters
		}
	}
	results := newDocument(ctx)
	results.whole = true
	return results, results.array(func() error {
		for _, c := range calls {
			v, err := s.callItem(ctx, c.(map[string]any))
			var fault *xmlrpc.Fault
			switch {
			case err == nil:
			case ctx.Err() != nil:
				return ctx.Err()
			case memoryFault(err) != nil:
				return err
			case errors.As(err, &fault):
				v = fault
			default:
				v = faultWith(xmlrpc.Failed, err.Error())
			}
			if err := results.value(v); err != nil {
				return err
			}
			if results.length() > s.opt.MaxReply {
				return faultWith(xmlrpc.Failed, fmt.Sprintf("the results have more than %d bytes", s.opt.MaxReply))
			}
		}
		return nil
	})
}

// callItem runs one call of a multicall.
func (s *Server) callItem(ctx context.Context, call map[string]any) (any, error) {
	method, ok := call["methodName"]
	if !ok || method == nil {
		return nil, faultWith(xmlrpc.IncorrectParameters, "No methodName")
	}
	if method == "system.multicall" {
		return nil, faultWith(xmlrpc.IncorrectParameters, "Recursive system.multicall forbidden")
	}
	name, isName := method.(string)
	params, given := call["params"]
	list, isList := params.([]any)
	if !isName || given && !isList {
		return nil, badParameters
	}
	return s.call(ctx, name, list)
}
