package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"supervisord/reconcile"
	"supervisord/runtime"
	"supervisord/runtime/hang"
	"supervisord/spec"
)

// executables compares the program that each process runs with what its path has by now,
// as the process sees that. Of a disk that does not answer it says so. Where there is no
// /proc nothing is known.
func executables(ctx context.Context, disks *hang.Disks, infos []runtime.Info) map[spec.Namespec]reconcile.Executable {
	list := make(map[spec.Namespec]reconcile.Executable)
	for i := range infos {
		if infos[i].PID == 0 {
			continue
		}
		if e, known := executable(ctx, disks, infos[i].PID); known {
			list[spec.Namespec{Group: infos[i].Group, Process: infos[i].Name}] = e
		}
	}
	return list
}

// executable is that of one process; known is false if nothing can be said of it, as of one
// that has just ended.
func executable(ctx context.Context, disks *hang.Disks, pid int) (e reconcile.Executable, known bool) {
	proc := "/proc/" + strconv.Itoa(pid)
	name, err := os.Readlink(proc + "/exe")
	if err != nil {
		return e, false
	}
	// A name may end so, too, but then it has another inode than this one.
	e.Path = strings.TrimSuffix(name, " (deleted)")
	stat := func(path string) (fs.FileInfo, error) {
		return hang.Ask(ctx, disks, filepath.Dir(e.Path), func() (fs.FileInfo, error) { return os.Stat(path) })
	}
	runs, err := stat(proc + "/exe")
	var silent *hang.Silent
	switch {
	case errors.As(err, &silent):
		e.Unknown = silent.Error()
		return e, true
	case err != nil:
		return e, false
	}
	there, err := stat(proc + "/root" + e.Path)
	switch {
	case errors.As(err, &silent):
		e.Unknown = silent.Error()
	case errors.Is(err, fs.ErrNotExist):
		if _, gone := os.Readlink(proc + "/exe"); gone != nil { // the process, not its program
			return e, false
		}
		e.Gone = true
	case err != nil:
		e.Unknown = err.Error()
	default:
		e.Replaced = !os.SameFile(runs, there)
	}
	return e, true
}
