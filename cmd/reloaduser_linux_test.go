package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
	"supervisord/runtime/needs"
)

// TestReloadToAnotherUser: whether the user that the daemon is to become can have log,
// socket and key is found out before anything is stopped; with everything theirs the next
// life is that user's.
func TestReloadToAnotherUser(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	owner, uid, _ := nobody(t)
	name, _, _ := strings.Cut(owner, ":")
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+`
[program:p]
command=/bin/cat
`), t}
	s.until("p", "RUNNING")
	pid := s.pid("p")
	for dir := s.Dir; dir != "/" && dir != filepath.Clean(os.TempDir()); dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o755))
	}
	must(t, os.Chmod(filepath.Dir(s.Sock), 0o755)) // the daemon has a socket in it, whose place only root can take
	must(t, os.MkdirAll(s.Dir+"/theirs", 0o755), os.Chown(s.Dir+"/theirs", int(uid), int(uid)))
	key := filepath.Join(s.Dir, "key")
	must(t, os.WriteFile(key, []byte("no key"), 0o600))
	original := s.Read("supervisord.conf")
	config := func(log, socket, more string) {
		c := strings.Replace(original, "[supervisord]", "[supervisord]\nuser="+name, 1)
		c = strings.ReplaceAll(c, "logfile="+s.Dir+"/supervisord.log", "logfile="+log)
		c = strings.ReplaceAll(c, s.Sock, socket)
		s.Write("supervisord.conf", c+more)
	}
	theirLog, theirSocket := s.Dir+"/theirs/log", s.Dir+"/theirs/s"
	refused := 0
	for _, row := range []struct{ name, log, socket, more, want string }{
		{"log", s.Dir + "/supervisord.log", theirSocket, "", "[supervisord] logfile: cannot open logfile"},
		{"new log", s.Dir + "/other.log", theirSocket, "", "[supervisord] logfile: cannot open logfile"},
		{"socket", theirLog, s.Sock, "", "[unix_http_server] file: "},
		{"key", theirLog, theirSocket, "\n[inet_http_server]\nport=127.0.0.1:" + strconv.Itoa(s.Port) + "\ncertfile=" + key + "\nkeyfile=" + key + "\n",
			"[inet_http_server] certfile: cannot use certfile and keyfile: open " + key + ": permission denied"},
		{"port", theirLog, theirSocket, "\n[inet_http_server]\nport=127.0.0.1:" + strconv.Itoa(privilegedPort(t)) + "\n", "permission denied"},
	} {
		config(row.log, row.socket, row.more)
		s.Signal(syscall.SIGHUP)
		refused++
		s.wait(row.name+" refused", func() bool { return strings.Count(s.Log(), "restart refused, nothing was stopped: ") == refused })
		if last := s.Log()[strings.LastIndex(s.Log(), "nothing was stopped: "):]; !strings.Contains(last, row.want) {
			t.Errorf("%s: %s", row.name, last)
		}
		if now := s.pid("p"); now != pid {
			t.Fatalf("%s: p has pid %d, had %d", row.name, now, pid)
		}
	}
	config(theirLog, theirSocket, "")
	s.Signal(syscall.SIGHUP)
	s.wait("the restart", func() bool { return strings.Contains(s.Read("theirs/log"), "success: p entered RUNNING state") })
	for _, path := range []string{theirLog, theirSocket} {
		if info, err := os.Stat(path); err != nil || info.Sys().(*syscall.Stat_t).Uid != uid {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID())); err != nil || !strings.Contains(string(status), fmt.Sprintf("\nUid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", uid)) {
		t.Errorf("the daemon is %s, %v", status, err)
	}
}

// privilegedPort is a port that only root may have.
func privilegedPort(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	first, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || first < 2 {
		t.Skipf("this machine keeps no port for root: %s, %v", text, err)
	}
	return first - 1
}
