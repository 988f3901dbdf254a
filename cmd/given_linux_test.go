package cmd

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// givenWays are ways to give a daemon a configuration that is no regular file: scripts
// for bash that run "$run" with its options, and the configuration in the file $conf.
var givenWays = []struct {
	name, script string
	again        bool // in the foreground it can be read again
}{
	{"pipe", `exec "$run" -c /dev/stdin "$@" < <(cat "$conf")`, false},
	{"here-document", `eval "exec \"\$run\" -c /dev/stdin \"\$@\" <<'END'
$(cat "$conf")
END
"`, true},
	{"substitution", `exec "$run" -c <(cat "$conf") "$@"`, false},
	{"FIFO", `mkfifo fifo; cat "$conf" > fifo & exec "$run" -c fifo "$@"`, false},
	{"linked FIFO", `mkfifo fifo; ln -s fifo link; cat "$conf" > fifo & exec "$run" -c "$PWD/./link" "$@"`, false},
	{"file on standard input", `exec "$run" -c /dev/stdin "$@" < "$conf"`, true},
	{"file on descriptor 7", `exec "$run" -c /proc/self/fd/7 "$@" 7< "$conf"`, true},
}

// A configuration that is no regular file is read once, and the daemon in the background
// has what was read, also after an upgrade. It is not watched, the files that it includes
// are; and a reload, which would need it again, is refused.
func TestGivenConfiguration(t *testing.T) {
	t.Parallel()
	for _, kind := range oracle.Kinds(t) {
		for _, way := range givenWays {
			for _, background := range []bool{true, false} {
				if !background && (way.again || kind == oracle.Debian) {
					continue
				}
				name := kind.String() + "/" + way.name
				if background {
					name += " in the background"
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					testGiven(t, kind, way.script, background)
				})
			}
		}
	}
}

func testGiven(t *testing.T, kind oracle.Kind, script string, background bool) {
	dir := t.TempDir()
	in := oracle.Surroundings{Through: []string{"/bin/bash", "-ec", `cd "$1"; run=$2 conf=$4; shift 4` + "\n" + script, "bash", dir}}
	start := oracle.StartIn
	if background {
		start = oracle.StartDetachedIn
	}
	config := oracle.Prelude + "[program:a]\ncommand=/bin/cat\n[include]\nfiles={{.Dir}}/conf.d/*.ini\n[reconcile]\nsettle=50ms\n" +
		strings.Repeat("; more than a pipe holds\n", 4000)
	s := &eventRun{start(t, kind, dir, config, in), t}
	s.until("a", "RUNNING")
	if kind == oracle.Debian {
		return // it starts; to read again it has nothing
	}
	pid := func() string { return s.Ctl(oracle.Ours, "pid", "a").Stdout }
	before := pid()
	s.Write("conf.d/b.ini", "[program:b]\ncommand=/bin/cat\n")
	s.until("b", "RUNNING")
	if out := s.Ctl(oracle.Debian, "update"); out.Exit != 0 || out.Stdout != "b: added process group\n" {
		t.Errorf("update after the watcher: %v", out)
	}
	for _, command := range []string{"reread", "update"} {
		if out := s.Ctl(oracle.Debian, command); out.Exit != 0 || out.Stdout != map[string]string{"reread": "No config updates to processes\n"}[command] {
			t.Errorf("%s: %v", command, out)
		}
	}
	const why = "it is not a regular file: it was read once, at startup, and cannot be read again (use a regular file, or restart supervisord)\n"
	if out := s.Ctl(oracle.Ours, "reload"); out.Exit != 1 || !strings.HasPrefix(out.Stdout, "error: CANT_REREAD: ") || !strings.HasSuffix(out.Stdout, why) {
		t.Errorf("reload: %v", out)
	}
	s.Signal(syscall.SIGHUP)
	s.logged("restart refused, nothing was stopped: ")
	s.Write("conf.d/b.ini", "[program:b]\ncommand=/bin/sleep 1000\n")
	s.logged("reconcile: restart b")
	s.until("b", "RUNNING")
	if out := s.Ctl(oracle.Ours, "upgrade"); out.Exit != 0 {
		t.Errorf("upgrade: %v", out)
	}
	s.Write("conf.d/c.ini", "[program:c]\ncommand=/bin/cat\n")
	s.until("c", "RUNNING")
	if out := s.Ctl(oracle.Ours, "reload"); out.Exit != 1 || !strings.HasSuffix(out.Stdout, why) {
		t.Errorf("reload after an upgrade: %v", out)
	}
	if after := pid(); after != before {
		t.Errorf("a was restarted: pid %s, before %s", after, before)
	}
	for _, line := range strings.Split(s.Log(), "\n") {
		if strings.Contains(line, "untrusted") {
			t.Error(line)
		}
	}
}

// A mistake in such a configuration is told as in any other.
func TestGivenMistake(t *testing.T) {
	t.Parallel()
	for _, kind := range oracle.Kinds(t) {
		daemon := exec.Command("/bin/sh", "-c", `printf '[supervisord]\nlogfile=/dev/null\nloglevel=loud\n' | "$0" -c /dev/stdin`,
			oracle.Command(t, kind, "supervisord"))
		daemon.Dir = t.TempDir()
		daemon.Env = append(os.Environ(), "HOME="+daemon.Dir)
		out, err := daemon.CombinedOutput()
		if err == nil || daemon.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "loud") {
			t.Errorf("%s: %v, and it says %q", kind, err, out)
		}
	}
}
