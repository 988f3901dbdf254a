package mainlog

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"supervisord/runtime/logfile"
)

// Options say where the activity log goes. The zero value discards it.
type Options struct {
	// Path is the file, "syslog" for syslog, "" for none.
	Path string
	// MaxBytes and Backups are for rotation, as in logfile.Options.
	MaxBytes int64
	Backups  int
	// Private makes new files with mode 0600 and not 0666, both before the umask:
	// the log will hold what children write.
	Private bool
	// Level is the least severe level that is written; the zero value is info.
	Level slog.Level
	// Stdout also writes to standard output: the daemon is in the foreground and
	// not silent. Nothing is written twice if Path is standard output as well.
	Stdout bool
	// SyslogSocket is as in logfile.Options.
	SyslogSocket string
}

const (
	// patience is how long Close, Reopen and Clear wait for an output that takes
	// nothing.
	patience = time.Second
	// lastMoment is how much longer Close waits, for what a target takes after all
	// and for what is dropped. Once GiveUp was called it is all the time there is.
	lastMoment = 250 * time.Millisecond
)

// Log is the activity log. Its methods may be called from any goroutine; Reopen,
// Restore, Clear and Close may wait for the disk.
type Log struct {
	level slog.Level
	file  *output // nil for none
	echo  *output // standard output; nil for none
	path  string

	giveUp     chan struct{} // closed by GiveUp
	giveUpOnce sync.Once
}

// Open opens the log. The error says that the file cannot be written.
func Open(o Options) (*Log, error) {
	l := &Log{path: o.Path, level: o.Level, giveUp: make(chan struct{})}
	w := logfile.Options{
		Path: o.Path, MaxBytes: o.MaxBytes, Backups: o.Backups,
		SyslogSocket: o.SyslogSocket, Report: l.report,
	}
	if o.Private {
		w.Mode = 0o600
	}
	if o.Path == "syslog" {
		l.path, w.Path, w.Syslog = "", "", true
	}
	if o.Path != "" {
		file := logfile.New(w)
		if err := file.Open(); err != nil {
			return nil, err
		}
		l.file = newOutput(file, w.Syslog)
	}
	if o.Stdout && (l.path == "" || !logfile.SameAsStdout(l.path)) {
		stdout := logfile.New(logfile.Options{Path: "/dev/stdout"})
		// A closed standard output is no reason not to start.
		if stdout.Open() == nil {
			l.echo = newOutput(stdout, false)
		}
	}
	return l, nil
}

// Logger is a logger that writes to the log.
func (l *Log) Logger() *slog.Logger { return slog.New(&handler{level: l.level, put: l.put}) }

// Path is the file that is written to, "" for none. It never waits.
func (l *Log) Path() string { return l.path }

// Reopen writes what is queued and opens the file by its name again.
func (l *Log) Reopen() error {
	if l.file == nil {
		return nil
	}
	l.file.flush(patience)
	return l.file.log.Reopen()
}

// Restore creates the file again, and logs that, if another program has renamed or
// removed it, see logfile.Restore.
func (l *Log) Restore() error {
	if l.file == nil {
		return nil
	}
	restored, err := logfile.Restore([]*logfile.Writer{l.file.log})
	for _, path := range restored {
		l.Logger().Info(logfile.RestoredText(path))
	}
	return err
}

// Clear empties the file, and says so in its first line as Supervisor does. It
// refuses anything but a regular file with logfile.ErrNotRegular.
func (l *Log) Clear() error {
	if l.file == nil {
		return nil
	}
	l.file.flush(patience)
	if err := l.file.log.Clear(); err != nil {
		return err
	}
	l.Logger().Info("reopening log file")
	return nil
}

// Close writes what is queued and closes the log. For outputs that accept nothing
// it waits little more than a second, however many there are. What is logged later
// is lost.
func (l *Log) Close() error {
	var errs [2]error
	var closing sync.WaitGroup
	for i, o := range []*output{l.file, l.echo} {
		if o != nil {
			closing.Go(func() { errs[i] = o.close(patience, l.giveUp) })
		}
	}
	closing.Wait()
	return errors.Join(errs[:]...)
}

// GiveUp makes Close, current or future, wait only for a moment. It never waits,
// and may be called more than once.
func (l *Log) GiveUp() { l.giveUpOnce.Do(func() { close(l.giveUp) }) }

func (l *Log) put(r record) {
	// In this order what the file has to report of a record comes after it.
	for _, o := range []*output{l.echo, l.file} {
		if o != nil {
			o.put(r)
		}
	}
}

// report says in the log, where it can be read, that the log has trouble.
func (l *Log) report(t logfile.Trouble) {
	l.put(newRecord(time.Now(), LevelWarn, t.String()))
}
