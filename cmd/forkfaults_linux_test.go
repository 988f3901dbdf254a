package cmd

import (
	"errors"
	"fmt"
	"os"
	goruntime "runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"supervisord/cmd/internal/oracle"
)

func init() { roles["report-forks"] = reportForks }

// reportForks has the kernel ask, before each fork of the program that its
// arguments are, what is to become of it: the descriptor over which it asks is
// sent over descriptor 3. Threads are made without asking.
func reportForks(argv []string) int {
	goruntime.LockOSThread()
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	jump := func(op uint16, k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, K: k, Jt: yes, Jf: no}
	}
	answer := func(k uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k}
	}
	const number, firstArgument = 0, 16 // in struct seccomp_data
	filter := []unix.SockFilter{
		load(number),
		jump(unix.BPF_JEQ, unix.SYS_CLONE, 0, 3),
		load(firstArgument),
		jump(unix.BPF_JSET, unix.CLONE_THREAD, 1, 0),
		answer(unix.SECCOMP_RET_USER_NOTIF),
		answer(unix.SECCOMP_RET_ALLOW),
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if err == nil {
		fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
			unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
		if err = errno; errno == 0 {
			err = unix.Sendmsg(3, []byte{0}, unix.UnixRights(int(fd)), nil, 0)
			unix.Close(3)
		}
	}
	if err == nil {
		err = syscall.Exec(argv[0], argv, os.Environ())
	}
	fmt.Fprintln(os.Stderr, "report-forks:", err)
	return 1
}

// forkFaults decides over the forks of a daemon.
type forkFaults struct {
	refuse  atomic.Int32 // how many of the next ones fail
	errno   syscall.Errno
	refused atomic.Int32
}

// surroundings have a daemon ask about its forks.
func (f *forkFaults) surroundings(t testing.TB) oracle.Surroundings {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		if err := f.decide(ours, quit); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		close(quit)
		theirs.Close() // should nobody have sent anything
		<-done
		ours.Close()
	})
	return oracle.Surroundings{Through: []string{self, "report-forks"}, Files: []*os.File{theirs}}
}

// The kernel's struct seccomp_notif and struct seccomp_notif_resp.
type (
	forkQuestion struct {
		id         uint64
		pid, flags uint32
		nr         int32
		arch       uint32
		ip         uint64
		args       [6]uint64
	}
	forkAnswer struct {
		id    uint64
		val   int64
		errno int32
		flags uint32
	}
)

// decide answers until quit is closed.
func (f *forkFaults) decide(from *os.File, quit <-chan struct{}) error {
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(int(from.Fd()), make([]byte, 1), oob, 0)
	if err != nil || n == 0 {
		return fmt.Errorf("nobody asks about forks: %v", err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	fd := fds[0]
	defer unix.Close(fd)
	for {
		select {
		case <-quit:
			return nil
		default:
		}
		ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(ready, 100); n == 0 || errors.Is(err, unix.EINTR) {
			continue
		}
		if ready[0].Revents&unix.POLLIN == 0 {
			return nil // the daemon, and all that it started, has ended
		}
		var question forkQuestion
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&question))); errno != 0 {
			continue // who asked has ended
		}
		answer := forkAnswer{id: question.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		refuse := f.refuse.Load() > 0
		if refuse { // counted before the daemon can go on
			answer.flags, answer.errno = 0, -int32(f.errno)
			f.refuse.Add(-1)
			f.refused.Add(1)
		}
		// It fails for a fork that a signal has interrupted, which asks again.
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&answer)))
		if refuse && errno != 0 {
			f.refuse.Add(1)
			f.refused.Add(-1)
		}
	}
}

// TestNoMemoryToFork takes from a running daemon the memory that a fork needs. The
// start fails with Supervisor's text and is tried again as often as startretries
// says; what runs already goes on, and the daemon recovers by itself.
func TestNoMemoryToFork(t *testing.T) {
	t.Parallel()
	for _, kind := range oracle.Kinds(t) {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			faults := &forkFaults{errno: syscall.ENOMEM}
			s := &eventRun{oracle.StartIn(t, kind, t.TempDir(), oracle.Prelude+`
[program:early]
command=/bin/sleep 1000

[program:late]
command=/bin/sleep 1000
autostart=false
startretries=3

[program:never]
command=/bin/sleep 1000
autostart=false
startretries=0
`, faults.surroundings(t)), t}
			s.until("early", "RUNNING")
			early := s.pid("early")

			// While a process has no fork, the original may read what a client asks as the
			// output of that process, whose descriptors it has closed: only the log is sure.
			const text = "spawnerr: unknown error during fork for 'late': ENOMEM"
			faults.refuse.Store(3)
			if _, err := s.Call("supervisor.startProcess", "late"); err == nil || !strings.Contains(err.Error(), "SPAWN_ERROR") {
				t.Errorf("startProcess: %v", err)
			}
			s.logged("success: late entered RUNNING state")
			if n := strings.Count(s.Log(), text); n != 3 || faults.refused.Load() != 3 {
				t.Errorf("the log says %d times %q, %d forks were refused", n, text, faults.refused.Load())
			}
			if state, pid := s.State("early"), s.pid("early"); state != "RUNNING" || pid != early {
				t.Errorf("early is %s with pid %d, had pid %d\n%s", state, pid, early, s.Log())
			}

			faults.refuse.Store(1)
			if _, err := s.Call("supervisor.startProcess", "never"); err == nil || !strings.Contains(err.Error(), "SPAWN_ERROR") {
				t.Errorf("startProcess: %v", err)
			}
			s.logged("gave up: never entered FATAL state")
			if kind == oracle.Ours {
				s.call("startProcess", "never") // a start by hand begins anew
				s.until("never", "RUNNING")
			}
		})
	}
}
