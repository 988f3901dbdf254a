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
--watch DIR -- no configuration file: run what every *.conf and *.ini in DIR says
               (may be given several times)
--socket PATH -- with --watch: put the socket at PATH, for
                 supervisorctl -s unix://PATH
--check -- read everything, start nothing, print every mistake; exit 0 if there
           is none, 2 otherwise
--here -- with --check: treat what this machine lacks (a user, a directory, a port,
          a certificate) as a mistake, too
--json -- with --check: print one JSON object
--against FILE -- with --check: say what an update from the configuration of FILE to
                  this one would do; exit 0 if nothing, 1 if something, 2 for a
                  mistake
--markdown -- with --against: as a comment on a pull request
--root DIR -- with --against: what is / to the configuration
--against-root DIR -- with --against: what is / to the one that it is compared with
--show-secrets -- with --check --json: do not hide passwords
--schema -- print the JSON schema of what --check --json prints, and exit
--explain KEY -- explain a key of the configuration, its values and the effect of
                 changing it, and exit; write program.user if several sections
                 have the key
--migrate-check -- read the configuration of an installation of Supervisor, start
                   nothing, and say what will be different here

How to run:
-n/--nodaemon -- stay in the foreground
-s/--silent -- in the foreground: do not log to standard output
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
-j/--pidfile FILENAME -- write the process number here
-i/--identifier STR -- name of this daemon in logs and for clients
-q/--childlogdir DIRECTORY -- directory of the programs' AUTO logs
-k/--nocleanup -- leave old AUTO logs alone at start
-t/--strip_ansi -- drop terminal colours from what programs print

-h/--help -- print this and exit; -? does the same
-v/--version -- print the version of Supervisor that this behaves like, and exit
--build-info -- print this program's own version, commit and Go version, and exit
--profile_options OPTIONS -- accepted for compatibility; does nothing

Usage: %[1]s install [--user NAME] [--prefix DIR] [--print]
       %[1]s uninstall [--prefix DIR]
       %[1]s lsp

install copies the programs to DIR/bin (/usr/local/bin), makes a systemd unit, a
configuration, directories, log rotation, completion and manual pages, and starts the
daemon, as user NAME if given. Files that exist already are kept. --print only shows
what would be made. uninstall removes what install made, unless it was changed since.
lsp is a language server, with which editors show mistakes and explain keys: see
man supervisord.conf.

An option overrides the key of the same name in [supervisord]. Long options may be
shortened as long as they stay unique, except --watch, --socket, --check, --here,
--json, --against, --markdown, --root, --against-root, --show-secrets, --schema,
--explain, --build-info, --migrate-check and --check-upgrade, which "supervisorctl
upgrade" uses to ask a new supervisord whether it can continue in place of this one.
`, argv0)
}
