package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"supervisord/cmd/internal/getopt"
	"supervisord/cmd/internal/host"
	"supervisord/rpc/client"
	"supervisord/spec"
	"supervisord/spec/value"
)

const usage = `supervisorctl -- control applications that a supervisord runs.

Usage: %s [options] [action [arguments]]

Options:
-c/--configuration FILENAME -- read the [supervisorctl] section of this file
                           (without it the usual places are searched)
-h/--help -- print this text and exit
-i/--interactive -- start an interactive shell, or act like one for the action: ask
                    for a password, and before shutdown and reload
-s/--serverurl URL -- http://host:port, https://host:port or unix:///path of
                      the server (default "http://localhost:9001")
-u/--username USERNAME -- name to log in with
-p/--password PASSWORD -- password to log in with
-r/--history_file FILE -- keep the shell's history in this file
--timeout SECONDS -- give up a request that takes longer (default: wait)
--watch -- ask the daemon that "supervisord --watch" started, whatever a
           configuration file says

They may stand after the action too, and those of actions before it: -o json,
-t SECONDS, --state STATES, --problems, --binary PATH, --with-deps, --rolling[=N],
--plan ID, --tree DIR, --revision COMMIT, --for TIME, --reason TEXT
(see "help ACTION").
Without an action a shell is started that reads actions line by line. The
action "help" lists Supervisor's actions, "help ACTION" explains one. Beyond
them there are: autoupdate, completion, deps, diff, disable, drift, enable,
explain, files, history, pause, reset, resume, revert, top, unpin, upgrade,
wait.
`

// settings are the command line and the configuration file together.
type settings struct {
	url string
	// guessed is set where nothing says which server is meant, and the socket of a
	// supervisord --watch was not there.
	guessed            bool
	username, password string
	// certFile, keyFile and serverCA are the files for https, "" for none.
	certFile, keyFile, serverCA string

	prompt      string
	historyFile string // "" keeps none
	timeout     time.Duration
	interactive bool
}

// errHelp is returned by readOptions for -h.
var errHelp = errors.New("help is asked for")

// longOptions are the words; ! keeps Supervisor's abbreviations what they were.
var longOptions = []string{
	"configuration=", "help", "interactive", "serverurl=", "username=", "password=", "history_file=",
	"!timeout=", "!state=", "!problems", "!watch", "!binary=", "!with-deps", "!rolling", "!plan=", "!tree=", "!revision=", "!for=", "!reason=",
}

// actionOptions are the options of actions, and the letters of those that are one.
var actionOptions = map[string]bool{"-o": true, "-t": true, "--state": true, "--problems": true, "--binary": true,
	"--with-deps": true, "--rolling": true, "--plan": true, "--tree": true, "--revision": true,
	"--for": true, "--reason": true}

// longOf is the long form of each letter, by which an option is known here.
var longOf = map[string]string{
	"-c": "--configuration", "-h": "--help", "-?": "--help", "-i": "--interactive",
	"-s": "--serverurl", "-u": "--username", "-p": "--password", "-r": "--history_file",
}

// optionNames is every option, sorted.
func optionNames() []string {
	names := slices.Collect(maps.Keys(longOf))
	for _, option := range longOptions {
		names = append(names, "--"+strings.Trim(option, "!="))
	}
	slices.Sort(names)
	return names
}

// readOptions reads the command line without the program's name, and the
// configuration file that it names or that is found. words is the action with
// its arguments. The error is errHelp, or a mistake in Supervisor's words.
//
// Source: contract/supervisorctl.md section 1.
func readOptions(h spec.Host, argv0 string, args []string) (s settings, words []string, err error) {
	opts, words, err := getopt.Parse(args, "c:h?is:u:p:r:o:t:", longOptions)
	if err != nil {
		return s, nil, err
	}
	later, words, err := laterOptions(words)
	if err != nil {
		return s, nil, err
	}
	opts = append(opts, later...)
	var file string
	var watch bool
	given := settings{}
	seen := map[string]bool{}
	for _, o := range opts {
		if actionOptions[o.Name] {
			switch {
			case len(words) == 0:
				return s, nil, fmt.Errorf("option %s belongs to an action", o.Name)
			case words[0] == "completion": // it is the completed action's
			case o.Value != "":
				words = append(words, o.Name, o.Value)
			default:
				words = append(words, o.Name)
			}
			continue
		}
		name := o.Name
		if long, ok := longOf[name]; ok {
			name = long
		}
		if seen[name] {
			return s, nil, fmt.Errorf("conflicting command line option '%s'", o.Name)
		}
		seen[name] = true
		switch name {
		case "--help":
			return s, nil, errHelp
		case "--configuration":
			file = o.Value
		case "--interactive":
			given.interactive = true
		case "--serverurl":
			if err := checkURL(o.Value); err != nil {
				return s, nil, fmt.Errorf("invalid value for %s %s: %w", o.Name, value.PyRepr(o.Value), err)
			}
			given.url = o.Value
		case "--watch":
			watch = true
		case "--username":
			given.username = o.Value
		case "--password":
			given.password = o.Value
		case "--history_file":
			given.historyFile = o.Value
		case "--timeout":
			seconds, err := strconv.ParseFloat(o.Value, 64)
			if err != nil || !(seconds > 0 && seconds < 1e9) {
				return s, nil, fmt.Errorf("invalid value for --timeout %s: not a number of seconds", value.PyRepr(o.Value))
			}
			given.timeout = time.Duration(seconds * float64(time.Second))
		}
	}
	switch {
	case watch && (seen["--configuration"] || seen["--serverurl"]):
		return s, nil, errors.New("--watch, -c and -s each say which server to use: give only one of them")
	case watch:
		usual := host.DefaultSockets()
		if given.url = socketURL(usual, os.Geteuid()); given.url == "" {
			given.url = "unix://" + usual[0]
		}
	case file == "":
		file, _ = spec.FindConfig(h, spec.SearchPaths(host.ProgramPath(argv0)))
	}
	if s, err = fromFile(h, file); err != nil {
		return s, nil, err
	}
	s.override(given)
	return s, words, nil
}

// laterOptions takes our own options out of the words after the action, up to "--".
// Any other word that begins with a dash is the action's.
//
// Differs: the original takes each of them for the name of a process.
func laterOptions(words []string) (opts []getopt.Opt, rest []string, err error) {
	for len(words) > 0 && words[0] != "--" {
		word := words[0]
		name, value, hasValue := strings.Cut(word, "=")
		if long, ok := longOf[word]; ok {
			name, value, hasValue = long, "", false
		}
		at := slices.IndexFunc(longOptions, func(o string) bool { return "--"+strings.Trim(o, "!=") == name })
		if len(rest) == 0 || at < 0 || actionOptions[name] {
			rest, words = append(rest, word), words[1:]
			continue
		}
		words = words[1:]
		switch takesValue := strings.HasSuffix(longOptions[at], "="); {
		case takesValue && !hasValue && len(words) == 0:
			return nil, nil, fmt.Errorf("option %s requires argument", word)
		case takesValue && !hasValue:
			value, words = words[0], words[1:]
		case !takesValue && hasValue:
			return nil, nil, fmt.Errorf("option %s must not have an argument", name)
		}
		opts = append(opts, getopt.Opt{Name: name, Value: value})
	}
	return opts, append(rest, words...), nil
}

// override puts what the command line gave over what the file says.
func (s *settings) override(given settings) {
	for _, f := range []struct{ to, from *string }{
		{&s.url, &given.url}, {&s.username, &given.username},
		{&s.password, &given.password}, {&s.historyFile, &given.historyFile},
	} {
		if *f.from != "" {
			*f.to = *f.from
		}
	}
	s.guessed = s.guessed && given.url == ""
	s.timeout, s.interactive = given.timeout, given.interactive
}

// fromFile reads the configuration file. Where there is none, path "", the
// socket of a supervisord --watch is tried, then Supervisor's default.
func fromFile(h spec.Host, path string) (settings, error) {
	ctl := spec.DefaultCtl()
	guessed := false
	if path == "" {
		if url := socketURL(host.DefaultSockets(), os.Geteuid()); url != "" {
			ctl.ServerURL = url
		} else {
			guessed = true
		}
	} else {
		read, err := spec.LoadCtl(h, path)
		if err != nil {
			return settings{}, err
		}
		ctl = *read
	}
	if err := checkURL(ctl.ServerURL); err != nil {
		return settings{}, fmt.Errorf("invalid value for serverurl %s: %w", value.PyRepr(ctl.ServerURL), err)
	}
	return settings{
		url: ctl.ServerURL, guessed: guessed, username: ctl.Username, password: ctl.Password,
		certFile: ctl.CertFile, keyFile: ctl.KeyFile, serverCA: ctl.ServerCA,
		prompt: ctl.Prompt, historyFile: ctl.HistoryFile,
	}, nil
}

// socketURL is the URL of the first of some sockets that is there for a user, "" for none.
func socketURL(sockets []string, uid int) string {
	for _, socket := range sockets {
		if isThere(socket, uid) {
			return "unix://" + socket
		}
	}
	return ""
}

// isThere reports whether the user uid has a default socket, in a directory that nobody
// else has made in its place, as in a directory that everyone can write to. A daemon of
// root's that becomes another user gives him its directory.
func isThere(socket string, uid int) bool {
	dir, err := os.Lstat(filepath.Dir(socket))
	if err != nil || !exists(socket) {
		return false
	}
	st, known := dir.Sys().(*syscall.Stat_t)
	if !known {
		return false
	}
	if int(st.Uid) == uid || st.Uid == 0 {
		return true
	}
	above, err := os.Stat(filepath.Dir(filepath.Dir(socket)))
	return uid == 0 && err == nil && above.Mode().Perm()&0o002 == 0
}

// checkURL is the original's test of -s: a scheme, and a host or a path after
// it. Whether the scheme is one that can be spoken shows when it is used.
func checkURL(url string) error {
	if m := urlShape.FindStringSubmatch(url); m != nil && strings.TrimPrefix(m[1], "//") != "" {
		return nil
	}
	return urlMistake(url)
}

// urlMistake is a text that is no URL.
type urlMistake string

func (m urlMistake) Error() string {
	return fmt.Sprintf("value %s is not a URL", value.PyRepr(string(m)))
}

var urlShape = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:([^?#]*)`)

// open makes the client that the settings ask for.
func (s settings) open() (*client.Client, error) {
	config, err := s.tlsConfig()
	if err != nil {
		return nil, err
	}
	return client.New(client.Options{
		URL: s.url, Username: s.username, Password: s.password, Timeout: s.timeout, TLS: config,
	})
}
