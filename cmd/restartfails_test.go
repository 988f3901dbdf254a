package cmd

import (
	"strings"
	"syscall"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// TestFailedRestartSaysWhy: a daemon in the background that does not come up again
// after a SIGHUP says why in the log that it had, whichever step failed.
func TestFailedRestartSaysWhy(t *testing.T) {
	t.Parallel()
	const holding = oracle.Prelude + `
[program:p]
command=/bin/sh -c "trap '' TERM; echo ready; while ! test -e {{.Dir}}/go; do sleep 0.05; done"
stdout_logfile={{.Dir}}/p.out
stopwaitsecs=100
`
	for _, test := range []struct {
		name string
		fail func(s *eventRun)
		want string
	}{
		{"log", func(s *eventRun) {
			s.Write("conf.d/x", "") // a directory is no log, which only opening it shows
			s.Write("supervisord.conf", strings.Replace(holding, "{{.Dir}}/supervisord.log", "{{.Dir}}/conf.d", 1))
			s.Signal(syscall.SIGHUP)
			s.logged("waiting for p to die")
			s.Write("go", "")
		}, `CRIT cannot restart: cannot open logfile "{{.Dir}}/conf.d"`},
		{"configuration", func(s *eventRun) {
			s.Signal(syscall.SIGHUP)
			s.logged("waiting for p to die") // it has been read and found good
			s.Write("supervisord.conf", strings.Replace(holding, "stopwaitsecs=100", "stopwaitsecs=many", 1))
			s.Write("go", "")
		}, "CRIT cannot restart: invalid literal for int() with base 10: 'many' in section 'program:p'"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := &eventRun{oracle.StartDetached(t, oracle.Ours, t.TempDir(), holding), t}
			if status := s.Wait(); status != 0 { // from now on signals go to the daemon
				t.Fatalf("exit status %d", status)
			}
			s.wait("p", func() bool { return s.Read("p.out") != "" })
			test.fail(s)
			s.logged(strings.ReplaceAll(test.want, "{{.Dir}}", s.Dir))
		})
	}
}
