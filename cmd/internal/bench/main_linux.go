package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	ossignal "os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// longest is how long one measurement may take; only what fails does.
const longest = 15 * time.Minute

func main() {
	o, err := parseOptions(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	}
	ctx, stop := signalContext()
	err = bench(ctx, o, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench measures what is wanted and writes the table to out. It continues where one
// daemon fails at one row, and says so in the end; when it is interrupted, it writes
// what it has.
func bench(ctx context.Context, o options, out, progress io.Writer) (err error) {
	var wanted []row
	for _, r := range o.all() {
		if r.wanted(o) {
			wanted = append(wanted, r)
		}
	}
	if len(wanted) == 0 {
		return o.noSuchRow()
	}
	if err := becomeReaper(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, endAll(), os.RemoveAll(dir)) }()
	fmt.Fprintln(progress, "building")
	child, err := compileChild(ctx, dir)
	if err != nil {
		return err
	}
	subjects, err := o.subjects(ctx, dir)
	if err != nil {
		return err
	}
	var columns []string
	for _, s := range subjects {
		columns = append(columns, s.name)
	}
	t := newResults(columns)
	var failures []error
	for round := range o.rounds {
		for _, row := range wanted {
			for i := range subjects {
				s := subjects[(i+round)%len(subjects)] // none is always the first
				if s.name == limit && !row.limited {
					continue
				}
				what := fmt.Sprintf("round %d of %d: %s: %s", round+1, o.rounds, row.figures[0].name, s.name)
				values, err := row.take(ctx, s, dir, child)
				if ctx.Err() != nil {
					failures = append(failures, context.Cause(ctx))
					return errors.Join(append(failures, t.write(out, o))...)
				}
				if err != nil {
					fmt.Fprintf(progress, "%s: %v\n", what, err)
					failures = append(failures, fmt.Errorf("%s: %w", what, err))
				}
				var said []string
				for i, f := range row.figures {
					if o.rows.MatchString(f.name) {
						t.add(f, s.name, values[i])
						said = append(said, number(values[i])+" "+f.unit)
					}
				}
				fmt.Fprintf(progress, "%s: %s\n", what, strings.Join(said, ", "))
			}
		}
	}
	return errors.Join(append(failures, t.write(out, o))...)
}

func (t *results) write(out io.Writer, o options) error {
	if o.json {
		return t.json(out)
	}
	return t.markdown(out)
}

// wanted reports whether one of the row's figures is.
func (r row) wanted(o options) bool {
	for _, f := range r.figures {
		if o.rows.MatchString(f.name) {
			return true
		}
	}
	return false
}

func (o options) all() []row {
	if o.sizes {
		return sizeRows()
	}
	return rows()
}

func (o options) noSuchRow() error {
	var names []string
	for _, r := range o.all() {
		for _, f := range r.figures {
			names = append(names, f.name)
		}
	}
	return fmt.Errorf("no figure matches %q; there are:\n%s", o.rows, strings.Join(names, "\n"))
}

// take is one run. There is a value for each figure, whatever happens, and nothing
// is left of the run.
func (row row) take(ctx context.Context, s subject, dir, child string) (values []float64, err error) {
	values = make([]float64, len(row.figures))
	for i := range values {
		values[i] = unable
	}
	ctx, cancel := context.WithTimeoutCause(ctx, longest, fmt.Errorf("it took longer than %v", longest))
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	r := &run{Context: ctx, subject: s, child: child, end: end}
	if r.dir, err = os.MkdirTemp(dir, "run"); err != nil {
		return values, err
	}
	defer func() { err = errors.Join(err, endAll(), os.RemoveAll(r.dir)) }()
	if r.told, err = openReports(r.dir); err != nil {
		return values, err
	}
	defer r.told.file.Close()
	got, err := row.measure(r)
	if r.client != nil {
		r.client.Close()
	}
	if err == nil {
		copy(values, got)
	}
	return values, err
}

// subjects are the columns, in the table's order. Ours is built from this tree.
func (o options) subjects(ctx context.Context, dir string) ([]subject, error) {
	all := []subject{{name: limit}}
	if !o.noDebian {
		s := subject{debian, "/usr/bin/supervisord", "/usr/bin/supervisorctl"}
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("%w (Debian's package supervisor; --no-debian leaves it out)", err)
		}
		all = append(all, s)
	}
	for _, path := range o.against {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		if info, err := os.Stat(abs); err == nil && info.IsDir() {
			abs = filepath.Join(abs, "supervisord")
		}
		s := subject{path, abs, filepath.Join(filepath.Dir(abs), "supervisorctl")}
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("--against %s: %w", path, err)
		}
		all = append(all, s)
	}
	s := subject{ours, filepath.Join(dir, "supervisord"), filepath.Join(dir, "supervisorctl")}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", dir, "supervisord/cmd/supervisord", "supervisord/cmd/supervisorctl")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot build: %w\n%s", err, out)
	}
	return append(all, s), nil
}

// check says which of a subject's programs is missing.
func (s subject) check() error {
	for _, path := range []string{s.supervisord, s.supervisorctl} {
		if _, err := exec.LookPath(path); err != nil {
			return err
		}
	}
	return nil
}

// signalContext ends when somebody wants this to end.
func signalContext() (context.Context, context.CancelFunc) {
	return ossignal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
}
