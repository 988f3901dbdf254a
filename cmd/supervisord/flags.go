package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"supervisord/cmd/internal/getopt"
	"supervisord/spec"
	"supervisord/spec/value"
)

// action is what the command line asks for.
type action int

const (
	actionRun action = iota
	actionHelp
	actionVersion
	actionCheck
	actionTryUpgrade
	actionExplain
	actionSchema
	actionBuildInfo
	actionMigrateCheck
)

// flags is a command line that has been read.
//
// Source: contract/config.md section 9; reconciler.md for --watch and --check.
type flags struct {
	action action

	config    string // -c as written
	configSet bool
	watch     []string // --watch, in order
	key       string   // --explain
	socket    string   // --socket, absolute; "" where it is not given

	here, json, showSecrets bool // with actionCheck only
	// The tree that the configuration is compared with, and as it were the roots of the
	// machines that both are on; "" where they are not given.
	against, root, againstRoot string
	markdown                   bool

	// override holds what stands over keys of [supervisord], each by its key:
	// values as written, found to be right except for user, which is looked up
	// last. It is meant for spec.Options.
	override map[string]string
}

// The options as getopt takes them. Ours beyond Supervisor must be written
// whole, so that every short form that Supervisor takes means what it meant.
const shortFlags = "c:nsh?vu:m:d:l:y:z:e:j:i:q:ka:t"

var longFlags = []string{
	"configuration=", "nodaemon", "silent", "help", "version", "user=", "umask=",
	"directory=", "logfile=", "logfile_maxbytes=", "logfile_backups=", "loglevel=",
	"pidfile=", "identifier=", "childlogdir=", "nocleanup", "minfds=", "strip_ansi",
	"minprocs=", "profile_options=",
	"!watch=", "!socket=", "!check", "!here", "!json", "!show-secrets", "!check-upgrade",
	"!against=", "!root=", "!against-root=", "!markdown",
	"!explain=", "!schema", "!build-info", "!migrate-check",
}

// longOf is the long form of each letter, by which an option is known here.
var longOf = map[string]string{
	"-c": "--configuration", "-n": "--nodaemon", "-s": "--silent", "-h": "--help",
	"-?": "--help", "-v": "--version", "-u": "--user", "-m": "--umask",
	"-d": "--directory", "-l": "--logfile", "-y": "--logfile_maxbytes",
	"-z": "--logfile_backups", "-e": "--loglevel", "-j": "--pidfile",
	"-i": "--identifier", "-q": "--childlogdir", "-k": "--nocleanup",
	"-a": "--minfds", "-t": "--strip_ansi",
}

// parseFlags reads the command line without the program's name. The error is
// what stands after "Error: ", in Supervisor's words. Options are looked at from
// left to right, and --help and --version end that at once; but a mistake in the
// syntax, anywhere on the line, comes before all of it.
func parseFlags(h spec.Host, args []string) (flags, error) {
	opts, rest, err := getopt.Parse(args, shortFlags, longFlags)
	if err != nil {
		return flags{}, hintedError{err, meantOption(err)}
	}
	if len(rest) > 0 {
		quoted := make([]string, len(rest))
		for i, arg := range rest {
			quoted[i] = value.PyRepr(arg)
		}
		return flags{}, hintedError{fmt.Errorf("positional arguments are not supported: [%s]", strings.Join(quoted, ", ")), meantFile(h, rest)}
	}
	var f flags
	seen := map[string]bool{}
	for _, opt := range opts {
		name := opt.Name
		if long, ok := longOf[name]; ok {
			name = long
		}
		if seen[name] && name != "--watch" {
			return flags{}, fmt.Errorf("conflicting command line option '%s'", opt.Name)
		}
		seen[name] = true
		switch name {
		case "--help":
			return flags{action: actionHelp}, nil
		case "--version":
			return flags{action: actionVersion}, nil
		}
		if err := f.take(h, name, opt.Value); err != nil {
			return flags{}, fmt.Errorf("invalid value for %s %s: %w", opt.Name, value.PyRepr(opt.Value), err)
		}
	}
	if err := f.combine(seen); err != nil {
		return flags{}, err
	}
	return f, nil
}

// meantFile names the option for a file or directory given without one, "" where it
// looks like neither.
func meantFile(h spec.Host, rest []string) string {
	name := rest[0]
	info, err := h.Stat(name)
	switch {
	case len(rest) > 1:
		return ""
	case err == nil && info.IsDir():
		return "did you mean --watch " + name + "?"
	case err == nil, strings.HasSuffix(name, ".conf"), strings.HasSuffix(name, ".ini"):
		return "did you mean -c " + name + "?"
	}
	return ""
}

// meantOption says which long option a misspelt one, which the error is about, was
// probably meant to be, "" for none.
func meantOption(err error) string {
	option, unknown := strings.CutSuffix(err.Error(), " not recognized")
	name, long := strings.CutPrefix(option, "option --")
	if !unknown || !long {
		return ""
	}
	var names []string
	for _, flag := range longFlags {
		names = append(names, strings.Trim(flag, "!="))
	}
	if near := value.Nearest(name, names); near != "" {
		return "did you mean --" + near + "?"
	}
	return ""
}

// combine refuses options that mean nothing together.
func (f flags) combine(seen map[string]bool) error {
	if f.configSet && len(f.watch) > 0 {
		return fmt.Errorf("options -c and --watch cannot be combined")
	}
	if f.socket != "" && len(f.watch) == 0 {
		return fmt.Errorf("option --socket requires --watch: set file= in [unix_http_server] instead")
	}
	for _, name := range []string{"--here", "--json", "--show-secrets"} {
		if seen[name] && f.action != actionCheck {
			return fmt.Errorf("option %s requires --check", name)
		}
	}
	for _, name := range []string{"--root", "--against-root", "--markdown"} {
		if seen[name] && f.against == "" {
			return fmt.Errorf("option %s requires --against", name)
		}
	}
	switch {
	case f.against != "" && f.action != actionCheck:
		return errors.New("option --against requires --check")
	case f.against != "" && (f.here || f.showSecrets):
		return errors.New("options --here and --show-secrets have no effect with --against")
	case f.against != "" && len(f.watch) > 1:
		return errors.New("option --against compares one --watch with another directory")
	case f.markdown && f.json:
		return errors.New("options --json and --markdown cannot be combined")
	}
	return nil
}

// take notes one option, known by its long form.
func (f *flags) take(h spec.Host, name, value string) error {
	switch name {
	case "--configuration":
		f.config, f.configSet = value, true
	case "--watch":
		if info, err := h.Stat(value); err == nil && !info.IsDir() {
			return fmt.Errorf("it is a file, and --watch takes a directory: use -c %s, or --watch %s", value, filepath.Dir(value))
		}
		f.watch = append(f.watch, value)
	case "--socket":
		return f.takeSocket(h, value)
	case "--check":
		f.action = actionCheck
	case "--check-upgrade": // asked by another supervisord, see prepareUpgrade
		f.action = actionTryUpgrade
	case "--explain":
		f.action, f.key = actionExplain, value
	case "--schema":
		f.action = actionSchema
	case "--migrate-check":
		f.action = actionMigrateCheck
	case "--build-info":
		f.action = actionBuildInfo
	case "--against":
		if f.against = value; value == "" {
			return errors.New("it is empty")
		}
	case "--root":
		f.root = value
	case "--against-root":
		f.againstRoot = value
	case "--markdown":
		f.markdown = true
	case "--here":
		f.here = true
	case "--json":
		f.json = true
	case "--show-secrets":
		f.showSecrets = true
	case "--profile_options":
		// Supervisor would run under Python's profiler.
	default:
		return f.takeOverride(h, strings.TrimPrefix(name, "--"), value)
	}
	return nil
}

// takeSocket notes where a daemon without a configuration file is to listen.
func (f *flags) takeSocket(h spec.Host, path string) error {
	path, err := value.ExistingDirPath(h, path)
	switch {
	case err != nil:
		return err
	case path == "":
		return errors.New("it is empty")
	case !filepath.IsAbs(path):
		path = filepath.Join(h.Getwd(), path)
	}
	f.socket = path
	return nil
}

// takeOverride notes an option that stands over the key of the same name. An
// empty file name leaves the configuration's, as in Supervisor.
func (f *flags) takeOverride(h spec.Host, key, text string) error {
	var err error
	switch key {
	case "nodaemon", "silent", "nocleanup", "strip_ansi":
		text = "true"
	case "umask":
		_, err = value.ParseOctal(text)
	case "loglevel":
		_, err = value.ParseLogLevel(text)
	case "logfile_maxbytes":
		_, err = value.ParseBytes(text)
	case "logfile_backups", "minfds", "minprocs":
		_, err = value.ParseInt(text)
	case "directory", "childlogdir":
		_, err = value.ExistingDir(h, text)
	case "logfile", "pidfile":
		if text == "" {
			return nil
		}
		_, err = value.ExistingDirPath(h, text)
	}
	if err != nil {
		return err
	}
	if f.override == nil {
		f.override = map[string]string{}
	}
	f.override[key] = text
	return nil
}
