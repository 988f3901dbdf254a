package cmd

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"

	"supervisord/cmd/internal/oracle"
)

// TestWriters lets the programs with which people and machines write files do so
// beside a daemon: each ends in exactly the right state, with as many actions as
// there are differences and no other process touched. What cannot be had on a test
// machine does its own sequence of system calls by hand.
//
// Source: reconciler.md, What it must withstand, Writers.
func TestWriters(t *testing.T) {
	t.Parallel()
	type step struct{ sh, sleepers string }
	const (
		change = `sed -i s/1000/2000/`
		newA   = `printf '[program:a]\ncommand=/bin/sleep 2000\n'`
		newB   = `printf '[program:b]\ncommand=/bin/sleep 1000\n'`
		gitB   = "a=2000, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, keep"
	)
	rows := []struct {
		name, needs, setup string
		steps              []step
	}{
		{"echo in several writes", "", "", []step{
			{`echo '[program:b]' >conf.d/b.ini; echo command=/bin/sleep 1000 >>conf.d/b.ini; echo priority=5 >>conf.d/b.ini`, "a, b, keep"},
			{inPlace(`echo '[program:a]' >conf.d/a.ini; echo command=/bin/sleep 2000 >>conf.d/a.ini`), "a=2000, b, keep"},
		}},
		{"write a temporary file and rename it", "", "", []step{
			{anew(newA + ` >conf.d/a.ini.tmp; mv conf.d/a.ini.tmp conf.d/a.ini`), "a=2000, keep"},
			{newB + ` >conf.d/.b; mv conf.d/.b conf.d/b.ini`, "a=2000, b, keep"},
		}},
		{"vim that renames", "vim", "", []step{
			{anew(`vim -Nu NONE -es -c 'set backupcopy=no backup backupskip=' -c '%s/1000/2000/' -c wq conf.d/a.ini </dev/null`), "a=2000, keep"},
		}},
		{"vim that writes in place", "vim", "", []step{
			{inPlace(`vim -Nu NONE -es -c 'set backupcopy=yes' -c '%s/1000/2000/' -c wq conf.d/a.ini </dev/null`), "a=2000, keep"},
		}},
		{"emacs", "emacs", "", []step{
			{anew(`emacs -Q --batch --eval '(progn (setq make-backup-files t backup-enable-predicate (lambda (_) t)) (find-file "conf.d/a.ini") (replace-string "1000" "2000") (save-buffer))'; ls conf.d/a.ini~`), "a=2000, keep"},
		}},
		{"sed -i", "", "", []step{
			{anew(`sed -i s/1000/2000/ conf.d/a.ini`), "a=2000, keep"},
			{anew(`sed -i s/1000/3000/ conf.d/*.ini`), "a=2000, keep=3000"},
		}},
		{"rsync", "rsync", "mkdir src; cp -a conf.d/. src", []step{
			{anew(change + ` src/a.ini; ` + newB + ` >src/b.ini; rsync -ac --delete src/ conf.d/`), "a=2000, b, keep"},
			{`rm src/a.ini; rsync -a --delete src/ conf.d/`, "b, keep"},
			{`touch src/b.ini; rsync -a --delete src/ conf.d/`, "b, keep"},
		}},
		{"rsync --inplace", "rsync", "mkdir src; cp -a conf.d/. src", []step{
			{inPlace(change + ` src/a.ini; rsync -ac --inplace --delete src/ conf.d/`), "a=2000, keep"},
		}},
		{"rsync that preserves times", "rsync", "mkdir src; cp -a conf.d/. src; touch -d @1000000000 src/a.ini; rsync -a src/ conf.d/", []step{
			{anew(change + ` src/a.ini; touch -d @1000000000 src/a.ini; rsync -ac src/ conf.d/`), "a=2000, keep"},
		}},
		{"git checkout of many files, and back", "git", gitBranch, []step{
			{anew(`git -C conf.d checkout -q more`), gitB},
			{anew(`git -C conf.d checkout -q main`), "a, keep"},
		}},
		{"git pull", "git", gitBranch + `; git clone -q conf.d clone; git -C conf.d checkout -q more; mv conf.d origin; mv clone conf.d; git -C conf.d remote set-url origin "$PWD/origin"`, []step{
			{`git -C conf.d pull -q --ff-only origin more`, gitB},
		}},
		{"git-sync: the link to a worktree is flipped", "git", gitBranch + `; mv conf.d repo; git -C repo worktree add -q ../wt/1 --detach main; ln -s wt/1 conf.d`, []step{
			{`git -C repo worktree add -q ../wt/2 --detach more; ln -s wt/2 tmp-link; mv -T tmp-link conf.d; git -C repo worktree remove -f ../wt/1`, gitB},
			{`git -C repo worktree add -q ../wt/3 --detach more; ln -s wt/3 tmp-link; mv -T tmp-link conf.d; git -C repo worktree remove -f ../wt/2`, gitB},
			{`git -C repo worktree add -q ../wt/4 --detach main; ln -s wt/4 tmp-link; mv -T tmp-link conf.d; git -C repo worktree remove -f ../wt/3`, "a, keep"},
		}},
		{"a ConfigMap volume: ..data is flipped", "", `mkdir v; cd v; mkdir ..1; mv ../conf.d/*.ini ..1; ln -s ..1 ..data; ln -s ..data/a.ini a.ini; ln -s ..data/keep.ini keep.ini; cd ..; rmdir conf.d; mv v conf.d`, []step{
			{`cd conf.d; mkdir ..2; cp ..1/keep.ini ..2; ` + newA + ` >..2/a.ini; ln -s ..2 ..data_tmp; mv -T ..data_tmp ..data; rm -r ..1`, "a=2000, keep"},
			{`cd conf.d; mkdir ..3; cp ..2/*.ini ..3; ` + newB + ` >..3/b.ini; ln -s ..3 ..data_tmp; mv -T ..data_tmp ..data; ln -s ..data/b.ini b.ini; rm -r ..2`, "a=2000, b, keep"},
			{`cd conf.d; mkdir ..4; cp ..3/keep.ini ..3/b.ini ..4; ln -s ..4 ..data_tmp; mv -T ..data_tmp ..data; rm a.ini; rm -r ..3`, "b, keep"},
		}},
		{"docker cp: the old file goes, the new one is written, its time is set", "", "", []step{
			{anew(`rm conf.d/a.ini; ` + newA + ` >conf.d/a.ini; touch -d @1500000000 conf.d/a.ini`), "a=2000, keep"},
		}},
		{"dpkg installs and upgrades configuration files", "dpkg", debs, []step{
			{`dpkg --root="$PWD/root" --force-not-root,script-chrootless --log=/dev/null -i demo1.deb >/dev/null`, "a, b, keep"},
			{`dpkg --root="$PWD/root" --force-not-root,script-chrootless --log=/dev/null -i demo2.deb >/dev/null`, "a, b=2000, c, keep"},
			{`dpkg --root="$PWD/root" --force-not-root,script-chrootless --log=/dev/null -P demo >/dev/null`, "a, keep"},
		}},
		{"two files are swapped", "perl", newB + ` >conf.d/b.ini`, []step{ // by one process: three might take longer than settle
			{`perl -e 'rename("conf.d/a.ini", "t") && rename("conf.d/b.ini", "conf.d/a.ini") && rename("t", "conf.d/b.ini") or die $!'`, "a, b, keep"},
		}},
		{"a file moves between two directories", "", `mkdir conf2`, []step{
			{`mv conf.d/a.ini conf2/a.ini`, "a, keep"},
			{`mv conf2/a.ini conf2/z.ini`, "a, keep"},
		}},
		{"equal size and equal time", "", "touch -d @1000000000 conf.d/a.ini", []step{
			{inPlace(`sed s/1000/2000/ conf.d/a.ini >t; cat t >conf.d/a.ini; touch -d @1000000000 conf.d/a.ini`), "a=2000, keep"},
		}},
		{"touch, chmod, comments, order of keys", "", "", []step{
			{inPlace(`touch conf.d/*.ini; chmod 600 conf.d/a.ini; chmod 644 conf.d/a.ini`), "a, keep"},
			{inPlace(`echo '; a comment' >>conf.d/a.ini; printf '\n\n' >>conf.d/keep.ini`), "a, keep"},
			{inPlace(`printf '; first\n[program:a]\nstderr_logfile = NONE\nstdout_logfile=NONE\nautostart = true\ncommand = /bin/sleep 1000   ; the same\n' >conf.d/a.ini`), "a, keep"},
		}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			if r.needs != "" && !installed(t, r.needs) {
				return
			}
			w := started(t, "conf.d/*.ini conf2/*.ini root/etc/demo/*.ini", "max_removals=100%\n", r.setup, map[string]string{
				"conf.d/keep.ini": sleeper("keep", 1000), "conf.d/a.ini": sleeper("a", 1000),
			})
			w.rests()
			w.becomes(w.sleepers())
			for _, s := range r.steps {
				w.does(s.sh, func() { w.sh(s.sh) }, s.sleepers)
			}
		})
	}
}

// inPlace and anew prove which way a command wrote a.ini: the file that was there is
// held open meanwhile, so that no other can have its number.
func inPlace(command string) string {
	return "exec 3<conf.d/a.ini; " + command + "; test /dev/fd/3 -ef conf.d/a.ini || { echo not written in place; exit 1; }"
}

func anew(command string) string {
	return "exec 3<conf.d/a.ini; " + command + "; test ! /dev/fd/3 -ef conf.d/a.ini || { echo written in place; exit 1; }"
}

// gitBranch makes conf.d a repository with a branch on which a differs and ten
// programs are more.
const gitBranch = `cd conf.d; git init -q -b main .; git config user.email a@b; git config user.name n; git add .; git commit -q -m one
git checkout -q -b more; sed -i s/1000/2000/ a.ini; for i in 0 1 2 3 4 5 6 7 8 9; do printf '[program:b%s]\ncommand=/bin/sleep 1000\n' $i >b$i.ini; done
git add .; git commit -q -m two; git checkout -q main; cd ..`

// debs makes a root for dpkg and two versions of a package with configuration
// files.
const debs = `mkdir -p root/etc/demo; touch root/etc/demo/.keep; mkdir -p root/var/lib/dpkg/updates root/var/lib/dpkg/info; touch root/var/lib/dpkg/status
for v in 1 2; do
  mkdir -p demo$v/DEBIAN demo$v/etc/demo
  printf 'Package: demo\nVersion: %s\nArchitecture: all\nMaintainer: n <a@b>\nDescription: demo\n' $v >demo$v/DEBIAN/control
  printf '[program:b]\ncommand=/bin/sleep %s000\n' $v >demo$v/etc/demo/b.ini
  [ $v = 1 ] || printf '[program:c]\ncommand=/bin/sleep 1000\n' >demo$v/etc/demo/c.ini
  (cd demo$v; find etc -type f | sed s:^:/: >DEBIAN/conffiles)
  dpkg-deb --root-owner-group -b demo$v demo$v.deb >/dev/null
done`

// TestWritingWithNano edits a file on nano's screen, as a person does.
func TestWritingWithNano(t *testing.T) {
	t.Parallel()
	if !installed(t, "nano") {
		return
	}
	w := started(t, "conf.d/*.ini", "", "", map[string]string{"conf.d/a.ini": sleeper("a", 1000), "conf.d/keep.ini": sleeper("keep", 1000)})
	w.becomes("a, keep")
	nano := exec.Command("nano", "--ignorercfiles", "conf.d/a.ini")
	nano.Dir = w.Dir
	nano.Env = append(os.Environ(), "TERM=vt100", "HOME="+w.Dir)
	tty, err := pty.StartWithSize(nano, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	screen := new(screenful)
	var reader sync.WaitGroup
	reader.Go(func() { io.Copy(screen, tty) }) // ends when nano does
	defer reader.Wait()
	defer tty.Close()
	oracle.WaitFor(t, "nano shows the file", func() bool { return strings.Contains(screen.String(), "stderr_logfile") })
	w.does("nano", func() {
		io.WriteString(tty, "\x1b/\rcommand=/bin/sleep 2000\x0f\r") // to the end, a new line, save
	}, "a=2000, keep")
	io.WriteString(tty, "\x18")
	if err := nano.Wait(); err != nil {
		t.Errorf("nano: %v\n%s", err, screen)
	}
}

// screenful is all that was written to a terminal.
type screenful struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screenful) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screenful) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// TestAnsible does what a playbook does against a daemon that watches: the supervisorctl
// module of Ansible comes after the watcher each time, and must succeed, and find nothing
// left to do. With FULL_SIZE=1 the tasks are played by ansible-playbook, which costs
// seconds of processor time for each; else its module alone is Ansible's.
func TestAnsible(t *testing.T) {
	t.Parallel()
	if !installed(t, "ansible-playbook") {
		return
	}
	w := started(t, "conf.d/*.ini", "", "", map[string]string{"conf.d/a.ini": sleeper("a", 1000), "conf.d/keep.ini": sleeper("keep", 1000)})
	w.becomes("a, keep")
	w.Write("ctl", "#!/bin/sh\nexec "+oracle.Command(t, oracle.Ours, "supervisorctl")+" \"$@\"\n")
	module := &ansibleModule{t: t}
	// task is one of a playbook, and how it is done without one.
	type task struct {
		yaml string
		do   func() (result string)
	}
	play := func(tasks []task) (recap string) {
		t.Helper()
		if !fullSize {
			results := make(map[string]int)
			for _, task := range tasks {
				results[task.do()]++
			}
			return fmt.Sprintf("ok=%d changed=%d failed=%d", results["ok"]+results["changed"], results["changed"], len(tasks)-results["ok"]-results["changed"])
		}
		text := "- hosts: localhost\n  connection: local\n  gather_facts: false\n  module_defaults:\n" +
			"    community.general.supervisorctl: {config: {{.Dir}}/supervisord.conf, supervisorctl_path: {{.Dir}}/ctl}\n  tasks:\n"
		for _, task := range tasks {
			text += "    - " + task.yaml + "\n"
		}
		w.Write("play.yml", text)
		// Pipelining leaves out the copies of modules, which cost more than what they do.
		out := w.sh("ANSIBLE_NOCOLOR=1 ANSIBLE_PIPELINING=1 ansible-playbook -i localhost, -e ansible_python_interpreter=/usr/bin/python3 play.yml")
		_, recap, _ = strings.Cut(out, "PLAY RECAP")
		_, recap, _ = strings.Cut(recap, ": ")
		return strings.Join(strings.Fields(recap), " ")
	}
	file := func(name, seconds string) task {
		path, text := "conf.d/"+name+".ini", "[program:"+name+"]\ncommand=/bin/sleep "+seconds+"\n"
		return task{fmt.Sprintf("copy: {dest: {{.Dir}}/%s, content: %q}", path, text), func() string {
			if w.Read(path) == text {
				return "ok"
			}
			w.Write(path, text)
			return "changed"
		}}
	}
	state := func(name, state string) task {
		return task{"community.general.supervisorctl: {name: " + name + ", state: " + state + "}", func() string {
			return w.ansible(oracle.Ours, module, name, state)
		}}
	}
	gone := func(name string) task {
		path := "conf.d/" + name + ".ini"
		return task{"file: {dest: {{.Dir}}/" + path + ", state: absent}", func() string {
			if err := os.Remove(w.Dir + "/" + path); err != nil {
				return err.Error()
			}
			return "changed"
		}}
	}
	// first waits until status ends so, when the watcher has been first. It does so within
	// one task, since each costs seconds of processor time.
	first := func(name string, status int) task {
		script := fmt.Sprintf("until {{.Dir}}/ctl -c {{.Dir}}/supervisord.conf status %s >/dev/null; [ $? = %d ]; do sleep 0.2; done", name, status)
		return task{fmt.Sprintf("{shell: %q, changed_when: false}", script), func() string {
			oracle.WaitFor(t, "the watcher to be first", func() bool { return w.State(name) == map[int]string{0: "RUNNING", 4: ""}[status] })
			return "ok"
		}}
	}
	rows := []struct {
		what     string
		tasks    []task
		recap    string
		sleepers string
		actions  int // of the daemon's own; -1 where that is chance
	}{
		{"a new program, the watcher first", []task{file("b", "1000"), first("b", 0), state("b", "present"), state("b", "started")}, "ok=4 changed=1 ", "a, b, keep", 1},
		{"another command, and a restart", []task{file("b", "2000"), state("b", "restarted")}, "ok=2 changed=2 ", "a, b=2000, keep", 1},
		{"stopped, absent, then the file", []task{state("b", "stopped"), state("b", "absent"), gone("b")}, "ok=3 changed=3 ", "a, keep", -1},

		{"a new program, neither waits for the other", []task{file("c", "1000"), state("c", "present"), state("c", "started")}, "ok=3 ", "a, c, keep", -1},
		{"the same again", []task{file("c", "1000"), state("c", "present"), state("c", "started")}, "ok=3 changed=0 ", "a, c, keep", 0},
		{"the file, then absent", []task{gone("c"), first("c", 4), state("c", "absent")}, "ok=3 changed=1 ", "a, keep", 1},
	}
	for _, r := range rows {
		w.doesIn(r.actions, r.what, func() {
			if got := play(r.tasks); !strings.HasPrefix(got, r.recap) || !strings.Contains(got, "failed=0") {
				t.Errorf("%s: %s, want %s", r.what, got, r.recap)
			}
		}, r.sleepers)
	}
}
