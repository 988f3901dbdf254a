package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"supervisord/rpc"
	"supervisord/spec"
)

// machine is where a configuration is checked.
type machine struct {
	spec.Host
	here bool // it is where the daemon will run, as the user who checks
}

// lacks lists what a configuration needs and the machine has not got. Sockets, key pairs
// and the user are tried as a reload does before it stops anything, and nothing is left of
// that. mild is what would keep a program from running, and not the daemon.
func (m machine) lacks(cfg *spec.Config) (wrong, mild []*spec.Error) {
	if m.here {
		if mistake := (*spec.Error)(nil); errors.As(cannotBecome(cfg.Daemon.User), &mistake) {
			wrong = append(wrong, mistake)
		}
		wrong = append(wrong, tooLow(&cfg.Daemon)...)
	}
	if info, err := os.Stat(cfg.Daemon.LogFile); err == nil && info.IsDir() {
		wrong = append(wrong, &spec.Error{Section: "supervisord", Key: "logfile",
			Text: cfg.Daemon.LogFile + " is a directory", Hint: "name a file in it"})
	}
	for _, sv := range cfg.Servers {
		if err := m.tryServer(sv, cfg.Daemon.PidFile); err != nil {
			wrong = append(wrong, err)
		}
	}
	for _, e := range wrong {
		e.File, e.Line = cfg.PlaceOf(e.Section, e.Key)
	}
	return wrong, m.missingDirectories(cfg)
}

// tooLow is about limits that only root can raise.
func tooLow(d *spec.Daemon) []*spec.Error {
	var files syscall.Rlimit
	if os.Geteuid() == 0 || syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) != nil || d.MinFDs < 0 || uint64(d.MinFDs) <= uint64(files.Max) {
		return nil
	}
	return []*spec.Error{{Section: "supervisord", Key: "minfds",
		Text: fmt.Sprintf("%d file descriptors cannot be had: the limit is %d", d.MinFDs, files.Max), Hint: "raise the limit, or lower minfds"}}
}

// tryServer is why a server cannot be had, nil if it can. An address that the very
// daemon has which runs with this configuration is no obstacle to it.
func (m machine) tryServer(sv spec.Server, pidfile string) *spec.Error {
	tried, err := rpc.OpenSockets([]spec.Server{sv}, rpc.SocketOptions{Stderr: io.Discard, Try: true})
	if err == nil {
		tried.Close()
		return nil
	}
	var refused *rpc.ServerError
	switch {
	case !errors.As(err, &refused):
		return &spec.Error{Section: sv.Section, Text: err.Error()}
	case refused.InUse && heldByDaemon(pidfile, sv):
		return nil
	case !m.here && errors.Is(err, fs.ErrPermission):
		return nil // to whoever checks, who need not be the daemon's user
	}
	return refused.Mistake
}

// heldByDaemon reports whether the daemon that a pidfile names has a server's address.
func heldByDaemon(pidfile string, sv spec.Server) bool {
	pid := otherDaemon(pidfile)
	return pid != 0 && rpc.HeldBy(pid, sv)
}

// missingDirectories are those in which programs are to run.
func (m machine) missingDirectories(cfg *spec.Config) (mild []*spec.Error) {
	type place struct{ section, dir string }
	var told []place
	for i := range cfg.Groups {
		for j := range cfg.Groups[i].Processes {
			p := &cfg.Groups[i].Processes[j]
			at := place{p.Origin.Section, p.Directory}
			if p.Directory == "" || slices.Contains(told, at) {
				continue
			}
			dir := p.Directory
			if !filepath.IsAbs(dir) {
				dir = filepath.Join(m.Getwd(), dir)
			}
			info, err := m.Stat(dir)
			if err == nil && info.IsDir() || err != nil && !errors.Is(err, fs.ErrNotExist) {
				continue
			}
			told = append(told, at)
			file, line := cfg.PlaceOf(p.Origin.Section, "directory")
			mild = append(mild, &spec.Error{File: file, Line: line, Section: p.Origin.Section, Key: "directory",
				Text: p.Directory + " is not an existing directory", Hint: "the program cannot start before it is"})
		}
	}
	return mild
}

// anyMachine has every user, group and directory, and some variables: what is wrong with
// a configuration there is wrong everywhere.
type anyMachine struct {
	spec.Host
	variables map[string]string
}

func (m anyMachine) Environ() []string {
	list := m.Host.Environ()
	for _, name := range slices.Sorted(maps.Keys(m.variables)) {
		list = append(list, name+"="+m.variables[name])
	}
	return list
}

func (m anyMachine) LookupUser(name string) (spec.Account, error) {
	if a, err := m.Host.LookupUser(name); err == nil {
		return a, nil
	}
	return spec.Account{Name: name}, nil
}

func (m anyMachine) LookupGroup(name string) (int, error) {
	gid, _ := m.Host.LookupGroup(name)
	return gid, nil
}

func (m anyMachine) Stat(path string) (fs.FileInfo, error) {
	info, err := m.Host.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return imagined(path), nil
	}
	return info, err
}

// imagined is a directory of that path.
type imagined string

func (d imagined) Name() string     { return filepath.Base(string(d)) }
func (imagined) Size() int64        { return 0 }
func (imagined) Mode() fs.FileMode  { return fs.ModeDir | 0o755 }
func (imagined) ModTime() time.Time { return time.Time{} }
func (imagined) IsDir() bool        { return true }
func (imagined) Sys() any           { return nil }
