package oracle

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// forkServer runs Debian's supervisorctl, unchanged, in a process that has loaded it
// already: starting Python costs ten times what a command does. A process forked from
// that one costs three times as much, and only those commands have one that may leave
// something behind: what has standard input may start threads in a shell, and fg does.
//
//go:embed forkserver.py
var forkServer string

// A forkedClient is one fork server, which runs one command at a time. It ends with
// its standard input, at the latest when the test process does.
type forkedClient struct {
	dir      string // where the three streams of a command are
	requests io.Writer
	answers  *os.File
}

// idleClients are those that run no command.
var idleClients = make(chan *forkedClient, 64)

// runForked runs Debian's supervisorctl with these arguments until it ends.
func runForked(t testing.TB, dir string, env []string, stdin string, args ...string) Output {
	t.Helper()
	Require(t)
	var c *forkedClient
	select {
	case c = <-idleClients:
	default:
		var err error
		if c, err = startForked(); err != nil {
			t.Fatal(err)
		}
	}
	out, err := c.run(dir, env, stdin, args)
	if err != nil {
		t.Fatalf("the original's supervisorctl %q: %v\nstdout:\n%s\nstderr:\n%s", args, err, out.Stdout, out.Stderr)
	}
	idleClients <- c
	return out
}

func startForked() (*forkedClient, error) {
	dir, err := os.MkdirTemp(built.dir, "client")
	if err != nil {
		return nil, err
	}
	answers, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd := exec.Command("/usr/bin/python3", "-c", forkServer)
	cmd.Dir, cmd.Env = "/", environ("/")
	cmd.Stdout, cmd.Stderr = theirs, os.Stderr
	requests, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &forkedClient{dir, requests, answers}, cmd.Start()
}

// run has the server run one command. After an error it is no longer usable.
func (c *forkedClient) run(dir string, env []string, stdin string, args []string) (Output, error) {
	files := map[string]string{}
	for _, name := range []string{"in", "out", "err"} {
		files[name] = filepath.Join(c.dir, name)
	}
	if err := os.WriteFile(files["in"], []byte(stdin), 0o600); err != nil {
		return Output{}, err
	}
	own := stdin != "" || slices.Contains(args, "fg") || slices.Contains(args, "-f")
	request, err := json.Marshal(map[string]any{"dir": dir, "env": env, "files": files, "args": args, "own": own})
	if err != nil {
		return Output{}, err
	}
	if _, err := c.requests.Write(append(request, '\n')); err != nil {
		return Output{}, err
	}
	c.answers.SetReadDeadline(time.Now().Add(Deadline))
	line, err := bufio.NewReader(c.answers).ReadString('\n')
	out := Output{Stdout: read(files["out"]), Stderr: read(files["err"])}
	if err != nil {
		return out, err
	}
	_, err = fmt.Sscan(line, &out.Exit)
	return out, err
}
