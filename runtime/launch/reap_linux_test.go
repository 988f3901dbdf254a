package launch

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// checkStrangers sees that nothing was reaped but children that were started.
func checkStrangers(t *testing.T, early map[int]syscall.WaitStatus) {
	t.Helper()
	for pid, status := range early {
		t.Errorf("pid %d, never told to us, ended with %s", pid, Describe(status))
	}
}

func checkMembers(t *testing.T, pgid int, want ...int) {
	t.Helper()
	if got := GroupMembers(pgid); !slices.Equal(got, want) {
		t.Errorf("members of group %d: got %v, want %v", pgid, got, want)
	}
}

// A zombie is no member, though the kernel counts it as one.
func TestGroupMembersLeavesOutZombies(t *testing.T) {
	l := launcher(t)
	child := start(t, l, Command{Name: "true", Path: "/bin/true", Args: []string{"true"}, Umask: -1, UID: -1, GID: -1})
	eventually(t, "it is a zombie", func() bool {
		s, err := readStat(child.PID)
		return err == nil && s.State == 'Z'
	})
	if err := SignalGroup(child.PID, 0); err != nil {
		t.Errorf("the kernel: %v", err)
	}
	checkMembers(t, child.PID)
	awaitExit(t, child.PID)
	checkMembers(t, child.PID)
	checkMembers(t, 0)
	checkMembers(t, -1)
}

// As process 1 of a namespace we are given every orphan. Fifteen hundred of them, ten
// thousand with FULL_SIZE=1, leave no zombie, and the statuses of the children that are
// ours are exact.
func TestProcessOneReapsOrphans(t *testing.T) {
	if !root(t) {
		return
	}
	want := fmt.Sprintf("managed: 7 8 9 10 11 12 13 14 15 16\norphans: %d\nno child is left\n", 10*size(150, 1000))
	got := playing(t, "pid1", func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	})
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func playPID1([]string) {
	if os.Getpid() != 1 {
		check(errors.New("not process 1"))
	}
	becomeParentOfOrphans(10, size(150, 1000))
}

// The same with fewer, as a subreaper.
func TestSubreaperReapsOrphans(t *testing.T) {
	want := "managed: 7 8\norphans: 100\nno child is left\n"
	if d := cmp.Diff(want, playing(t, "reaper", nil)); d != "" {
		t.Error(d)
	}
}

func playSubreaper([]string) {
	check(unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	becomeParentOfOrphans(2, 50)
}

// becomeParentOfOrphans starts managed shells one by one, each of which forks
// orphans that end when they may, all at once, and ends with its own status.
func becomeParentOfOrphans(managed, orphansEach int) {
	chld := make(chan os.Signal, 1)
	signal.Notify(chld, syscall.SIGCHLD)
	l := New()
	const script = `
		exec 3<&0
		i=0
		while [ $i -lt $1 ]; do
			(read x <&3) &
			i=$((i+1))
		done
		echo forked
		exit $2`
	statuses := map[int]string{}
	orphans := 0
	var told strings.Builder
	for n := range managed {
		child := must(l.Start(Command{Name: "shell", Path: "/bin/sh", Umask: -1, UID: -1, GID: -1,
			Args: []string{"sh", "-c", script, "sh", fmt.Sprint(orphansEach), fmt.Sprint(7 + n)}}))
		must(bufio.NewReader(child.Stdout).ReadString('\n'))
		for target := orphansEach * (n + 1); ; {
			exits := Reap(100)
			for _, e := range exits {
				if e.PID == child.PID {
					statuses[e.PID] = fmt.Sprint(" ", e.Status.ExitStatus())
					closeAll(child) // the orphans' input ends, and they do
				} else {
					orphans++
				}
			}
			if orphans >= target && statuses[child.PID] != "" {
				break
			}
			if len(exits) == 100 {
				continue
			}
			select {
			case <-chld:
			case <-time.After(2 * time.Minute):
				check(fmt.Errorf("%d orphans and no more", orphans))
			}
		}
		told.WriteString(statuses[child.PID])
	}
	fmt.Printf("managed:%s\norphans: %d\n", &told, orphans)
	if _, err := syscall.Wait4(-1, nil, syscall.WNOHANG|syscall.WALL, nil); err == syscall.ECHILD {
		fmt.Println("no child is left")
	}
}
