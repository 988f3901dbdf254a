package launch

import (
	"bufio"
	"testing"
)

// A child whose start was announced is found by its pipes alone, and nobody else
// is.
func TestFind(t *testing.T) {
	l := launcher(t)
	var announced []Pipes
	var want []Identity
	for _, redirect := range []bool{false, true} {
		c := cat()
		c.RedirectStderr = redirect
		c.Announce = func(p Pipes) bool { announced = append(announced, p); return true }
		child := start(t, l, c)
		id, err := Identify(child.PID)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, id)
	}
	if p := announced[0]; p[0] == 0 || p[1] == 0 || p[2] == 0 || p[1] == p[2] || announced[1][2] != 0 {
		t.Errorf("announced %v", announced)
	}
	never := Pipes{announced[0][0] + 1<<40, 0, 0}
	got := Find(append(announced, never, Pipes{}))
	want = append(want, Identity{}, Identity{})
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: found %v, want %v", i, got[i], want[i])
		}
	}
}

// The output of a process whose daemon has gone can be read again, and only what
// is really that pipe.
func TestReopen(t *testing.T) {
	c := cat()
	var pipes Pipes
	c.Announce = func(p Pipes) bool { pipes = p; return true }
	child := start(t, launcher(t), c)
	child.Stdout.Close()
	child.Stderr.Close()
	stdout, stderr := Reopen(child.PID, pipes)
	if stdout == nil || stderr == nil {
		t.Fatal("not opened")
	}
	defer stdout.Close()
	defer stderr.Close()
	if _, err := child.Stdin.WriteString("again\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "again\n" {
		t.Errorf("read %q, %v", line, err)
	}
	for _, others := range []Pipes{{}, {pipes[0], pipes[2], pipes[1]}} {
		if stdout, stderr := Reopen(child.PID, others); stdout != nil || stderr != nil {
			t.Errorf("%v was opened for %v", others, pipes)
		}
	}
}
