package spec

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// pieces are what random files are made of; some are wrong, some depend on each
// other.
var pieces = []string{
	"[program:a]\ncommand=/bin/a\n",
	"[program:a]\npriority=%(ENV_N)s\nstartsecs=2\n",
	"[program:b]\ncommand=/bin/b %(here)s\nuser=root\n",
	"[program:b]\nenvironment=X=\"1\"\nstdout_logfile=/var/log/b.log\n",
	"[program:c]\ncommand=/bin/c\nnumprocs=3\nprocess_name=c%(process_num)d\n",
	"[group:g]\nprograms=a,b\n",
	"[group:h]\nprograms=c\npriority=5\n",
	"[eventlistener:l]\ncommand=/bin/l\nevents=TICK\n",
	"[fcgi-program:f]\ncommand=/bin/f\nsocket=unix:///tmp/f\nuser=root\n",
	"[supervisord]\nenvironment=N=\"7\"\n",
	"[unix_http_server]\nfile=/tmp/s\n",
	"[DEFAULT]\nautostart=false\n",
	"[program:e]\ncommand=bin/e\nstdout_logfile=log/e.log\n",
	"[program:a]\nautostart=maybe\n",
	"[program:d]\n",
	"bad line\n",
	"; nothing\n",
}

// said compares what configurations say, not where in the files it stands.
var said = cmpopts.IgnoreUnexported(Config{})

// TestCachedLoad checks after each of many random edits that a load with a cache
// gives what a load without one does.
func TestCachedLoad(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 40 {
		h := &memHost{cwd: "/", strict: true, env: map[string]string{"N": "3", "PATH": "/bin"}, files: map[string]string{
			"/etc/sv.conf": "[supervisord]\n[include]\nfiles=conf.d/*.conf\n", "/tmp/x": "", "/var/log/x": "",
			"/one/log/x": "", "/two/x": "",
		}}
		h.stamps = map[string]Stamp{"/etc/sv.conf": {Ino: 1}}
		o := Options{Cache: &Cache{}}
		ino := uint64(1)
		for step := range 25 {
			name := fmt.Sprintf("/etc/conf.d/%d.conf", random.IntN(6))
			switch random.IntN(9) {
			case 0:
				delete(h.files, name)
			case 1:
				delete(h.files, "/var/log/x") // the directory of a log goes
			case 2:
				h.files["/var/log/x"] = ""
			case 3:
				h.cwd = []string{"/one", "/two"}[random.IntN(2)]
			case 4:
				h.env["N"] = fmt.Sprint(random.IntN(5))
			default:
				h.files[name] = pieces[random.IntN(len(pieces))] + pieces[random.IntN(len(pieces))]
				ino++
				h.stamps[name] = Stamp{Ino: ino}
			}
			cached, cachedErr := Load(stampedHost{h}, "/etc/sv.conf", o)
			fresh, freshErr := Load(h, "/etc/sv.conf", Options{})
			if diff := cmp.Diff(fresh, cached, said); diff != "" {
				t.Fatalf("round %d, step %d: (-fresh +cached):\n%s", round, step, diff)
			}
			if diff := cmp.Diff(reports(freshErr), reports(cachedErr)); diff != "" {
				t.Fatalf("round %d, step %d: mistakes (-fresh +cached):\n%s", round, step, diff)
			}
		}
	}
}

// reports are the mistakes in an error, the first one first.
func reports(err error) []string {
	var failed *LoadError
	if !errors.As(err, &failed) {
		return nil
	}
	list := []string{failed.Error()}
	for _, e := range failed.All() {
		list = append(list, e.Report())
	}
	return list
}

// TestCacheReadsWhatChanged counts the files that a load opens.
func TestCacheReadsWhatChanged(t *testing.T) {
	h := &memHost{cwd: "/", files: map[string]string{"/etc/sv.conf": "[supervisord]\n[include]\nfiles=*.ini\n"}, stamps: map[string]Stamp{}}
	for i := range 10 {
		h.files[fmt.Sprintf("/etc/%d.ini", i)] = fmt.Sprintf("[program:p%d]\ncommand=x\n", i)
	}
	for name := range maps.Keys(h.files) {
		h.stamps[name] = Stamp{Ino: 1}
	}
	o := Options{Cache: &Cache{}}
	load := func(wantReads int64) *Config {
		t.Helper()
		h.reads.Store(0)
		cfg, err := Load(stampedHost{h}, "/etc/sv.conf", o)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.reads.Load(); got != wantReads {
			t.Errorf("%d files read, want %d", got, wantReads)
		}
		return cfg
	}
	first := load(11)
	second := load(0)
	if &first.Groups[0].Processes[0] != &second.Groups[0].Processes[0] {
		t.Error("a group that did not change was built again")
	}
	h.files["/etc/3.ini"] = "[program:p3]\ncommand=y\n"
	h.stamps["/etc/3.ini"] = Stamp{Ino: 2}
	if got := load(1).Groups[3].Processes[0].Command; got != "y" {
		t.Errorf("command %q after the change", got)
	}
	h.files["/etc/3.ini"], h.stamps["/etc/3.ini"] = "[program:p3]\n", Stamp{Ino: 3}
	for _, want := range []int64{1, 0} {
		h.reads.Store(0)
		if _, err := Load(stampedHost{h}, "/etc/sv.conf", o); err == nil || h.reads.Load() != want {
			t.Errorf("%d files read for a load with error %v, want %d and a mistake", h.reads.Load(), err, want)
		}
	}
	h.files["/etc/3.ini"], h.stamps["/etc/3.ini"] = "[program:p3]\ncommand=z\n", Stamp{Ino: 4}
	load(1)
	delete(h.stamps, "/etc/4.ini") // may have changed in the same tick
	load(1)
	load(1)
}

// TestLoadIsPure checks that many loads at a time agree.
func TestLoadIsPure(t *testing.T) {
	h := &memHost{cwd: "/", env: map[string]string{"N": "1"}, files: map[string]string{"/etc/sv.conf": "[supervisord]\n[include]\nfiles=*.ini\n"}}
	for i := range 50 {
		h.files[fmt.Sprintf("/etc/%02d.ini", i)] = fmt.Sprintf("[program:p%d]\ncommand=x\nuser=root\npriority=%d\n", i, 50-i)
	}
	want, err := Load(h, "/etc/sv.conf", Options{})
	if err != nil {
		t.Fatal(err)
	}
	cache := &Cache{}
	configs := make([]*Config, 20)
	inParallel(len(configs), func(i int) {
		configs[i], _ = Load(h, "/etc/sv.conf", Options{Cache: cache})
	})
	for _, cfg := range configs {
		if !cmp.Equal(want, cfg, said) || fingerprint(cfg) != fingerprint(want) {
			t.Fatal("two loads of the same files differ")
		}
	}
	if !slices.IsSortedFunc(want.Groups, func(g, h Group) int { return g.Priority - h.Priority }) {
		t.Error("groups are not by priority")
	}
}

// stuckHost is a machine with a disk that does not answer.
type stuckHost struct {
	*memHost
	asked, answers chan struct{}
}

func (h stuckHost) ReadFile(path string) ([]byte, error) {
	close(h.asked)
	<-h.answers
	return h.memHost.ReadFile(path)
}

// TestCacheInUse: a load that is stuck in a disk keeps no other from going on.
func TestCacheInUse(t *testing.T) {
	h := &memHost{cwd: "/", files: map[string]string{"/etc/sv.conf": "[supervisord]\n"}}
	stuck := stuckHost{h, make(chan struct{}), make(chan struct{})}
	o := Options{Cache: &Cache{}}
	var loads sync.WaitGroup
	loads.Go(func() {
		if _, err := Load(stuck, "/etc/sv.conf", o); err != nil {
			t.Error(err)
		}
	})
	<-stuck.asked
	if _, err := Load(h, "/etc/sv.conf", o); err != nil { // does not wait
		t.Error(err)
	}
	close(stuck.answers)
	loads.Wait()
}
