package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"supervisord/runtime/hang"
	"supervisord/runtime/logfile"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// logPatience is how long all others have been done when a request for several goes on
// without a log whose disk does not answer.
const logPatience = 5 * time.Second

// ClearLogs empties both logs of what sel names, and returns the results in start
// order. A log whose disk hangs delays no other. Refusals: BadName, Failed.
func (s *Supervisor) ClearLogs(ctx context.Context, sel Select) ([]Result, error) {
	var logs [][2]*logfile.Writer
	var results []Result
	err := s.choose(ctx, sel, ascending, everyone, func(procs []*process) {
		for _, p := range procs {
			logs = append(logs, [2]*logfile.Writer{p.out[0].log, p.out[1].log})
			results = append(results, Result{Group: p.group.def.Name, Name: p.def.Name})
		}
	})
	if err != nil {
		return nil, err
	}
	for i, err := range onDisks(ctx, len(logs), logPatience, func(i int) error { return s.clearLogs(ctx, logs[i]) }) {
		if err != nil {
			results[i].Err = &Error{Kind: Failed, Name: results[i].Name, Detail: err.Error()}
		}
	}
	if sel.Process != "" {
		return nil, results[0].Err
	}
	return results, nil
}

// clearLogs empties a process's logs. What is no regular file, such as /dev/stdout,
// has nothing to clear.
func (s *Supervisor) clearLogs(ctx context.Context, logs [2]*logfile.Writer) (err error) {
	for _, log := range logs {
		_, failed := hang.Ask(ctx, s.disks, filepath.Dir(log.Path()), func() (any, error) { return nil, log.Clear() })
		if !errors.Is(failed, logfile.ErrNotRegular) {
			err = firstError(err, failed)
		}
	}
	return err
}

// ReopenLogs reopens every child's log by its name, for logrotate. A log on a disk
// that hangs delays no other, and is reopened when the disk answers; ReopenLogs
// returns when all others are open. Each failure is logged; the error is the first
// of them in start order.
func (s *Supervisor) ReopenLogs(ctx context.Context) error {
	var logs []*logfile.Writer
	err := s.choose(ctx, Select{}, ascending, everyone, func(procs []*process) {
		for _, p := range procs {
			logs = append(logs, p.out[0].log, p.out[1].log)
		}
	})
	if err != nil {
		return err
	}
	for i, failed := range onDisks(ctx, len(logs), logPatience, func(i int) error { return logs[i].Reopen() }) {
		if failed == nil {
			continue
		}
		if failed == errHangs {
			failed = fmt.Errorf("%s: %w", logs[i].Path(), failed)
		}
		if ctx.Err() == nil {
			s.log.Warn("cannot reopen log: " + failed.Error())
		}
		err = firstError(err, failed)
	}
	return err
}

// reconfigure puts a kept process's new log settings and rules in force.
func (s *Supervisor) reconfigure(p *process, logs *[2]logChange) {
	if logs != nil {
		var apply []func()
		for ch := range p.out {
			out, change := &p.out[ch], logs[ch]
			if !change.wanted {
				continue
			}
			log, name, former := out.log, p.def.Name, ""
			out.path = change.options.Path
			if out.auto != change.auto {
				former, out.auto = out.auto, change.auto
			}
			apply = append(apply, func() {
				if change.auto == "" {
					log.Release()
				}
				if err := log.Configure(change.options); err != nil {
					s.log.Warn("cannot change the log of " + name + ": " + err.Error())
					return
				}
				removeAuto(former)
			})
		}
		s.changeLogs(p, func() {
			for _, f := range apply {
				f()
			}
		})
	}
	for ch := range p.out {
		if stream := p.out[ch].stream; stream != nil {
			stream.Set(s.settings(p, state.Channel(ch)))
		}
	}
	s.schedule(p) // its rules may have moved a deadline
}

// holdAuto keeps one AUTO log open, whichever there is, also while nothing runs:
// another daemon that cleans up sees by it that all of ours have an owner. g is a
// group that is new, or another now.
func (s *Supervisor) holdAuto(g *group) {
	groups := []*group{g}
	if h := s.heldAuto; h.p != nil {
		if !h.p.removed && h.p.out[h.ch].auto != "" {
			return
		}
		groups = s.groups
	}
	s.heldAuto = heldAuto{}
	for _, g := range groups {
		for _, p := range g.procs {
			for ch := range p.out {
				if p.removed || p.out[ch].auto == "" {
					continue
				}
				s.heldAuto = heldAuto{p, ch}
				log := p.out[ch].log
				s.changeLogs(p, func() { _ = log.Hold() }) // if it cannot be opened, neither can it be written
				return
			}
		}
	}
}

// heldAuto is an AUTO log that is kept open.
type heldAuto struct {
	p  *process // nil for none
	ch int
}

// changeLogs does something to the logs of p outside the loop, in the order in which
// it is asked for, since their disk may be stuck.
func (s *Supervisor) changeLogs(p *process, change func()) {
	before, done := p.changed, make(chan struct{})
	p.changed = done
	s.onLogs(p, func() {
		defer close(done)
		if before != nil {
			<-before
		}
		change()
	})
}

func (s *Supervisor) logOptions(name string, out spec.Output, path string) logfile.Options {
	return logfile.Options{
		Path: path, MaxBytes: out.MaxBytes, Backups: out.Backups, Syslog: out.Syslog, Tag: name,
		Report: func(t logfile.Trouble) { s.log.Warn(name + ": " + t.String()) },
	}
}

// removeAuto removes an AUTO log and its backups, so that updates do not pile
// them up.
func removeAuto(path string) {
	if path == "" {
		return
	}
	os.Remove(path)
	for i := 1; os.Remove(fmt.Sprintf("%s.%d", path, i)) == nil; i++ {
	}
}
