package main

import "fmt"

// usage is the text of --help.
func usage(argv0 string) string {
	return fmt.Sprintf(`supervisord -- run a set of applications as daemons.

Usage: %s [options]

Where the configuration comes from:
  -c, --configuration FILE     read FILE; without it, the first of the usual places
      --watch DIR              no file at all: every *.conf and *.ini in DIR says
                               what is to run (may be given several times)
      --check                  read everything, start nothing, print every mistake;
                               exit 0 if there is none, 2 otherwise
      --json                   with --check: print one JSON object
      --show-secrets           with --check --json: do not hide passwords

How to run:
  -n, --nodaemon               stay in the foreground
  -s, --silent                 in the foreground: keep the log off standard output
  -u, --user USER              become USER (a name or a number) at start
  -m, --umask OCTAL            file mode mask of the daemon (022)
  -d, --directory DIR          change to DIR when going to the background
  -a, --minfds N               refuse to start with fewer file descriptors (1024)
      --minprocs N             refuse to start with fewer processes (200)

The daemon's own files:
  -l, --logfile FILE           activity log, or the word syslog
  -y, --logfile_maxbytes SIZE  rotate it at this size, such as 50MB; 0 never does
  -z, --logfile_backups N      keep N rotated files (10)
  -e, --loglevel LEVEL         critical, error, warn, info, debug, trace or blather
  -j, --pidfile FILE           where the process number is written
  -i, --identifier NAME        tells this daemon from others in logs and to clients
  -q, --childlogdir DIR        where AUTO logs of programs are made
  -k, --nocleanup              leave old AUTO logs alone at start
  -t, --strip_ansi             drop terminal colours from what programs print

  -h, -?, --help               print this and exit
  -v, --version                print the version and exit
      --profile_options LIST   accepted for compatibility; does nothing

An option stands over the key of the same name in [supervisord]. Long options may
be shortened as long as they stay unique, except --watch, --check, --json and
--show-secrets.
`, argv0)
}
