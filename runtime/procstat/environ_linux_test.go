package procstat

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

// TestEnviron: a process that was just started has its environment, at once.
func TestEnviron(t *testing.T) {
	for range 300 {
		p, err := os.StartProcess("/bin/sleep", []string{"sleep", "60"}, &os.ProcAttr{Env: []string{"A=1", "B="}})
		if err != nil {
			t.Fatal(err)
		}
		env, err := Environ("/proc", p.Pid, time.Now().Add(ExecPatience))
		if err != nil || string(env) != "A=1\x00B=\x00" {
			t.Errorf("%q, %v", env, err)
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Wait(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
	}
}

// TestEmptyEnviron: one that has none is not waited for, nor one that is over.
func TestEmptyEnviron(t *testing.T) {
	p, err := os.StartProcess("/bin/sleep", []string{"sleep", "60"}, &os.ProcAttr{Env: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	look := func(when string) {
		t.Helper()
		if env, err := Environ("/proc", p.Pid, time.Now().Add(ExecPatience)); len(env) > 0 || err != nil && !errors.Is(err, syscall.ESRCH) { // as some kernels say of a zombie
			t.Errorf("%s: %q, %v", when, env, err)
		}
		if betweenPrograms("/proc", p.Pid) {
			t.Errorf("%s: it seems to be between two programs", when)
		}
	}
	look("while it runs")
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	for s, err := Read("/proc", p.Pid); err == nil && s.Living(); s, err = Read("/proc", p.Pid) {
	}
	look("as a zombie")
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	if env, err := Environ("/proc", p.Pid, time.Now().Add(ExecPatience)); err == nil {
		t.Errorf("once it is gone: %q", env)
	}
}
