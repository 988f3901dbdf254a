package rpc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime/hang"
)

// TestLogOnAHungDisk: whoever asks for a log whose disk does not answer gets a fault in
// the end, clients who do not wait for it leave nothing behind, and all others go on.
func TestLogOnAHungDisk(t *testing.T) {
	w, o := unixOnly(t)
	o.MaxConns = 16
	s := serve(t, o)
	dir := filepath.Dir(w.procs[1].StdoutLog)
	release := make(chan struct{})
	defer close(release)
	for range 8 { // as many as want; few of them are let in
		go hang.Ask(t.Context(), s.disks, dir, func() (any, error) { <-release; return nil, nil })
	}
	doc, err := xmlrpc.EncodeCall("supervisor.tailProcessStdoutLog", "cat", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	for range 4 * o.MaxConns {
		conn := sendRaw(t, s, fmt.Sprintf("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(doc), doc))
		conn.Close()
	}
	eventually(t, "a short call is answered", func() bool {
		_, err := dial(t, s, 0).call("supervisor.getState")
		return err == nil
	})
	c, silent := dial(t, s, 0), dir+" does not answer"
	for call, params := range map[string][]any{
		"supervisor.tailProcessStdoutLog": {"cat", 0, 10},
		"supervisor.readProcessStdoutLog": {"cat", 0, 10},
	} {
		if _, err := c.call(call, params...); err == nil || err.Error() != "[30] FAILED: "+silent {
			t.Errorf("%s: %v", call, err)
		}
	}
	if resp, body := c.do(t, "GET", "/logtail/cat", ""); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, silent) {
		t.Errorf("a stream: %s %s", resp.Status, body)
	}
	if resp, body := c.do(t, "GET", "/tail.html?processname=cat", ""); resp.StatusCode != http.StatusOK || !strings.Contains(body, "FAILED") {
		t.Errorf("a page: %s %s", resp.Status, body)
	}
	var why *hang.Silent
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := hang.Ask(ctx, s.disks, dir, func() (any, error) { return nil, nil }); !errors.As(err, &why) {
		t.Errorf("the directory is asked anew: %v", err)
	}
}
