package main

import "fmt"

// helpText is the text of --help. Its first line and the form in which it names the
// options are the original's, for scripts that look for them.
func helpText(argv0 string) string {
	return fmt.Sprintf(`supervisord -- run a set of applications as daemons.

Usage: %[1]s [options]

Where the configuration comes from:
-c/--configuration FILENAME -- read FILENAME; without it, the first of the usual
                               places
--watch DIR -- no file at all: every *.conf and *.ini in DIR says what is to run
               (may be given several times)
--socket PATH -- with --watch: the socket for supervisorctl -s unix://PATH, instead
                 of the usual one
--check -- read everything, start nothing, print every mistake; exit 0 if there
           is none, 2 otherwise
--here -- with --check: what this machine lacks (a user, a directory, a port, a
          certificate) is a mistake, too
--json -- with --check: print one JSON object
--against FILE -- with --check: say what an update from the configuration of FILE to
                  this one would do; exit 0 if nothing, 1 if something, 2 for a
                  mistake
--markdown -- with --against: as a comment on a pull request
--root DIR -- with --against: what is / to the configuration
--against-root DIR -- with --against: what is / to the one that it is compared with
--show-secrets -- with --check --json: do not hide passwords
--schema -- print the JSON schema of what --check --json prints, and exit
--explain KEY -- say what a key of a configuration means, what it takes and what a
                 change of it does, and exit; program.user where several
                 sections have it

--migrate-check -- read the configuration of an installation of Supervisor, start
                   nothing, and say what will be different here

How to run:
-n/--nodaemon -- stay in the foreground
-s/--silent -- in the foreground: keep the log off standard output
-u/--user USER -- become USER (a name or a number) at start
-m/--umask UMASK -- file mode mask of the daemon, octal (022)
-d/--directory DIRECTORY -- change to DIRECTORY when going to the background
-a/--minfds NUM -- refuse to start with fewer file descriptors (1024)
--minprocs NUM -- refuse to start with fewer processes (200)

The daemon's own files:
-l/--logfile FILENAME -- use FILENAME as the activity log, or the word syslog
-y/--logfile_maxbytes BYTES -- rotate it at this size, such as 50MB; 0 never does
-z/--logfile_backups NUM -- keep NUM rotated files (10)
-e/--loglevel LEVEL -- critical, error, warn, info, debug, trace or blather
-j/--pidfile FILENAME -- where the process number is written
-i/--identifier STR -- tells this daemon from others in logs and to clients
-q/--childlogdir DIRECTORY -- where AUTO logs of programs are made
-k/--nocleanup -- leave old AUTO logs alone at start
-t/--strip_ansi -- drop terminal colours from what programs print

-h/--help -- print this and exit; -? does it, too
-v/--version -- print the version and exit: that of the Supervisor whose behaviour
                this is
--build-info -- print the release of this program, its commit and its Go, and exit
--profile_options OPTIONS -- accepted for compatibility; does nothing

Usage: %[1]s install [--user NAME] [--prefix DIR] [--print]
       %[1]s uninstall [--prefix DIR]
       %[1]s lsp

install puts the programs into DIR/bin (/usr/local), makes a unit for systemd, a
configuration, directories, log rotation, completion and manual pages, and starts the
daemon, as NAME if one is given. What is there already is kept. --print only shows the
files. uninstall takes away what install has made and nobody has changed. lsp is a language server, with which
editors show mistakes and explain keys: see man supervisord.conf.

An option stands over the key of the same name in [supervisord]. Long options may
be shortened as long as they stay unique, except --watch, --socket, --check, --here, --json,
--against, --markdown, --root, --against-root, --show-secrets, --schema, --explain, --build-info, --migrate-check and --check-upgrade, with which another supervisord asks this one whether
it could go on in its place (supervisorctl upgrade).
`, argv0)
}
