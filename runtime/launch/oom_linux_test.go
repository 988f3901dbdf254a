package launch

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Which file counts is the nearest one above the process whose memory is counted, of
// either version.
func TestOOMCounter(t *testing.T) {
	const (
		two  = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
		part = "30 23 0:26 /kubepods/a /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
		one  = "34 30 0:31 / /m rw - cgroup cgroup rw,memory\n31 30 0:32 / /c rw - cgroup cgroup rw,cpu,cpuacct\n"
	)
	for _, row := range []struct {
		name, own, mounts string
		files             []string
		want              string
	}{
		{"its own", "0::/a/b\n", two, []string{"/sys/fs/cgroup/a/b/memory.events", "/sys/fs/cgroup/a/b/memory.events.local"}, "/sys/fs/cgroup/a/b/memory.events.local"},
		{"an older kernel", "0::/a/b\n", two, []string{"/sys/fs/cgroup/a/b/memory.events"}, "/sys/fs/cgroup/a/b/memory.events"},
		{"one above", "0::/a/b/c\n", two, []string{"/sys/fs/cgroup/a/memory.events.local"}, "/sys/fs/cgroup/a/memory.events.local"},
		{"a container's root", "0::/kubepods/a\n", part, []string{"/sys/fs/cgroup/memory.events.local"}, "/sys/fs/cgroup/memory.events.local"},
		{"the root", "0::/\n", two, nil, ""},
		{"version 1", "4:memory:/x/y\n1:cpu,cpuacct:/\n0::/\n", one + "43 30 0:41 / /u rw - cgroup2 cgroup2 rw\n", []string{"/m/x/y/memory.oom_control", "/m/memory.oom_control"}, "/m/x/y/memory.oom_control"},
		{"version 1 without memory", "1:cpu,cpuacct:/x\n", one, []string{"/c/x/memory.oom_control"}, ""},
		{"above what is mounted", "0::/../a\n", two, []string{"/sys/fs/cgroup/memory.events.local"}, ""},
		{"FUSE", "4:memory:/x\n", "34 30 0:31 / /m rw - fuse.lxcfs lxcfs rw,memory\n", []string{"/m/x/memory.oom_control"}, ""},
		{"nothing", "", "", nil, ""},
	} {
		stat := func(name string) (fs.FileInfo, error) {
			for _, f := range row.files {
				if f == name {
					return nil, nil
				}
			}
			return nil, fs.ErrNotExist
		}
		if got := oomCounterIn(row.own, row.mounts, stat); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

// What is killed between two programs is put down to who dies in the second, as is what
// was seen before and not put down to anybody. What was there from the beginning is not.
func TestOOMHandedOver(t *testing.T) {
	file := filepath.Join(t.TempDir(), "memory.events.local")
	kills := func(n int) {
		t.Helper()
		if err := os.WriteFile(file, fmt.Appendf(nil, "oom_kill %d\n", n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kills(3)
	first := &OOMKills{counters: map[string]*oomCounter{file: {processes: 3, count: 3}}}
	kills(5)
	if !first.ClaimOOM(file) {
		t.Fatal("the first kill is not seen")
	}
	saved := first.SaveOOM()
	kills(6)
	second := new(OOMKills)
	for range 2 {
		second.ResumeOOM(file, saved[file])
	}
	for i, want := range []bool{true, true, false} {
		if got := second.ClaimOOM(file); got != want {
			t.Errorf("claim %d: %v, want %v", i, got, want)
		}
	}
	second.UnfollowOOM(file)
	second.UnfollowOOM(file)
	if len(second.counters) != 0 {
		t.Error("a counter without processes is kept")
	}
}

// A rise is put down to one death, not to one that comes long after it was seen, and not
// at all once it was there before.
func TestOOMClaims(t *testing.T) {
	file := filepath.Join(t.TempDir(), "memory.events.local")
	kills := func(n int) {
		t.Helper()
		if err := os.WriteFile(file, fmt.Appendf(nil, "low 0\noom 9\noom_kill %d\noom_group_kill 7\n", n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kills(3)
	o := &OOMKills{counters: map[string]*oomCounter{file: {processes: 1, count: 3}}}
	claim := func(want bool) {
		t.Helper()
		if got := o.ClaimOOM(file); got != want {
			t.Errorf("claimed: %v, want %v", got, want)
		}
	}
	claim(false)
	kills(5)
	claim(true)
	claim(true)
	claim(false)
	kills(6)
	o.LookAtOOM()
	claim(true) // it has taken its time to die
	kills(7)
	o.LookAtOOM()
	o.counters[file].risen[0] = time.Now().Add(-oomMemory - time.Second)
	claim(false) // whoever was killed then, it was not this one
	if err := os.WriteFile(file, []byte("oom_kill many\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	claim(false)
	kills(8)
	o.LookAtOOM()
	os.Remove(file)
	claim(true) // it was seen before the cgroup went
	claim(false)
	o.UnfollowOOM(file)
	claim(false)
	if len(o.counters) != 0 {
		t.Error("a counter without processes is kept")
	}
}
