package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// smallCgroup makes a cgroup of this test's own with little memory, of whichever version
// the machine has, and returns the file to which its members are written; "" where it has
// none, which REQUIRE_ROOT=1 makes a failure.
func smallCgroup(t *testing.T) (procs string) {
	t.Helper()
	const limit = "200M"
	own, _ := os.ReadFile("/proc/self/cgroup")
	path := ""
	for line := range strings.Lines(string(own)) {
		if p, ok := strings.CutPrefix(line[strings.IndexByte(line, ':')+1:], "memory:"); ok {
			path = strings.TrimSpace(p)
		}
	}
	var failed []string
	for _, place := range []struct{ dir, file string }{
		{filepath.Join("/sys/fs/cgroup/memory", path), "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"},
	} {
		dir := filepath.Join(place.dir, fmt.Sprintf("deaths-%d", os.Getpid()))
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			t.Cleanup(func() {
				oracle.Eventually(oracle.Deadline, func() bool { // when the last of its processes was reaped
					err := os.Remove(dir)
					return err == nil || !errors.Is(err, syscall.EBUSY)
				})
			})
			var f *os.File // which is not to be made
			if f, err = os.OpenFile(filepath.Join(dir, place.file), os.O_WRONLY, 0); err == nil {
				_, err = f.WriteString(limit)
				f.Close()
			}
		}
		if err == nil {
			return filepath.Join(dir, "cgroup.procs")
		}
		failed = append(failed, err.Error())
	}
	if os.Getenv("REQUIRE_ROOT") == "1" {
		t.Fatalf("no cgroup with little memory: %q", failed)
	}
	t.Logf("no cgroup with little memory, left out: %q", failed)
	return ""
}

// TestDeathsAreTold: a signal, a core dump and the kernel's out-of-memory killer are told
// in the log, beside Supervisor's line, in status -o json and in the metrics, the last
// two also in the event, behind what Supervisor tells.
func TestDeathsAreTold(t *testing.T) {
	t.Parallel()
	in := oracle.Surroundings{Through: []string{"/bin/sh", "-ec", `ulimit -c unlimited 2>/dev/null || :; exec "$@"`, "sh"}}
	procs := smallCgroup(t)
	if procs != "" {
		in.Through[2] = "echo $$ >" + procs + "; " + in.Through[2]
	}
	core, _ := os.ReadFile("/proc/sys/kernel/core_pattern")
	rows := []struct {
		name, command string
		how, signal   string
		core, oom     bool
		kind          string
	}{
		{"plain", "exit 3", "exit status 3", "", false, false, "status"},
		{"hung", "kill -HUP $$", "terminated by SIGHUP", "SIGHUP", false, false, "signal"},
		{"shot", "kill -KILL $$", "terminated by SIGKILL", "SIGKILL", false, false, "signal"},
		{"dumped", "kill -ABRT $$", "terminated by SIGABRT (core dumped)", "SIGABRT", true, false, "core"},
		{"hungry", "exec tail /dev/zero", "terminated by SIGKILL", "SIGKILL", false, true, "oom"},
	}
	config := oracle.Prelude + "[eventlistener:listener]\ncommand={{.Self}} record {{.Dir}}/events\nevents=PROCESS_STATE_EXITED\nbuffer_size=100\n"
	for _, r := range rows {
		config += fmt.Sprintf("[program:%s]\ncommand=/bin/sh -c '%s'\ndirectory={{.Dir}}\nautostart=false\nautorestart=false\nstartsecs=0\n", r.name, r.command)
	}
	s := &eventRun{oracle.StartIn(t, oracle.Ours, t.TempDir(), config, in), t}
	s.until("listener", "RUNNING")
	for _, r := range rows {
		if r.oom && procs == "" {
			continue
		}
		if r.core && (len(core) == 0 || core[0] == '|') {
			t.Logf("core dumps go to %s here, left out", core)
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			if out := s.Ctl(oracle.Ours, "start", r.name); out.Exit != 0 {
				t.Fatal(out)
			}
			s.until(r.name, "EXITED")
			s.logged(fmt.Sprintf("WARN exited: %s (%s; not expected)\n", r.name, r.how))
			if r.oom {
				s.logged("WARN " + r.name + " (pid ")
			}
			if said := strings.Contains(s.Log(), "WARN "+r.name+" (pid "); said != r.oom {
				t.Errorf("the log has words of ours: %v", said)
			}
			var rows []struct {
				Name string
				Last struct {
					How, Signal string
					Core, OOM   bool
				} `json:"last_exit"`
			}
			out := s.Ctl(oracle.Ours, "status", "-o", "json", r.name)
			if err := json.Unmarshal([]byte(out.Stdout), &rows); err != nil || len(rows) != 1 {
				t.Fatalf("%v, %v", out, err)
			}
			if got := rows[0].Last; got.How != r.how || got.Signal != r.signal || got.Core != r.core || got.OOM != r.oom {
				t.Errorf("status says %+v", got)
			}
			answer, err := s.HTTPClient().Get("http://daemon/metrics")
			if err != nil {
				t.Fatal(err)
			}
			metrics, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if want := fmt.Sprintf("supervisord_process_exits_total{group=%[1]q,name=%[1]q,kind=%q} 1\n", r.name, r.kind); err != nil || !strings.Contains(string(metrics), want) {
				t.Errorf("the metrics lack %s", want)
			}
			fields := ""
			if r.core {
				fields = " signal:" + r.signal + " core:1"
			}
			if r.oom {
				fields = " signal:" + r.signal + " oom:1"
			}
			event := ""
			s.wait("the event", func() bool {
				_, after, found := strings.Cut(s.Read("events"), "processname:"+r.name+" ")
				event, _, _ = strings.Cut(after, "ver:")
				return found
			})
			prefix := fmt.Sprintf("groupname:%s from_state:RUNNING expected:0 pid:", r.name)
			if rest := strings.TrimLeft(strings.TrimPrefix(event, prefix), "0123456789"); !strings.HasPrefix(event, prefix) || strings.TrimSpace(rest) != strings.TrimSpace(fields) {
				t.Errorf("the event says %q, want %q and %q", event, prefix, fields)
			}
		})
	}
}
