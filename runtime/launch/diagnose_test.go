package launch

import (
	"errors"
	"syscall"
	"testing"
)

// kernel plays the system calls of a start: each field is how one of them
// ends, 0 for well.
type kernel struct {
	statusPipe, fork, setgroups, setgid, setuid, chdir, exec syscall.Errno
	// shy does not tell whether a child was forked, as where it is waited for
	// by Go itself.
	shy   bool
	forks int
}

func (k *kernel) try(path string, _ []string, attr *syscall.ProcAttr) attempt {
	k.forks++
	for _, errno := range []syscall.Errno{k.statusPipe, k.fork} {
		if errno != 0 {
			return k.failed(errno, no)
		}
	}
	if c := attr.Sys.Credential; c != nil {
		// Changing to what one already is always works.
		if k.setgroups != 0 && !c.NoSetGroups {
			return k.failed(k.setgroups, yes)
		}
		if k.setgid != 0 && int(c.Gid) != syscall.Getgid() {
			return k.failed(k.setgid, yes)
		}
		if k.setuid != 0 && int(c.Uid) != syscall.Getuid() {
			return k.failed(k.setuid, yes)
		}
	}
	switch {
	case attr.Dir != "" && k.chdir != 0:
		return k.failed(k.chdir, yes)
	case path == "":
		return k.failed(syscall.ENOENT, yes)
	case len(path) > 4096:
		return k.failed(syscall.ENAMETOOLONG, yes)
	case k.exec != 0:
		return k.failed(k.exec, yes)
	}
	return attempt{pid: 100 + k.forks, forked: yes}
}

func (k *kernel) failed(errno syscall.Errno, forked tristate) attempt {
	a := attempt{err: errno, forked: forked}
	if k.shy {
		a.forked = unknown
	} else if forked == yes {
		a.pid = 100 + k.forks
	}
	return a
}

// Whichever system call fails, and with whichever error, the stage that is
// found is the one at which it did.
func TestDiagnosis(t *testing.T) {
	stages := []struct {
		name   string
		breaks func(*kernel, syscall.Errno)
		stage  func(syscall.Errno) Stage
		reason string
	}{
		{"fork", func(k *kernel, e syscall.Errno) { k.fork = e }, func(e syscall.Errno) Stage {
			switch e {
			case syscall.EMFILE, syscall.ENFILE:
				return StagePipes // a fork never says so, the pipe made for it does
			case syscall.EINVAL:
				return StageExec // nor this, a bad string does
			}
			return StageFork
		}, ""},
		{"setgroups", func(k *kernel, e syscall.Errno) { k.setgroups = e }, always(StageUser), "Could not set groups of effective user"},
		{"setgid", func(k *kernel, e syscall.Errno) { k.setgid = e }, always(StageUser), "Could not set group id of effective user"},
		{"setuid", func(k *kernel, e syscall.Errno) { k.setuid = e }, always(StageUser), "errno"},
		{"chdir", func(k *kernel, e syscall.Errno) { k.chdir = e }, always(StageDir), ""},
		{"exec", func(k *kernel, e syscall.Errno) { k.exec = e }, always(StageExec), ""},
	}
	errnos := []syscall.Errno{syscall.EPERM, syscall.ENOENT, syscall.EACCES, syscall.EAGAIN, syscall.ENOMEM,
		syscall.EMFILE, syscall.ENFILE, syscall.EINVAL, syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG,
		syscall.ENOEXEC, syscall.ETXTBSY, syscall.EIO, syscall.ESTALE}
	for _, s := range stages {
		for _, errno := range errnos {
			if s.reason != "" && errno == syscall.ENOENT {
				continue // becoming another user never ends so
			}
			for _, shy := range []bool{false, true} {
				k := &kernel{shy: shy}
				s.breaks(k, errno)
				c := Command{Name: "p", Path: "/p", Dir: "/d", HasDir: true, UID: 7, SetUser: true}
				attr := &syscall.ProcAttr{Dir: "/d", Sys: &syscall.SysProcAttr{
					Credential: &syscall.Credential{Uid: 1 << 20, Gid: 1 << 20, Groups: []uint32{1 << 20}}}}
				_, err := execute(&c, attr, k.try)
				e := err.(*Error)
				want := s.reason
				if want == "errno" {
					want = ErrnoName(errno)
				}
				if s.reason != "" && errno == syscall.EPERM && syscall.Geteuid() != 0 {
					want = "Can't drop privilege as nonroot user"
				}
				if e.Stage != s.stage(errno) || e.Reason != want || !errors.Is(e, errno) {
					t.Errorf("%s %s (shy %v): got %v %q %v", s.name, ErrnoName(errno), shy, e.Stage, e.Reason, e.Err)
				}
				if told := e.PID != 0; told != (e.InChild() && k.fork == 0 && !shy) {
					t.Errorf("%s %s (shy %v): pid %d", s.name, ErrnoName(errno), shy, e.PID)
				}
				if k.forks > 8 {
					t.Errorf("%s %s: %d forks", s.name, ErrnoName(errno), k.forks)
				}
			}
		}
	}
}

func always(s Stage) func(syscall.Errno) Stage { return func(syscall.Errno) Stage { return s } }

// A start that works is one fork.
func TestNoDiagnosisWhenWell(t *testing.T) {
	k := &kernel{}
	pid, err := execute(&Command{Path: "/p"}, &syscall.ProcAttr{Sys: &syscall.SysProcAttr{}}, k.try)
	if pid != 101 || err != nil || k.forks != 1 {
		t.Errorf("pid %d, %v, %d forks", pid, err, k.forks)
	}
}

// The texts are Supervisor's.
func TestErrorTexts(t *testing.T) {
	rows := []struct {
		e                 Error
		spawnErr, message string
	}{
		{Error{Stage: StagePipes, Err: syscall.EMFILE}, "too many open files to spawn 'n'", ""},
		{Error{Stage: StagePipes, Err: syscall.ENFILE}, "unknown error making dispatchers for 'n': ENFILE", ""},
		{Error{Stage: StagePipes, Err: syscall.ENOENT}, "unknown error making dispatchers for 'n': ENOENT", ""},
		{Error{Stage: StageFork, Err: syscall.EAGAIN}, "Too many processes in process table to spawn 'n'", ""},
		{Error{Stage: StageFork, Err: syscall.EPERM}, "unknown error during fork for 'n': EPERM", ""},
		{Error{Stage: StageFork, Err: syscall.ENOMEM}, "unknown error during fork for 'n': ENOMEM", ""},
		{Error{PID: 7, Stage: StageUser, Err: syscall.EPERM, UID: 0, Reason: "Can't drop privilege as nonroot user"}, "",
			"supervisor: couldn't setuid to 0: Can't drop privilege as nonroot user\nsupervisor: child process was not spawned\n"},
		{Error{PID: 7, Stage: StageDir, Err: syscall.ENOENT, Dir: "/nope"}, "",
			"supervisor: couldn't chdir to /nope: ENOENT\nsupervisor: child process was not spawned\n"},
		{Error{PID: 7, Stage: StageExec, Err: syscall.ENOEXEC, Path: "/tmp/badfmt"}, "",
			"supervisor: couldn't exec /tmp/badfmt: ENOEXEC\nsupervisor: child process was not spawned\n"},
		{Error{Stage: StageExec, Err: syscall.ENOEXEC, Path: "/tmp/badfmt"}, "couldn't exec /tmp/badfmt: ENOEXEC",
			"supervisor: couldn't exec /tmp/badfmt: ENOEXEC\nsupervisor: child process was not spawned\n"},
	}
	for _, row := range rows {
		row.e.Name = "n"
		if got := row.e.SpawnErr(); got != row.spawnErr {
			t.Errorf("spawnerr: got %q, want %q", got, row.spawnErr)
		}
		if got := string(row.e.ChildMessage()); got != row.message {
			t.Errorf("message: got %q, want %q", got, row.message)
		}
	}
}

func TestErrnoName(t *testing.T) {
	rows := []struct {
		err  error
		want string
	}{
		{syscall.EAGAIN, "EAGAIN"},
		{syscall.EACCES, "EACCES"},
		{&Error{Err: syscall.ETXTBSY}, "ETXTBSY"},
		{syscall.Errno(4000), "errno 4000"},
		{errors.New("other"), "other"},
	}
	for _, row := range rows {
		if got := ErrnoName(row.err); got != row.want {
			t.Errorf("%v: got %q, want %q", row.err, got, row.want)
		}
	}
}
