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
	host.SetLocalTime()
	s := &session{out: os.Stdout, errs: os.Stderr, advice: io.Discard}
	if s.onTerminal = term.IsTerminal(int(os.Stdout.Fd())); s.onTerminal {
		s.out = toTerminal(os.Stdout)
	}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		s.errs = toTerminal(os.Stderr)
		s.advice = s.errs
	}
	settings, words, err := readOptions(host.New(), argv[0], argv[1:])
	switch {
	case errors.Is(err, errHelp):
		fmt.Fprintf(s.out, usage, host.ProgramPath(argv[0]))
		return 0
	case err != nil:
		fmt.Fprintf(s.errs, "Error: %v\nFor help, use %s -h\n", err, host.ProgramPath(argv[0]))
		if url := urlMistake(""); errors.As(err, &url) {
			s.hintURL(string(url))
		}
		return 2
	}
	s.settings = settings
	s.stdin = newLines(settings.historyFile, len(words) == 0)
	defer s.stdin.Close()
	ctx := context.Background()
	if len(words) == 0 {
		return s.shell(ctx)
	}
	s.given = words
	if err := s.execute(ctx, strings.Join(words, " ")); err != nil {
		return s.exitShell(err)
	}
	return s.status
}
