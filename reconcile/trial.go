package reconcile

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"supervisord/spec"
	"supervisord/spec/value"
)

// trial is what one update changed and what stands or falls together.
type trial struct {
	files map[string]tried
	runs  []*run // that are not proved yet
	ran   ran    // before
	// started are all that its updates have started, also those that are proved.
	started []ProcessKey
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

// verdict is what became of a trial, or of a process of it for which on_failure is keep.
type verdict struct {
	trial  *trial
	run    *run   // that has failed; nil where all is well
	reason string // why
}

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
	// What the update had nothing to do for stands and falls with the rest all the same, if a
	// section has gone from there; but what has failed before is not drawn into it.
	maps.DeleteFunc(changed, func(name string, _ tried) bool { return !files[name] && p.failed[name] != nil })
	for _, t := range p.units(changed, a.config, runs) {
		for name, f := range t.files {
			f.groups = groupsFrom(a.config, name)
			t.files[name] = f
		}
		t.ran, t.first = before, a.first
		for _, r := range t.runs {
			t.started = append(t.started, r.key)
			delete(p.suspects, r.key)
		}
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

// wholes are sets of names, of which each set is treated as one thing: by a name that was
// joined to another, that one.
type wholes map[string]string

// of is the name that stands for all of the set which a name is in.
func (w wholes) of(name string) string {
	for {
		other, joined := w[name]
		if !joined {
			return name
		}
		if next, further := w[other]; further {
			w[name] = next // so that the way becomes short
		}
		name = other
	}
}

// join makes one set of those that two names are in.
func (w wholes) join(a, b string) {
	if a, b = w.of(a), w.of(b); a != b {
		w[a] = b
	}
}

// units are the trials of these runs. Two changed files stand or fall together if a
// section has gone from one to the other, or, where it says so, if they are of one
// directory.
func (p *proof) units(changed map[string]tried, cfg *spec.Config, runs []*run) []*trial {
	names := slices.Sorted(maps.Keys(changed))
	whole := make(wholes)
	if cfg.Reconcile.ByDirectory {
		first := make(map[string]string)
		for _, name := range names {
			if name == cfg.Path {
				continue
			}
			dir := path.Dir(name)
			if other, ok := first[dir]; ok {
				whole.join(name, other)
			}
			first[dir] = name
		}
	}
	p.joinMoved(changed, cfg, whole.join)
	units := make(map[string]*trial)
	for _, r := range runs {
		u := units[whole.of(r.file)]
		if u == nil {
			u = &trial{files: make(map[string]tried)}
			units[whole.of(r.file)] = u
		}
		u.runs = append(u.runs, r)
	}
	var list []*trial
	for _, name := range names {
		if u := units[whole.of(name)]; u != nil {
			u.files[name] = changed[name]
			if name == whole.of(name) {
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
		t.started = append(t.started, old.started...)
		before := old.ran // it was earlier
		before.addAll(t.ran)
		t.ran, t.first = before, t.first || old.first
		return true
	}), t)
}

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
			t.kept = t.kept || p.suspected(t, live)
			verdicts = append(verdicts, verdict{trial: t})
		}
		p.changes++
		return true
	})
	return verdicts, next
}

// suspected reports whether something that content of a trial has started before has failed,
// and was not started anew by it: its own processes are well, and it is not.
func (p *proof) suspected(t *trial, live map[ProcessKey]*Process) bool {
	for key := range p.suspects {
		for _, f := range t.files {
			if q := live[key]; q != nil && q.Failed && slices.Contains(f.groups, key.Group) {
				return true
			}
		}
	}
	return false
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
