package cmd

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// The log and status have the local time of TZ, whatever its form, as in the original;
// and so have our client's own commands.
func TestTimeZones(t *testing.T) {
	t.Parallel()
	for _, tz := range []string{"JST-9", "STD4DST3:30,0/0,J365/25", "", "<-0345>+3:45", "AAA5BBB", ":Asia/Tokyo", "nonsense"}[:size(3, 7)] {
		t.Run(tz, func(t *testing.T) {
			offsets := map[oracle.Kind][2]time.Duration{}
			for _, kind := range []oracle.Kind{oracle.Ours, oracle.Debian} {
				s := &eventRun{oracle.StartIn(t, kind, t.TempDir(), oracle.Prelude+
					"[program:p]\ncommand=/bin/cat\nstartsecs=0\n", oracle.Surroundings{Through: []string{"/usr/bin/env", "TZ=" + tz}}), t}
				s.until("p", "RUNNING")
				s.call("stopProcess", "p")
				now := time.Now().UTC()
				logged := hoursOff(t, `(?m)^(\S+ \d\d:\d\d:\d\d),\d+ INFO spawned: 'p'`, s.Log(), "2006-01-02 15:04:05", now)
				stopped := hoursOff(t, `STOPPED +(.* [AP]M)`, s.Ctl(oracle.Debian, "status").Stdout, "Jan 02 03:04 PM", now)
				offsets[kind] = [2]time.Duration{logged, stopped}
				if kind == oracle.Ours {
					client := exec.Command(oracle.Command(t, kind, "supervisorctl"), "-c", s.Config, "history")
					client.Env = append(os.Environ(), "TZ="+tz)
					out, err := client.Output()
					if err != nil {
						t.Fatal(err)
					}
					if got := hoursOff(t, `(\d{4}-\S+ \d\d:\d\d:\d\d)`, string(out), "2006-01-02 15:04:05", now); got != logged {
						t.Errorf("history is %v off, the log %v", got, logged)
					}
				}
			}
			if offsets[oracle.Ours] != offsets[oracle.Debian] {
				t.Errorf("log and status are %v off, want %v", offsets[oracle.Ours], offsets[oracle.Debian])
			}
		})
	}
}

// hoursOff is how far a time of about now is off, to a quarter of an hour and less than
// a day.
func hoursOff(t *testing.T, pattern, text, layout string, now time.Time) time.Duration {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no time of %s in %q", pattern, text)
	}
	at, err := time.Parse(layout, m[1])
	if err != nil {
		t.Fatal(err)
	}
	off := time.Duration((at.Unix()-now.Unix())%86400) * time.Second // at may have no year
	return (off.Round(15*time.Minute) + 24*time.Hour) % (24 * time.Hour)
}
