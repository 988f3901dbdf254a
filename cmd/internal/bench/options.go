package main

import (
	"flag"
	"fmt"
	"io"
	"regexp"
)

// options are what the command line says.
type options struct {
	against  []string // paths of other builds, by which they are called
	noDebian bool
	rounds   int
	rows     *regexp.Regexp // of the figures that are wanted
	sizes    bool           // cost against size, in place of the other rows
	json     bool           // every sample, in place of the table
}

// parseOptions reads the arguments. What is wrong with them is written to out, and so
// is the help, for which the error is flag.ErrHelp.
func parseOptions(args []string, out io.Writer) (options, error) {
	o := options{rows: regexp.MustCompile("")}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Func("against", "compare with another build too: `PATH` of its supervisord, which has its supervisorctl beside it,\nor of their directory; may be repeated", func(path string) error {
		if path == "" {
			return fmt.Errorf("no path")
		}
		o.against = append(o.against, path)
		return nil
	})
	flags.BoolVar(&o.noDebian, "no-debian", false, "leave out Debian's Supervisor")
	flags.IntVar(&o.rounds, "rounds", 5, "measure each row so `many` times")
	flags.Func("rows", "only figures whose names match the `REGEXP`", func(text string) (err error) {
		o.rows, err = regexp.Compile(text)
		return err
	})
	flags.BoolVar(&o.sizes, "sizes", false, "cost against size, from 10 to 10,000 programs, in place of the other rows")
	flags.BoolVar(&o.json, "json", false, "print every sample as JSON, not the table")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	switch {
	case flags.NArg() > 0:
		err = fmt.Errorf("not an option: %q", flags.Arg(0))
	case o.rounds < 1:
		err = fmt.Errorf("--rounds %d: at least one", o.rounds)
	}
	if err != nil {
		fmt.Fprintln(out, err)
	}
	return o, err
}
