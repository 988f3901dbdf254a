package main

import (
	"context"
	"fmt"
	"strings"

	"supervisord/spec/manual"
)

// command is one word that the shell and the command line understand.
type command struct {
	name string
	help string
	more string // of ours, for a person: scripts read Supervisor's help
	run  func(*call, context.Context) error
	// complete offers words for an argument; nil offers none.
	complete func(c *call, ctx context.Context) []string

	ours        bool // not one of Supervisor's
	server      serverUse
	noArguments bool
	json        bool // it understands -o json
	dot         bool // and -o dot
	downStatus  int  // exit status where the up-check says no, if not the usual
	failure     int  // exit status of an unforeseen error, if not 1
}

// serverUse is what a command needs of the server.
type serverUse int

const (
	noServer    serverUse = iota
	callsServer           // the command calls it, and finds out whether it is there
	upChecked             // it must answer the up-check before the command starts
)

// commands is everything there is, by name. It is a function because help
// reads it too.
//
// Source: contract/supervisorctl.md sections 5 and 7.
func commands() []command {
	return []command{
		{
			name: "add", server: callsServer,
			run: (*call).add, complete: completeGroups,
			help: "add <name> [...]\tActivates any updates in config for process/group",
		},
		{
			name: "avail", noArguments: true, json: true, server: callsServer,
			run:  (*call).avail,
			help: "avail\t\t\tDisplay all configured processes",
		},
		{
			name: "clear", server: upChecked,
			run: (*call).clear, complete: completeProcesses,
			help: "clear <name>\t\tClear a process' log files.\n" +
				"clear <name> <name>\tClear multiple process' log files\n" +
				"clear all\t\tClear all process' log files",
		},
		{
			name: "exit",
			run:  (*call).quit,
			help: "exit\tExit the supervisor shell.",
		},
		{
			name: "fg", server: upChecked,
			run: (*call).fg, complete: completeProcesses,
			help: "fg <process>\tConnect to a process in foreground mode\n" +
				"\t\tCtrl-C to exit",
		},
		{
			name: "help",
			run:  (*call).help, complete: completeHelp,
			help: "help\t\tPrint a list of available actions\n" +
				"help <action>\tPrint help for <action>",
			more: "help <key>\tExplain a key of the configuration, such as stopwaitsecs",
		},
		{
			name: "maintail", server: upChecked,
			run: (*call).maintail,
			help: "maintail -f \tContinuous tail of supervisor main log file (Ctrl-C to exit)\n" +
				"maintail -100\tlast 100 *bytes* of supervisord main log file\n" +
				"maintail\tlast 1600 *bytes* of supervisor main log file\n",
		},
		{
			name: "open",
			run:  (*call).open,
			help: "open <url>\tConnect to a remote supervisord process.\n" +
				"\t\t(for UNIX domain socket, use unix:///socket/path)",
		},
		{
			name: "pid", json: true, server: upChecked,
			run: (*call).pid, complete: completeProcesses,
			help: "pid\t\t\tGet the PID of supervisord.\n" +
				"pid <name>\t\tGet the PID of a single child process by name.\n" +
				"pid all\t\t\tGet the PID of every child process, one per line.",
		},
		{
			name: "quit",
			run:  (*call).quit,
			help: "quit\tExit the supervisor shell.",
		},
		{
			name: "reload", noArguments: true, server: callsServer,
			run:  (*call).reload,
			help: "reload \t\tRestart the remote supervisord.",
		},
		{
			name: "remove", server: callsServer,
			run: (*call).remove, complete: completeGroups,
			help: "remove <name> [...]\tRemoves process/group from active config",
		},
		{
			name: "reread", noArguments: true, server: callsServer,
			run:  (*call).reread,
			help: "reread \t\t\tReload the daemon's configuration files without add/remove",
		},
		{
			name: "restart", server: upChecked,
			run: (*call).restart, complete: completeProcesses,
			help: "restart <name>\t\tRestart a process\n" +
				"restart <gname>:*\tRestart all processes in a group\n" +
				"restart <name> <name>\tRestart multiple processes or groups\n" +
				"restart all\t\tRestart all processes\n" +
				"Note: restart does not reread config files. For that, see reread and update.",
			more: "restart --rolling <gname>:*\tRestart running processes one at a time, waiting until each is RUNNING\n" +
				"restart --rolling=N <gname>:*\tRestart N at a time; stop at the first failure",
		},
		{
			name: "shutdown", noArguments: true, server: callsServer,
			run:  (*call).shutdown,
			help: "shutdown \tShut the remote supervisord down.",
		},
		{
			name: "signal", server: upChecked,
			run: (*call).signal, complete: completeSignal,
			help: "signal <signal name> <name>\t\tSignal a process\n" +
				"signal <signal name> <gname>:*\t\tSignal all processes in a group\n" +
				"signal <signal name> <name> <name>\tSignal multiple processes or groups\n" +
				"signal <signal name> all\t\tSignal all processes",
		},
		{
			name: "start", server: upChecked,
			run: (*call).start, complete: completeProcesses,
			help: "start <name>\t\tStart a process\n" +
				"start <gname>:*\t\tStart all processes in a group\n" +
				"start <name> <name>\tStart multiple processes or groups\n" +
				"start all\t\tStart all processes",
			more: "start --with-deps <name>\tStart what a process depends on, then the process",
		},
		{
			name: "status", json: true, server: upChecked, downStatus: exitUnknown,
			run: (*call).status, complete: completeProcesses,
			help: "status <name>\t\tGet status for a single process\n" +
				"status <gname>:*\tGet status for all processes in a group\n" +
				"status <name> <name>\tGet status for multiple named processes\n" +
				"status\t\t\tGet all process status info",
			more: "status 'web*' 'g:*_0?'\tGet status for processes whose names match shell patterns\n" +
				"status --problems\tGet status for processes that failed or cannot start\n" +
				"status --state=A,B\tGet status for processes in these states, such as FATAL\n" +
				"status -o json\t\tGet it as JSON",
		},
		{
			name: "stop", server: upChecked,
			run: (*call).stop, complete: completeProcesses,
			help: "stop <name>\t\tStop a process\n" +
				"stop <gname>:*\t\tStop all processes in a group\n" +
				"stop <name> <name>\tStop multiple processes or groups\n" +
				"stop all\t\tStop all processes",
		},
		{
			name: "tail", server: upChecked,
			run: (*call).tail, complete: completeProcesses,
			help: "tail [-f] <name> [stdout|stderr] (default stdout)\n" +
				"Ex:\n" +
				"tail -f <name>\t\tContinuous tail of named process stdout\n" +
				"\t\t\tCtrl-C to exit.\n" +
				"tail -100 <name>\tlast 100 *bytes* of process stdout\n" +
				"tail <name> stderr\tlast 1600 *bytes* of process stderr",
		},
		{
			name: "update", json: true, server: callsServer,
			run: (*call).update, complete: completeGroups,
			help: "update\t\t\tReload config and add/remove as necessary, and will restart affected programs\n" +
				"update all\t\tReload config and add/remove as necessary, and will restart affected programs\n" +
				"update <gname> [...]\tUpdate specific groups",
			more: "update --plan ID\t\tDo what diff showed as that plan; exit 4 and do nothing if the plan has changed",
		},
		{
			name: "version", noArguments: true, json: true, server: upChecked,
			run:  (*call).version,
			help: "version\t\t\tShow the version of the remote supervisord process",
		},
		{
			name: "autoupdate", ours: true, json: true, server: upChecked,
			run: (*call).autoupdate, complete: completeWords("off", "on"),
			help: "autoupdate\t\tShow whether changed files are applied automatically\n" +
				"autoupdate on|off\tTurn that on or off until the daemon restarts",
		},
		{
			name: "completion", ours: true,
			run: (*call).completion, complete: completeWords("bash", "fish", "zsh"),
			help: "completion bash|zsh|fish\tPrint a script that makes the shell complete commands and names",
		},
		{
			name: "deps", ours: true, json: true, dot: true, server: upChecked,
			run: (*call).deps, complete: completeProcesses,
			help: "deps\t\t\tDraw the dependencies of processes, with their states\n" +
				"deps <name> [...]\tDraw those of some processes or groups\n" +
				"deps -o dot\t\tPrint them for Graphviz",
		},
		{
			name: "diff", ours: true, json: true, server: upChecked,
			downStatus: exitDiffFailed, failure: exitDiffFailed,
			run: (*call).diff, complete: completeGroups,
			help: "diff\t\t\tShow what update would do, and why\n" +
				"diff <gname> [...]\tShow it for some groups\n" +
				"diff --tree DIR\t\tShow it as if the daemon read DIR, or a main file, instead of its own files\n" +
				"diff <n> <m>\t\tShow what differs between the files in force in two updates, by their numbers: see history\n" +
				"Exit status: 0 nothing to do, 1 something, 2 unknown",
		},
		{
			name: "disable", ours: true, json: true, server: upChecked,
			run: (*call).disable, complete: completeIntended,
			help: "disable <name> [...]\tStop a group or process, and let nothing start it but start <name>, also after a\n" +
				"\t\t\trestart of the daemon: no boot, no update, no start all, nothing that depends on it\n" +
				"disable\t\t\tShow what is disabled",
		},
		{
			name: "drift", ours: true, json: true, server: upChecked, noArguments: true,
			downStatus: exitDiffFailed, failure: exitDiffFailed,
			run: (*call).drift,
			help: "drift\t\t\tShow what differs from the files although no update is due: what was stopped, started\n" +
				"\t\t\tor removed by hand, and what runs a different program from the one on disk\n" +
				"Exit status: 0 nothing, 1 something, 2 unknown",
		},
		{
			name: "enable", ours: true, json: true, server: upChecked,
			run: (*call).enable, complete: completeIntended,
			help: "enable <name> [...]\tUndo disable; what has autostart is started",
		},
		{
			name: "explain", ours: true, json: true, server: upChecked,
			run: (*call).explain, complete: completeProcesses,
			help: "explain <name> [...]\tSay why a process is in its state, what it waits for, what an update would\n" +
				"\t\t\tdo to it, and from which line and which update each of its keys comes",
		},
		{
			name: "files", ours: true, json: true, server: upChecked, noArguments: true,
			run:  (*call).files,
			help: "files\t\t\tShow each watched file and directory, and its state",
		},
		{
			name: "history", ours: true, json: true, server: upChecked,
			run: (*call).history, complete: completeHistory,
			help: "history\t\t\tShow the last 10 updates\n" +
				"history <number>\tShow the last updates, at most that many\n" +
				"history show <number>\tShow one update: what it did and why, and what it changed in which file",
		},
		{
			name: "pause", ours: true, json: true, server: upChecked,
			run: (*call).pause, complete: completeIntended,
			help: "pause <name> [...] --for <time> [--reason <text>]\n" +
				"\t\t\tKeep automatic updates away from a group or process, for 30m, 2h or 3d; it is\n" +
				"\t\t\tstill restarted when it crashes, and commands such as update work\n" +
				"pause\t\t\tShow what is paused",
		},
		{
			name: "reset", ours: true, server: upChecked,
			run: (*call).reset, complete: completeProcesses,
			help: "reset <name>\t\tForget failures: FATAL becomes STOPPED, waits and counts start over\n" +
				"reset <gname>:*\t\tForget those of all processes in a group\n" +
				"reset <name> <name>\tForget those of multiple processes or groups\n" +
				"reset all\t\tForget those of all processes",
		},
		{
			name: "resume", ours: true, json: true, server: upChecked,
			run: (*call).resume, complete: completeIntended,
			help: "resume <name> [...]\tEnd a pause",
		},
		{
			name: "revert", ours: true, json: true, server: upChecked,
			run: (*call).revert, complete: completeProcesses,
			help: "revert <file>\t\tTake a file back to what it was before its last change\n" +
				"revert <name>\t\tThe same with the file that a program is from\n" +
				"revert <generation>\tTake all files back to what they were in an update\n" +
				"\t\t\tThey stay so until they change, or unpin",
		},
		{
			name: "top", ours: true, server: upChecked,
			run: (*call).top,
			help: "top\tShow all processes and the resources they use, updated every second:\n" +
				"\tfilter, sort, follow logs, start, stop, restart; ? shows the keys",
		},
		{
			name: "unpin", ours: true, server: upChecked,
			run: (*call).unpin, complete: completeProcesses,
			help: "unpin <file>\t\tPut a file that revert took back into force again\n" +
				"unpin <name>\t\tThe same with the file that a program is from",
		},
		{
			name: "upgrade", ours: true, json: true, server: upChecked,
			run: (*call).upgrade,
			help: "upgrade\t\t\tReplace supervisord with its file on disk, in the same process; programs keep running\n" +
				"upgrade --binary <path>\tReplace it with another program",
		},
		{
			name: "wait", ours: true, json: true, server: callsServer, failure: exitUsage,
			run: (*call).wait, complete: completeProcesses,
			help: "wait\t\t\tWait until processes match the files and all with autostart are RUNNING\n" +
				"wait <name> [...]\tWait for some processes or groups\n" +
				"wait -t <seconds>\tGive up after that time (default 60)\n" +
				"wait --revision <sha>\tWait until that commit is in force and runs (7 digits or more); exits 1 at once if it has failed\n" +
				"Exit status: 0 yes, 1 not (yet), 1 at once if something is FATAL or rejected, or a pause or window holds a change, 2 no connection",
		},
	}
}

// find returns the command of that name, nil for none.
func find(name string) *command {
	for _, cmd := range commands() {
		if cmd.name == name || name == "EOF" && cmd.name == "exit" {
			return &cmd
		}
	}
	return nil
}

// quit leaves the shell; its argument does not matter.
func (c *call) quit(context.Context) error { return errQuit }

// helpWidth is the width of the terminal for which the list of commands is set.
const helpWidth = 79

// help lists the commands, or explains one.
func (c *call) help(context.Context) error {
	if c.argument != "" {
		if cmd := find(c.argument); cmd != nil && c.argument == cmd.name {
			c.say("%s", cmd.help)
			if c.onTerminal && cmd.more != "" {
				c.say("%s", cmd.more)
			}
		} else if text := manual.Explain(c.argument); text != "" {
			c.say("%s", strings.TrimSuffix(text, "\n"))
		} else {
			c.say("*** No help on %s", c.argument)
		}
		return nil
	}
	var supervisors, ours []string
	for _, cmd := range commands() {
		switch {
		case cmd.ours:
			ours = append(ours, cmd.name)
		case cmd.name != "help":
			supervisors = append(supervisors, cmd.name)
		}
	}
	c.say("")
	c.topics("default commands (type help <topic>):", supervisors)
	if c.onTerminal { // scripts read Supervisor's list and no other
		c.topics("further commands (type help <topic>):", ours)
	}
	return nil
}

// topics prints a heading and names in columns, filled from top to bottom.
func (c *call) topics(heading string, names []string) {
	c.say("%s\n%s", heading, strings.Repeat("=", len(heading)))
	rows, widths := columns(names, helpWidth)
	for row := range rows {
		var cells []string
		for column, width := range widths {
			if i := column*rows + row; i < len(names) {
				cells = append(cells, fmt.Sprintf("%-*s", width, names[i]))
			}
		}
		c.say("%s", strings.Join(cells, "  "))
	}
	c.say("")
}

// columns finds the fewest rows in which names fit, and the width of each
// column.
func columns(names []string, width int) (rows int, widths []int) {
	for rows = 1; ; rows++ {
		widths = widths[:0]
		total := -2
		for first := 0; first < len(names); first += rows {
			longest := 0
			for _, name := range names[first:min(first+rows, len(names))] {
				longest = max(longest, len(name))
			}
			widths = append(widths, longest)
			total += longest + 2
		}
		if total <= width || rows >= len(names) {
			return rows, widths
		}
	}
}
