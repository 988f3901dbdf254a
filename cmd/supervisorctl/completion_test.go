package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// shellCommand is a shell without anyone's configuration, with our supervisorctl
// on its PATH.
func shellCommand(t *testing.T, shell, dir string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		if os.Getenv("REQUIRE_SUPERVISOR") == "1" {
			t.Fatalf("%s is not installed: %v", shell, err)
		}
		t.Skipf("%s is not installed", shell)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = dir, append(clientEnv(dir), "TERM=dumb",
		"PATH="+filepath.Dir(oracle.Command(t, oracle.Ours, "supervisorctl"))+":"+os.Getenv("PATH"))
	return cmd
}

func shellOutput(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

// completions are what follows the program's name, and what it completes to; SOCK
// is the URL of a server.
var completions = []struct{ line, want string }{
	{"ver", "version"},
	{"st", "start status stop"},
	{"-s SOCK status ", "cat two:* two:one two:other"},
	{"-s SOCK -i start c", "cat"},
	{"-s SOCK --timeout=1 start cat two:ot", "two:other"},
	{"autoupdate ", "off on"},
	{"dis", "disable"},
	{"-s SOCK history s", "show"},
	{"-s SOCK history show 1", "12"},
	{"-s SOCK disable tw", "two two:* two:one two:other"},
	{"-s SOCK pause c", "cat"},
	{"-s SOCK resume cat two:ot", "two:other"},
	{"-s unix:///nope status ", ""},
	{"--his", "--history_file"},
	{"-i --", "--binary --configuration --for --help --history_file --interactive --password --plan --problems --reason --revision --rolling --serverurl --state --timeout --tree --username --watch --with-deps"},
	{"-o json --problems -s SOCK status c", "cat"},
	{"status -s SOCK tw", "two:* two:one two:other"},
	{"-o js", ""},
	{"-s SOCK signal USR", "USR1 USR2"},
	{"-s SOCK signal HUP c", "cat"},
	{"-c mine", "mine.conf"},
	{"--history_file min", "mine.conf"},
	{"-u mine", ""},
}

// completionDir is a directory with a file, and the rows for a server.
func completionDir(t *testing.T) (dir string, line func(string) string) {
	t.Helper()
	server := fakeServer()
	with(server.answers, "getHistory", []any{entryOf(12, "", ""), entryOf(12, "", ""), entryOf(9, "", "")})
	socket := server.serve(t)
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine.conf"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, func(line string) string { return "supervisorctl " + strings.ReplaceAll(line, "SOCK", "unix://"+socket) }
}

func TestCompletionBash(t *testing.T) {
	t.Parallel()
	dir, line := completionDir(t)
	for _, row := range completions {
		typed := line(row.line)
		script := fmt.Sprintf("source <(supervisorctl completion bash)\nCOMP_LINE=%q COMP_POINT=%d\n_supervisorctl\necho ${COMPREPLY[*]}\n",
			typed, len(typed))
		cmd := shellCommand(t, "bash", dir, "--norc", "-f", "-c", script)
		want := row.want
		if want == "two:other" {
			want = "other" // bash has parted the word at the colon
		}
		if got := shellOutput(t, cmd); got != want {
			t.Errorf("%q completes to %q, want %q", row.line, got, want)
		}
	}
}

func TestCompletionFish(t *testing.T) {
	t.Parallel()
	dir, line := completionDir(t)
	for _, row := range completions {
		script := fmt.Sprintf("supervisorctl completion fish | source; complete -C %q", line(row.line))
		cmd := shellCommand(t, "fish", dir, "--no-config", "-c", script)
		if got := shellOutput(t, cmd); got != row.want {
			t.Errorf("%q completes to %q, want %q", row.line, got, row.want)
		}
	}
}

// TestCompletionZsh types at zsh, whose completion works nowhere else.
func TestCompletionZsh(t *testing.T) {
	t.Parallel()
	dir, line := completionDir(t)
	cmd := shellCommand(t, "zsh", dir, "-f", "-i")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	term := startCommand(t, cmd)
	const mark = "\nzsh>"
	term.send("PROMPT='zsh''> '; setopt interactive_comments; unsetopt prompt_cr prompt_sp list_beep; stty cols 400\r")
	term.expect(mark)
	term.send("autoload -Uz compinit && compinit -u -D; source <(supervisorctl completion zsh)\r")
	term.expect(mark)
	for i, row := range completions {
		words := strings.Fields(row.want)
		if len(words) == 0 {
			continue // nothing is shown
		}
		if len(words) == 1 {
			term.send(line(row.line) + "\t")
			term.expect(line(row.line[:strings.LastIndexByte(row.line, ' ')+1]) + words[0])
		} else {
			term.send(line(row.line) + "\t\t") // the first may do no more than add what is common
			for _, word := range words {
				term.expect(strings.ReplaceAll(word, "*", `\*`))
			}
		}
		// The line becomes a comment. zsh shows its prompt below a list again, so
		// the row's end has a number.
		term.send(fmt.Sprintf("\x01#\rprint end''%d\r", i))
		term.expect(fmt.Sprintf("\nend%d%s", i, mark))
	}
	term.send("exit\r")
	term.wait()
}
