package main

import (
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed child/child.c
var childSource []byte

// compileChild makes the program that plays the children.
func compileChild(ctx context.Context, dir string) (path string, err error) {
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	path = filepath.Join(dir, "child")
	if err := os.WriteFile(path+".c", childSource, 0o600); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, cc, "-O2", "-static", "-D_GNU_SOURCE", "-o", path, path+".c").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("a C compiler that links statically is needed (CC names one): %w\n%s", err, out)
	}
	return path, nil
}

// reports is the FIFO that children write to.
type reports struct {
	path string
	file *os.File
}

// report is what a child says: who it is, and when by now().
type report struct{ pid, time int64 }

const reportSize = 16

func openReports(dir string) (*reports, error) {
	path := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0) // so that neither side waits for the other
	if err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) // no child waits; if it cannot be had, few do
		})
	}
	return &reports{path, file}, err
}

// collect waits for n reports. Where there are to be many it reads them seldom, so as
// not to be a load: each has its own time.
func (r *run) collect(n int) ([]report, error) {
	stop := context.AfterFunc(r, func() { r.told.file.SetReadDeadline(time.Now()) })
	defer stop()
	var all []report
	for buf := make([]byte, 4096*reportSize); len(all) < n; {
		size := min(len(buf), (n-len(all))*reportSize)
		got, err := r.told.file.Read(buf[:size])
		if err != nil {
			if r.Err() != nil {
				err = context.Cause(r)
			}
			return nil, fmt.Errorf("waited for %d children, %d reported: %w", n, len(all), err)
		}
		for rest := buf[:got]; len(rest) >= reportSize; rest = rest[reportSize:] {
			all = append(all, report{int64(binary.NativeEndian.Uint64(rest)), int64(binary.NativeEndian.Uint64(rest[8:]))})
		}
		if n > 1 {
			time.Sleep(2 * time.Millisecond)
		}
	}
	return all, nil
}

// span is the first and the last time of reports.
func span(all []report) (first, last int64) {
	first, last = math.MaxInt64, math.MinInt64
	for _, r := range all {
		first, last = min(first, r.time), max(last, r.time)
	}
	return first, last
}

// signal sends all who reported a signal.
func signal(all []report, sig syscall.Signal) error {
	var errs []error
	for _, r := range all {
		errs = append(errs, syscall.Kill(int(r.pid), sig))
	}
	return errors.Join(errs...)
}

// plays is a program's section whose process plays a role. Its reports go to the FIFO.
func (r *run) plays(section, keys, role string, args ...any) string {
	var line strings.Builder
	for _, arg := range args {
		fmt.Fprint(&line, " ", arg)
	}
	return fmt.Sprintf("[%s]\ncommand=%s %s %s%s\nautorestart=true\nstartsecs=0\n%s\n", section, r.child, role, r.told.path, &line, keys)
}

// sleeper is the section of a program that does nothing. Its logs are what they are
// when nobody says anything.
func (r *run) sleeper(name string) string { return r.plays("program:"+name, "", "sleep") }

// descriptors is minfds for n programs: the default where that will do.
func descriptors(n int) int { return max(1024, 6*n+500) }

// many runs n children that sleep and waits for their reports: children of a daemon,
// or of the bare fork loop that is the limit. It returns the time from the exec to
// the last child's first act.
func (r *run) many(n int) (all []report, ms float64, err error) { return r.manyWith(n, "") }

// manyWith is many, of programs that have further keys.
func (r *run) manyWith(n int, keys string) (all []report, ms float64, err error) {
	if r.name == limit {
		r.daemon, err = r.start(r.command(r.child, "supervise", fmt.Sprint(n), "sleep", r.told.path))
	} else {
		var config strings.Builder
		for i := range n {
			config.WriteString(r.plays(fmt.Sprintf("program:p%05d", i), keys, "sleep"))
		}
		err = r.begin(descriptors(n), "", config.String())
	}
	if err != nil {
		return nil, 0, err
	}
	if all, err = r.collect(n); err != nil {
		return nil, 0, err
	}
	_, last := span(all)
	return all, took(r.daemon.begun, last), nil
}

// settled is many, and then waits until they are RUNNING and nothing moves.
func (r *run) settled(n int) (all []report, ms float64, err error) {
	if all, ms, err = r.many(n); err != nil {
		return nil, 0, err
	}
	if r.name == limit {
		return all, ms, r.quiet(r.daemon)
	}
	return all, ms, r.running(n)
}
