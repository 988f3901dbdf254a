package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// password reads from the terminal without echo: the one that controls us, else
// standard input. Where neither is there it reads a plain line.
func password(ctx context.Context, l lineReader, prompt string) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err == nil {
		defer tty.Close()
		return readPassword(ctx, tty, tty, prompt)
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		return readPassword(ctx, os.Stdin, os.Stdout, prompt)
	}
	return l.Line(ctx, prompt)
}

// readPassword reads a line from a terminal without showing what is typed.
func readPassword(ctx context.Context, in, out *os.File, prompt string) (string, error) {
	terminal := int(in.Fd())
	before, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	restore := func() { term.Restore(terminal, before) } // an interrupted read does not
	defer restore()
	var signals []os.Signal
	if ctx.Done() == nil { // nobody turns Ctrl-C into the end of ctx: it will kill us
		signals = append(signals, os.Interrupt)
	}
	defer restoreIfKilled(restore, signals...)()
	if err := disableEcho(terminal); err != nil {
		return "", err
	}
	fmt.Fprint(out, prompt)
	text, err := new(pendingRead).wait(ctx, func() (string, error) { return readLine(bufio.NewReader(in)) })
	if err == nil {
		fmt.Fprintln(out)
	}
	return text, err
}

// disableEcho has a terminal show nothing of what is typed. term.ReadPassword does so
// too, but passes over an end of the input.
func disableEcho(terminal int) error {
	mode, err := unix.IoctlGetTermios(terminal, getTermios)
	if err != nil {
		return err
	}
	mode.Lflag &^= unix.ECHO
	mode.Lflag |= unix.ICANON | unix.ISIG
	mode.Iflag |= unix.ICRNL
	return unix.IoctlSetTermios(terminal, setTermios, mode)
}

// restoreIfKilled has restore give the terminal its mode back before a hang-up,
// a termination, or one of more ends the program, which no deferred call
// outlives. stop gives the signals their usual meaning back.
func restoreIfKilled(restore func(), more ...os.Signal) (stop func()) {
	caught := make(chan os.Signal, 1) // the one that ends us
	for _, s := range append(more, syscall.SIGHUP, syscall.SIGTERM) {
		if !signal.Ignored(s) { // as under nohup
			signal.Notify(caught, s)
		}
	}
	go func() { // ends at stop
		for s := range caught {
			restore()
			signal.Reset(s)
			syscall.Kill(os.Getpid(), s.(syscall.Signal))
		}
	}()
	return func() {
		signal.Stop(caught)
		close(caught)
	}
}
