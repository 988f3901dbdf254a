package main

import (
	"context"
	"errors"
)

// shell shows the status, then runs commands line by line until the user
// leaves. Its exit status is 0 whatever the commands did.
//
// Source: contract/supervisorctl.md section 5.
func (s *session) shell(ctx context.Context) int {
	s.settings.interactive = true
	s.stdin.Complete(func(before string) (string, []string) { return s.complete(ctx, before) })
	line := "status"
	for {
		if err := s.runLine(ctx, line); err != nil {
			return s.exitShell(err)
		}
		read, stop := interruptible(ctx)
		var err error
		line, err = s.stdin.Line(read, s.settings.prompt+"> ")
		stop()
		if err != nil { // Ctrl-C, Ctrl-D, or the end of the input
			return s.exitShell(err)
		}
	}
}

// exitShell ends the line on which the user left.
func (s *session) exitShell(err error) int {
	if !errors.Is(err, errAborted) {
		s.say("")
	}
	return 0
}

// runLine runs one line; Ctrl-C ends the wait for it. The error means that the
// user leaves.
func (s *session) runLine(ctx context.Context, line string) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	err := s.execute(ctx, line)
	if errors.Is(err, errQuit) || errors.Is(err, errInterrupted) {
		return err
	}
	return nil
}
