package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// TestSignalStorm sends SIGCHLD and SIGUSR2 as fast as it can, for 2 s, 30 s with
// FULL_SIZE=1, while programs end all the time and another writes. No status is
// lost, no byte, and the daemon answers.
func TestSignalStorm(t *testing.T) {
	t.Parallel()
	total := size(4<<20, 64<<20)
	s := &eventRun{oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+fmt.Sprintf(`
[program:writer]
command={{.Self}} numbered %d
autorestart=false
stdout_logfile={{.Dir}}/writer.log
stdout_logfile_maxbytes=%d
stdout_logfile_backups=100

[program:quick]
command=/bin/sh -c 'trap "" TERM; echo >>{{.Dir}}/%%(process_num)d.count; exit 3%%(process_num)d'
process_name=%%(process_num)d
numprocs=4
startsecs=0
exitcodes=30,31,32,33
autorestart=true
stdout_logfile=NONE
stderr_logfile=NONE
`, total, total/40)), t}
	s.until("writer", "RUNNING")
	s.call("sendProcessStdin", "writer", "go\n")

	stop := make(chan struct{})
	var senders sync.WaitGroup
	sent := make([]int, 2)
	for i, sig := range []syscall.Signal{syscall.SIGCHLD, syscall.SIGUSR2} {
		senders.Go(func() {
			for ; ; sent[i]++ {
				select {
				case <-stop:
					return
				default:
					s.Signal(sig)
				}
			}
		})
	}
	client := s.KeptClient()
	worst := time.Duration(0)
	for begun := time.Now(); time.Since(begun) < size(2*time.Second, 30*time.Second); {
		asked := time.Now()
		if _, err := client.Call("supervisor.getState"); err != nil {
			t.Fatal(err)
		}
		worst = max(worst, time.Since(asked))
	}
	close(stop)
	senders.Wait()
	s.wait("the writer's end", func() bool { return s.State("writer") == "EXITED" })
	s.Stop()

	if n := gaps(t, spans(t, filepath.Join(s.Dir, "writer.log*")), linesOf(total)); n != 0 {
		t.Errorf("%d gaps in the writer's log", n)
	}
	ends := 0
	log := wholeLog(t, s.Dir)
	for i := range 4 {
		began := len(s.Read(strconv.Itoa(i) + ".count"))
		ended := strings.Count(log, fmt.Sprintf("exited: %d (exit status 3%[1]d; expected)", i)) +
			strings.Count(log, fmt.Sprintf("stopped: %d (exit status 3%[1]d)", i))
		if began != ended {
			t.Errorf("program %d ran %d times, its status is in the log %d times", i, began, ended)
		}
		ends += ended
	}
	if ends < 20 {
		t.Errorf("only %d programs ended", ends)
	}
	t.Logf("%d SIGCHLD, %d SIGUSR2, %d ends, slowest getState %v", sent[0], sent[1], ends, worst)
	if worst > size(30*time.Second, 2*time.Second) {
		t.Errorf("getState took %v", worst)
	}
}

// wholeLog is the activity log with its backups.
func wholeLog(t testing.TB, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "supervisord.log*"))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(data)
	}
	return text.String()
}
