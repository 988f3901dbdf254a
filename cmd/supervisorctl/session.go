package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"supervisord/rpc/client"
)

// session is one run of the program: where it reads and writes, which server it
// talks to, and what it will exit with. It belongs to the main goroutine.
type session struct {
	given    []string // the words of the command line that are the one command, nil in the shell
	settings settings
	stdin    lineReader
	out      io.Writer // standard output; a terminal by way of toTerminal
	errs     io.Writer // standard error, likewise
	advice   io.Writer // standard error where that is a terminal, else nothing
	// onTerminal is set where standard output is a terminal, which means that a
	// person reads it.
	onTerminal bool

	client *client.Client // nil until the first command that calls the server
	status int            // exit status: that of the last failure

	// What completion found, kept until the next command.
	groups    []string
	processes []client.ProcessInfo
}

// Exit statuses, after the Linux Standard Base for init scripts. Our own commands have
// them in one way: exitUsage for what is not understood, exitNoNamespace for a server that
// lacks the command, exitRefused and exitNotRunning for one that is not there, exitFailed
// for the rest; only where the status is the answer, every reason for having none is one
// status: exitUsage, of diff and drift, and of wait.
//
// Source: contract/supervisorctl.md section 2.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitStopped     = 3 // of status
	exitNoNamespace = 3 // of everything else
	exitMoved       = 4 // of update --plan
	exitRefused     = 4
	exitUnknown     = 4 // of status
	exitWrongAPI    = 5
	exitNotRunning  = 7
)

// Errors with which a command ends the shell.
var (
	errQuit        = errors.New("the user leaves")
	errInterrupted = errors.New("interrupted")
	// errAborted is errInterrupted where the line with the prompt has been ended.
	errAborted = fmt.Errorf("%w at the prompt", errInterrupted)
)

// fail sets the exit status. Success never resets it.
func (s *session) fail(status int) { s.status = status }

// say writes one line to standard output.
func (s *session) say(format string, args ...any) {
	fmt.Fprintf(s.out, format+"\n", args...)
}

// connect returns the client of the server that the settings name.
func (s *session) connect() (*client.Client, error) {
	if s.client == nil {
		c, err := s.settings.open()
		if err != nil {
			return nil, err
		}
		s.client = c
	}
	return s.client, nil
}

// disconnect forgets the client, because the settings have changed.
func (s *session) disconnect() {
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
}

// interruptible is ctx until the user presses Ctrl-C; stop gives the signal its
// usual meaning back.
func interruptible(ctx context.Context) (_ context.Context, stop context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt)
}

// execute runs one line of input as a command. The error is errQuit or
// errInterrupted; whatever else went wrong has been said.
func (s *session) execute(ctx context.Context, line string) error {
	s.groups, s.processes = nil, nil
	defer endText(s.out)
	defer endText(s.errs)
	line = strings.TrimSpace(line)
	if line == "" {
		return nil
	}
	name, argument := split(line)
	cmd := find(name)
	if cmd == nil {
		s.say("*** Unknown syntax: %s", line)
		s.hintCommand(name)
		s.fail(exitFailed)
		return nil
	}
	c := &call{session: s, command: cmd, argument: argument, words: strings.Fields(argument)}
	if len(s.given) > 1 && s.given[0] == "pause" { // its reason has spaces
		c.words = slices.Clone(s.given[1:])
	}
	if cmd.json {
		c.data = s.out
		defer func(out io.Writer) { s.out = out }(s.out)
		if err := c.parseOutput(); err != nil {
			return nil
		}
	}
	for {
		err := c.perform(ctx)
		c.hints(ctx)
		switch {
		case err == nil, errors.Is(err, errUsage):
			return nil
		case errors.Is(err, errQuit), errors.Is(err, errInterrupted):
			return err
		case ctx.Err() != nil: // Ctrl-C during a command of the shell
			s.say("")
			return nil
		case client.IsKind(err, client.Unauthorized):
			s.say("Server requires authentication")
			if s.settings.interactive {
				if err = s.logIn(ctx); err == nil {
					continue
				}
				if errors.Is(err, errInterrupted) {
					return err
				}
			}
		}
		s.raw(ctx, err)
		if cmd.failure != 0 {
			s.fail(cmd.failure)
		}
		return nil
	}
}

// call is one running command.
type call struct {
	*session
	*client.Client // nil for commands that need no server
	command        *command
	argument       string   // the text after the command's name
	words          []string // the argument, split
	unknown        []unknownName
	failedStarts   []string  // processes that did not start
	json           bool      // -o json was given
	dot            bool      // -o dot was
	data           io.Writer // where JSON goes
}

// perform checks what the command asks for before it is run, and runs it.
func (c *call) perform(ctx context.Context) error {
	if c.command.noArguments && c.argument != "" {
		status := exitFailed
		if c.command.ours {
			status = exitUsage
		}
		return c.usage(status, "%s accepts no arguments", c.command.name)
	}
	if c.command.server == upChecked {
		if up, err := c.upcheck(ctx); !up {
			if err == nil && c.command.downStatus != 0 {
				c.fail(c.command.downStatus)
			}
			return err
		}
	}
	if c.command.server != noServer {
		var err error
		if c.Client, err = c.connect(); err != nil {
			return err
		}
	}
	return c.command.run(c, ctx)
}

// errUsage is returned by commands that were given wrong arguments, which has
// been said.
var errUsage = errors.New("wrong usage")

// usage says what is wrong with the command's arguments, then its help.
func (c *call) usage(status int, format string, args ...any) error {
	c.say("Error: "+format, args...)
	c.say("%s", c.command.help)
	c.fail(status)
	return errUsage
}

// option takes an option with a value, --name VALUE or --name=VALUE, out of the call's words:
// "" where it is not there.
func (c *call) option(name string) (value string, err error) {
	for i, word := range c.words {
		_, value, attached := strings.Cut(word, name+"=")
		end := i + 1
		switch {
		case word != name && !strings.HasPrefix(word, name+"="):
			continue
		case !attached && end < len(c.words):
			value, end = c.words[end], end+1
		}
		if value == "" {
			return "", c.usage(exitUsage, "%s requires a value", name)
		}
		c.words = slices.Delete(c.words, i, end)
		c.argument = strings.Join(c.words, " ")
		return value, nil
	}
	return "", nil
}

// split parts a line into the command's name and its argument. ? stands for
// help.
//
// Source: contract/supervisorctl.md section 4.
func split(line string) (name, argument string) {
	if rest, ok := strings.CutPrefix(line, "?"); ok {
		line = "help " + rest
	}
	end := strings.IndexFunc(line, func(r rune) bool {
		return !(r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	})
	if end < 0 {
		return line, ""
	}
	return line[:end], strings.TrimSpace(line[end:])
}

// logIn asks for a name and a password.
func (s *session) logIn(ctx context.Context) error {
	name, err := s.stdin.Line(ctx, "Username:")
	if err != nil {
		return err
	}
	password, err := s.stdin.Password(ctx, "Password:")
	if err != nil {
		return err
	}
	s.say("")
	s.settings.username, s.settings.password = name, password
	s.disconnect()
	return nil
}

// confirm asks a question where there is somebody to answer it.
func (s *session) confirm(ctx context.Context, question string) (bool, error) {
	if !s.settings.interactive {
		return true, nil
	}
	answer, err := s.stdin.Line(ctx, question)
	return strings.HasPrefix(strings.ToLower(answer), "y"), err
}
