package client

import (
	"context"
	"fmt"

	"supervisord/runtime/state"
)

// ProcessInfo is one process as getProcessInfo gives it. Times are seconds
// since the epoch by the server's clock, 0 for never.
//
// Source: contract/rpc.md section 5.
type ProcessInfo struct {
	Name        string        `json:"name"`
	Group       string        `json:"group"`
	State       state.Process `json:"state"`
	StateName   string        `json:"statename"`
	Description string        `json:"description"`
	PID         int           `json:"pid"`
	Start       int           `json:"start"`
	Stop        int           `json:"stop"`
	Now         int           `json:"now"`
	ExitStatus  int           `json:"exitstatus"`
	SpawnErr    string        `json:"spawnerr"`
	StdoutLog   string        `json:"stdout_logfile"`
	StderrLog   string        `json:"stderr_logfile"`
}

func processInfo(v any) (ProcessInfo, error) {
	f := structOf(v)
	info := ProcessInfo{
		Name: f.string("name"), Group: f.string("group"),
		State: state.Process(f.int("state")), StateName: f.string("statename"),
		Description: f.string("description"), PID: f.int("pid"),
		Start: f.int("start"), Stop: f.int("stop"), Now: f.int("now"),
		ExitStatus: f.int("exitstatus"), SpawnErr: f.string("spawnerr"),
		StdoutLog: f.string("stdout_logfile"), StderrLog: f.string("stderr_logfile"),
	}
	return info, f.err
}

// ConfigInfo is one configured process as getAllConfigInfo gives it.
type ConfigInfo struct {
	Name, Group   string
	InUse         bool // a group of that name is active
	Autostart     bool
	GroupPriority int
	Priority      int
	ExitCodes     []int
	// Fields is everything that the server sent, by its own names.
	Fields map[string]any
}

func configInfo(v any) (ConfigInfo, error) {
	f := structOf(v)
	info := ConfigInfo{
		Name: f.string("name"), Group: f.string("group"),
		InUse: f.bool("inuse"), Autostart: f.bool("autostart"),
		GroupPriority: f.int("group_prio"), Priority: f.int("process_prio"),
		Fields: f.members,
	}
	for _, code := range optional[[]any](f, "exitcodes") {
		n, _ := code.(int)
		info.ExitCodes = append(info.ExitCodes, n)
	}
	return info, f.err
}

// Result is the outcome for one process of a call for several. Status is
// Success or a fault code.
type Result struct {
	Name, Group string
	Status      Code
	Description string
}

func result(v any) (Result, error) {
	f := structOf(v)
	r := Result{
		Name: f.string("name"), Group: f.string("group"),
		Status: Code(f.int("status")), Description: f.string("description"),
	}
	return r, f.err
}

// callAs calls a method and reads its answer with read.
func callAs[T any](ctx context.Context, c *Client, read func(any) (T, error), method string, params ...any) (T, error) {
	var zero T
	v, err := c.Call(ctx, method, params...)
	if err != nil {
		return zero, err
	}
	answer, err := read(v)
	if err != nil {
		return zero, c.transportError(fmt.Errorf("%s: %w", method, err))
	}
	return answer, nil
}

// as reads an answer that is a T itself.
func as[T any](v any) (T, error) {
	t, ok := v.(T)
	if !ok {
		return t, fmt.Errorf("the answer is %T, not %T", v, t)
	}
	return t, nil
}

func (c *Client) results(ctx context.Context, method string, params ...any) ([]Result, error) {
	return callAs(ctx, c, func(v any) ([]Result, error) { return listOf(v, result) }, method, params...)
}

// done calls a method whose answer says nothing.
func (c *Client) done(ctx context.Context, method string, params ...any) error {
	_, err := c.Call(ctx, method, params...)
	return err
}

// APIVersion is the version of the XML-RPC interface: 3.0. It asks by the old
// name, which every server knows.
func (c *Client) APIVersion(ctx context.Context) (string, error) {
	return callAs(ctx, c, as[string], "supervisor.getVersion")
}

// SupervisorVersion is the version of the daemon.
func (c *Client) SupervisorVersion(ctx context.Context) (string, error) {
	return callAs(ctx, c, as[string], "supervisor.getSupervisorVersion")
}

// PID is the daemon's process id.
func (c *Client) PID(ctx context.Context) (int, error) {
	return callAs(ctx, c, as[int], "supervisor.getPID")
}

// AllProcessInfo is every active process, by group, then by name.
func (c *Client) AllProcessInfo(ctx context.Context) ([]ProcessInfo, error) {
	return callAs(ctx, c, func(v any) ([]ProcessInfo, error) { return listOf(v, processInfo) },
		"supervisor.getAllProcessInfo")
}

// ProcessInfo is one process. Fault FaultBadName when there is none.
func (c *Client) ProcessInfo(ctx context.Context, namespec string) (ProcessInfo, error) {
	return callAs(ctx, c, processInfo, "supervisor.getProcessInfo", namespec)
}

// AllConfigInfo is every process of the configuration as last read, by name.
func (c *Client) AllConfigInfo(ctx context.Context) ([]ConfigInfo, error) {
	return callAs(ctx, c, func(v any) ([]ConfigInfo, error) { return listOf(v, configInfo) },
		"supervisor.getAllConfigInfo")
}

// StartProcess starts one process and waits until it runs or failed to.
func (c *Client) StartProcess(ctx context.Context, namespec string) error {
	return c.done(ctx, "supervisor.startProcess", namespec)
}

// StartGroup starts a group's processes; Fault FaultBadName when there is none.
func (c *Client) StartGroup(ctx context.Context, group string) ([]Result, error) {
	return c.results(ctx, "supervisor.startProcessGroup", group)
}

// StartAll starts everything that is not running.
func (c *Client) StartAll(ctx context.Context) ([]Result, error) {
	return c.results(ctx, "supervisor.startAllProcesses")
}

// StopProcess stops one process and waits until it has ended.
func (c *Client) StopProcess(ctx context.Context, namespec string) error {
	return c.done(ctx, "supervisor.stopProcess", namespec)
}

// StopGroup stops a group's processes; Fault FaultBadName when there is none.
func (c *Client) StopGroup(ctx context.Context, group string) ([]Result, error) {
	return c.results(ctx, "supervisor.stopProcessGroup", group)
}

// StopAll stops everything that runs.
func (c *Client) StopAll(ctx context.Context) ([]Result, error) {
	return c.results(ctx, "supervisor.stopAllProcesses")
}

// SignalProcess sends one process a signal, by name or number.
func (c *Client) SignalProcess(ctx context.Context, namespec, signal string) error {
	return c.done(ctx, "supervisor.signalProcess", namespec, signal)
}

// SignalGroup sends a signal to a group's processes.
func (c *Client) SignalGroup(ctx context.Context, group, signal string) ([]Result, error) {
	return c.results(ctx, "supervisor.signalProcessGroup", group, signal)
}

// SignalAll sends a signal to everything that runs.
func (c *Client) SignalAll(ctx context.Context, signal string) ([]Result, error) {
	return c.results(ctx, "supervisor.signalAllProcesses", signal)
}

// Reset forgets the failures of one process. It, ResetGroup and ResetAll get
// FaultUnknownMethod from a server that is not this supervisord.
func (c *Client) Reset(ctx context.Context, namespec string) error {
	return c.done(ctx, "processes.reset", namespec)
}

// ResetGroup forgets the failures of a group's processes.
func (c *Client) ResetGroup(ctx context.Context, group string) ([]Result, error) {
	return c.results(ctx, "processes.reset", group+":*")
}

// ResetAll forgets the failures of every process.
func (c *Client) ResetAll(ctx context.Context) ([]Result, error) {
	return c.results(ctx, "processes.resetAll")
}

// ClearLogs empties both logs of one process.
func (c *Client) ClearLogs(ctx context.Context, namespec string) error {
	return c.done(ctx, "supervisor.clearProcessLogs", namespec)
}

// ClearAllLogs empties the logs of every process.
func (c *Client) ClearAllLogs(ctx context.Context) ([]Result, error) {
	return c.results(ctx, "supervisor.clearAllProcessLogs")
}

// ReadLog reads from a process's log. channel is "stdout" or "stderr"; a
// negative offset with length 0 is the last bytes of the file
// (contract/rpc.md section 6).
func (c *Client) ReadLog(ctx context.Context, namespec, channel string, offset, length int) (string, error) {
	method := "supervisor.readProcessStdoutLog"
	if channel == "stderr" {
		method = "supervisor.readProcessStderrLog"
	}
	return callAs(ctx, c, as[string], method, namespec, offset, length)
}

// ReadMainLog reads from the daemon's own log, as ReadLog does.
func (c *Client) ReadMainLog(ctx context.Context, offset, length int) (string, error) {
	return callAs(ctx, c, as[string], "supervisor.readLog", offset, length)
}

// SendStdin writes to a process's standard input.
func (c *Client) SendStdin(ctx context.Context, namespec, text string) error {
	return c.done(ctx, "supervisor.sendProcessStdin", namespec, text)
}

// Changes are groups by what a reread found about them.
type Changes struct{ Added, Changed, Removed []string }

// Reread has the server read its configuration again; it starts and stops
// nothing.
func (c *Client) Reread(ctx context.Context) (Changes, error) {
	return callAs(ctx, c, changes, "supervisor.reloadConfig")
}

// changes reads [[added, changed, removed]].
func changes(v any) (Changes, error) {
	names := func(v any) ([]string, error) { return listOf(v, asString) }
	outer, err := listOf(v, func(v any) ([][]string, error) { return listOf(v, names) })
	if err != nil {
		return Changes{}, err
	}
	if len(outer) != 1 || len(outer[0]) != 3 {
		return Changes{}, fmt.Errorf("the answer is not one array of three")
	}
	return Changes{outer[0][0], outer[0][1], outer[0][2]}, nil
}

// AddGroup activates a group of the configuration as last read.
func (c *Client) AddGroup(ctx context.Context, group string) error {
	return c.done(ctx, "supervisor.addProcessGroup", group)
}

// RemoveGroup removes a group that has stopped.
func (c *Client) RemoveGroup(ctx context.Context, group string) error {
	return c.done(ctx, "supervisor.removeProcessGroup", group)
}

// Shutdown asks the daemon to shut down; it answers before anything has
// stopped.
func (c *Client) Shutdown(ctx context.Context) error { return c.done(ctx, "supervisor.shutdown") }

// Restart asks the daemon to stop everything and start again; it answers
// before anything has stopped.
func (c *Client) Restart(ctx context.Context) error { return c.done(ctx, "supervisor.restart") }
