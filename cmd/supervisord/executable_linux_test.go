package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"supervisord/runtime"
	"supervisord/runtime/hang"
	"supervisord/spec"
)

// TestExecutables: the program that runs is the one on disk, another, or gone.
func TestExecutables(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct {
		what           string
		then           func(path string) error
		gone, replaced bool
	}{
		{"as it was", func(string) error { return nil }, false, false},
		{"touched", func(path string) error { return os.Chmod(path, 0o700) }, false, false},
		{"a link besides", func(path string) error { return os.Link(path, path+"2") }, false, false},
		{"replaced", func(path string) error {
			if err := os.WriteFile(path+".new", binary, 0o755); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		}, false, true},
		{"gone", os.Remove, true, false},
	} {
		path := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(path, binary, 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(path, "1000")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		if err := r.then(path); err != nil {
			t.Fatal(err)
		}
		infos := []runtime.Info{{Group: "a", Name: "a", PID: cmd.Process.Pid}, {Group: "b", Name: "b"}, {Group: "c", Name: "c", PID: 1 << 30}}
		got := executables(context.Background(), hang.New(0, 0), infos)
		e := got[spec.Namespec{Group: "a", Process: "a"}]
		if len(got) != 1 || e.Path != path || e.Gone != r.gone || e.Replaced != r.replaced || e.Unknown != "" {
			t.Errorf("%s: %+v", r.what, got)
		}
	}
}
