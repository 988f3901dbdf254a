package reconcile

import (
	"bytes"
	"crypto/sha256"
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
	// whose content has failed, has its former content here.
	proved map[string]goodFile
	trials []*trial
	failed map[string]*failedFile // contents that have failed, by path
	back   []*reversion           // what is to be put back in force
	// changes counts what is to outlive the daemon.
	changes int
}

// trial is what one update changed and what stands or falls together.
type trial struct {
	files map[string]tried
	runs  []*run // that are not proved yet
	// ran are the processes that ran before, of all groups that the update changed.
	ran map[ProcessKey]bool
	// first: it is of the daemon's first update, and what ran before is not known. Then it
	// is all that starts by itself but what ends as expected.
	first bool
}

// tried is the content of a file on trial, and what was there before.
type tried struct {
	hash   [sha256.Size]byte
	former goodFile
	had    bool // there was something: of a new file there was not
}

// run is one process on trial.
type run struct {
	key       ProcessKey
	file      string
	within    time.Duration // how long it has to be RUNNING
	stable    time.Duration // and how long it must stay so
	onFailure spec.OnFailure
	crashed   int           // Process.Crashed when the update began
	left      time.Duration // of within, at the time at
	at        time.Time
	waiting   bool      // its clock stands still
	busy      bool      // the update in hand stops it
	began     time.Time // of the run that was seen RUNNING
	since     time.Time // when it was seen so first
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
	ran    map[ProcessKey]bool // what ran then; nil where a person goes back, and the usual rules count
	reason string
	update *update // of the person; nil for none
}

// verdict is what became of a trial.
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
	p.follow(changed)
	if a.first { // there is nothing that ran before what is new
		maps.DeleteFunc(changed, func(_ string, t tried) bool { return !t.had })
	}
	before := make(map[string][]Process, len(a.before))
	for i := range a.before {
		before[a.before[i].Group.Name] = a.before[i].Processes
	}
	var runs []*run
	ran := make(map[ProcessKey]bool)
	try := func(g *spec.Group, q *spec.Process, crashed int) {
		v := a.config.Reconcile.Proof(q)
		file := responsible(changed, g, q, a.config)
		if v.Within == 0 || !q.Autostart || file == "" {
			return
		}
		runs = append(runs, &run{
			key: ProcessKey{g.Name, q.Name}, file: file, within: v.Within, stable: v.Stable, onFailure: v.OnFailure,
			crashed: crashed, left: v.Within, at: a.now,
		})
	}
	for i := range a.outcomes {
		o := &a.outcomes[i]
		if !o.Begun || o.Err != nil {
			continue
		}
		crashed := make(map[string]int)
		for _, q := range before[o.Step.Group] {
			if q.Running {
				ran[ProcessKey{o.Step.Group, q.Name}] = true
			}
			if !o.Step.Replace { // else it is counted anew
				crashed[q.Name] = q.Crashed
			}
		}
		for _, q := range startedBy(o.Step) {
			try(o.Step.New, q, crashed[q.Name])
		}
	}
	if a.first { // the daemon's start has started what starts by itself
		for i := range a.config.Groups {
			g := &a.config.Groups[i]
			for j := range g.Processes {
				ran[ProcessKey{g.Name, g.Processes[j].Name}] = g.Processes[j].Autostart
				try(g, &g.Processes[j], 0)
			}
		}
	}
	if len(runs) == 0 {
		return
	}
	for _, unit := range p.units(changed, a.config, runs) {
		unit.first = a.first
		p.put(unit, ran)
	}
	p.changes++
}

// suspend leaves alone the processes that an update stops, until it is over.
func (p *proof) suspend(steps []Step) {
	for _, t := range p.trials {
		for _, r := range t.runs {
			r.busy = slices.ContainsFunc(steps, func(s Step) bool { return s.Group == r.key.Group && slices.Contains(s.Stop, r.key.Process) })
		}
	}
}

// changed are the files whose content is another than what was proved of them.
func (p *proof) changed(cfg *spec.Config, good *contents) map[string]tried {
	changed := make(map[string]tried)
	for i := range cfg.Files {
		name := cfg.Files[i].Path
		k, ok := good.files[name]
		former, had := p.proved[name]
		if ok && (!had || former.hash != k.hash) {
			changed[name] = tried{k.hash, former, had}
		}
	}
	return changed
}

// follow has the open trials go by the contents that there are now: a file that is as it
// was proved, or is gone, is on trial no more.
func (p *proof) follow(changed map[string]tried) {
	p.trials = slices.DeleteFunc(p.trials, func(t *trial) bool {
		for name, f := range t.files {
			now, ok := changed[name]
			if !ok {
				delete(t.files, name)
				p.changes++
				continue
			}
			f.hash = now.hash
			t.files[name] = f
		}
		t.runs = slices.DeleteFunc(t.runs, func(r *run) bool { _, ok := t.files[r.file]; return !ok })
		return len(t.runs) == 0
	})
}

// startedBy are the processes that a step starts.
func startedBy(s *Step) (list []*spec.Process) {
	if s.New == nil {
		return nil
	}
	for i := range s.New.Processes {
		q := &s.New.Processes[i]
		if slices.Contains(s.Start, q.Name) || s.Start == nil && s.Old == nil && q.Autostart {
			list = append(list, q)
		}
	}
	return list
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
// one that is gone is that file under another name, and has its former content.
func (p *proof) joinMoved(changed map[string]tried, cfg *spec.Config, join func(a, b string)) {
	after := make(map[string][]string, len(cfg.Files))
	for i := range cfg.Files {
		after[cfg.Files[i].Path] = sectionsOf(&cfg.Files[i])
	}
	came := make(map[string]string) // the changed file in which a section is new
	for name, t := range changed {
		before := spec.SectionNames(t.former.content)
		for _, s := range after[name] {
			if !slices.Contains(before, s) {
				came[s] = name
			}
		}
	}
	if len(came) == 0 {
		return
	}
	for from, k := range p.proved {
		_, differs := changed[from]
		now, there := after[from]
		if there && !differs {
			continue
		}
		for _, s := range spec.SectionNames(k.content) {
			to := came[s]
			switch {
			case to == "" || to == from || slices.Contains(now, s):
			case there:
				join(from, to)
			case !changed[to].had:
				changed[to] = tried{changed[to].hash, k, true}
			}
		}
	}
}

func sectionsOf(f *spec.File) []string {
	names := make([]string, len(f.Sections))
	for i, s := range f.Sections {
		names[i] = s.Name
	}
	return names
}

// put adds a trial. Those that are open of the same files are taken over: their files,
// what ran before them, and their processes but those that were started anew.
func (p *proof) put(t *trial, ran map[ProcessKey]bool) {
	t.ran = maps.Clone(ran)
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
			if !slices.ContainsFunc(t.runs, func(n *run) bool { return n.key == r.key }) {
				t.runs = append(t.runs, r)
			}
			if !old.ran[r.key] {
				delete(t.ran, r.key)
			}
		}
		maps.Copy(t.ran, old.ran)
		return true
	}), t)
}

// -- how it ends --

// judge looks at the processes on trial. It returns the trials that are over, and when
// it is to look again although no process has changed; zero for never.
func (p *proof) judge(now time.Time, active []Active) (over []verdict, next time.Time) {
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
		v := verdict{trial: t}
		t.runs = slices.DeleteFunc(t.runs, func(r *run) bool {
			done, failure, again := r.judge(now, live[r.key])
			if q := live[r.key]; t.first && done && q != nil && q.State == "EXITED" {
				delete(t.ran, r.key)
			}
			if failure != "" && v.run == nil {
				v.run, v.reason = r, failure
			}
			if !again.IsZero() && (next.IsZero() || again.Before(next)) {
				next = again
			}
			return done
		})
		if v.run == nil && len(t.runs) > 0 {
			return false
		}
		over = append(over, v)
		p.changes++
		return true
	})
	return over, next
}

// judge looks at one process, nil for one that is gone. It has failed if failure is not
// empty; else, unless it is done, it is to be looked at again when it changes or at the
// time again.
func (r *run) judge(now time.Time, q *Process) (done bool, failure string, again time.Time) {
	if r.busy {
		return false, "", again
	}
	if q == nil || q.UserStopped { // others have decided about it
		return true, "", again
	}
	if !r.waiting {
		r.left -= now.Sub(r.at)
	}
	r.at, r.waiting = now, q.Waiting
	switch {
	case q.Waiting:
		return false, "", again
	case q.Crashed > r.crashed:
		return true, r.name() + " ended soon after it was RUNNING" + inParentheses(q.Trouble), again
	case q.State == "FATAL":
		return true, r.name() + " is FATAL" + inParentheses(q.Trouble), again
	case q.State == "EXITED" && q.Failed:
		return true, r.name() + " has ended" + inParentheses(q.Trouble), again
	case q.State == "EXITED":
		return true, "", again
	case q.State == "RUNNING":
		if r.since.IsZero() || !r.began.Equal(q.Began) {
			r.began, r.since = q.Began, now
		}
		again = r.since.Add(r.stable)
		return !now.Before(again), "", again
	case r.left <= 0:
		return true, fmt.Sprintf("%s was not RUNNING within %s: it is %s%s", r.name(), value.ShowDuration(r.within), q.State, inParentheses(q.Trouble)), again
	}
	return false, "", now.Add(r.left)
}

func (r *run) name() string {
	return spec.Namespec{Group: r.key.Group, Process: r.key.Process}.String()
}

// inParentheses is a reason in parentheses, if there is one.
func inParentheses(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

// -- what becomes of it --

// fail notes that the content of a trial has failed, and what is to be done about it: what
// on_failure says, but that a revert is a hold where it could not be remembered, or where
// it would concern the main file. It reports what it came to.
// seq is that of the first look that will know of it.
func (p *proof) fail(now time.Time, v verdict, cfg *spec.Config, remembers bool, seq int) (files []string, action spec.OnFailure) {
	files = slices.Sorted(maps.Keys(v.trial.files))
	action = v.run.onFailure
	if _, main := v.trial.files[cfg.Path]; action == spec.OnFailureRevert && (!remembers || main) {
		action = spec.OnFailureHold
	}
	for name, t := range v.trial.files {
		p.failed[name] = &failedFile{
			Hash: t.hash, Former: t.former.content, Had: t.had, Reason: v.reason, Time: now, Action: action,
			Files: files, Groups: groupsFrom(cfg, name),
		}
	}
	if action == spec.OnFailureRevert {
		p.back = append(p.back, &reversion{seq: seq, files: files, ran: v.trial.ran, reason: strings.Join(files, ", ") + ": " + v.reason})
	}
	p.changes++
	return files, action
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
	p.back = slices.DeleteFunc(p.back, func(r *reversion) bool { return slices.Contains(r.files, name) })
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

// release notes that a person asked for an update of these groups, all for none: what is
// held goes ahead, and failed content is tried again if it was asked for by name.
func (p *proof) release(names []string) {
	for name, f := range p.failed {
		asked := !f.Pinned && slices.ContainsFunc(f.Groups, func(g string) bool { return slices.Contains(names, g) })
		if asked || len(names) == 0 && !f.reverted() {
			p.forgive(name)
		}
	}
}

// watched are the failed contents that a change of their file ends: a hold ends with a
// person's decision alone.
func (p *proof) watched() map[string]*failedFile {
	list := make(map[string]*failedFile)
	for name, f := range p.failed {
		if f.Action != spec.OnFailureHold {
			list[name] = f
		}
	}
	return list
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

// isBack notes that nothing is left to be done after the look of that number. It returns
// the updates of people that are over so.
func (p *proof) isBack(seq int) (updates []*update) {
	p.back = slices.DeleteFunc(p.back, func(r *reversion) bool {
		over := r.seq <= seq
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
		if r.update != nil && r.seq <= seq {
			return r.update
		}
	}
	return nil
}

// held says why a step is not to be taken before a person decides; "" if it may.
func (p *proof) held(s *Step) string {
	for _, name := range filesOf(s) {
		if f := p.failed[name]; f != nil && f.Action == spec.OnFailureHold {
			return fmt.Sprintf("%s: %s: run update to go on", name, f.Reason)
		}
	}
	return ""
}

// goingBack are the groups that are being put back as they were, and which of their
// processes ran then, nil where that does not count; nil where no group is.
func (p *proof) goingBack(groups ...*spec.Group) map[string]map[string]bool {
	if len(p.back) == 0 {
		return nil
	}
	list := make(map[string]map[string]bool)
	for _, r := range p.back {
		for _, g := range groups {
			if !slices.ContainsFunc(groupFiles(g), func(name string) bool { return slices.Contains(r.files, name) }) {
				continue
			}
			if list[g.Name] == nil {
				list[g.Name] = nil
				if r.ran != nil {
					list[g.Name] = make(map[string]bool)
				}
			}
			for key := range r.ran {
				if key.Group == g.Name {
					list[g.Name][key.Process] = true
				}
			}
		}
	}
	return list
}

// groupFiles are the files that a group and its processes are defined in.
func groupFiles(g *spec.Group) []string {
	files := []string{origin(g)}
	for i := range g.Processes {
		if file := g.Processes[i].Origin.File; !slices.Contains(files, file) {
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
// has failed.
func (p *proof) settle(cfg *spec.Config, good *contents, drift []Step) {
	open := make(map[string]bool)
	for i := range drift {
		for _, name := range filesOf(&drift[i]) {
			open[name] = true
		}
	}
	for _, t := range p.trials {
		for name := range t.files {
			open[name] = true
		}
	}
	there := make(map[string]bool, len(cfg.Files))
	for i := range cfg.Files {
		name := cfg.Files[i].Path
		there[name] = true
		k, ok := good.files[name]
		if f := p.failed[name]; !ok || open[name] || f != nil && f.Hash == k.hash {
			continue
		}
		if was, had := p.proved[name]; !had || was.hash != k.hash {
			p.proved[name] = k
			p.changes++
		}
	}
	for name := range p.proved {
		if _, held := good.files[name]; !there[name] && !open[name] && !held {
			delete(p.proved, name)
			p.changes++
		}
	}
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

// proofRecord is what is not proved. All else that is good is.
type proofRecord struct {
	// Former is what was proved last of each file of which that is not the last good
	// content; null of a file of which nothing was.
	Former map[string][]byte      `json:"former"`
	Failed map[string]*failedFile `json:"failed"`
}

// record writes down what of these last good contents is not proved. It is before where
// nothing has changed.
func (p *proof) record(good *contents, before *proofRecord) *proofRecord {
	r := &proofRecord{Former: make(map[string][]byte), Failed: maps.Clone(p.failed)}
	for name, k := range good.files {
		if was, had := p.proved[name]; !had {
			r.Former[name] = nil
		} else if was.hash != k.hash {
			r.Former[name] = was.former()
		}
	}
	for name, was := range p.proved {
		if _, ok := good.files[name]; !ok {
			r.Former[name] = was.former()
		}
	}
	if before != nil && maps.Equal(before.Failed, r.Failed) && maps.EqualFunc(before.Former, r.Former, func(a, b []byte) bool {
		return (a == nil) == (b == nil) && bytes.Equal(a, b)
	}) {
		return before
	}
	return r
}

// proved is what was proved of these last good contents.
func (r *proofRecord) proved(good map[string][]byte) map[string]goodFile {
	proved := maps.Clone(newContents(good).files)
	for name, content := range r.Former {
		if content == nil {
			delete(proved, name)
		} else {
			proved[name] = goodFile{content, sha256.Sum256(content)}
		}
	}
	return proved
}

// former is the content, which is never nil.
func (k goodFile) former() []byte {
	if k.content == nil {
		return []byte{}
	}
	return k.content
}
