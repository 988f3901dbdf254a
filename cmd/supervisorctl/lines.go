package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/peterh/liner"
	"golang.org/x/term"
)

// lineReader is where answers and commands are read from. A context that ends makes
// a call return errInterrupted; the end of the input is io.EOF.
type lineReader interface {
	// Line shows the prompt and returns a line without its end.
	Line(ctx context.Context, prompt string) (string, error)
	// Password is Line without showing what is typed.
	Password(ctx context.Context, prompt string) (string, error)
	// Complete sets what the tab key offers: the text before the word, and the
	// words that may stand there.
	Complete(func(before string) (head string, words []string))
	// Close gives the terminal back and saves the history.
	Close() error
}

// newLines reads the terminal with an editor if there is one and a shell is
// wanted, and plain lines otherwise. historyFile "" keeps no history.
func newLines(historyFile string, shell bool) lineReader {
	if shell && term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())) &&
		liner.TerminalSupported() {
		return newEditor(historyFile)
	}
	return &plainReader{in: bufio.NewReader(os.Stdin), out: os.Stdout}
}

// plainReader reads lines as they come: from a pipe, or a terminal that cannot move
// its cursor.
type plainReader struct {
	in   *bufio.Reader
	out  io.Writer
	read pendingRead
}

func (p *plainReader) Line(ctx context.Context, prompt string) (string, error) {
	fmt.Fprint(p.out, prompt)
	return p.read.wait(ctx, func() (string, error) { return readLine(p.in) })
}

// readLine reads a line without its end, which the last one may lack.
func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if line != "" {
		err = nil
	}
	return strings.TrimSuffix(line, "\n"), err
}

// pendingRead reads in a goroutine so that an interrupt ends the wait. The read
// itself cannot be stopped: what it gives later is what the next wait returns.
type pendingRead struct{ pending chan answer }

type answer struct {
	text string
	err  error
}

func (a *pendingRead) wait(ctx context.Context, read func() (string, error)) (string, error) {
	if a.pending == nil {
		pending := make(chan answer, 1) // one, so that the goroutine ends whoever waits
		go func() {
			text, err := read()
			pending <- answer{text, err}
		}()
		a.pending = pending
	}
	select {
	case got := <-a.pending:
		a.pending = nil
		return got.text, got.err
	case <-ctx.Done():
		return "", errInterrupted
	}
}

func (p *plainReader) Password(ctx context.Context, prompt string) (string, error) {
	return password(ctx, p, prompt)
}

func (p *plainReader) Complete(func(string) (string, []string)) {}

func (p *plainReader) Close() error { return nil }

// lineEditor reads lines with editing, history and completion.
type lineEditor struct {
	*liner.State
	cooked, raw liner.ModeApplier // the terminal as we found it, and as liner wants it
	historyFile string
	read        pendingRead
}

func newEditor(historyFile string) *lineEditor {
	cooked, cookedErr := liner.TerminalMode()
	e := &lineEditor{State: liner.NewLiner(), cooked: cooked, historyFile: historyFile}
	raw, rawErr := liner.TerminalMode()
	if e.raw = raw; cookedErr != nil || rawErr != nil {
		e.cooked, e.raw = nil, nil
	}
	e.SetCtrlCAborts(true)
	e.SetTabCompletionStyle(liner.TabPrints)
	if f, err := os.Open(historyFile); err == nil {
		e.ReadHistory(f) // a damaged history is no history
		f.Close()
	}
	e.apply(e.cooked)
	return e
}

// apply sets the terminal's mode. Commands run in the mode in which we found
// the terminal, so that Ctrl-C is a signal and what is typed is seen.
func (e *lineEditor) apply(mode liner.ModeApplier) {
	if mode != nil {
		mode.ApplyMode()
	}
}

func (e *lineEditor) Line(ctx context.Context, prompt string) (string, error) {
	e.apply(e.raw)
	defer e.apply(e.cooked)
	defer restoreIfKilled(func() { e.apply(e.cooked) })()
	if e.read.pending != nil { // a read that was interrupted goes on, without a prompt
		fmt.Print(prompt)
	}
	line, err := e.read.wait(ctx, func() (string, error) { return e.Prompt(prompt) })
	switch {
	case errors.Is(err, liner.ErrPromptAborted):
		return "", errAborted
	case err != nil:
		return "", err
	}
	if line != "" {
		e.AppendHistory(line)
	}
	return line, nil
}

func (e *lineEditor) Password(ctx context.Context, prompt string) (string, error) {
	return password(ctx, e, prompt)
}

func (e *lineEditor) Complete(offer func(string) (string, []string)) {
	e.SetWordCompleter(func(line string, at int) (string, []string, string) {
		runes := []rune(line)
		head, words := offer(string(runes[:at]))
		return head, words, string(runes[at:])
	})
}

func (e *lineEditor) Close() error {
	err := e.State.Close()
	if e.historyFile == "" {
		return err
	}
	f, fileErr := os.OpenFile(e.historyFile, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if fileErr != nil {
		return errors.Join(err, fileErr)
	}
	_, writeErr := e.WriteHistory(f)
	return errors.Join(err, writeErr, f.Close())
}
