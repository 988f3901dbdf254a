package rpc

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime/needs"
)

// TestWhoNamesAProgram: the program to go on as is named over a unix socket, by root or by
// the daemon's own user. Everybody else who may order anything has the daemon's own file
// executed.
func TestWhoNamesAProgram(t *testing.T) {
	w := newFakeDaemon(t, "")
	o := w.options(shortDir(t))
	o.Servers[0].Mode = 0o666
	o.Servers[1].Username, o.Servers[1].Password = "", ""
	var executed, refused []string
	o.Extra = []Namespace{ReexecNamespace(Reexec{
		Begin: func(_ context.Context, path string) (xmlrpc.Struct, error) {
			executed = append(executed, path)
			return xmlrpc.Struct{}, nil
		},
		Refuse: func(ctx context.Context, reason string) error {
			refused = append(refused, Caller(ctx))
			return faultWith(xmlrpc.Failed, reason)
		},
		State: func() xmlrpc.Struct { return nil },
	})}
	s := serve(t, o)
	for server, may := range []bool{true, false} {
		executed, refused = nil, nil
		if _, err := dial(t, s, server).call("reconcile.reexec"); err != nil {
			t.Errorf("server %d: %v", server, err)
		}
		_, err := dial(t, s, server).call("reconcile.reexec", "/opt/supervisord")
		fault := (*xmlrpc.Fault)(nil)
		if may != (err == nil) || !may && (!errors.As(err, &fault) || fault.Code != xmlrpc.Failed) {
			t.Errorf("server %d: %v", server, err)
		}
		want := []string{""}
		if may {
			want = append(want, "/opt/supervisord")
		}
		if !slices.Equal(executed, want) {
			t.Errorf("server %d: executed %q, want %q", server, executed, want)
		}
		if noted := len(refused) == 1 && refused[0] != ""; noted == may {
			t.Errorf("server %d: refusals noted: %q", server, refused)
		}
	}
	needs.Root(t)
	if err := os.Chmod(s.servers[0].Path[:len(s.servers[0].Path)-len("/s.sock")], 0o755); err != nil {
		t.Fatal(err)
	}
	executed = nil
	stranger := dialAs(t, s.servers[0].Path, 65533)
	if _, err := stranger.Write([]byte(post(t, "reconcile.reexec", "/opt/supervisord"))); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4096)
	if n, err := stranger.Read(answer); err != nil || len(executed) > 0 {
		t.Errorf("a stranger has %q executed: %s, %v", executed, answer[:n], err)
	}
}
