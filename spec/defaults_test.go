package spec

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// everyKind has a section of every kind with what it requires and no more.
const everyKind = `[supervisord]
[unix_http_server]
file=/tmp/s
[inet_http_server]
port=9001
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[program:p]
command=x
[eventlistener:l]
command=x
events=EVENT
[fcgi-program:f]
command=x
socket=unix:///tmp/f
[group:g]
[supervisorctl]
`

// TestDefaults holds the value of every key that is not given against
// testdata/defaults.json, and that against the original (the file is one of those
// that TestHandwritten compares, too).
//
// Source: contract/config.md section 6.
func TestDefaults(t *testing.T) {
	h := &memHost{cwd: "/cwd", files: map[string]string{"/etc/c": everyKind}}
	cfg, err := Load(h, "/etc/c", Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(Normal(cfg, true), "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile("testdata/defaults.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/defaults.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, want := cfg.Daemon.Survivors, "stop"; got != want {
		t.Errorf("survivors is %s, want %s", got, want)
	}
	if got, want := cfg.Daemon.ReplyMemory, int64(64<<20); got != want {
		t.Errorf("reply_memory is %d, want %d", got, want)
	}
	if d := &cfg.Daemon; d.ExitWhen != ExitNever || d.ShutdownTimeout != 0 {
		t.Errorf("exit_when is %s, shutdown_timeout %v, want never and 0", d.ExitWhen, d.ShutdownTimeout)
	}
	ctl, err := LoadCtl(h, "/etc/c")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Ctl{ServerURL: "http://localhost:9001", Prompt: "supervisor"}, ctl); diff != "" {
		t.Errorf("supervisorctl (-want +got):\n%s", diff)
	}
}
