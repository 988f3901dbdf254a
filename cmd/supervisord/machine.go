package main

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
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
		Text: fmt.Sprintf("cannot get %d file descriptors: the limit is %d", d.MinFDs, files.Max), Hint: "raise the limit, or lower minfds"}}
}

// tryServer is why a server cannot be opened, nil if it can. An address that the very
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
				Text: p.Directory + " is not an existing directory", Hint: "create it: the program cannot start without it"})
		}
	}
	return mild
}

// anyMachine has every user, group and directory, and some variables: what is wrong with
// a configuration there is wrong everywhere.
type anyMachine struct {
	spec.Host
	variables map[string]string
	bare      bool // it has no other variables
}

func (m anyMachine) Environ() (list []string) {
	if !m.bare {
		list = m.Host.Environ()
	}
	for _, name := range slices.Sorted(maps.Keys(m.variables)) {
		list = append(list, name+"="+m.variables[name])
	}
	return list
}

func (m anyMachine) LookupUser(name string) (spec.Account, error) {
	if a, err := m.Host.LookupUser(name); err == nil {
		return a, nil
	}
	return spec.Account{Name: name, UID: inventedID(name), GID: inventedID(name)}, nil
}

// inventedID is the number of a user or group whom the machine does not know: another one for each
// name, and none that a real one is likely to have.
func inventedID(name string) int {
	h := fnv.New32a()
	h.Write([]byte(name))
	return 1<<30 | int(h.Sum32()>>3)
}

// imagine gives variables to a machine until load, which returns the mistakes that it has
// found there, misses none: each stands for itself as it is written or, where that cannot
// be, such as for a number, is 1. It returns what is wrong with anything else.
func (m anyMachine) imagine(load func() []*spec.Error) []*spec.Error {
	var asked []*spec.Error
	for {
		mistakes, again := load(), false
		give := func(e *spec.Error, value string) {
			for _, found := range unknownVariable().FindAllStringSubmatch(e.Plain, -1) {
				if was, known := m.variables[found[1]]; !known || value != "" && was != value {
					m.variables[found[1]], again = cmp.Or(value, found[0]), true
				}
			}
		}
		for _, e := range mistakes {
			if unknownVariable().MatchString(e.Plain) {
				asked = append(asked, e)
				give(e, "")
			}
		}
		if again {
			continue
		}
		for _, e := range asked {
			if slices.ContainsFunc(mistakes, func(o *spec.Error) bool { return samePlace(o, e) }) {
				give(e, "1")
			}
		}
		if !again {
			return mistakes
		}
	}
}

func (m anyMachine) LookupGroup(name string) (int, error) {
	if gid, err := m.Host.LookupGroup(name); err == nil {
		return gid, nil
	}
	return inventedID(name), nil
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
