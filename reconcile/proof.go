package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"supervisord/spec"
)

// proof is what is known of whether contents of files run. It is pure: the time, the
// files and the processes are given to it. The loop owns it.
//
// Content that an update has put in force is on trial until the processes which it
// started or restarted are RUNNING and have stayed so. Then it is proved; or it has
// failed, and on_failure says what becomes of it. What starts nothing is proved at once.
type proof struct {
	// proved is the last content of each file that is, by path. A file on trial, or one
	// whose content has failed, has its former content here. Where it is known that
	// nothing of a file was ever proved, it has no content.
	proved map[string]goodFile
	trials []*trial
	failed map[string]*failedFile // contents that have failed, by path; each is never changed
	back   []*reversion           // what is to be put back in force
	// suspects are the processes that content has started which has failed and is in force
	// still, and those that were disabled when it came: while one of them has failed, nothing
	// of its files is proved. Others prove nothing against new content: they failed before it.
	suspects map[ProcessKey]bool
	// changes counts what is to outlive the daemon.
	changes int
}

func newProof(proved map[string]goodFile, failed map[string]*failedFile) *proof {
	p := &proof{proved: proved, failed: maps.Clone(failed), suspects: make(map[ProcessKey]bool)}
	if p.failed == nil {
		p.failed = make(map[string]*failedFile)
	}
	return p
}

// settle takes what is in force for proved, where nothing is left to be done, on trial, or
// has failed. Trials go by what is in force from now on: a file that is as it was proved,
// or is gone, is on trial no more. drift is what is left to be done to these active
// groups.
func (p *proof) settle(cfg *spec.Config, good *contents, active []Active, drift []Step) {
	open := p.unsettled(cfg, good, active, drift)
	p.follow(cfg, good, open)
	for _, t := range p.trials {
		for name := range t.files {
			open[name] = true
		}
	}
	there := make(map[string]bool, len(cfg.Files)+len(cfg.LeftOut))
	for i := range cfg.LeftOut {
		there[cfg.LeftOut[i].Path] = true
	}
	for i := range cfg.Files {
		name := cfg.Files[i].Path
		there[name] = true
		k, ok := good.files[name]
		if f := p.failed[name]; !ok || open[name] || f != nil && (f.Action == spec.OnFailureHold || f.Hash == k.hash) {
			continue
		}
		if was, known := p.proved[name]; !known || was.hash != k.hash {
			p.proved[name] = k
			p.changes++
		}
	}
	gone := func(name string) bool {
		_, held := good.files[name]
		return !there[name] && !held && !open[name]
	}
	for name := range p.proved {
		if gone(name) && len(drift)+len(p.trials) == 0 { // else it may be where something has moved from
			delete(p.proved, name)
			p.changes++
		}
	}
	for name, f := range p.failed {
		// What a person took back of a deleted file is in no config until the look that knows
		// of it: only a person, or the file itself, ends it.
		if !f.Gone && gone(name) && !slices.ContainsFunc(active, func(a Active) bool { return slices.Contains(groupFiles(a.Group), name) }) {
			p.forgive(name)
		}
	}
}

// unsettled are the files of which nobody knows yet whether they run: something is left to
// be done, a suspect has failed, or all that are verified are disabled.
func (p *proof) unsettled(cfg *spec.Config, good *contents, active []Active, drift []Step) map[string]bool {
	open := make(map[string]bool)
	changed := p.changed(cfg, good)
	for i := range drift {
		files := filesOf(&drift[i])
		for _, name := range files {
			open[name] = true
		}
		if !slices.ContainsFunc(files, func(name string) bool { _, is := changed[name]; return is }) {
			open[cfg.Path] = true // what else, see responsible
		}
	}
	off := make(map[string]bool) // files with verified processes: all are disabled
	live := make(map[ProcessKey]bool)
	for i := range active {
		g := active[i].Group
		for _, q := range active[i].Processes {
			def, key := find(g, q.Name), ProcessKey{g.Name, q.Name}
			live[key] = true
			if def == nil || cfg.Reconcile.Proof(def).Within == 0 {
				continue
			}
			for _, file := range []string{origin(g), def.Origin.File} {
				before, known := off[file]
				down := q.Disabled && q.UserStopped
				off[file] = down && (before || !known)
				if down && p.proved[file].hash != good.files[file].hash {
					p.suspects[key] = true
				}
				open[file] = open[file] || q.Failed && p.suspects[key]
			}
		}
	}
	maps.DeleteFunc(p.suspects, func(key ProcessKey, _ bool) bool { return !live[key] })
	for file, all := range off {
		open[file] = open[file] || all
	}
	for _, name := range cfg.Kept {
		if g := groupOf(cfg, name); g != nil {
			for _, file := range groupFiles(g) {
				open[file] = true
			}
		}
	}
	p.openMoved(changed, cfg, open)
	return open
}

// openMoved adds the files that a section has gone from to one of them, or from one of them
// to: they stand and fall together, see units.
func (p *proof) openMoved(changed map[string]tried, cfg *spec.Config, open map[string]bool) {
	if len(changed) < 2 {
		return
	}
	whole := make(wholes)
	p.joinMoved(changed, cfg, whole.join)
	opened := make(map[string]bool)
	for name := range changed {
		opened[whole.of(name)] = opened[whole.of(name)] || open[name]
	}
	for name := range changed {
		open[name] = open[name] || opened[whole.of(name)]
	}
}

// follow has the trials go by the contents that there are now, but for files with
// something left to be done.
func (p *proof) follow(cfg *spec.Config, good *contents, open map[string]bool) {
	if len(p.trials) == 0 {
		return
	}
	changed := p.changed(cfg, good)
	p.trials = slices.DeleteFunc(p.trials, func(t *trial) bool {
		for name, f := range t.files {
			now, ok := changed[name]
			switch {
			case open[name]:
			case !ok:
				delete(t.files, name)
				p.changes++
			case f.hash != now.hash:
				f.hash, f.groups = now.hash, groupsFrom(cfg, name)
				t.files[name] = f
				p.changes++
			}
		}
		t.runs = slices.DeleteFunc(t.runs, func(r *run) bool { _, ok := t.files[r.file]; return !ok })
		return len(t.runs) == 0
	})
}

// groupFiles are the files that a group and its processes are defined in.
func groupFiles(g *spec.Group) []string {
	files := []string{origin(g)}
	for i := range g.Processes {
		if file := g.Processes[i].Origin.File; file != files[len(files)-1] && !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	return files
}

// filesOf are the files that a step is about.
func filesOf(s *Step) (files []string) {
	for _, g := range []*spec.Group{s.Old, s.New} {
		if g != nil {
			files = append(files, groupFiles(g)...)
		}
	}
	return files
}

// proofRecord is what is known of files with processes that are verified. It goes by hashes
// alone: whatever the last good contents are that it is read with, none is taken for proved
// that was not.
type proofRecord struct {
	// Proved is the hash of what was proved last of each file, in hex; "" of a file on trial
	// of which nothing was.
	Proved map[string]string `json:"proved"`
	// Former is that content, where it is not the last good one.
	Former map[string][]byte      `json:"former"`
	Failed map[string]*failedFile `json:"failed"`
}

// record writes down what is known. It is before where nothing has changed.
func (p *proof) record(cfg *spec.Config, good *contents, before *proofRecord) *proofRecord {
	r := &proofRecord{Proved: make(map[string]string), Former: make(map[string][]byte), Failed: maps.Clone(p.failed)}
	for name := range p.recorded(cfg) {
		was, known := p.proved[name]
		switch {
		case !known || was.content == nil:
			if p.onTrial(name) { // of all else it is not known
				r.Proved[name] = ""
			}
			continue
		case good.files[name].hash != was.hash:
			r.Former[name] = was.content
		}
		r.Proved[name] = hex.EncodeToString(was.hash[:])
	}
	if before == nil && len(r.Proved) == 0 { // nothing is verified
		return nil
	}
	if before != nil && maps.Equal(before.Failed, r.Failed) && maps.Equal(before.Proved, r.Proved) && len(before.Former) == len(r.Former) {
		return before
	}
	return r
}

// onTrial reports whether a file is on trial.
func (p *proof) onTrial(name string) bool {
	return slices.ContainsFunc(p.trials, func(t *trial) bool { _, is := t.files[name]; return is })
}

// recorded are the files that have to do with processes that are verified.
func (p *proof) recorded(cfg *spec.Config) map[string]bool {
	list := make(map[string]bool)
	for i := range cfg.Groups {
		g := &cfg.Groups[i]
		for j := range g.Processes {
			if q := &g.Processes[j]; cfg.Reconcile.Proof(q).Within > 0 {
				list[origin(g)], list[q.Origin.File] = true, true
				if cfg.Path != "" {
					list[cfg.Path] = true
				}
			}
		}
	}
	for name := range p.failed {
		list[name] = true
	}
	for _, t := range p.trials {
		for name := range t.files {
			list[name] = true
		}
	}
	return list
}

// proved is what is known to be proved, where these are the last good contents.
func (r *proofRecord) proved(good map[string][]byte) map[string]goodFile {
	proved := make(map[string]goodFile)
	for name, hash := range r.Proved {
		if hash == "" {
			proved[name] = goodFile{}
			continue
		}
		for _, content := range [][]byte{r.Former[name], good[name]} {
			if sum := sha256.Sum256(content); content != nil && hex.EncodeToString(sum[:]) == hash {
				proved[name] = goodFile{content, sum}
			}
		}
	}
	return proved
}
