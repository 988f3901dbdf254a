package oracle

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

const cat = "[program:cat]\ncommand=/bin/cat\nstartsecs=0\n"

func TestDaemonAnswers(t *testing.T) {
	Require(t)
	t.Parallel()
	d := StartDaemon(t, Debian, t.TempDir(), Prelude+cat)
	WaitFor(t, "cat to run", func() bool { return d.State("cat") == "RUNNING" })
	n := d.Normaliser()

	got := n.Text(d.Ctl(Debian, "status").String())
	if want := "cat                              RUNNING   pid <pid>, uptime <uptime>\n"; got != want {
		t.Errorf("status printed %q, want %q", got, want)
	}
	if out := d.Ctl(Debian, "status", "nope"); out.Exit != 4 || out.Stdout != "nope: ERROR (no such process)\n" {
		t.Errorf("status of nothing gave %+v", out)
	}
	if _, err := d.Call("supervisor.getProcessInfo", "nope"); !errors.As(err, new(*Fault)) {
		t.Errorf("an unknown name gave %v, want a fault", err)
	}
	if ok, err := d.Call("supervisor.sendProcessStdin", "cat", "a<b\n"); ok != true || err != nil {
		t.Errorf("sendProcessStdin: %v, %v", ok, err)
	}
	if got := len(d.Descendants()); got != 2 {
		t.Errorf("%d processes carry the mark, want the daemon and its child", got)
	}
	d.Stop()
	if status := d.Wait(); status != 0 {
		t.Errorf("the daemon ended with %d", status)
	}
	if got := d.Descendants(); len(got) > 0 {
		t.Errorf("left after Stop: %v", got)
	}
	if !strings.Contains(d.Log(), "spawned: 'cat' with pid") {
		t.Errorf("no spawn in the log:\n%s", d.Log())
	}
}

func TestDetached(t *testing.T) {
	Require(t)
	t.Parallel()
	d := StartDetached(t, Debian, t.TempDir(), Prelude+cat)
	if status := d.Wait(); status != 0 {
		t.Errorf("the parent ended with %d", status)
	}
	if pid := d.PID(); pid == 0 || pid == d.cmd.Process.Pid {
		t.Errorf("PID is %d, the first process was %d", pid, d.cmd.Process.Pid)
	}
	d.Stop()
	if pid := d.PID(); pid != 0 {
		t.Errorf("%d is still there", pid)
	}
}

// recorder is the testing.TB that a failing test would have.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func TestLeftOversFail(t *testing.T) {
	Require(t)
	t.Parallel()
	d := StartDaemon(t, Debian, t.TempDir(), Prelude+cat)
	WaitFor(t, "cat to run", func() bool { return d.State("cat") == "RUNNING" })
	d.Signal(syscall.SIGKILL)
	r := &recorder{TB: t}
	d.t = r
	d.Stop()
	// cat holds its end of the pipe and ends with the daemon, so a left process
	// is played by one with the same mark.
	left, err := os.StartProcess("/bin/sleep", []string{"sleep", "60"}, &os.ProcAttr{Env: d.environ()})
	if err != nil {
		t.Fatal(err)
	}
	d.checkNothingLeft()
	left.Wait()
	d.t = t
	if len(r.failures) != 1 || !strings.Contains(r.failures[0], "sleep 60") {
		t.Errorf("failures: %q", r.failures)
	}
}

func TestExec(t *testing.T) {
	Require(t)
	t.Parallel()
	dir := t.TempDir()
	out := Exec(t, Debian, "supervisord", dir, "-c", dir+"/none.conf")
	if out.Exit != 2 || !strings.HasPrefix(out.Stderr, "Error: could not find config file") {
		t.Errorf("got %+v", out)
	}
}

func TestRun(t *testing.T) {
	Require(t)
	row := Row{
		Name:   "add",
		Config: Prelude + "[include]\nfiles={{.Dir}}/conf.d/*.ini\n" + cat,
		Steps: []Step{
			Until("cat", "RUNNING"),
			Write("conf.d/two.ini", "[program:two]\ncommand=/bin/cat\nstartsecs=0\n"),
			Ctl("update"),
			Until("two", "RUNNING"),
			Ctl("status"),
			Ctl("pid", "two"),
			Remove("conf.d/two.ini"),
			Ctl("update"),
			Ctl("status", "two"),
			Call("supervisor.getIdentification"),
			Call("supervisor.startProcess", "cat"),
			Show("conf.d/two.ini"),
		},
	}
	want := `> until cat is RUNNING
> write conf.d/two.ini
$ supervisorctl update
two: added process group
> until two is RUNNING
$ supervisorctl status
cat                              RUNNING   pid <pid>, uptime <uptime>
two                              RUNNING   pid <pid>, uptime <uptime>
$ supervisorctl pid two
<pid>
> remove conf.d/two.ini
$ supervisorctl update
two: stopped
two: removed process group
$ supervisorctl status two
two: ERROR (no such process)
exit 4
> call supervisor.getIdentification[]
"supervisor"
> call supervisor.startProcess[cat]
fault 60: ALREADY_STARTED: cat
> show conf.d/two.ini
`
	t.Parallel()
	if got := Play(t, Pairing{Debian, Debian}, row); got != want {
		t.Errorf("transcript:\n%s\nwant:\n%s", got, want)
	}
}
