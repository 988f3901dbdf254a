package cmd

import (
	"io"
	"strings"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// TestStalledListenerIsReported lets a listener without stall_timeout be silent. At
// once, status and metrics say how many events wait for it; after a minute, with
// FULL_SIZE=1, the log does too, once.
func TestStalledListenerIsReported(t *testing.T) {
	t.Parallel()
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+
		strings.Replace(rec("mailer", remote, "silent", "startsecs=0"), "buffer_size=100", "buffer_size=1000", 1)), t}
	s.until("mailer", "RUNNING")
	client := s.KeptClient()
	for range 215 { // one is with the listener
		if _, err := client.Call("supervisor.sendRemoteCommEvent", "t", "x"); err != nil {
			t.Fatal(err)
		}
	}
	s.seen("mailer", remote, 1)
	status := s.Ctl(oracle.Ours, "status", "-o", "json").Stdout
	for _, want := range []string{`"statename": "BUSY"`, `"waiting": 214`, `"dropped": 0`} {
		if !strings.Contains(status, want) {
			t.Errorf("status does not say %s:\n%s", want, status)
		}
	}
	reply, err := s.HTTPClient().Get("http://daemon/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	metrics, err := io.ReadAll(reply.Body)
	if want := `supervisord_listener_waiting_events{group="mailer",name="mailer"} 214`; err != nil || !strings.Contains(string(metrics), want) {
		t.Errorf("metrics do not say %s (%v):\n%s", want, err, metrics)
	}
	if !fullSize {
		return
	}
	const report = "listener mailer has not answered for 60s, 214 events waiting"
	if !oracle.Eventually(time.Minute+oracle.Deadline, func() bool { return strings.Contains(s.Log(), report) }) {
		t.Fatalf("the log does not say %s", report)
	}
	if n := strings.Count(s.Log(), "has not answered"); n != 1 {
		t.Errorf("it is reported %d times", n)
	}
}
