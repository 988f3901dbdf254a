package cmd

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// fenced are the blocks of shell in a section of README.md.
func fenced(t *testing.T, heading string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("README.md has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for _, m := range regexp.MustCompile("(?s)\n```sh\n(.*?)\n```\n").FindAllStringSubmatch(section, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// pasted runs lines as somebody would who pastes them into a shell, in a clean
// directory that it returns, with our programs in the PATH. As root it has a machine of
// its own, where prepare has been run before and become may change the user.
func pasted(t *testing.T, lines, prepare string, become ...string) (dir, output string) {
	t.Helper()
	dir = t.TempDir()
	for up := dir; strings.Contains(up, t.Name()[:4]); up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o755); err != nil { // for whom become names
			t.Fatal(err)
		}
	}
	var path []string
	for _, name := range []string{"supervisord", "supervisorctl"} {
		path = append(path, filepath.Dir(oracle.Command(t, oracle.Ours, name)))
	}
	shell := append(become, "bash", "-c", "set -e; cd play\n"+lines)
	cmd := exec.Command(shell[0], shell[1:]...)
	if os.Getuid() == 0 {
		cmd = exec.Command("sh", append([]string{"-ec", `mount --make-rprivate /
			mount -t tmpfs none /run; mount -t tmpfs none /var/lib; 
			` + prepare + `
			exec "$@"`, "sh"}, shell...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	}
	for _, sub := range []string{"play", "run", "state"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + strings.Join(path, ":") + ":/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + dir,
		"XDG_RUNTIME_DIR=" + dir + "/run", "XDG_STATE_HOME=" + dir + "/state", "TMPDIR=" + dir + "/state"}
	// No pipe, which a daemon that is left would keep open.
	out, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := time.AfterFunc(oracle.Deadline, func() { cmd.Process.Kill() })
	err = cmd.Wait()
	if !killed.Stop() {
		err = fmt.Errorf("not done after %v", oracle.Deadline)
	}
	text, _ := os.ReadFile(out.Name())
	if err != nil {
		said, _ := os.ReadFile(filepath.Join(dir, "play/supervisord.out"))
		t.Fatalf("%v\n%s\nthe daemon:\n%s", err, text, said)
	}
	return dir + "/play", string(text)
}

// asNobody is how root becomes an ordinary user.
var asNobody = []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"}

// TestReadmeFirstScreens: what README.md begins with works as it stands, in order, in a
// clean directory: as root and as nobody, with Debian's configuration and without; and
// nothing that it prints is alarming.
func TestReadmeFirstScreens(t *testing.T) {
	t.Parallel()
	blocks := fenced(t, "Try it")
	if len(blocks) < 3 || !strings.Contains(blocks[0], "go build") {
		t.Fatalf("the blocks are %q", blocks)
	}
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	readme, _ := os.ReadFile("../README.md")
	if m := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod); !strings.Contains(string(readme), "Go "+string(m[1])+" or newer") {
		t.Errorf("README.md does not ask for Go %s", m[1])
	}
	lines := strings.Join(blocks[1:], "\n") + "\nwait\n"
	want := regexp.MustCompile(`(?s)^hello +RUNNING +pid \d+, uptime 0:00:0\d\n(hello\n)+\n(hello\n)+(good day\n)+\n` +
		`3  \S+ \S+  watch +applied  \S+ +remove hello\n    hello: it is gone from the files\n2  \S+ \S+  watch +applied  \S+ +restart hello\n    hello: command differs: [^\n]+\n1  \S+ \S+  watch +applied  \S+ +add hello\n    hello: it is new in the files\n0  \S+ \S+  start +applied  \S+\nShut down\n$`)
	for name, row := range map[string]struct {
		prepare string
		become  []string
	}{
		"as it is":       {},
		"without Debian": {prepare: "mkdir -p /etc/supervisor; mount -t tmpfs none /etc/supervisor"},
		"nobody":         {prepare: "chown 65534 play run state", become: asNobody},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if os.Getuid() != 0 && name != "as it is" {
				t.Log("left out: only root can prepare it")
				return
			}
			dir, output := pasted(t, lines, row.prepare, row.become...)
			if !want.MatchString(output) {
				t.Errorf("it prints:\n%s", output)
			}
			said, err := os.ReadFile(filepath.Join(dir, "supervisord.out"))
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(said)) {
				if strings.Contains(line, " CRIT ") || strings.Contains(line, " WARN ") || strings.Contains(line, " ERRO ") {
					t.Errorf("the daemon says: %s", line)
				}
			}
		})
	}
}

// TestReadmeTLS: the example works as it stands, but for the port, which may be taken.
func TestReadmeTLS(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Logf("left out: %v", err)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	blocks := fenced(t, "Over the network")
	if len(blocks) != 1 || strings.Count(blocks[0], "127.0.0.1:9001") != 2 {
		t.Fatalf("the blocks are %q", blocks)
	}
	lines := strings.ReplaceAll(blocks[0], "127.0.0.1:9001", "127.0.0.1:"+port)
	l.Close()
	_, output := pasted(t, lines+"\nwhile test -e supervisord.pid; do sleep 0.1; done\n", "")
	if !strings.HasSuffix(output, "\n4.3.0\nShut down\n") {
		t.Errorf("it prints:\n%s", output)
	}
}

// TestReadmeUnit: systemd understands the unit in README.md, which has nothing that makes
// a failure of a shutdown by hand.
func TestReadmeUnit(t *testing.T) {
	t.Parallel()
	var unit string
	for _, block := range fenced(t, "Install") {
		if m := regexp.MustCompile(`(?s)cat > \S+\.service <<'END'\n(.*?)END\n`).FindStringSubmatch(block); m != nil {
			unit = m[1]
		}
	}
	if !strings.Contains(unit, "\nType=notify\n") || strings.Contains(unit, "ExecStop") {
		t.Fatalf("the unit is\n%s", unit)
	}
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Logf("left out: %v", err)
		return
	}
	for _, name := range []string{"supervisord", "supervisorctl"} { // which need not be installed here
		unit = strings.ReplaceAll(unit, "/usr/local/bin/"+name, oracle.Command(t, oracle.Ours, name))
	}
	path := filepath.Join(t.TempDir(), "readme-example.service")
	if err := os.WriteFile(path, []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(verify, "verify", "--recursive-errors=no", "--man=no", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}
