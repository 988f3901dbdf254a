package reconcile

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// TestWriters lets the programs with which people and machines write files do
// so: each reaches exactly the right state, with as many actions as there are
// differences, and without touching what did not change. Where a program is not
// to be had on the machine its own sequence of system calls stands in.
//
// Source: reconciler.md, What it must withstand, Writers.
func TestWriters(t *testing.T) {
	t.Parallel()
	type step struct {
		sh      string
		groups  string
		actions int
	}
	// keep has a process in every fixture that must never be touched.
	files := map[string]string{"conf.d/keep.ini": ini("keep"), "conf.d/a.ini": ini("a")}
	const start = "a, keep"
	newA := `printf '[program:a]\ncommand=/bin/n\n'`
	rows := []struct {
		name  string
		needs string
		setup string
		steps []step
	}{
		{"echo in several writes", "", "", []step{
			{`echo '[program:b]' >conf.d/b.ini; echo command=/bin/b >>conf.d/b.ini; echo priority=5 >>conf.d/b.ini`, "a, b, keep", 1},
			{inPlace(`echo '[program:a]' >conf.d/a.ini; echo command=/bin/n >>conf.d/a.ini`), "a=n, b, keep", 1},
		}},
		{"write a temporary file and rename it", "", "", []step{
			{anew(newA + ` >conf.d/a.ini.tmp; mv conf.d/a.ini.tmp conf.d/a.ini`), "a=n, keep", 1},
			{`printf '[program:b]\ncommand=/bin/b\n' >conf.d/.b; mv conf.d/.b conf.d/b.ini`, "a=n, b, keep", 1},
		}},
		{"vim, by renaming", "vim", "", []step{
			{anew(`vim -Nu NONE -es -c 'set backupcopy=no backup backupskip=' -c '%s#/bin/a#/bin/n#' -c wq conf.d/a.ini </dev/null`), "a=n, keep", 1},
		}},
		{"vim, in place", "vim", "", []step{
			{inPlace(`vim -Nu NONE -es -c 'set backupcopy=yes' -c '%s#/bin/a#/bin/n#' -c wq conf.d/a.ini </dev/null`), "a=n, keep", 1},
			{`vim -Nu NONE -es -c 'w! conf.d/b.ini' -c 'q' /dev/null </dev/null; vim -Nu NONE -es -c 'normal i[program:b]' -c 'normal ocommand=/bin/b' -c wq conf.d/b.ini </dev/null`, "a=n, b, keep", 1},
		}},
		{"sed -i", "sed", "", []step{{anew(`sed -i s#/bin/a#/bin/n# conf.d/a.ini`), "a=n, keep", 1}}},
		{"emacs: a lock, a backup by renaming, then the file", "", "", []step{
			{anew(`ln -s me@here.1:1 'conf.d/.#a.ini'; printf x >'conf.d/#a.ini#'; mv conf.d/a.ini conf.d/a.ini~; ` + newA + ` >conf.d/a.ini; rm 'conf.d/.#a.ini' 'conf.d/#a.ini#'`), "a=n, keep", 1},
		}},
		{"rsync", "rsync", "mkdir src; cp -a conf.d/. src", []step{
			{anew(newA + ` >src/a.ini; printf '[program:b]\ncommand=/bin/b\n' >src/b.ini; rsync -a --delete src/ conf.d/`), "a=n, b, keep", 2},
			{`rm src/a.ini; rsync -a --delete src/ conf.d/`, "b, keep", 1},
			{`touch src/b.ini; rsync -a --delete src/ conf.d/`, "b, keep", 0},
		}},
		{"rsync --inplace", "rsync", "mkdir src; cp -a conf.d/. src", []step{
			{inPlace(newA + ` >src/a.ini; rsync -a --inplace --delete src/ conf.d/`), "a=n, keep", 1},
		}},
		{"rsync that preserves times", "rsync", "mkdir src; cp -a conf.d/. src; touch -d @1000000000 src/a.ini; rsync -a --delete src/ conf.d/", []step{
			{anew(`sed s#/bin/a#/bin/n# src/a.ini >n; touch -d @1000000000 n; mv n src/a.ini; rsync -ac src/ conf.d/`), "a=n, keep", 1},
		}},
		{"Ansible's atomic move", "", "", []step{
			{anew(newA + ` >conf.d/.ansible_tmpx1y2a.ini; chmod 644 conf.d/.ansible_tmpx1y2a.ini; mv -T conf.d/.ansible_tmpx1y2a.ini conf.d/a.ini; chown $(id -u) conf.d/a.ini`), "a=n, keep", 1},
		}},
		{"git checkout of many files, and back", "git", gitSetup, []step{
			{anew(`git -C conf.d checkout -q more`), "a=n, b00, b01, b02, b03, b04, b05, b06, b07, b08, b09, keep", 11},
			{anew(`git -C conf.d checkout -q main`), "a, keep", 11},
		}},
		{"git pull", "git", gitSetup + `; git clone -q conf.d clone; git -C conf.d checkout -q more; mv conf.d origin; mv clone conf.d; git -C conf.d remote set-url origin "$PWD/origin"`, []step{
			{`git -C conf.d pull -q --ff-only origin more`, "a=n, b00, b01, b02, b03, b04, b05, b06, b07, b08, b09, keep", 11},
		}},
		{"git-sync: the link of a worktree is flipped", "", `mkdir wt; mv conf.d wt/1; ln -s wt/1 conf.d`, []step{
			{`cp -r wt/1 wt/2; ` + newA + ` >wt/2/a.ini; printf '[program:b]\ncommand=/bin/b\n' >wt/2/b.ini; ln -s wt/2 tmp-link; mv -T tmp-link conf.d; rm -r wt/1`, "a=n, b, keep", 2},
			{`cp -r wt/2 wt/3; rm wt/3/b.ini; ln -s wt/3 tmp-link; mv -T tmp-link conf.d; rm -r wt/2`, "a=n, keep", 1},
			{`cp -r wt/3 wt/4; ln -s wt/4 tmp-link; mv -T tmp-link conf.d; rm -r wt/3`, "a=n, keep", 0},
		}},
		{"a ConfigMap volume: ..data is flipped", "", `mkdir v; cd v; mkdir ..1; mv ../conf.d/*.ini ..1; ln -s ..1 ..data; ln -s ..data/a.ini a.ini; ln -s ..data/keep.ini keep.ini; cd ..; rmdir conf.d; mv v conf.d`, []step{
			{`cd conf.d; mkdir ..2; cp ..1/keep.ini ..2; ` + newA + ` >..2/a.ini; ln -s ..2 ..data_tmp; mv -T ..data_tmp ..data; rm -r ..1`, "a=n, keep", 1},
			{`cd conf.d; mkdir ..3; cp ..2/*.ini ..3; printf '[program:b]\ncommand=/bin/b\n' >..3/b.ini; ln -s ..3 ..data_tmp; mv -T ..data_tmp ..data; ln -s ..data/b.ini b.ini; rm -r ..2`, "a=n, b, keep", 1},
			{`cd conf.d; mkdir ..4; cp ..3/keep.ini ..3/b.ini ..4; ln -s ..4 ..data_tmp; mv -T ..data_tmp ..data; rm a.ini; rm -r ..3`, "b, keep", 1},
		}},
		{"docker cp: the old file goes, the new one is written", "", "", []step{
			{anew(`rm conf.d/a.ini; ` + newA + ` >conf.d/a.ini; touch -d @1500000000 conf.d/a.ini`), "a=n, keep", 1},
		}},
		{"dpkg: a new file beside, a backup, a rename", "", "", []step{
			{anew(newA + ` >conf.d/a.ini.dpkg-new; ln conf.d/a.ini conf.d/a.ini.dpkg-tmp; mv conf.d/a.ini.dpkg-new conf.d/a.ini; rm conf.d/a.ini.dpkg-tmp`), "a=n, keep", 1},
			{`printf '[program:b]\ncommand=/bin/b\n' >conf.d/b.ini.dpkg-new; mv conf.d/b.ini.dpkg-new conf.d/b.ini; cp conf.d/b.ini conf.d/b.ini.dpkg-old`, "a=n, b, keep", 1},
		}},
		{"two files swapped", "", newA + ` | sed s/program:a/program:b/ >conf.d/b.ini`, []step{
			{`mv conf.d/a.ini t; mv conf.d/b.ini conf.d/a.ini; mv t conf.d/b.ini`, "a, b=n, keep", 0},
		}},
		{"a file moved between two directories", "", `mkdir conf2`, []step{
			{`mv conf.d/a.ini conf2/a.ini`, "a, keep", 0},
			{`mv conf2/a.ini conf2/z.ini`, "a, keep", 0},
		}},
		{"equal size and equal time", "", "touch -d @1000000000 conf.d/a.ini", []step{
			{inPlace(`sed s#/bin/a#/bin/n# conf.d/a.ini >t; touch -d @1000000000 t; cat t >conf.d/a.ini; touch -d @1000000000 conf.d/a.ini`), "a=n, keep", 1},
		}},
		{"touch, chmod, comments, order of keys", "", "", []step{
			{inPlace(`touch conf.d/*.ini`), start, 0},
			{inPlace(`chmod 600 conf.d/a.ini; chmod 644 conf.d/a.ini`), start, 0},
			{inPlace(`echo '; a comment' >>conf.d/a.ini; printf '\n\n' >>conf.d/keep.ini`), start, 0},
			{inPlace(`printf '; first\n[program:a]\nautostart = true\ncommand = /bin/a   ; the same\n' >conf.d/a.ini`), start, 0},
		}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			if r.needs != "" && !installed(t, r.needs) {
				return
			}
			w := newFixture(t, "", files)
			// The settle time is for commands of several writes on a busy machine.
			w.write("main.conf", "[supervisord]\n[include]\nfiles = conf.d/*.ini conf2/*.ini\n[reconcile]\nstatedir="+w.root+"/state\nsettle=400ms\nsettle_removals=0\nrescan=0\nmax_removals=100%\n")
			if r.setup != "" {
				w.sh(r.setup)
			}
			w.start()
			initial := w.groups()
			for i, s := range r.steps {
				if i > 0 {
					// An update of the same group within a second waits for it.
					w.eventually("the last update is a second old", func() bool {
						h := w.rec.History(1)[0]
						return time.Since(h.Time) > updateEvery
					})
				}
				before, pid := len(w.rec.History(0)), w.table.pidOf("keep", "keep")
				if s.actions == 0 {
					w.still(s.sh, func() { w.sh(s.sh) })
				} else {
					w.sh(s.sh)
				}
				w.becomes(s.groups)
				w.phase(Synced)
				n := 0
				for _, e := range w.rec.History(len(w.rec.History(0)) - before) {
					if before < len(w.rec.History(0)) {
						n += len(e.Actions)
					}
				}
				if n != s.actions {
					t.Errorf("%s\n%d actions, want %d: %+v", s.sh, n, s.actions, w.rec.History(0)[:len(w.rec.History(0))-before])
				}
				if w.table.pidOf("keep", "keep") != pid {
					t.Errorf("%s: what did not change was touched", s.sh)
				}
			}
			if initial == "" {
				t.Error("nothing was there at the start")
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

// gitSetup makes conf.d a repository with a branch on which a differs and ten
// programs are more.
const gitSetup = `cd conf.d; git init -q -b main .; git config user.email a@b; git config user.name n; git add .; git commit -q -m one
git checkout -q -b more; sed -i s#/bin/a#/bin/n# a.ini; for i in 0 1 2 3 4 5 6 7 8 9; do printf '[program:b0%s]\ncommand=/bin/b0%s\n' $i $i >b0$i.ini; done
git add .; git commit -q -m two; git checkout -q main; cd ..`

// installed reports whether the machine has a program. Where the tests must be
// whole (REQUIRE_SUPERVISOR=1, as in CI) it must.
func installed(t *testing.T, program string) bool {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("REQUIRE_SUPERVISOR") == "1" {
			t.Fatal(err)
		}
		t.Logf("not tried: %v", err)
		return false
	}
	return true
}

// TestNano edits a file in nano's screen, as a person does.
func TestNano(t *testing.T) {
	t.Parallel()
	if !installed(t, "nano") {
		return
	}
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a")}).start()
	before, err := os.Open(w.root + "/conf.d/a.ini")
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	cmd := exec.Command("nano", "--ignorercfiles", "conf.d/a.ini")
	cmd.Dir = w.root
	cmd.Env = append(os.Environ(), "TERM=vt100", "HOME="+w.root)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	screen := new(logBuffer)
	go io.Copy(screen, tty) // ends when tty is closed
	w.eventually("nano shows the file", func() bool { return strings.Contains(screen.String(), "command=/bin/a") })
	// To the end, a new line, save under the same name, leave.
	fmt.Fprint(tty, "\x1b/\rcommand=/bin/n\x0f\r")
	w.becomes("a=n")
	fmt.Fprint(tty, "\x18")
	if err := cmd.Wait(); err != nil {
		t.Errorf("nano: %v\n%s", err, screen)
	}
	was, err := before.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if now, err := os.Stat(before.Name()); err != nil || !os.SameFile(was, now) {
		t.Errorf("nano did not write in place: %v", err)
	}
}
