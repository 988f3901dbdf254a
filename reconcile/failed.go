package reconcile

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"supervisord/spec"
)

// failedFile is a file whose content has failed.
type failedFile struct {
	Hash   [sha256.Size]byte `json:"hash"`
	Former []byte            `json:"former"` // its content before
	Had    bool              `json:"had"`    // it had one
	Reason string            `json:"reason"`
	Time   time.Time         `json:"time"`
	Action spec.OnFailure    `json:"action"`
	Files  []string          `json:"files"`            // that stand or fall together, this one among them
	Groups []string          `json:"groups"`           // that its content defines or adds to
	Pinned bool              `json:"pinned,omitempty"` // a person took it back
	Gone   bool              `json:"gone,omitempty"`   // which was deleted: it stands as it was until it comes
}

// reverted reports whether the former content is in force in the place of what failed.
func (f *failedFile) reverted() bool { return f.Action == spec.OnFailureRevert }

// reversion is former content that is to be put back in force.
type reversion struct {
	seq   int // of the first look that knows of it
	files []string
	// without are those of files that are to be gone; a file that is only missing now is not.
	without []string
	ran     ran  // what ran then; nil where a person goes back, and the usual rules count
	first   bool // what is not in ran is what starts by itself
	reason  string
	update  *update // of the person; nil for none
}

// fail notes that the content of a trial has failed, and what is to be done about it: what
// on_failure says, but that a revert is a hold where it could not be remembered, or where
// it would concern the main file. It reports what it came to. seq is that of the first look
// that will know of it.
func (p *proof) fail(now time.Time, v verdict, cfg *spec.Config, remembers bool, seq int) (files []string, action spec.OnFailure) {
	files = slices.Sorted(maps.Keys(v.trial.files))
	action = v.run.onFailure
	if _, main := v.trial.files[cfg.Path]; action == spec.OnFailureRevert && (!remembers || main) {
		action = spec.OnFailureHold
	}
	for name, t := range v.trial.files {
		p.failed[name] = &failedFile{
			Hash: t.hash, Former: t.former.content, Had: t.had, Reason: v.reason, Time: now, Action: action,
			Files: files, Groups: t.groups,
		}
	}
	if action == spec.OnFailureRevert {
		p.back = append(p.back, &reversion{
			seq: seq, files: files, ran: v.trial.ran, first: v.trial.first, reason: strings.Join(files, ", ") + ": " + v.reason,
		})
	} else {
		p.suspects[v.run.key] = true
		for _, key := range v.trial.started {
			p.suspects[key] = true
		}
	}
	p.changes++
	return files, action
}

// passed notes that all of a trial is well, and nothing is kept that is not: what failed
// before with the same content does not any more.
func (p *proof) passed(t *trial) {
	for name, f := range t.files {
		if was := p.failed[name]; was != nil && was.Hash == f.hash {
			p.forgive(name)
		}
	}
}

// forgive forgets that a file has failed, and those that failed with it.
func (p *proof) forgive(name string) {
	f := p.failed[name]
	if f == nil {
		return
	}
	for _, other := range f.Files {
		delete(p.failed, other)
	}
	p.back = slices.DeleteFunc(p.back, func(r *reversion) bool { return r.update == nil && slices.Contains(r.files, name) })
	p.changes++
}

// seen is what a view has found out about files that have failed: those that have other
// content by now are new.
func (p *proof) seen(v *view) {
	for name, f := range v.renewed {
		if now := p.failed[name]; now != nil && now.Hash == f.Hash {
			p.forgive(name)
		}
	}
}

// releases reports whether an update by a person of these groups, all for none, goes ahead
// with a file that has failed: what is held does, and what is rejected if it was asked for
// by name.
func (f *failedFile) releases(names []string) bool {
	asked := slices.ContainsFunc(f.Groups, func(g string) bool { return slices.Contains(names, g) })
	switch {
	case f.Pinned:
		return false
	case f.Action == spec.OnFailureHold:
		return asked || len(names) == 0
	}
	return asked && f.reverted()
}

// release notes that a person's update of these groups begins.
func (p *proof) release(names []string) {
	for name, f := range p.failed {
		if f.releases(names) {
			p.forgive(name)
		}
	}
}

// known are the contents that have failed, but for those that a person's update of these
// groups releases, with all that failed with them; nil for none.
func (p *proof) known(names []string) map[string]*failedFile {
	list := maps.Clone(p.failed)
	for _, f := range p.failed {
		if f.releases(names) {
			for _, name := range f.Files {
				delete(list, name)
			}
		}
	}
	return list
}

// held says why a step is not to be taken before a person decides; "" if it may.
func (p *proof) held(s *Step) string {
	for _, name := range filesOf(s) {
		if f := p.failed[name]; f != nil && f.Action == spec.OnFailureHold {
			return f.holdReason(name)
		}
	}
	return ""
}

// whyBack is what has failed of what is being put back.
func (p *proof) whyBack() string {
	var reasons []string
	for _, r := range p.back {
		if r.reason != "" {
			reasons = append(reasons, r.reason)
		}
	}
	return strings.Join(reasons, "; ")
}

// isBack notes that nothing is left to be done after the look of that number, but with
// files that are not there now. It returns the updates of people that are over so.
func (p *proof) isBack(seq int, there func(file string) bool) (updates []*update) {
	p.back = slices.DeleteFunc(p.back, func(r *reversion) bool {
		over := r.seq <= seq && !slices.ContainsFunc(r.files, func(name string) bool { return p.failed[name] != nil && !there(name) })
		if over && r.update != nil {
			updates = append(updates, r.update)
		}
		return over
	})
	return updates
}

// takesAway reports whether a person goes back to a time when there was no such file.
func (p *proof) takesAway(file string) bool {
	return slices.ContainsFunc(p.back, func(r *reversion) bool { return slices.Contains(r.without, file) })
}

// asked is the first update of a person that a look of that number has made ready; nil for
// none.
func (p *proof) asked(seq int) *update {
	for _, r := range p.back {
		if r.update != nil && r.seq <= seq && r.update.report == nil {
			return r.update
		}
	}
	return nil
}

// goingBack are those of these groups that are being put back as they were after the look
// of that number, and which of their processes ran then, nil where that does not count, with
// the files that are put back. Of the groups in awaited that look does not know yet.
func (p *proof) goingBack(seq int, groups ...*spec.Group) (back map[string]map[string]bool, files, awaited map[string]bool) {
	if len(p.back) == 0 {
		return nil, nil, nil
	}
	back, files, awaited = make(map[string]map[string]bool), make(map[string]bool), make(map[string]bool)
	for _, r := range p.back {
		for _, name := range r.files {
			files[name] = files[name] || r.seq <= seq
		}
		for _, g := range groups {
			switch {
			case !slices.ContainsFunc(groupFiles(g), func(name string) bool { return slices.Contains(r.files, name) }):
				continue
			case r.seq > seq:
				awaited[g.Name] = true
				continue
			case r.ran == nil:
				back[g.Name] = nil
				continue
			case back[g.Name] == nil:
				back[g.Name] = make(map[string]bool)
			}
			maps.Copy(back[g.Name], r.ran[g.Name])
			for i := range g.Processes {
				if _, known := back[g.Name][g.Processes[i].Name]; r.first && !known {
					back[g.Name][g.Processes[i].Name] = g.Processes[i].Autostart
				}
			}
		}
	}
	return back, files, awaited
}

// rejected are the files in whose place former content is in force, or is about to be.
func (p *proof) rejected() (files []string) {
	for _, name := range slices.Sorted(maps.Keys(p.failed)) {
		if f := p.failed[name]; f.reverted() && !f.Pinned {
			files = append(files, name)
		}
	}
	return files
}

// programs are the groups that content which is not in force defines, by its file.
func (p *proof) programs() map[string][]string {
	list := make(map[string][]string)
	for name, f := range p.failed {
		if f.reverted() {
			list[name] = f.Groups
		}
	}
	return list
}

// holdReason is why nothing more is done with the file of that name.
func (f *failedFile) holdReason(name string) string {
	return name + ": " + f.Reason + ": run update to go on, or revert it"
}

// holds are those of files that have failed.
func (p *proof) holds() (list []hold) {
	for _, name := range slices.Sorted(maps.Keys(p.failed)) {
		if f := p.failed[name]; f.Action == spec.OnFailureHold {
			list = append(list, hold{Path: name, Reason: f.holdReason(name)})
		}
	}
	return list
}

// verdicts are the states of files whose content has failed and is in force nevertheless.
func (p *proof) verdicts() map[string]FileState {
	list := make(map[string]FileState)
	for name, f := range p.failed {
		switch f.Action {
		case spec.OnFailureHold:
			list[name] = FileState{State: FileHeld, Reason: f.holdReason(name)}
		case spec.OnFailureKeep:
			list[name] = FileState{State: FileApplied, Reason: f.Reason}
		}
	}
	for _, t := range p.trials {
		for name := range t.files {
			if _, ok := list[name]; !ok {
				list[name] = FileState{State: FileApplied, Reason: fmt.Sprintf("it is being verified: %s to go", plural(len(t.runs), "process"))}
			}
		}
	}
	return list
}
