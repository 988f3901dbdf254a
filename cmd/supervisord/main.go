// Command supervisord starts programs, watches them and keeps them as the
// configuration files say.
//
// main.go reads the command line, mainthread.go keeps the main thread. daemon.go is the daemon over its restarts, prepare.go
// makes each of its lives ready before the one before is given up, life.go is one life
// between two restarts: it wires every package to the others and is the only place that
// knows them all. looks.go is what a life checks regularly, and rounds.go when. end.go ends a life in time, and crash.go records how one
// crashed. manager.go reports all that to the service manager. upgrade.go hands this process over to another program, and
// carried.go is the state that it gets, pollers_linux.go what it lets go of later. explain.go explains keys. check.go and machine.go are --check, against.go compares two trees of
// files and againstprint.go prints the result, running.go is the table of what runs, for the daemon after a crash, and survivors.go what
// that one does with it.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"supervisord/cmd/internal/build"
	"supervisord/cmd/internal/early"
	"supervisord/cmd/internal/host"
	"supervisord/reconcile"
	"supervisord/runtime/launch"
	"supervisord/spec"
)

// version is what clients are sent: the release of Supervisor whose behaviour this is.
const version = "4.3.0"

// subcommands are what supervisord does beside being the daemon. Supervisor refuses the
// words.
var subcommands = map[string]func(argv0 string, args []string) int{
	"install":   install,
	"uninstall": uninstall,
	"lsp":       serveEditor,
}

// run is main with an exit status: 0, or 2 for a mistake of the user's.
func run(argv []string) int {
	host.SetLocalTime()
	ready, text, before := handedOn(readyVariable), handedOn(givenVariable), handedOn(early.Variable)
	asked, ignored := findManager(ready != nil)
	argv0 := host.ProgramPath(argv[0])
	h := host.New()
	if len(argv) > 1 {
		if serve, ok := subcommands[argv[1]]; ok {
			return serve(argv0, argv[2:])
		}
	}
	f, err := parseFlags(h, argv[1:])
	if err != nil {
		return usageError(argv0, err)
	}
	switch f.action {
	case actionHelp:
		fmt.Print(helpText(argv0))
		return 0
	case actionVersion:
		fmt.Println(version)
		return 0
	case actionExplain:
		return explain(os.Stdout, f.key)
	case actionSchema:
		return printSchema(os.Stdout)
	case actionBuildInfo:
		fmt.Print(build.Info())
		return 0
	}
	d := &daemon{argv0: argv0, flags: f, ready: ready, cache: new(spec.Cache), manager: asked,
		statedir: reconcile.DefaultStateDir(os.Geteuid(), os.Getenv)}
	switch {
	case before != nil:
		launch.DefaultSignals()
		return d.runUpgraded(before)
	case f.action == actionTryUpgrade:
		return d.tryUpgrade()
	}
	if d.socket, err = f.whichSocket(); err != nil {
		return usageError(argv0, err)
	}
	if d.path, err = d.find(); err != nil {
		return usageError(argv0, err)
	}
	if f.root != "" { // the path need not be one of this machine
		return checkAgainst(os.Stdout, os.Stderr, d.machine(), d.path, d.options(), f)
	}
	if d.given, err = givenFile(d.path, text); err != nil {
		return usageError(argv0, fmt.Errorf("could not read config file %s: %w", d.path, err))
	}
	if f.against != "" {
		return checkAgainst(os.Stdout, os.Stderr, d.machine(), d.path, d.options(), f)
	}
	if f.action == actionCheck {
		return check(os.Stdout, d.machine(), d.path, d.options(), f)
	}
	if f.action == actionMigrateCheck {
		return migrateCheck(os.Stdout, d.machine(), d.path, d.options())
	}
	launch.DefaultSignals()
	for _, err := range ignored {
		d.note(levelWarn, err.Error())
	}
	return d.run()
}

// givenFile is the main file where it cannot be read again: what an earlier process has
// read of it, handed on as text, or else what is read of it now.
func givenFile(path string, text *os.File) (*host.Given, error) {
	switch {
	case text != nil:
		defer text.Close()
		content, err := host.ReadGiven(text)
		if err != nil {
			return nil, err
		}
		return host.Give(path, content)
	case path == "": // with --watch
		return nil, nil
	}
	return host.GivenBy(path)
}

// hintedError is a mistake in Supervisor's words, and what may help, "" for nothing.
type hintedError struct {
	error
	hint string
}

// usageError prints a mistake as Supervisor does.
func usageError(argv0 string, err error) int {
	fmt.Fprintf(os.Stderr, "Error: %v\nFor help, use %s -h\n", err, argv0)
	var hinted hintedError
	if errors.As(err, &hinted) && hinted.hint != "" {
		fmt.Fprintf(os.Stderr, "hint: %s\n", hinted.hint)
	}
	return 2
}

// find is the main file: the one that -c names, or the first that exists in the
// usual places. It is "" with --watch.
//
// Source: contract/config.md section 1.
func (d *daemon) find() (string, error) {
	switch {
	case len(d.flags.watch) > 0:
		return "", nil
	case d.flags.configSet:
		return d.flags.config, nil
	}
	paths := spec.SearchPaths(d.argv0)
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil {
			if os.Getuid() == 0 && d.ready == nil { // else it was said before going to the background
				fmt.Fprintln(os.Stderr, rootSearches)
			}
			return path, nil
		}
	}
	return "", hintedError{
		fmt.Errorf("No config file found at default paths (%s); use the -c option to specify a config file at a different path",
			strings.Join(paths, ", ")),
		"make one: echo_supervisord_conf > /etc/supervisord.conf",
	}
}

const rootSearches = `Supervisord is running as root and it is searching for its configuration file in default locations (including its current working directory); you probably want to specify a "-c" argument specifying an absolute path to a configuration file for improved security.`
