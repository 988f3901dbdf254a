package cmd

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
	"supervisord/runtime/needs"
)

// mallory is another user than the daemon's. He needs no account.
const mallory = 65534

// must fails a test for the first thing that could not be made.
func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// give gives everything below a path to mallory.
func give(t testing.TB, path string) {
	t.Helper()
	must(t, filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, mallory, mallory)
	}))
}

// makeDir makes a directory of exactly that mode.
func makeDir(t testing.TB, path string, mode uint32) string {
	t.Helper()
	must(t, os.Mkdir(path, 0o700), syscall.Chmod(path, mode))
	return path
}

// victimText is in files of root's that nobody else may change or read.
const victimText = "nobody else's\n"

func makeVictim(t testing.TB, path string) string {
	t.Helper()
	must(t, os.WriteFile(path, []byte(victimText), 0o600))
	return path
}

// unhurt fails a test when a victim's content has changed.
func unhurt(t testing.TB, path string) {
	t.Helper()
	if text, err := os.ReadFile(path); err != nil || string(text) != victimText {
		t.Errorf("%s holds %q, %v", path, text, err)
	}
}

// sleeperOf starts a process that is no concern of any daemon and returns the line
// that would stand in a table of what runs, if it were the program p.
func sleeperOf(t testing.TB, uid uint32) (ended <-chan struct{}, line string) {
	t.Helper()
	cmd := exec.Command("/bin/sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	must(t, cmd.Start())
	done := make(chan struct{})
	go func() { // ends with the process, which Cleanup ends
		cmd.Wait()
		close(done)
	}()
	t.Cleanup(func() { cmd.Process.Kill(); <-done })
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
	must(t, err)
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	must(t, err)
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	return done, fmt.Sprintf(`{"runs":{"group":"p","name":"p","pid":%d,"start":%s,"boot":"%s","stopSignal":15,"stopWaitSecs":1}}`+"\n",
		cmd.Process.Pid, fields[19], strings.TrimSpace(string(boot)))
}

// stateConfig is a daemon with its state in the test's directory.
const stateConfig = killed + `
[program:p]
command=/bin/sleep 1000
`

// TestForeignStateDirectory: what another user has left where the state of root's
// daemon is to be is not read, not run, not obeyed and not written.
func TestForeignStateDirectory(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	for _, r := range []struct {
		name string
		// give makes the directory of state, which is full of bait, mallory's.
		give  func(t *testing.T, dir string)
		taken bool   // whether the bait is to be taken
		kept  string // where state is kept then, below the test's directory
		why   string // in the log
	}{
		{"ours", func(*testing.T, string) {}, true, "state/ID", ""},
		{"his", func(t *testing.T, dir string) { give(t, dir) }, false, "state/ID.1", "state/ID belongs to uid 65534"},
		{"his, and the next name too", func(t *testing.T, dir string) {
			give(t, dir)
			must(t, os.Mkdir(dir+".1", 0o777), os.Lchown(dir+".1", mallory, mallory))
		}, false, "state/ID.2", "state/ID belongs to uid 65534"},
		{"below his", func(t *testing.T, dir string) {
			must(t, os.Lchown(filepath.Dir(dir), mallory, mallory))
		}, false, "state.1/ID", "state belongs to uid 65534"},
		{"a link of his", func(t *testing.T, dir string) {
			must(t, os.Rename(dir, dir+".real"), syscall.Chmod(filepath.Dir(dir), 0o1777),
				os.Symlink(dir+".real", dir), os.Lchown(dir, mallory, mallory), os.Chmod(dir+".real", 0o755))
		}, false, "state/ID.1", "the link "},
		{"a link of ours", func(t *testing.T, dir string) {
			must(t, os.Rename(dir, dir+".real"), os.Symlink(dir+".real", dir))
		}, false, "state/ID.1", "state/ID is a link"},
		{"a FIFO of his", func(t *testing.T, dir string) {
			must(t, os.RemoveAll(dir), syscall.Mkfifo(dir, 0o666), os.Lchown(dir, mallory, mallory))
		}, false, "state/ID.1", "the FIFO "},
		{"files of his in ours", func(t *testing.T, dir string) {
			give(t, dir)
			must(t, os.Lchown(dir, 0, 0))
		}, false, "state/ID", ""},
		{"FIFOs in ours", func(t *testing.T, dir string) {
			for _, name := range []string{"files.json", "history.json", "running.json"} {
				must(t, os.Remove(filepath.Join(dir, name)), syscall.Mkfifo(filepath.Join(dir, name), 0o666))
			}
		}, false, "state/ID", ""},
	} {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), fmt.Sprintf(stateConfig, "stop")), t}
			s.until("p", "RUNNING")
			s.Stop()
			found, err := filepath.Glob(filepath.Join(s.Dir, "state/*"))
			if err != nil || len(found) != 1 {
				t.Fatalf("the state directory: %v, %v", found, err)
			}
			dir := found[0]

			// The bait: last good content of a file that is bad now, a table that
			// names a process of root's, a history.
			ended, line := sleeperOf(t, 0)
			bad := filepath.Join(s.Dir, "conf.d/bad.ini")
			s.Write("conf.d/bad.ini", "[program:bad")
			good, err := json.Marshal(map[string]string{bad: base64.StdEncoding.EncodeToString([]byte("[program:evil]\ncommand=/bin/sleep 1000\n"))})
			must(t, err, os.WriteFile(filepath.Join(dir, "files.json"), good, 0o600), os.WriteFile(filepath.Join(dir, "running.json"), []byte(line), 0o600),
				os.WriteFile(filepath.Join(dir, "history.json"), []byte(`[{"generation":77}]`), 0o600))
			r.give(t, dir)
			before := listing(t, dir)

			s.Again()
			s.until("p", "RUNNING")
			if took := s.State("evil") != ""; took != r.taken {
				t.Errorf("the program from the last good content: %q", s.State("evil"))
			}
			history, err := s.Call("reconcile.getHistory", 100)
			if took := strings.Contains(fmt.Sprint(history), "generation:77"); err != nil || took != r.taken {
				t.Errorf("the history: %v, %v", history, err)
			}
			if r.taken {
				<-ended
			}
			select {
			case <-ended:
				if !r.taken {
					t.Error("the process in the table was ended")
				}
			default:
			}
			kept := filepath.Join(s.Dir, strings.ReplaceAll(r.kept, "ID", filepath.Base(dir)))
			s.wait("state in "+kept, func() bool { _, err := os.Stat(filepath.Join(kept, "running.json")); return err == nil })
			if strings.TrimSuffix(r.kept, "ID") == r.kept { // in another place
				if after := listing(t, dir); after != before {
					t.Errorf("%s was\n%sand is\n%s", dir, before, after)
				}
			}
			_, log, _ := strings.Cut(s.Log(), "supervisord started with pid")
			want := strings.ReplaceAll(r.why, "ID", filepath.Base(dir))
			if n := strings.Count(log, "is not used, since another user"); r.why != "" && (n != 1 || !strings.Contains(log, want)) || r.why == "" && n != 0 {
				t.Errorf("%d warnings, want one about %q, in\n%s", n, want, log)
			}
			s.Stop()
			s.Again() // and what was kept is found again
			s.until("p", "RUNNING")
			s.wait("the history of the life before", func() bool {
				history, _ := s.Call("reconcile.getHistory", 100)
				entries, _ := history.([]any)
				return len(entries) >= 2
			})
		})
	}
}

// listing is what is in a directory, with all that can be seen from outside.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			fmt.Fprintln(&b, path, info.Mode(), info.Size(), info.Sys().(*syscall.Stat_t).Uid, info.ModTime())
		}
		return err
	})
	must(t, err)
	if target, err := os.Stat(dir); err == nil {
		fmt.Fprintln(&b, target.Mode(), target.ModTime())
	}
	return b.String()
}

// TestUsersShareNoState: a daemon that gives up its privileges and one that does not
// keep their state apart, though the configuration is the same file.
func TestUsersShareNoState(t *testing.T) {
	needs.Root(t)
	t.Parallel()
	owner, uid, _ := nobody(t)
	name, _, _ := strings.Cut(owner, ":")
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o777), os.Chmod(filepath.Dir(dir), 0o777))
	config := fmt.Sprintf(stateConfig, "stop")
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, dir, strings.Replace(config, "[supervisord]", "[supervisord]\nuser="+name, 1)), t}
	s.until("p", "RUNNING")
	s.Stop()
	give(t, filepath.Join(s.Dir, "supervisord.log"))
	must(t, os.Remove(filepath.Join(s.Dir, "supervisord.log")))
	s.Write("supervisord.conf", config)
	s.Again()
	s.until("p", "RUNNING")
	s.wait("two directories of state", func() bool { return len(owners(t, s.Dir)) == 2 })
	for path, of := range owners(t, s.Dir) {
		if theirs := strings.HasSuffix(path, fmt.Sprintf("-%d", uid)); theirs != (of == uid) {
			t.Errorf("%s belongs to uid %d", path, of)
		}
	}
	if strings.Contains(s.Log(), "is not used") {
		t.Errorf("it complains:\n%s", s.Log())
	}
}

// owners are the directories of state and whose they are.
func owners(t *testing.T, dir string) map[string]uint32 {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "state/*"))
	must(t, err)
	all := make(map[string]uint32)
	for _, path := range found {
		info, err := os.Lstat(path)
		must(t, err)
		all[path] = info.Sys().(*syscall.Stat_t).Uid
	}
	return all
}

// TestSurvivorOfAnotherUser: our own table does not make root's daemon end a process
// that runs as somebody whom the configuration does not name.
func TestSurvivorOfAnotherUser(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	owner, uid, _ := nobody(t)
	name, _, _ := strings.Cut(owner, ":")
	for _, r := range []struct {
		what  string
		uid   uint32
		user  string // of the program
		spare bool
	}{
		{"ours", 0, "", false},
		{"of another user", mallory - 1, "", true},
		{"of the program's user", uid, "user=" + name + "\n", false},
		{"root's, and the program is not", 0, "user=" + name + "\n", true},
	} {
		t.Run(r.what, func(t *testing.T) {
			t.Parallel()
			s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), fmt.Sprintf(stateConfig, "stop")+r.user), t}
			s.until("p", "RUNNING")
			s.Stop()
			found, err := filepath.Glob(filepath.Join(s.Dir, "state/*"))
			must(t, err)
			ended, line := sleeperOf(t, r.uid)
			must(t, os.WriteFile(filepath.Join(found[0], "running.json"), []byte(line), 0o600))
			s.Again()
			s.until("p", "RUNNING")
			if !r.spare {
				<-ended
			}
			select {
			case <-ended:
				if r.spare {
					t.Error("it was ended")
				}
			default:
			}
			if said := strings.Contains(s.Log(), "is left alone: it runs as uid"); said != r.spare {
				t.Errorf("it is said to be left alone: %v\n%s", said, s.Log())
			}
		})
	}
}

// TestProgramThatBecameAnother: a program of root's that changed its user itself is
// still known and ended.
func TestProgramThatBecameAnother(t *testing.T) {
	needs.Root(t)
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), fmt.Sprintf(killed, "stop")+`
[program:low]
command=setpriv --reuid 65534 --regid 65534 --clear-groups /bin/sh -c "sleep 1000 & wait" low
stopasgroup=true
`), t}
	s.until("low", "RUNNING")
	s.wait("its own user", func() bool {
		pids := copies(s.Daemon, "low")
		return len(pids) == 1 && ownerOf(pids[0]) == mallory
	})
	before := copies(s.Daemon, "low")[0]
	s.Kill()
	s.Again()
	s.until("low", "RUNNING")
	s.wait("one copy", func() bool {
		pids := copies(s.Daemon, "low")
		return len(pids) == 1 && pids[0] != before
	})
}

func ownerOf(pid int) uint32 {
	info, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	if err != nil {
		return 0
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

// stickyConfig has everything that the daemon writes in a directory where everyone can.
const stickyConfig = `[unix_http_server]
file={{.Sock}}

[supervisord]
logfile={{.Dir}}/%s
pidfile={{.Dir}}/tmp/pid
childlogdir={{.Dir}}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{{.Sock}}

[program:p]
command=/bin/sh -c "echo said; exec sleep 1000"
stdout_logfile={{.Dir}}/tmp/log
startretries=1

[reconcile]
statedir={{.Dir}}/state
`

// TestPidfileInSticky: what another user has put at the pidfile's path is neither
// overwritten nor waited for, and what is our own is.
func TestPidfileInSticky(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	for _, r := range []struct {
		name    string
		make    func(t *testing.T, path, victim string)
		refused string // the reason, "" for none
		written string // what holds the number, below the test's directory
	}{
		{"nothing", func(*testing.T, string, string) {}, "", "tmp/pid"},
		{"his link", func(t *testing.T, path, victim string) {
			must(t, os.Symlink(victim, path), os.Lchown(path, mallory, mallory))
		}, "the link ", ""},
		{"his link to nothing", func(t *testing.T, path, victim string) {
			must(t, os.Symlink(victim+".new", path), os.Lchown(path, mallory, mallory))
		}, "the link ", ""},
		{"a hard link", func(t *testing.T, path, victim string) { must(t, os.Link(victim, path)) }, "has a second name", ""},
		{"his FIFO", func(t *testing.T, path, _ string) {
			must(t, syscall.Mkfifo(path, 0o666), os.Lchown(path, mallory, mallory))
		}, "the FIFO ", ""},
		{"his file", func(t *testing.T, path, _ string) {
			must(t, os.WriteFile(path, []byte("1\n"), 0o666), os.Lchown(path, mallory, mallory))
		}, "the file ", ""},
		{"our link", func(t *testing.T, path, _ string) { must(t, os.Symlink("../real", path)) }, "", "real"},
		{"our FIFO", func(t *testing.T, path, _ string) { must(t, syscall.Mkfifo(path, 0o666)) }, "-", ""},
	} {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			victim := makeVictim(t, filepath.Join(dir, "victim"))
			path := filepath.Join(makeDir(t, filepath.Join(dir, "tmp"), 0o1777), "pid")
			r.make(t, path, victim)
			s := &eventRun{oracle.StartDaemon(t, oracle.Ours, dir, fmt.Sprintf(stickyConfig, "supervisord.log")), t}
			s.until("p", "RUNNING")
			failed := strings.Contains(s.Log(), "could not write pidfile "+path)
			if failed != (r.refused != "") || r.refused != "-" && !strings.Contains(s.Log(), r.refused) {
				t.Errorf("refused: %v\n%s", failed, s.Log())
			}
			if r.written != "" && s.Read(r.written) != fmt.Sprintln(s.PID()) {
				t.Errorf("%s holds %q", r.written, s.Read(r.written))
			}
			unhurt(t, victim)
			s.Stop()
			unhurt(t, victim)
			if _, err := os.Lstat(victim + ".new"); err == nil {
				t.Error("it was made where the link leads")
			}
		})
	}
}

// TestLogInSticky: what another user has put at the path of a program's log is not
// appended to, emptied, rotated or read, neither at the start nor later.
func TestLogInSticky(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	link := func(t *testing.T, path, victim string) {
		must(t, os.Symlink(victim, path), os.Lchown(path, mallory, mallory))
	}
	for _, r := range []struct {
		name  string
		make  func(t *testing.T, path, victim string)
		works bool
	}{
		{"nothing", func(*testing.T, string, string) {}, true},
		{"his link", link, false},
		{"a hard link", func(t *testing.T, path, victim string) { must(t, os.Link(victim, path)) }, false},
		{"his FIFO", func(t *testing.T, path, _ string) {
			must(t, syscall.Mkfifo(path, 0o666), os.Lchown(path, mallory, mallory))
		}, false},
		{"our link", func(t *testing.T, path, _ string) { must(t, os.Symlink("../real", path)) }, true},
		{"our FIFO", func(t *testing.T, path, _ string) { must(t, syscall.Mkfifo(path, 0o666)) }, true},
	} {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			victim := makeVictim(t, filepath.Join(dir, "victim"))
			path := filepath.Join(makeDir(t, filepath.Join(dir, "tmp"), 0o1777), "log")
			r.make(t, path, victim)
			s := &eventRun{oracle.StartDaemon(t, oracle.Ours, dir, fmt.Sprintf(stickyConfig, "supervisord.log")), t}
			if r.works {
				s.until("p", "RUNNING")
				if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
					s.wait("its words", func() bool { text, _ := os.ReadFile(path); return string(text) == "said\n" })
				}
			} else {
				s.until("p", "FATAL")
			}
			s.hostile(victim)
			if !r.works {
				return
			}
			// And now, while it runs.
			must(t, os.Remove(path))
			link(t, path, victim)
			s.Signal(syscall.SIGUSR2)
			s.wait("the reopening", func() bool { return strings.Contains(s.Log(), "SIGUSR2") })
			s.hostile(victim)
			s.call("stopProcess", "p")
			s.hostile(victim)
		})
	}
}

// hostile reads and clears the logs of p in every way and sees that it says nothing
// of the victim's and does it no harm.
func (s *eventRun) hostile(victim string) {
	s.t.Helper()
	for _, method := range []string{"readProcessStdoutLog", "tailProcessStdoutLog"} {
		if data, err := s.Call("supervisor."+method, "p", 0, 1000); strings.Contains(fmt.Sprint(data, err), victimText) {
			s.t.Errorf("%s: %v, %v", method, data, err)
		}
	}
	if reply, err := s.HTTPClient().Get("http://x/logtail/p"); err == nil {
		buf := make([]byte, 1000)
		if reply.StatusCode == 200 {
			n, _ := reply.Body.Read(buf)
			if strings.Contains(string(buf[:n]), victimText) {
				s.t.Errorf("logtail: %s", buf[:n])
			}
		}
		reply.Body.Close()
	}
	_, _ = s.Call("supervisor.clearProcessLogs", "p") // it may be refused
	_, _ = s.Call("supervisor.startProcess", "p")
	unhurt(s.t, victim)
}

// TestActivityLogInSticky: the daemon does not begin with an activity log that is
// another user's making, and says why.
func TestActivityLogInSticky(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	for what, make := range map[string]func(path, victim string) error{
		"link":   func(path, victim string) error { return os.Symlink(victim, path) },
		"FIFO":   func(path, _ string) error { return syscall.Mkfifo(path, 0o666) },
		"file":   func(path, _ string) error { return os.WriteFile(path, nil, 0o666) },
		"socket": func(path, _ string) error { return syscall.Mknod(path, syscall.S_IFSOCK|0o666, 0) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			victim := makeVictim(t, filepath.Join(dir, "victim"))
			path := filepath.Join(makeDir(t, filepath.Join(dir, "tmp"), 0o1777), "supervisord.log")
			must(t, make(path, victim), os.Lchown(path, mallory, mallory))
			config := filepath.Join(dir, "supervisord.conf")
			must(t, os.WriteFile(config, []byte("[supervisord]\nlogfile="+path+"\npidfile="+dir+"/pid\n"), 0o600))
			out := oracle.Exec(t, oracle.Ours, "supervisord", dir, "-n", "-c", config)
			if want := fmt.Sprintf("the %s %s belongs to uid %d, and others can write to %s/tmp", what, path, mallory, dir); out.Exit != 2 || !strings.Contains(out.Stderr, want) {
				t.Errorf("exit status %d, want %q in\n%s", out.Exit, want, out.Stderr)
			}
			unhurt(t, victim)
		})
	}
}

// TestSocketBehindALink: no socket is made where another user's link leads.
func TestSocketBehindALink(t *testing.T) {
	needs.Root(t)
	t.Parallel()
	dir, err := os.MkdirTemp("", "sv")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	secret := makeDir(t, filepath.Join(dir, "secret"), 0o700)
	link := filepath.Join(makeDir(t, filepath.Join(dir, "tmp"), 0o1777), "run")
	must(t, os.Symlink(secret, link), os.Lchown(link, mallory, mallory))
	config := filepath.Join(dir, "supervisord.conf")
	must(t, os.WriteFile(config, []byte("[supervisord]\nlogfile="+dir+"/log\npidfile="+dir+"/pid\n[unix_http_server]\nfile="+link+"/s\n"), 0o600))
	out := oracle.Exec(t, oracle.Ours, "supervisord", dir, "-n", "-c", config)
	if out.Exit != 2 || !strings.Contains(out.Stderr, "the link "+link+" belongs to uid") {
		t.Errorf("exit status %d:\n%s", out.Exit, out.Stderr)
	}
	if left, _ := os.ReadDir(secret); len(left) > 0 {
		t.Errorf("it has made %v", left)
	}
}

// TestPrivateActivityLog: the activity log is for nobody else's eyes when it holds
// what programs print, and as before when it does not.
func TestPrivateActivityLog(t *testing.T) {
	t.Parallel()
	for _, r := range []struct {
		level string
		has   fs.FileMode // of one that is there already, 0 for none
		want  fs.FileMode
		warns bool
	}{
		{"debug", 0, 0o600, false},
		{"trace", 0, 0o600, false},
		{"info", 0, 0o644, false},
		{"debug", 0o644, 0o644, true},
	} {
		t.Run(fmt.Sprint(r.level, r.has), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "supervisord.log")
			if r.has != 0 {
				must(t, os.WriteFile(path, nil, 0o600), os.Chmod(path, r.has))
			}
			makeDir(t, filepath.Join(dir, "tmp"), 0o755)
			in := oracle.Surroundings{Through: []string{"/bin/sh", "-c", `umask 022; exec "$@"`, "sh"}}
			s := &eventRun{oracle.StartIn(t, oracle.Ours, dir, strings.Replace(fmt.Sprintf(stickyConfig, "supervisord.log"), "[supervisord]", "[supervisord]\nloglevel="+r.level, 1), in), t}
			s.until("p", "RUNNING")
			info, err := os.Stat(path)
			must(t, err)
			if info.Mode().Perm() != r.want {
				t.Errorf("mode %04o, want %04o", info.Mode().Perm(), r.want)
			}
			if said := strings.Contains(s.Log(), "which others can read"); said != r.warns {
				t.Errorf("warned: %v\n%s", said, s.Log())
			}
		})
	}
}

// TestForeignDefaultStateDirectory: whoever made root's default state directory
// before root's daemon is not trusted. The default is the one that is built into
// the daemons under test; what stands beside it is copied aside first. Tests that
// run at the same time as this one would change it meanwhile.
func TestForeignDefaultStateDirectory(t *testing.T) {
	needs.Root(t)
	state := oracle.StateDir()
	parent := filepath.Dir(state)
	aside := "t=$(mktemp -d); cp -a " + parent + "/. $t; mount -t tmpfs -o mode=755 none " + parent + "; cp -a $t/. " + parent +
		"; rm -rf $t " + state + "; "
	for what, script := range map[string]string{
		"a directory": "mkdir -m 777 STATE; chown 65534 STATE",
		"a link":      "mkdir -m 755 PARENT/e; ln -s e STATE; chown -h 65534 STATE",
		"a file":      ": > STATE; chown 65534 STATE",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			makeDir(t, filepath.Join(dir, "tmp"), 0o755)
			config := strings.ReplaceAll(fmt.Sprintf(stickyConfig, "supervisord.log"), "statedir={{.Dir}}/state", "")
			script := strings.NewReplacer("STATE", state, "PARENT", parent).Replace(script)
			s := &eventRun{oracle.StartIn(t, oracle.Ours, dir, config, inNamespaces(0, aside+script)), t}
			s.until("p", "RUNNING")
			root := fmt.Sprintf("/proc/%d/root", s.PID())
			s.wait("state beside it", func() bool {
				found, _ := filepath.Glob(root + state + ".1/*/running.json")
				return len(found) == 1
			})
			for _, foreign := range []string{state + "/*", parent + "/e/*"} {
				if found, _ := filepath.Glob(root + foreign); len(found) > 0 {
					t.Errorf("there is %v", found)
				}
			}
			if n := strings.Count(s.Log(), state+" belongs to uid 65534"); n != 1 {
				t.Errorf("said %d times:\n%s", n, s.Log())
			}
		})
	}
}
