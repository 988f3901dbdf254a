package cmd

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// ansibleModule is Ansible's module for supervisorctl in a Python that makes a process for
// each call, as Ansible would, but without the time that the imports take. It begins with
// its first call.
type ansibleModule struct {
	t   *testing.T
	in  *json.Encoder
	out *json.Decoder
}

const ansibleModuleScript = `
import json, os, sys, tempfile
from ansible_collections.community.general.plugins.modules.supervisorctl import main
for line in sys.stdin:
    with tempfile.TemporaryFile() as output:
        pid = os.fork()
        if pid == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            sys.argv = ["ansible", json.loads(line)]
            sys.exit(main())
        os.waitpid(pid, 0)
        output.seek(0)
        print(json.dumps(output.read().decode()), flush=True)
`

func (m *ansibleModule) begin() {
	python := exec.Command("/usr/bin/python3", "-c", ansibleModuleScript)
	python.Stderr = os.Stderr
	in, err := python.StdinPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	out, err := python.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := python.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		in.Close()
		if err := python.Wait(); err != nil {
			m.t.Error(err)
		}
	})
	m.in, m.out = json.NewEncoder(in), json.NewDecoder(out)
}

// run calls the module with these arguments, as JSON, and returns what it prints.
func (m *ansibleModule) run(args []byte) (output string) {
	m.t.Helper()
	if m.in == nil {
		m.begin()
	}
	err := m.in.Encode(string(args))
	if err == nil {
		err = m.out.Decode(&output)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return output
}

// ansible is what Ansible's module reports.
func (w *fixture) ansible(client oracle.Kind, module *ansibleModule, name, state string) string {
	w.t.Helper()
	args, err := json.Marshal(map[string]any{"ANSIBLE_MODULE_ARGS": map[string]string{
		"name": name, "state": state, "config": w.Config, "supervisorctl_path": oracle.Command(w.t, client, "supervisorctl"),
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	out := module.run(args)
	var result struct {
		Changed, Failed bool
		Msg             string
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
	switch {
	case result.Failed:
		return "failed: " + strings.TrimSpace(result.Msg)
	case result.Changed:
		return "changed"
	}
	return "ok"
}
