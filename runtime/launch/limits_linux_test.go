package launch

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// Limits are raised when they are lower than asked for, said as they really
// were, and handed to children.
func TestRaiseLimits(t *testing.T) {
	const common = `files 50: false 100 4096 <nil>, child 100 4096
files 100: false 100 4096 <nil>, child 100 4096
files 200: true 100 4096 <nil>, child 200 4096
files 150: false 200 4096 <nil>, child 200 4096
files -1: false 200 4096 <nil>, child 200 4096
procs 400: false 500 500 <nil>
`
	if mayRaise(t) {
		want := common + `files 8192: true 200 4096 <nil>, child 8192 8192
procs 600: true 500 500 <nil>
procs 600: false 600 600 <nil>
`
		if d := cmp.Diff(want, playing(t, "limited", nil)); d != "" {
			t.Errorf("as root:\n%s", d)
		}
	}
	want := common + `files 8192: false 200 4096 operation not permitted, child 200 4096
procs 600: false 500 500 operation not permitted
procs 600: false 500 500 operation not permitted
`
	if d := cmp.Diff(want, playing(t, "limited", func(c *exec.Cmd) { asUser(t, c, 4343) })); d != "" {
		t.Errorf("as somebody else:\n%s", d)
	}
}

// mayRaise tells whether we may raise a hard limit, which root in a container
// may not always.
func mayRaise(t *testing.T) bool {
	caps, err := strconv.ParseUint(look(os.Getpid()).Status["CapEff"], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return caps&(1<<unix.CAP_SYS_RESOURCE) != 0
}

func playLimited(args []string) {
	if len(args) == 0 { // a daemon that is started with these limits
		check(syscall.Setrlimit(unix.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 100, Max: 4096}))
		check(syscall.Setrlimit(unix.RLIMIT_NPROC, &syscall.Rlimit{Cur: 500, Max: 500}))
		check(syscall.Exec(os.Args[0], []string{os.Args[0], "again"}, os.Environ()))
	}
	l := New()
	files := func(min int) {
		raised, soft, hard, err := RaiseFiles(min)
		child := must(l.Start(cat()))
		var got string
		for line := range strings.Lines(look(child.PID).Limits) {
			if v, ok := strings.CutPrefix(line, "Max open files"); ok {
				got = strings.Join(strings.Fields(v)[:2], " ")
			}
		}
		closeAll(child)
		fmt.Printf("files %d: %v %d %d %v, child %s\n", min, raised, soft, hard, err, got)
	}
	procs := func(min int) {
		raised, soft, hard, err := RaiseProcs(min)
		fmt.Printf("procs %d: %v %d %d %v\n", min, raised, soft, hard, err)
	}
	files(50)
	files(100)
	files(200)
	files(150)
	files(-1)
	procs(400)
	files(8192)
	procs(600)
	procs(600)
}

// The daemon drops its own privileges on every thread, for good.
func TestDropPrivileges(t *testing.T) {
	if !root(t) {
		return
	}
	want := `0: <nil>
uid 0 0 0 0 gid 0 0 0 0: every thread
54: <nil>
uid 54 54 54 54 gid 55 55 55 55 groups 5 6 55: every thread
54: <nil>
0: Can't drop privilege as nonroot user
99: Can't drop privilege as nonroot user
child: uid 54 54 54 54 gid 55 55 55 55 groups 5 6 55
`
	if d := cmp.Diff(want, playing(t, "dropped", nil)); d != "" {
		t.Error(d)
	}
}

func playDropped([]string) {
	ReserveThreads(4)
	l := New()
	closeAll(must(l.Start(cat())))
	drop := func(uid int) { fmt.Printf("%d: %v\n", uid, DropPrivileges(uid, 55, []int{6, 5})) }
	who := func(s map[string]string) string {
		text := "uid " + s["Uid"] + " gid " + s["Gid"]
		if s["Uid"][0] != '0' {
			text += " groups " + s["Groups"]
		}
		return text
	}
	everyThread := func() {
		all := map[string]bool{}
		for _, e := range must(os.ReadDir("/proc/self/task")) {
			s := map[string]string{}
			for line := range strings.Lines(string(must(os.ReadFile("/proc/self/task/" + e.Name() + "/status")))) {
				name, value, _ := strings.Cut(line, ":")
				s[name] = strings.Join(strings.Fields(value), " ")
			}
			all[who(s)] = true
		}
		for text := range all {
			fmt.Println(text + ": every thread")
		}
	}
	drop(0)
	everyThread()
	drop(54)
	everyThread()
	drop(54)
	drop(0)
	drop(99)
	fmt.Println("child: " + who(look(must(l.Start(cat())).PID).Status))
}

func TestReserveThreads(t *testing.T) {
	ReserveThreads(12)
	if n := threads(t); n < 12 {
		t.Errorf("%d threads after 12 were reserved", n)
	}
}
