package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"supervisord/spec"
	"supervisord/spec/value"
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
	// changes counts what is to outlive the daemon.
	changes int
}

// trial is what one update changed and what stands or falls together.
type trial struct {
	files map[string]tried
	runs  []*run // that are not proved yet
	ran   ran    // before
	// first: it is of the daemon's first update. Of what is not known to have run before,
	// it is what starts by itself.
	first bool
	kept  bool // a process has failed for which on_failure is keep
}

// tried is the content of a file on trial, and what was there before.
type tried struct {
	hash   [sha256.Size]byte
	former goodFile
	had    bool     // there was something: of a new file there was not
	groups []string // that the content defines or adds to
}

// ran says of processes, by their group and name, whether they ran at some time. What is
// not in it is not known.
type ran map[string]map[string]bool

// add notes what is not known yet.
func (r ran) add(group, process string, is bool) {
	if r[group] == nil {
		r[group] = make(map[string]bool)
	}
	if _, known := r[group][process]; !known {
		r[group][process] = is
	}
}

// addAll notes of what r does not know what other knows.
func (r ran) addAll(other ran) {
	for group, processes := range other {
		for process, is := range processes {
			r.add(group, process, is)
		}
	}
}

// run is one process on trial.
type run struct {
	key       ProcessKey
	file      string
	within    time.Duration // how long it has to be RUNNING
	stable    time.Duration // and how long it must stay so
	onFailure spec.OnFailure
	left      time.Duration // of within, at the time at
	at        time.Time
	since     time.Time // when it was seen RUNNING; zero before
	waiting   bool      // its clock stands still
	busy      bool      // the update in hand stops it
}

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
}

// reverted reports whether the former content is in force in the place of what failed.
func (f *failedFile) reverted() bool { return f.Action == spec.OnFailureRevert }

// reversion is former content that is to be put back in force.
type reversion struct {
	seq    int // of the first look that knows of it
	files  []string
	ran    ran  // what ran then; nil where a person goes back, and the usual rules count
	first  bool // what is not in ran is what starts by itself
	reason string
	update *update // of the person; nil for none
}

// verdict is what became of a trial, or of a process of it for which on_failure is keep.
type verdict struct {
	trial  *trial
	run    *run   // that has failed; nil where all is well
	reason string // why
}

func newProof(proved map[string]goodFile, failed map[string]*failedFile) *proof {
	p := &proof{proved: proved, failed: maps.Clone(failed)}
	if p.failed == nil {
		p.failed = make(map[string]*failedFile)
	}
	return p
}

// -- how a trial begins --

// applied is what an update has put in force, as far as it went.
type applied struct {
	now      time.Time
	first    bool // it is the daemon's first
	config   *spec.Config
	good     *contents
	outcomes []Outcome
	before   []Active // the groups when it was planned
}

// open puts on trial what an update started that carries changed content. What an open
// trial has of the same files goes on in the new one.
func (p *proof) open(a applied) {
	p.suspend(nil)
	changed := p.changed(a.config, a.good)
	maps.DeleteFunc(changed, func(name string, t tried) bool {
		_, known := p.proved[name]
		return a.first && !known // there is nothing that ran before what is new to us
	})
	before := a.ranBefore()
	for _, t := range p.trials {
		t.ran.addAll(before)
	}
	started, files := a.started()
	var runs []*run
	for _, s := range started {
		v := a.config.Reconcile.Proof(s.process)
		file := responsible(changed, s.group, s.process, a.config)
		if v.Within == 0 || !s.process.Autostart || file == "" {
			continue
		}
		files[file] = true
		runs = append(runs, &run{
			key: ProcessKey{s.group.Name, s.process.Name}, file: file, within: v.Within, stable: v.Stable, onFailure: v.OnFailure,
			left: v.Within, at: a.now,
		})
	}
	if len(runs) == 0 {
		return
	}
	maps.DeleteFunc(changed, func(name string, _ tried) bool { return !files[name] && !a.first })
	for _, t := range p.units(changed, a.config, runs) {
		for name, f := range t.files {
			f.groups = groupsFrom(a.config, name)
			t.files[name] = f
		}
		t.ran, t.first = before, a.first
		p.put(t)
	}
	p.changes++
}

// ranBefore are the processes that ran before the update, of the groups that it changed.
func (a *applied) ranBefore() ran {
	changed := make(map[string]bool)
	for i := range a.outcomes {
		changed[a.outcomes[i].Step.Group] = a.outcomes[i].Begun
	}
	list := make(ran)
	for i := range a.before {
		if name := a.before[i].Group.Name; changed[name] {
			for _, q := range a.before[i].Processes {
				list.add(name, q.Name, q.Running)
			}
		}
	}
	return list
}

// startedProcess is one that an update has started.
type startedProcess struct {
	group   *spec.Group
	process *spec.Process
}

// started are the processes that the update has started, and the files that its steps
// were about.
func (a *applied) started() (list []startedProcess, files map[string]bool) {
	files = make(map[string]bool)
	for i := range a.outcomes {
		o := &a.outcomes[i]
		start := o.Step.starts()
		if o.Err != nil {
			start = o.RolledOut
		}
		if !o.Begun || o.Err != nil && len(start) == 0 {
			continue
		}
		for _, name := range filesOf(o.Step) {
			files[name] = true
		}
		g := o.Step.New
		for j := 0; g != nil && j < len(g.Processes); j++ {
			q := &g.Processes[j]
			if slices.Contains(start, q.Name) {
				list = append(list, startedProcess{g, q})
			}
		}
	}
	if a.first { // the daemon's start has started what starts by itself
		for i := range a.config.Groups {
			g := &a.config.Groups[i]
			for j := range g.Processes {
				list = append(list, startedProcess{g, &g.Processes[j]})
			}
		}
	}
	return list, files
}

// suspend leaves alone the processes that an update stops, until it is over.
func (p *proof) suspend(steps []Step) {
	if len(p.trials) == 0 {
		return
	}
	stops := make(map[ProcessKey]bool)
	for i := range steps {
		for _, name := range steps[i].Stop {
			stops[ProcessKey{steps[i].Group, name}] = true
		}
	}
	for _, t := range p.trials {
		for _, r := range t.runs {
			r.busy = stops[r.key]
		}
	}
}

// changed are the files whose content is another than what was proved of them.
func (p *proof) changed(cfg *spec.Config, good *contents) map[string]tried {
	changed := make(map[string]tried)
	for i := range cfg.Files {
		name := cfg.Files[i].Path
		k, ok := good.files[name]
		former, known := p.proved[name]
		if ok && (!known || former.hash != k.hash) {
			changed[name] = tried{hash: k.hash, former: former, had: known && former.content != nil}
		}
	}
	return changed
}

// responsible is the changed file because of which a process was started: its own, that of
// its group, or the main file; "" where none of them has changed.
func responsible(changed map[string]tried, g *spec.Group, q *spec.Process, cfg *spec.Config) string {
	for _, name := range []string{q.Origin.File, origin(g), cfg.Path} {
		if _, ok := changed[name]; ok && name != "" {
			return name
		}
	}
	return ""
}

// units are the trials of these runs. Two changed files stand or fall together if a
// section has gone from one to the other, or, where it says so, if they are of one
// directory.
func (p *proof) units(changed map[string]tried, cfg *spec.Config, runs []*run) []*trial {
	names := slices.Sorted(maps.Keys(changed))
	root := make(map[string]string, len(names))
	for _, name := range names {
		root[name] = name
	}
	find := func(name string) string {
		for root[name] != name {
			name = root[name]
		}
		return name
	}
	join := func(a, b string) { root[find(a)] = find(b) }
	if cfg.Reconcile.ByDirectory {
		first := make(map[string]string)
		for _, name := range names {
			if name == cfg.Path {
				continue
			}
			dir := path.Dir(name)
			if other, ok := first[dir]; ok {
				join(name, other)
			}
			first[dir] = name
		}
	}
	p.joinMoved(changed, cfg, join)
	units := make(map[string]*trial)
	for _, r := range runs {
		u := units[find(r.file)]
		if u == nil {
			u = &trial{files: make(map[string]tried)}
			units[find(r.file)] = u
		}
		u.runs = append(u.runs, r)
	}
	var list []*trial
	for _, name := range names {
		if u := units[find(name)]; u != nil {
			u.files[name] = changed[name]
			if name == find(name) {
				list = append(list, u)
			}
		}
	}
	return list
}

// joinMoved joins files that a section has moved between. A new file that has a section of
// one that is gone, or of several, is that under another name, and has its former content.
func (p *proof) joinMoved(changed map[string]tried, cfg *spec.Config, join func(a, b string)) {
	after := make(map[string][]string, len(cfg.Files))
	for i := range cfg.Files {
		for _, s := range cfg.Files[i].Sections {
			after[cfg.Files[i].Path] = append(after[cfg.Files[i].Path], s.Name)
		}
	}
	came := make(map[string]string) // the changed file in which a section is new
	isNew := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		isNew[name] = !changed[name].had
		before := spec.SectionNames(changed[name].former.content)
		for _, s := range after[name] {
			if !slices.Contains(before, s) {
				came[s] = name
			}
		}
	}
	if len(came) == 0 {
		return
	}
	for _, from := range slices.Sorted(maps.Keys(p.proved)) {
		_, differs := changed[from]
		_, there := after[from]
		if there && !differs {
			continue
		}
		taken := make(map[string]bool)
		for _, s := range spec.SectionNames(p.proved[from].content) {
			to := came[s]
			switch {
			case to == "" || to == from || slices.Contains(after[from], s):
			case there:
				join(from, to)
			case isNew[to] && !taken[to]:
				taken[to] = true
				t := changed[to]
				content := slices.Concat(t.former.content, []byte("\n"), p.proved[from].content)
				t.former, t.had = goodFile{content, sha256.Sum256(content)}, true
				changed[to] = t
			}
		}
	}
}

// put adds a trial. Those that are open of the same files are taken over: their files,
// what ran before them, and their processes but those that were started anew.
func (p *proof) put(t *trial) {
	fresh := make(map[ProcessKey]bool, len(t.runs))
	for _, r := range t.runs {
		fresh[r.key] = true
	}
	p.trials = append(slices.DeleteFunc(p.trials, func(old *trial) bool {
		shares := false
		for name := range old.files {
			_, in := t.files[name]
			shares = shares || in
		}
		if !shares {
			return false
		}
		for name, f := range old.files {
			if _, in := t.files[name]; !in {
				t.files[name] = f
			}
		}
		for _, r := range old.runs {
			if !fresh[r.key] {
				t.runs = append(t.runs, r)
			}
		}
		before := old.ran // it was earlier
		before.addAll(t.ran)
		t.ran, t.first = before, t.first || old.first
		return true
	}), t)
}

// -- how it ends --

// judge looks at the processes on trial. It returns what has been decided, and when it is
// to look again although no process has changed; zero for never.
func (p *proof) judge(now time.Time, active []Active) (verdicts []verdict, next time.Time) {
	if len(p.trials) == 0 {
		return nil, next
	}
	live := make(map[ProcessKey]*Process)
	for i := range active {
		for j := range active[i].Processes {
			live[ProcessKey{active[i].Group.Name, active[i].Processes[j].Name}] = &active[i].Processes[j]
		}
	}
	p.trials = slices.DeleteFunc(p.trials, func(t *trial) bool {
		var worst verdict // revert goes before hold, and that before keep
		t.runs = slices.DeleteFunc(t.runs, func(r *run) bool {
			q := live[r.key]
			done, failure, again := r.judge(now, q)
			if failure != "" && (worst.run == nil || r.onFailure > worst.run.onFailure) {
				worst = verdict{t, r, failure}
			}
			if t.first && done && failure == "" && q != nil && q.State == "EXITED" { // it had run then, too
				t.ran.add(r.key.Group, r.key.Process, false)
			}
			next = earliest(next, again)
			return done
		})
		if worst.run != nil {
			verdicts = append(verdicts, worst)
			t.kept = t.kept || worst.run.onFailure == spec.OnFailureKeep
		}
		if len(t.runs) > 0 && (worst.run == nil || worst.run.onFailure == spec.OnFailureKeep) {
			return false
		}
		if worst.run == nil {
			verdicts = append(verdicts, verdict{trial: t})
		}
		p.changes++
		return true
	})
	return verdicts, next
}

// judge looks at one process, nil for one that is gone. It has failed if failure is not
// empty; else, unless it is done, it is to be looked at again when it changes or at the
// time again.
func (r *run) judge(now time.Time, q *Process) (done bool, failure string, again time.Time) {
	passed := now.Sub(r.at)
	r.at = now
	switch {
	case r.busy, q != nil && q.Ending:
		return false, "", again
	case q == nil || q.UserStopped: // others have decided about it
		return true, "", again
	}
	if !r.waiting && r.since.IsZero() {
		r.left -= passed
	}
	r.waiting = q.Waiting
	if q.State == "RUNNING" && r.since.IsZero() {
		r.since = now
	}
	stable := r.since.Add(r.stable)
	switch {
	case q.Waiting:
		return false, "", again
	case q.Crashed > 0:
		return true, r.name() + " ended soon after it was RUNNING" + inParentheses(q.Trouble), again
	case q.State == "FATAL":
		return true, r.name() + " is FATAL" + inParentheses(q.Trouble), again
	case q.State == "EXITED" && q.Failed:
		return true, r.name() + " has ended" + inParentheses(q.Trouble), again
	case q.State == "EXITED":
		return true, "", again
	case !r.since.IsZero():
		return !now.Before(stable), "", stable
	case r.left <= 0:
		return true, fmt.Sprintf("%s was not RUNNING within %s: it is %s%s", r.name(), value.ShowDuration(r.within), q.State, inParentheses(q.Trouble)), again
	}
	return false, "", now.Add(r.left)
}

func (r *run) name() string {
	return spec.Namespec{Group: r.key.Group, Process: r.key.Process}.String()
}

// inParentheses is a reason as it follows something, if there is one.
func inParentheses(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

// -- what becomes of it --

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
	}
	p.changes++
	return files, action
}

// passed notes that all of a trial is well: what failed before with the same content does
// not any more.
func (p *proof) passed(t *trial) {
	for name, f := range t.files {
		if was := p.failed[name]; !t.kept && was != nil && was.Hash == f.hash {
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

// known are the contents that have failed, but for those that an update releases; nil for
// none.
func (p *proof) known(u *update) map[string]*failedFile {
	list := maps.Clone(p.failed)
	if u != nil && u.explicit {
		maps.DeleteFunc(list, func(_ string, f *failedFile) bool { return f.releases(u.names) })
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
// of that number, and which of their processes ran then, nil where that does not count.
// Of the groups in awaited that look does not know yet.
func (p *proof) goingBack(seq int, groups ...*spec.Group) (back map[string]map[string]bool, awaited map[string]bool) {
	if len(p.back) == 0 {
		return nil, nil
	}
	back, awaited = make(map[string]map[string]bool), make(map[string]bool)
	for _, r := range p.back {
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
	return back, awaited
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

// settle takes what is in force for proved, where nothing is left to be done, on trial, or
// has failed. Trials go by what is in force from now on: a file that is as it was proved,
// or is gone, is on trial no more. drift is what is left to be done to these active
// groups.
func (p *proof) settle(cfg *spec.Config, good *contents, active []Active, drift []Step) {
	open := p.unsettled(cfg, active, drift)
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
	for name := range p.failed {
		if gone(name) && !slices.ContainsFunc(active, func(a Active) bool { return slices.Contains(groupFiles(a.Group), name) }) {
			p.forgive(name)
		}
	}
}

// unsettled are the files of which nobody knows yet whether they run: something is left to
// be done, or a process that is verified has failed.
func (p *proof) unsettled(cfg *spec.Config, active []Active, drift []Step) map[string]bool {
	open := make(map[string]bool)
	for i := range drift {
		for _, name := range filesOf(&drift[i]) {
			open[name] = true
		}
	}
	for i := range active {
		g := active[i].Group
		for _, q := range active[i].Processes {
			if !q.Failed {
				continue
			}
			if def := find(g, q.Name); def != nil && cfg.Reconcile.Proof(def).Within > 0 {
				open[origin(g)], open[def.Origin.File] = true, true
			}
		}
	}
	for _, name := range cfg.Kept {
		if g := groupOf(cfg, name); g != nil {
			for _, file := range groupFiles(g) {
				open[file] = true
			}
		}
	}
	return open
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

// waitsFor says what is on trial; "" for nothing.
func (p *proof) waitsFor() string {
	if len(p.trials) == 0 {
		return ""
	}
	n := 0
	for _, t := range p.trials {
		n += len(t.runs)
	}
	t := p.trials[0]
	text := fmt.Sprintf("%s of %s is being verified", t.runs[0].name(), t.runs[0].file)
	if n > 1 {
		text += fmt.Sprintf(", and %d more", n-1)
	}
	return text
}

// -- what outlives the daemon --

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
