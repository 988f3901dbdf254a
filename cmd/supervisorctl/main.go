package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"supervisord/cmd/internal/host"
)

func main() { os.Exit(run(os.Args)) }

// run is the whole program; it returns the exit status.
func run(argv []string) int {
	settings, words, err := readOptions(host.New(), argv[0], argv[1:])
	switch {
	case errors.Is(err, errHelp):
		fmt.Printf(usage, host.ProgramPath(argv[0]))
		return 0
	case err != nil:
		fmt.Fprintf(os.Stderr, "Error: %v\nFor help, use %s -h\n", err, host.ProgramPath(argv[0]))
		return 2
	}
	s := &session{
		settings: settings,
		stdin:    newLines(settings.historyFile, len(words) == 0),
		out:      os.Stdout, errs: os.Stderr, advice: io.Discard,
		onTerminal: term.IsTerminal(int(os.Stdout.Fd())),
	}
	defer s.stdin.Close()
	if term.IsTerminal(int(os.Stderr.Fd())) {
		s.advice = os.Stderr
	}
	ctx := context.Background()
	if len(words) == 0 {
		return s.shell(ctx)
	}
	if err := s.execute(ctx, strings.Join(words, " ")); err != nil {
		return s.exitShell(err)
	}
	return s.status
}
