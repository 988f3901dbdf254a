package main

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// forkServer runs Debian's supervisorctl, unchanged, in processes forked from
// one that has loaded it already: starting Python costs ten times what a
// command does.
//
//go:embed testdata/forkserver.py
var forkServer string

// originals are as many fork servers as there are processors to use.
var originals = sync.OnceValues(func() (chan *original, error) {
	const count = 2
	pool := make(chan *original, count)
	for range count {
		o, err := startOriginal()
		if err != nil {
			return nil, err
		}
		pool <- o
	}
	return pool, nil
})

// original is one fork server. It ends with its standard input, at the latest
// when the test process does.
type original struct {
	requests io.Writer
	replies  *bufio.Reader
}

func startOriginal() (*original, error) {
	cmd := exec.Command("/usr/bin/python3", "-c", forkServer)
	cmd.Env = clientEnv("/")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &original{in, bufio.NewReader(out)}, cmd.Start()
}

// ctl runs a supervisorctl of either kind in dir until it ends.
func ctl(t *testing.T, kind oracle.Kind, dir, stdin string, args ...string) oracle.Output {
	t.Helper()
	if kind == oracle.Ours {
		return runClient(t, kind, dir, stdin, args...)
	}
	oracle.Require(t)
	pool, err := originals()
	if err != nil {
		t.Fatal(err)
	}
	o := <-pool
	defer func() { pool <- o }()
	files := t.TempDir()
	if err := os.WriteFile(filepath.Join(files, "in"), []byte(stdin), 0o600); err != nil {
		t.Fatal(err)
	}
	request, err := json.Marshal(map[string]any{"dir": dir, "files": files, "args": append([]string{}, args...)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.requests.Write(append(request, '\n')); err != nil {
		t.Fatal(err)
	}
	reply, err := o.replies.ReadBytes('\n')
	if err != nil {
		t.Fatalf("the fork server of the original: %v", err)
	}
	var exit int
	if err := json.Unmarshal(bytes.TrimSpace(reply), &exit); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(files, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return oracle.Output{Stdout: read("out"), Stderr: read("err"), Exit: exit}
}
