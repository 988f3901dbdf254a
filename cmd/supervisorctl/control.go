package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"supervisord/rpc/client"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// operation is what start, stop, signal and clear do to processes and how they word
// it.
//
// Source: contract/supervisorctl.md sections 2, 6 and 7.
type operation struct {
	done     string                 // what has happened to a process on success
	errors   map[client.Code]string // the words for each fault that is foreseen
	harmless client.Code            // a fault that does not change the exit status
	unknown  int                    // exit status for a group that does not exist
	ours     bool                   // Supervisor does not know it

	one   func(*client.Client, context.Context, string) error
	group func(*client.Client, context.Context, string) ([]client.Result, error) // nil: groups are not taken
	all   func(*client.Client, context.Context) ([]client.Result, error)
}

// asServerSays marks a fault whose own text is the whole line.
const asServerSays = ""

var starting = operation{
	done: "started",
	errors: map[client.Code]string{
		client.FaultBadName:        "no such process",
		client.FaultNoFile:         "no such file",
		client.FaultNotExecutable:  "file is not executable",
		client.FaultAbnormal:       "abnormal termination",
		client.FaultSpawnError:     "spawn error",
		client.FaultAlreadyStarted: "already started",
	},
	harmless: client.FaultAlreadyStarted,
	unknown:  exitUsage,
	one:      (*client.Client).StartProcess, group: (*client.Client).StartGroup, all: (*client.Client).StartAll,
}

var stopping = operation{
	done: "stopped",
	errors: map[client.Code]string{
		client.FaultBadName:    "no such process",
		client.FaultBadSignal:  "bad signal name",
		client.FaultFailed:     asServerSays,
		client.FaultNotRunning: "not running",
	},
	harmless: client.FaultNotRunning,
	unknown:  exitFailed,
	one:      (*client.Client).StopProcess, group: (*client.Client).StopGroup, all: (*client.Client).StopAll,
}

var clearing = operation{
	done: "cleared",
	errors: map[client.Code]string{
		client.FaultBadName: "no such process",
		client.FaultFailed:  "failed",
	},
	one: (*client.Client).ClearLogs, all: (*client.Client).ClearAllLogs,
}

var resetting = operation{
	done:    "reset",
	ours:    true,
	errors:  map[client.Code]string{client.FaultBadName: "no such process"},
	unknown: exitFailed,
	one:     (*client.Client).Reset, group: (*client.Client).ResetGroup, all: (*client.Client).ResetAll,
}

// signalling is the operation for one signal.
func signalling(signal string) operation {
	return operation{
		done:    "signalled",
		errors:  stopping.errors,
		unknown: exitFailed,
		one: func(c *client.Client, ctx context.Context, name string) error {
			return c.SignalProcess(ctx, name, signal)
		},
		group: func(c *client.Client, ctx context.Context, group string) ([]client.Result, error) {
			return c.SignalGroup(ctx, group, signal)
		},
		all: func(c *client.Client, ctx context.Context) ([]client.Result, error) {
			return c.SignalAll(ctx, signal)
		},
	}
}

func (c *call) start(ctx context.Context) error {
	if names, with := without(c.words, "--with-deps"); with {
		return c.startWithDeps(ctx, names)
	}
	if len(c.words) == 0 {
		return c.usage(exitUsage, "start requires a process name")
	}
	return c.each(ctx, starting, c.words)
}

func (c *call) stop(ctx context.Context) error {
	if len(c.words) == 0 {
		return c.usage(exitFailed, "stop requires a process name")
	}
	return c.each(ctx, stopping, c.words)
}

// restart is stop, then start, of the same names.
func (c *call) restart(ctx context.Context) error {
	if size, rolling := c.takeRolling(); rolling {
		return c.restartRolling(ctx, size)
	}
	if len(c.words) == 0 {
		return c.usage(exitFailed, "restart requires a process name")
	}
	if err := c.each(ctx, stopping, c.words); err != nil {
		return err
	}
	return c.each(ctx, starting, c.words)
}

func (c *call) signal(ctx context.Context) error {
	if len(c.words) < 2 {
		return c.usage(exitFailed, "signal requires a signal name and a process name")
	}
	return c.each(ctx, signalling(c.words[0]), c.words[1:])
}

func (c *call) clear(ctx context.Context) error {
	if len(c.words) == 0 {
		return c.usage(exitFailed, "clear requires a process name")
	}
	return c.each(ctx, clearing, c.words)
}

func (c *call) reset(ctx context.Context) error {
	if len(c.words) == 0 {
		return c.usage(exitUsage, "reset requires a process name")
	}
	return c.needsReconcile(c.each(ctx, resetting, c.words))
}

// each applies an operation to names, one after another; to everything, if "all" is
// among them.
func (c *call) each(ctx context.Context, op operation, names []string) error {
	if slices.Contains(names, "all") {
		results, err := op.all(c.Client, ctx)
		return errors.Join(err, c.report(op, results))
	}
	names, err := c.expand(ctx, names)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := c.apply(ctx, op, name); err != nil {
			return err
		}
	}
	return nil
}

// apply applies an operation to what one name means.
func (c *call) apply(ctx context.Context, op operation, name string) error {
	n := spec.ParseNamespec(name)
	if n.WholeGroup() && op.group != nil {
		results, err := op.group(c.Client, ctx, n.Group)
		if client.HasCode(err, client.FaultBadName) {
			c.say("%s: ERROR (no such group)", n.Group)
			c.unknown = append(c.unknown, unknownName{text: name})
			c.fail(op.unknown)
			return nil
		}
		return errors.Join(err, c.report(op, results))
	}
	result, err := one(ctx, c.Client, op, name)
	if err != nil {
		return err
	}
	return c.report(op, []client.Result{result})
}

// one applies an operation to one process. The error is one that is no fault.
func one(ctx context.Context, server *client.Client, op operation, name string) (client.Result, error) {
	n := spec.ParseNamespec(name)
	result := client.Result{Group: n.Group, Name: n.Process, Status: client.Success}
	if err := op.one(server, ctx, name); err != nil {
		var fault *client.Fault
		if !errors.As(err, &fault) || fault.Code == client.FaultUnknownMethod && op.ours {
			return result, err
		}
		result.Status, result.Description = fault.Code, fault.Text
	}
	return result, nil
}

// report prints a line for each result and keeps the exit status. The error is
// a result that the operation does not foresee.
func (c *call) report(op operation, results []client.Result) error {
	for _, r := range results {
		name := spec.Namespec{Group: r.Group, Process: r.Name}.String()
		if r.Status == client.Success {
			c.say("%s: %s", name, op.done)
			continue
		}
		text, foreseen := op.errors[r.Status]
		switch {
		case !foreseen && strings.HasSuffix(r.Description, ": "+state.Upgrading):
			c.say("%s: ERROR (%s)", name, state.Upgrading)
		case !foreseen:
			return valueError(fmt.Sprintf("Unknown result code %d for %s", r.Status, name))
		case text == asServerSays:
			c.say("%s", r.Description)
		default:
			c.say("%s: ERROR (%s)", name, text)
		}
		switch r.Status {
		case client.FaultBadName:
			c.unknown = append(c.unknown, unknownName{text: name})
		case client.FaultAbnormal, client.FaultSpawnError:
			c.failedStarts = append(c.failedStarts, r.Group+":"+r.Name)
		}
		switch r.Status {
		case op.harmless:
		case client.FaultAbnormal, client.FaultSpawnError, client.FaultNotRunning:
			c.fail(exitNotRunning)
		default:
			c.fail(exitFailed)
		}
	}
	return nil
}
