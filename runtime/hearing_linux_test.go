package runtime

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"supervisord/runtime/state"
	"supervisord/spec"
)

// TestMain plays a program that talks to its NOTIFY_SOCKET, where it is asked to: that is
// what it is given as arguments, one message after another. What begins with ! is done.
func TestMain(m *testing.M) {
	if os.Getenv("PLAY") == "" {
		os.Exit(m.Run())
	}
	talk(os.Args[1:])
}

func talk(words []string) {
	conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		println("cannot talk: " + err.Error())
		os.Exit(3)
	}
	for _, w := range words {
		switch what, arg, _ := strings.Cut(w, " "); what {
		case "!sleep":
			d, _ := time.ParseDuration(arg)
			time.Sleep(d)
		case "!await":
			for _, err := os.Stat(arg); err != nil; _, err = os.Stat(arg) {
				time.Sleep(time.Millisecond)
			}
		case "!touch":
			_ = os.WriteFile(arg, nil, 0o600)
		default:
			if _, err := conn.Write([]byte(w)); err != nil {
				println("cannot say " + w + ": " + err.Error())
			}
		}
	}
}

// talking is a program that says some words, and then sleeps.
func talking(name string, edit func(*spec.Process), words ...string) *spec.Group {
	var quoted []string
	for _, w := range words {
		quoted = append(quoted, `"`+w+`"`)
	}
	return shell(name, "PLAY=1 "+os.Args[0]+" "+strings.Join(quoted, " ")+"; exec sleep 1000", func(p *spec.Process) {
		p.Probes.Ready = spec.Probe{Kind: "notify"}
		if edit != nil {
			edit(p)
		}
	})
}

// TestNotify is a program whose child says how it is, with a word too many of others.
func TestNotify(t *testing.T) {
	dir := t.TempDir()
	socket, ready := filepath.Join(dir, "socket"), filepath.Join(dir, "ready")
	l := live(t, talking("web", func(p *spec.Process) {
		p.Command = strings.Replace(p.Command, "PLAY=1", "echo $NOTIFY_SOCKET > "+socket+"; PLAY=1", 1)
	},
		"STATUS=loading", "!await "+ready, "READY=1\nSTATUS=up", "!sleep 1000s"))
	starting := l.until("web", "it loads", func(i Info) bool { return i.Probed.Status == "loading" })
	if starting.State != state.Starting || starting.Probed.Ready {
		t.Fatalf("it is %v: %+v", starting.State, starting.Probed)
	}
	// Of somebody else it is not heard.
	address, err := os.ReadFile(socket)
	if err != nil {
		t.Fatal(err)
	}
	stranger := exec.Command(os.Args[0], "READY=1", "!sleep 1000s")
	stranger.Env = append(os.Environ(), "PLAY=1", "NOTIFY_SOCKET="+strings.TrimSpace(string(address)))
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = stranger.Process.Kill(), stranger.Wait() }()
	l.untilLog("process " + itoa(stranger.Process.Pid) + " is not part of that program")
	if i := l.info("web"); i.State != state.Starting {
		t.Fatalf("a stranger had it %v", i.State)
	}
	if err := os.WriteFile(ready, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	up := l.untilState("web", state.Running)
	if !up.Probed.Ready || up.Probed.Status != "up" || up.PID != starting.PID {
		t.Errorf("it is %+v", up.Probed)
	}
}

// TestNotifyInTheEnd: what a program has said before it ended is heard before its end is.
func TestNotifyInTheEnd(t *testing.T) {
	l := live(t, shell("job", "exec env PLAY=1 "+os.Args[0]+" READY=1", func(p *spec.Process) {
		p.Probes.Ready, p.StartSecs, p.Autorestart = spec.Probe{Kind: "notify"}, 0, spec.RestartNever
	}))
	if i := l.untilState("job", state.Exited); i.SpawnErr != "" {
		t.Errorf("it failed to start: %s", i.SpawnErr)
	}
}

// TestNotifyOverAHandover: what is said while nobody hears it waits, and so do the clocks.
func TestNotifyOverAHandover(t *testing.T) {
	dir := t.TempDir()
	said, go1, go2 := filepath.Join(dir, "said"), filepath.Join(dir, "1"), filepath.Join(dir, "2")
	fd, half := filepath.Join(dir, "fd"), filepath.Join(dir, "half")
	l := live(t,
		talking("web", nil, "STATUS=loading", "!await "+go1, "READY=1", "!touch "+said, "!await "+go2, "STATUS=busy", "!sleep 1000s"),
		shell("s6", "while ! [ -e "+go1+" ]; do sleep 0.01; done; echo >&5; touch "+fd+"; exec sleep 1000", func(p *spec.Process) {
			p.Probes.Ready = spec.Probe{Kind: "fd", Target: "5"}
		}),
		shell("log", "printf \"listening \"; touch "+half+"; while ! [ -e "+go1+" ]; do sleep 0.01; done; echo on 80; exec sleep 1000", func(p *spec.Process) {
			p.Probes.Ready = spec.Probe{Kind: "log", Target: "^listening on [0-9]+$"}
		}))
	before := l.until("web", "it loads", func(i Info) bool { return i.Probed.Status == "loading" })
	await(t, half)
	h := l.stop()
	if err := os.WriteFile(go1, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, said)
	await(t, fd)
	l.goOn(h)
	for _, name := range []string{"web", "s6", "log"} {
		if i := l.untilState(name, state.Running); !i.Probed.Ready {
			t.Errorf("%s is %+v", name, i.Probed)
		}
	}
	if i := l.info("web"); i.PID != before.PID || i.Probed.Status != "loading" {
		t.Errorf("pid %d became %d: %+v", before.PID, i.PID, i.Probed)
	}
	l.handOver()
	if err := os.WriteFile(go2, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.until("web", "it is heard in the third life", func(i Info) bool { return i.Probed.Status == "busy" })
}

func await(t *testing.T, file string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", file)
		}
	}
}

// TestNotifyEnvironment: the variables are there where they are asked for, and nobody
// else's.
func TestNotifyEnvironment(t *testing.T) {
	env := []string{"A=1", "NOTIFY_SOCKET=/x", "WATCHDOG_PID=1", "WATCHDOG_USEC=1"}
	if got, want := notifyEnvironment(slices.Clone(env), "@1", 1500*time.Millisecond), []string{"A=1", "NOTIFY_SOCKET=@1", "WATCHDOG_USEC=1500000"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := notifyEnvironment(slices.Clone(env), "@1", 0), []string{"A=1", "NOTIFY_SOCKET=@1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSystemdNotify: systemd's own program is heard.
func TestSystemdNotify(t *testing.T) {
	path, err := exec.LookPath("systemd-notify")
	if err != nil {
		t.Skip("there is no systemd-notify")
	}
	l := live(t, shell("web", path+" --ready --status=\"3 clients\"; exec sleep 1000", func(p *spec.Process) { p.Probes.Ready = spec.Probe{Kind: "notify"} }))
	l.untilState("web", state.Running)
	if i := l.info("web"); i.Probed.Status != "3 clients" {
		t.Errorf("it is %+v", i.Probed)
	}
}

// TestWatchdog: a program that says no more that it is well is started again.
func TestWatchdog(t *testing.T) {
	l := live(t, talking("web", func(p *spec.Process) { p.Probes.Watchdog = 200 * time.Millisecond },
		"READY=1", "!sleep 100ms", "WATCHDOG=1", "!sleep 100ms", "WATCHDOG=1", "!sleep 1000s"))
	first := l.until("web", "it is well", func(i Info) bool { return i.State == state.Running && i.Probed.Health == "passing" })
	l.until("web", "it was started again", func(i Info) bool { return i.PID != 0 && i.PID != first.PID && i.Starts > 1 })
	l.untilLog("no WATCHDOG=1 within 0.2s")
}
