package spec

import (
	"cmp"
	"slices"
	"time"

	"supervisord/spec/value"
)

// Config is one whole desired state: what the main file and everything it
// includes say. It is built by Load, never changed afterwards, and so may be
// shared between goroutines without a lock.
//
// Source: contract/config.md sections 6 to 8.
type Config struct {
	// Path is the main file as it was named; Here is its absolute directory,
	// symbolic links not resolved. Both are empty without a main file.
	Path, Here string

	Daemon    Daemon
	Servers   []Server       // inet servers in file order, then unix servers
	RPC       []RPCInterface // [rpcinterface:x] sections in file order
	Groups    []Group        // by ascending (priority, name)
	Reconcile Reconcile

	// Files are the main file and every included file, in the order they were
	// read; a file that two patterns match stands once.
	Files []File

	// Includes are the absolute patterns of [include] files, expanded, in order.
	Includes []string

	// Warnings and Infos are the messages about the parse which Supervisor
	// writes to its log at start, each in Supervisor's words.
	Warnings, Infos []string

	// Ignored are files that an include pattern matches but whose names are never
	// read as configuration; Unreadable are those that could not be read, which
	// Supervisor passes over. Both in the order of the patterns.
	Ignored    []string
	Unreadable []string

	// LeftOut are the files that LoadIsolated left out because neither their
	// content nor an earlier one can be used, with all sections that they are known
	// to have or to have had. What they defined is unknown, not removed.
	LeftOut []File
	// Kept are the groups that LoadIsolated has taken over as they are in force,
	// since no file that can be used defines them: names, in no order.
	Kept []string
	// Withheld are the programs that would be groups of their own if a group in one
	// of LeftOut did not name them, each with its place and that group.
	Withheld []*Error

	// Advice are warnings, each with its place in the files: unknown keys, sections
	// that look like a mistake, values cut by a comment. They are sorted by file and
	// line.
	Advice []*Error

	sections map[string]*section
}

// PlaceOf is where a key stands in the files, or its section where it is not given; line
// is 0 where neither is. The file is as messages name it.
func (c *Config) PlaceOf(section, key string) (file string, line int) {
	s := c.sections[section]
	if s == nil || s.from.builtin {
		return "", 0
	}
	return (&reader{section: s}).at(key)
}

// File is one configuration file that was read.
type File struct {
	Path string
	Hash [32]byte // SHA-256 of the content
	// Groups are the names of the groups that the file defines or adds to.
	Groups []string
	// Sections are those in it that define programs, groups and listeners.
	Sections []FileSection
}

// has reports whether the file, nil for none, has a section of that name.
func (f *File) has(section string) bool {
	return f != nil && slices.ContainsFunc(f.Sections, func(s FileSection) bool { return s.Name == section })
}

// FileSection is a section as one file has it: equal if the name and all that the
// file says below its headers are.
type FileSection struct {
	Name  string
	Print uint64
}

// Daemon is [supervisord] after defaults, before the command line.
//
// Source: contract/config.md section 6.
type Daemon struct {
	LogFile         string // absolute; "syslog" for syslog; "" means the working directory
	LogFileMaxBytes int64  // bytes; 0 or less never rotates
	LogFileBackups  int
	LogLevel        string // critical error warn info debug trace blather
	PidFile         string // absolute
	Umask           int
	NoDaemon        bool
	Silent          bool
	MinFDs          int
	MinProcs        int
	NoCleanup       bool
	ChildLogDir     string // absolute
	// ChildLogDirText is the value of childlogdir with ~ expanded, which may be
	// relative to the working directory.
	ChildLogDirText string
	User            *Account
	Directory       string // "" for none
	StripANSI       bool
	Environment     Env
	Identifier      string
	Survivors       string // stop, adopt or ignore; reconciler.md
	ReplyMemory     int64  // bytes that requests and their replies may take together
	// Subreaper: orphans of all programs become the daemon's, not only of those with
	// a killmode. Linux; ours beyond Supervisor.
	Subreaper bool
	// DependentStartup: the keys of the start-order plug-in are understood. Ours beyond
	// Supervisor.
	DependentStartup bool
	// ExitWhen is when the daemon ends by itself. Ours beyond Supervisor.
	ExitWhen ExitWhen
	// ShutdownTimeout is how long a shutdown may take in all, from the request to the
	// daemon's end; 0 sets no limit. Ours beyond Supervisor.
	ShutdownTimeout time.Duration
	// ServerURL is what children get when their own serverurl is AUTO; "" when
	// there is no server.
	ServerURL string
}

// Server is one [inet_http_server*] or [unix_http_server*] section.
type Server struct {
	Section  string // as written in the header
	Network  string // "tcp" or "unix"
	Host     string // tcp only; "" is every address
	Port     int    // tcp only
	Path     string // unix only, absolute
	Mode     int    // unix only; default 0700
	Owner    Owner  // unix only
	Chown    string // unix only: the chown value as written, "" if absent
	Username string // "" asks for no authentication
	Password string // clear text, or {SHA} and 40 hex digits
	HasAuth  bool   // username and password are given, even if empty

	CertFile, KeyFile, ClientCA string // tcp only; ours beyond Supervisor
	// MetricsOpen: what is for monitoring is shown without the password. Ours beyond
	// Supervisor.
	MetricsOpen bool `json:",omitzero"`

	// Operators are the users that may change something over a unix socket, beside root and
	// the daemon's own; all others may look. nil is everybody who may open it. Ours beyond
	// Supervisor.
	Operators []int `json:",omitzero"`

	// ReadOnlyUsername and ReadOnlyPassword are of a client that may look and change
	// nothing; "" where there is none. Ours beyond Supervisor.
	ReadOnlyUsername string `json:",omitzero"`
	ReadOnlyPassword string `json:",omitzero"`
}

// RPCInterface is one [rpcinterface:x] section.
type RPCInterface struct {
	Name    string
	Factory string
	Extra   map[string]string // other keys of the section
}

// GroupKind says which kind of section made a group.
type GroupKind int

// The kinds of group.
const (
	KindProgram  GroupKind = iota // [program:x] that no group names
	KindGroup                     // [group:x]
	KindListener                  // [eventlistener:x]
	KindFastCGI                   // [fcgi-program:x] that no group names
)

// Group is a process group, the unit that Supervisor adds and removes.
// Identity is Name.
type Group struct {
	Name      string    `json:",omitzero"`
	Kind      GroupKind `json:",omitzero"`
	Priority  int       `json:",omitzero"`
	Processes []Process `json:",omitzero"`
	Listener  *Listener `json:",omitzero"` // KindListener only
	// DependsOn is that of a [group:x], for all that is in it.
	DependsOn []Dependency `json:",omitzero"`
	// RestartWith is that of a [group:x], for all that is in it.
	RestartWith []string `json:",omitzero"`
	// Origin is where the group's own section begins.
	Origin Origin `json:",omitzero"`
}

// Listener is what an [eventlistener:x] has beyond a program.
type Listener struct {
	Events        []string `json:",omitzero"` // upper case, sorted, without duplicates
	BufferSize    int      `json:",omitzero"` // events, at least 1
	ResultHandler string   `json:",omitzero"`
	// StallTimeout restarts a listener that has not answered an event for so
	// long; 0 never does. Ours beyond Supervisor.
	StallTimeout time.Duration `json:",omitzero"`
}

// Socket is the listening socket of an [fcgi-program:x]. The processes of one
// section share it; it is held by each of their Process values so that a
// member of a [group:x] keeps its own.
type Socket struct {
	URL     string `json:",omitzero"` // unix:///path or tcp://host:port, normalised
	Network string `json:",omitzero"` // "unix" or "tcp"
	Path    string `json:",omitzero"` // unix
	Host    string `json:",omitzero"` // tcp
	Port    int    `json:",omitzero"` // tcp
	Mode    int    `json:",omitzero"` // unix; default 0700
	Owner   Owner  `json:",omitzero"` // unix; -1, -1 leaves it to the daemon's own
	Backlog int    `json:",omitzero"` // 0 asks for SOMAXCONN
	// OwnerName is socket_owner as written, or the name of the program's user
	// where that is the owner; "" for none.
	OwnerName string `json:",omitzero"`
}

// Process is one process of a program: its section after defaults, expansion
// and numprocs. Identity is (group name, Name).
//
// Durations are whole seconds, as in the file; 0 and negative values are
// accepted where Supervisor accepts them.
type Process struct {
	Name     string `json:",omitzero"`
	Priority int    `json:",omitzero"`

	Command     string   `json:",omitzero"` // expanded, not yet split into words
	Directory   string   `json:",omitzero"`
	HasDir      bool     `json:",omitzero"` // directory= was given, even if empty
	Umask       int      `json:",omitzero"` // -1 when not given
	User        *Account `json:",omitzero"`
	Environment Env      `json:",omitzero"` // [supervisord] environment merged with the section's own
	ServerURL   string   `json:",omitzero"`
	// ServerURLAuto is set when serverurl is AUTO; ServerURL then holds the
	// daemon's own URL.
	ServerURLAuto bool `json:",omitzero"`

	Autostart    bool        `json:",omitzero"`
	Autorestart  Autorestart `json:",omitzero"`
	StartSecs    int         `json:",omitzero"`
	StartRetries int         `json:",omitzero"`
	ExitCodes    []int       `json:",omitzero"`

	StopSignal   int      `json:",omitzero"`
	StopWaitSecs int      `json:",omitzero"`
	StopAsGroup  bool     `json:",omitzero"`
	KillAsGroup  bool     `json:",omitzero"`
	KillMode     KillMode `json:",omitzero"`
	OnExit       OnExit   `json:",omitzero"` // ours beyond Supervisor
	Retry        Retry    `json:",omitzero"` // ours beyond Supervisor
	Probes       Probes   `json:",omitzero"` // ours beyond Supervisor
	Verify       Verify   `json:",omitzero"` // ours beyond Supervisor

	// Where the process itself shows metrics, for Prometheus to find; port 0 is nowhere,
	// no path is /metrics. Ours beyond Supervisor.
	MetricsPort int    `json:",omitzero"`
	MetricsPath string `json:",omitzero"`
	// Ours beyond Supervisor: what is waited for before a start by the daemon, and at
	// whose new pid the process is restarted.
	DependsOn   []Dependency `json:",omitzero"`
	RestartWith []string     `json:",omitzero"`
	// Ours beyond Supervisor: how many processes of the program an update restarts at a
	// time.
	Rollout Rollout `json:",omitzero"`

	RedirectStderr bool   `json:",omitzero"`
	Stdout, Stderr Output `json:",omitzero"`

	Socket *Socket `json:",omitzero"` // FastCGI programs only

	Origin Origin `json:",omitzero"`
}

// Retry says when a process that has failed is started again. The zero value is
// Supervisor's way. Ours beyond Supervisor.
type Retry struct {
	// Backoff is the first wait. 0 is one second, and then only after a start that has
	// failed; otherwise there is also a wait after an exit from RUNNING.
	Backoff time.Duration `json:",omitzero"`
	// Factor makes each wait so many times longer than the one before; 0 makes it a
	// second longer.
	Factor float64 `json:",omitzero"`
	// Max is the longest wait; 0 is a minute where GiveUp is never, else none.
	Max time.Duration `json:",omitzero"`
	// Jitter is how far a wait may be from that, either way.
	Jitter Percent `json:",omitzero"`
	// Reset is the uptime after which the waits start over; 0: once it is RUNNING.
	Reset  time.Duration `json:",omitzero"`
	GiveUp GiveUp        `json:",omitzero"`
	// Crashes is how often it may end after RUNNING before it is given up.
	Crashes CrashLimit `json:",omitzero"`
}

// Probes say how readiness and health of a process are checked, and what happens if a
// check fails. The zero value is Supervisor's way: it is ready when it has been up for
// startsecs. Supervisor has no such keys.
//
// The zero value of each number is its default, which the methods give: so a definition
// that an earlier version has written down is the same as one that says nothing.
type Probes struct {
	Ready, Health  Probe         `json:",omitzero"`
	ReadyTimeout   time.Duration `json:",omitzero"`
	ReadyInterval  time.Duration `json:",omitzero"`
	HealthInterval time.Duration `json:",omitzero"`
	HealthTimeout  time.Duration `json:",omitzero"`
	HealthFailures int           `json:",omitzero"`
	OnUnhealthy    OnUnhealthy   `json:",omitzero"`
	Watchdog       time.Duration `json:",omitzero"` // how often the process must say that it is well; 0 for never
}

// Notifies reports whether a process says on a socket of its own how it is, as systemd
// has it.
func (p *Probes) Notifies() bool { return p.Ready.Kind == value.ProbeNotify || p.Watchdog > 0 }

// Verify says how a process that an update started is proved, and what happens to the
// update if it fails. Supervisor has no such keys. The zero value of each is what
// [reconcile] says; see Reconcile.Proof.
type Verify struct {
	Within    time.Duration `json:",omitzero"` // it must be RUNNING; noTime is not at all
	Stable    time.Duration `json:",omitzero"` // and stay so; noTime is not at all
	OnFailure OnFailure     `json:",omitzero"`
}

// Proof is how a process is proved: by its own keys, else by those of [reconcile]. Within 0
// is not at all.
func (c *Reconcile) Proof(p *Process) Verify {
	v := Verify{cmp.Or(p.Verify.Within, c.Verify.Within), cmp.Or(p.Verify.Stable, c.Verify.Stable), cmp.Or(p.Verify.OnFailure, c.Verify.OnFailure)}
	v.Within, v.Stable = max(0, v.Within), max(0, v.Stable) // noTime
	return v
}

// The defaults of Probes.
const (
	defaultReadyTimeout   = time.Minute
	defaultReadyInterval  = time.Second
	defaultHealthInterval = 10 * time.Second
	defaultHealthTimeout  = 3 * time.Second
	defaultHealthFailures = 3
)

// noTime is the value of a time that is given as 0, which is not the default.
const noTime = -1

// ReadyWithin is how long a process may take to be ready; 0 for as long as it likes.
func (p *Probes) ReadyWithin() time.Duration {
	return max(0, cmp.Or(p.ReadyTimeout, defaultReadyTimeout))
}

// ReadyEvery is how often that is checked.
func (p *Probes) ReadyEvery() time.Duration { return cmp.Or(p.ReadyInterval, defaultReadyInterval) }

// HealthEvery is how often health is checked.
func (p *Probes) HealthEvery() time.Duration { return cmp.Or(p.HealthInterval, defaultHealthInterval) }

// Patience is how long one check of either kind may take.
func (p *Probes) Patience() time.Duration { return cmp.Or(p.HealthTimeout, defaultHealthTimeout) }

// Failures is how many checks in a row must fail.
func (p *Probes) Failures() int { return cmp.Or(p.HealthFailures, defaultHealthFailures) }

// OutputKind says where a child's output stream goes.
type OutputKind int

// The kinds of output.
const (
	OutputAuto OutputKind = iota // a file that the daemon names, in childlogdir
	OutputNone                   // discarded
	OutputFile                   // File
)

// Output is one captured stream of a process.
type Output struct {
	Kind     OutputKind `json:",omitzero"`
	File     string     `json:",omitzero"` // OutputFile: as written after expansion of ~ ; relative to the daemon's working directory
	MaxBytes int64      `json:",omitzero"` // rotate at this size; 0 or less never
	Backups  int        `json:",omitzero"`
	// Empty tells a *_logfile without a value from NONE; both are OutputNone.
	Empty           bool  `json:",omitzero"`
	CaptureMaxBytes int64 `json:",omitzero"` // more than 0 turns capture mode on
	EventsEnabled   bool  `json:",omitzero"`
	Syslog          bool  `json:",omitzero"`
}

// Origin is a place in a configuration file.
type Origin struct {
	File    string `json:",omitzero"` // the file in which the section first appeared
	Section string `json:",omitzero"` // the header's text, without brackets
	Line    int    `json:",omitzero"` // of the header, from 1
}

// Reconcile is [reconcile], ours beyond Supervisor.
//
// Source: reconciler.md, Configuration.
type Reconcile struct {
	Autoupdate bool          // default true
	Settle     time.Duration // default 300ms
	// SettleRemovals is how long a file must be absent before it is taken for deleted;
	// default 3s.
	SettleRemovals time.Duration
	Rescan         time.Duration // default 10s; 0 trusts notifications alone
	Strict         bool          // on_invalid=strict; default isolate
	MaxRemovals    Removals      // default 50%
	Window         Windows       // when changes are applied by themselves; default none, which is always
	Permissions    string        // warn, enforce or ignore; default warn
	StateDir       string        // "" is the default place
	// Verify is how what an update has started is proved where its own section does not
	// say it: Within 0 is not at all. Stable and OnFailure are always set.
	Verify Verify
	// ByDirectory is atomic=directory: what an update has changed in one directory
	// stands or falls together; default is each file by itself.
	ByDirectory bool
	// Revision is where the revision of the files is read: "auto" is the checkout that they
	// are in, a path a file whose first line it is, and "" nowhere.
	Revision string
	// InEnvironment is environment_revision=true: children get the revision.
	InEnvironment bool
	Report        Report
}

// Report is where the outcome of the files is reported. Supervisor has no such thing.
type Report struct {
	Command    string // has the report on its standard input; "" for none
	URL        string // http or https, which it is posted to; "" for none
	SecretFile string // of the key that signs what is posted; "" for none
}

// The typed values of which a Config is made; package value reads them.
type (
	Env         = value.Env
	Account     = value.Account
	Unanswered  = value.Unanswered
	Owner       = value.Owner
	Autorestart = value.Autorestart
	KillMode    = value.KillMode
	OnExit      = value.OnExit
	ExitWhen    = value.ExitWhen
	Removals    = value.Removals
	Condition   = value.Condition
	Dependency  = value.Dependency
	GiveUp      = value.GiveUp
	Probe       = value.Probe
	OnUnhealthy = value.OnUnhealthy
	OnFailure   = value.OnFailure
	Percent     = value.Percent
	CrashLimit  = value.CrashLimit
	Rollout     = value.Rollout
	Windows     = value.Windows
)

// The values of autorestart, killmode, on_exit, exit_when, give_up, on_unhealthy and on_failure, and
// the conditions of depends_on.
const (
	RestartUnexpected = value.RestartUnexpected
	RestartNever      = value.RestartNever
	RestartAlways     = value.RestartAlways
	KillProcess       = value.KillProcess
	KillGroup         = value.KillGroup
	KillCgroup        = value.KillCgroup
	OnExitIgnore      = value.OnExitIgnore
	OnExitShutdown    = value.OnExitShutdown
	ExitNever         = value.ExitNever
	ExitOnFatal       = value.ExitOnFatal
	ExitOnIdle        = value.ExitOnIdle
	GiveUpRetries     = value.GiveUpRetries
	GiveUpNever       = value.GiveUpNever
	UnhealthyRestart  = value.UnhealthyRestart
	UnhealthyStop     = value.UnhealthyStop
	UnhealthyReport   = value.UnhealthyReport
	OnFailureInherit  = value.OnFailureInherit
	OnFailureKeep     = value.OnFailureKeep
	OnFailureHold     = value.OnFailureHold
	OnFailureRevert   = value.OnFailureRevert
	UntilRunning      = value.UntilRunning
	UntilStarted      = value.UntilStarted
	UntilExited       = value.UntilExited
	UntilDone         = value.UntilDone
	UntilFatal        = value.UntilFatal
)
