package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"supervisord/spec"
)

// The limits of what is kept to go back to.
const (
	keptGenerations = 20
	keptBytes       = 8 << 20 // of contents
)

// generation is what the files that one update changed were before.
type generation struct {
	Number int               `json:"generation"`
	Before map[string][]byte `json:"before"` // content by path; null of a file that was not there
}

// generations are the last updates, oldest first, as far as one can go back. The list is
// never changed once made. It is pure.
type generations struct {
	list    []generation
	inForce map[string]goodFile
}

// record notes that an update has put these contents in force, of these files alone if only
// is not nil.
func (g *generations) record(number int, good *contents, only map[string]bool) {
	before := make(map[string][]byte)
	now := good.files
	if only != nil {
		now = maps.Clone(g.inForce)
		for name := range only {
			if k, there := good.files[name]; there {
				now[name] = k
			}
		}
	}
	for name, k := range now {
		if was, had := g.inForce[name]; !had {
			before[name] = nil
		} else if was.hash != k.hash {
			before[name] = was.content
		}
	}
	for name, was := range g.inForce {
		if _, there := now[name]; !there {
			before[name] = was.content
		}
	}
	g.inForce = now
	if len(before) == 0 {
		return
	}
	list := slices.Clone(g.list)
	if last := len(list) - 1; last >= 0 && list[last].Number == number { // the daemon was restarted
		maps.Copy(before, list[last].Before)
		list = list[:last]
	}
	list = append(list, generation{number, before})
	size := 0
	first := len(list)
	for first > 0 && len(list)-first < keptGenerations {
		for _, content := range list[first-1].Before {
			size += len(content)
		}
		if size > keptBytes && first < len(list) {
			break
		}
		first--
	}
	g.list = list[first:]
}

// before is what a file was before the last update that changed it.
func (g *generations) before(name string) (content []byte, number int, ok bool) {
	for _, r := range slices.Backward(g.list) {
		if content, ok := r.Before[name]; ok {
			return content, r.Number, true
		}
	}
	return nil, 0, false
}

// reaches is nil if one can go back to the update of that number, else why not.
func (g *generations) reaches(number int) error {
	if len(g.list) == 0 || number >= g.list[len(g.list)-1].Number {
		return errors.New("nothing was changed since generation " + strconv.Itoa(number))
	}
	if first := g.list[0].Number; number < first-1 {
		return fmt.Errorf("generation %d is not known any more: %d is the first that is", number, first-1)
	}
	return nil
}

// at is what each file that was changed since was in the update of that number.
func (g *generations) at(number int) (files map[string][]byte, err error) {
	if err := g.reaches(number); err != nil {
		return nil, err
	}
	files = make(map[string][]byte)
	for _, r := range slices.Backward(g.list) {
		if r.Number <= number {
			break
		}
		maps.Copy(files, r.Before)
	}
	return files, nil
}

// Revert takes files back to what they were, and keeps them so, whatever they say, until
// they change or Unpin is called: what one file was before the last update that changed it,
// by its path or by the name of a group from it, or what all were in an update, by its
// number. It returns when that is in force. It is one transaction of the daemon's: ctx ends
// the wait, never the update. caller is who asks, for the history.
//
// ErrBadName when nothing is known by that name; another error says why there is nothing
// to go back to. What could not be taken back is in the report, which then is not OK.
func (r *Reconciler) Revert(ctx context.Context, target, caller string) (Report, error) {
	type reverted struct {
		report Report
		err    error
	}
	a, err := ask(ctx, r, func(l *loop, answer func(reverted)) {
		l.revert(target, caller, func(report Report, err error) { answer(reverted{report, err}) })
	})
	if err != nil {
		return Report{}, err
	}
	return a.report, a.err
}

// revert has the loop pin files and put them back in force.
func (l *loop) revert(target, caller string, answer func(Report, error)) {
	former, to, err := l.goBackTo(target)
	if err != nil {
		answer(Report{}, err)
		return
	}
	reason := fmt.Sprintf("%s took it back to what it was %s", caller, to)
	files, without, refused := l.proof.pin(time.Now(), former, l.view, l.inForce, reason)
	u := &update{trigger: TriggerRevert, caller: caller, back: true, answer: answer}
	for _, text := range refused {
		u.refuse(text)
	}
	switch {
	case len(files)+len(without) > 0:
	case len(refused) > 0:
		answer(Report{Generation: l.gen, Result: Failed + ": " + strings.Join(refused, "; "), Lines: u.lines}, nil)
		return
	default:
		answer(Report{Generation: l.gen, Result: Applied, OK: true, Lines: []string{"nothing to do"}}, nil)
		return
	}
	if len(files) > 0 {
		l.log.Info("reconcile: "+strings.Join(files, ", ")+" is pinned: "+reason, "by", caller)
	}
	if len(without) > 0 {
		l.log.Info("reconcile: "+strings.Join(without, ", ")+" is gone again: "+reason, "by", caller)
	}
	l.proof.back = append(l.proof.back, &reversion{seq: l.seq + 1, files: slices.Concat(files, without), without: without, update: u})
	l.want(lookWanted{trigger: TriggerRevert})
	l.keep()
}

// goBackTo is what files were before, by the text of a Revert, and when that was.
func (l *loop) goBackTo(target string) (former map[string][]byte, when string, err error) {
	if number, err := strconv.Atoi(target); err == nil {
		former, err := l.generations.at(number)
		return former, "in generation " + target, err
	}
	former = make(map[string][]byte)
	named := l.filesNamed(target)
	if len(named) > 1 && groupOf(l.inForce, target) == nil {
		return nil, "", fmt.Errorf("%s is the end of more than one path: %s", target, strings.Join(named, ", "))
	}
	for _, name := range named {
		content, number, ok := l.generations.before(name)
		if f := l.proof.failed[name]; f != nil && !f.Pinned { // what it was before it failed
			content, ok = nil, true
			if f.Had {
				content = f.former()
			}
		}
		if ok {
			former[name] = content
			when = fmt.Sprintf("before generation %d", max(number, 1))
		}
	}
	switch {
	case len(former) > 0:
		return former, when, nil
	case len(named) > 0:
		return nil, "", fmt.Errorf("%s has not been changed by the last %d updates: there is nothing to go back to", target, keptGenerations)
	}
	return nil, "", fmt.Errorf("%w: %s", ErrBadName, target)
}

// gone are the files that were deleted by one of the last updates, as they were then.
func (g *generations) gone() map[string][]byte {
	files := make(map[string][]byte)
	for _, r := range g.list {
		for name, content := range r.Before {
			if _, there := g.inForce[name]; !there && content != nil {
				files[name] = content
			}
		}
	}
	return files
}

// groupsIn are the groups that have a section in a content.
func groupsIn(content []byte) (groups []string) {
	for _, section := range spec.SectionNames(content) {
		switch kind, name, named := strings.Cut(section, ":"); {
		case named && slices.Contains([]string{"program", "fcgi-program", "eventlistener", "group"}, kind):
			groups = append(groups, name)
		}
	}
	return groups
}

// filesNamed are the files that a person means: the one of that path, or that which ends so,
// or those of a group. Of what is not in force any more they are those that were deleted.
func (l *loop) filesNamed(target string) (files []string) {
	is := func(name string) bool { return name == target || strings.HasSuffix(name, "/"+target) }
	for i := range l.inForce.Files {
		if name := l.inForce.Files[i].Path; is(name) {
			files = append(files, name)
		}
	}
	gone := l.generations.gone()
	if len(files) == 0 {
		files = slices.DeleteFunc(slices.Sorted(maps.Keys(gone)), func(name string) bool { return !is(name) })
	}
	if len(files) > 0 {
		return files
	}
	if g := groupOf(l.inForce, target); g != nil {
		files = groupFiles(g)
	}
	for _, name := range slices.Sorted(maps.Keys(gone)) {
		if len(files) == 0 && slices.Contains(groupsIn(gone[name]), target) {
			files = append(files, name)
		}
	}
	for name, f := range l.proof.failed {
		if slices.Contains(f.Groups, target) && !slices.Contains(files, name) {
			files = append(files, name)
		}
	}
	return slices.DeleteFunc(files, func(name string) bool { return name == l.inForce.Path })
}

// pin has these former contents stand for what the files say, until they change. It returns
// the files of which that is so, those that stood for a deleted file and do so no more since
// there was none then, and why other files are not taken back.
func (p *proof) pin(now time.Time, former map[string][]byte, v *view, inForce *spec.Config, reason string) (files, without, refused []string) {
	for _, name := range slices.Sorted(maps.Keys(former)) {
		at := slices.IndexFunc(inForce.Files, func(f spec.File) bool { return f.Path == name })
		state, why := v.special(name)
		was := p.failed[name]
		gone := at < 0 || was != nil && was.Gone
		content, had := former[name], former[name] != nil
		switch {
		case name == inForce.Path:
			refused = append(refused, name+" is the main file: take it back by hand, and run update or reload")
			continue
		case state != "" && was == nil:
			refused = append(refused, fmt.Sprintf("%s is %s, and cannot be taken back: %s", name, state, why))
			continue
		case gone && !had: // it was not there then, either
			if was != nil {
				p.forgive(name)
				without = append(without, name)
			}
			continue
		}
		f := &failedFile{
			Former: content, Had: had, Reason: reason, Time: now, Action: spec.OnFailureRevert,
			Files: []string{name}, Pinned: true, Gone: gone,
		}
		switch {
		case gone:
			if other := elsewhere(content, name, former, inForce); other != "" {
				refused = append(refused, name+" is gone, and cannot be taken back: "+other)
				continue
			}
			f.Groups = groupsIn(content)
		case was != nil && was.reverted(): // what is in force is not what the file says
			f.Hash, f.Groups = was.Hash, groupsFrom(inForce, name)
		default:
			f.Hash, f.Groups = inForce.Files[at].Hash, groupsFrom(inForce, name)
		}
		p.forgive(name)
		p.failed[name] = f
		files = append(files, name)
	}
	p.changes++
	return files, without, refused
}

// elsewhere says which group of a content that was deleted is defined by another file by now,
// which is not taken back with it; "" for none.
func elsewhere(content []byte, name string, former map[string][]byte, inForce *spec.Config) string {
	for _, group := range groupsIn(content) {
		g := groupOf(inForce, group)
		if g == nil || origin(g) == name {
			continue
		}
		if _, with := former[origin(g)]; !with {
			return group + " is in " + origin(g) + " by now"
		}
	}
	return ""
}

// Unpin has what a file says count again that Revert has taken back, by its path or the
// name of a group from it; what failed by itself stays rejected. ErrBadName where no such
// file is pinned; else the error is that of the context, or ErrNotRunning.
func (r *Reconciler) Unpin(ctx context.Context, target, caller string) error {
	result, err := ask(ctx, r, func(l *loop, answer func(error)) {
		found := false
		for _, name := range l.filesNamed(target) {
			if f := l.proof.failed[name]; f != nil && f.Pinned {
				found = true
				l.proof.forgive(name)
				l.log.Info("reconcile: " + name + " is not pinned any more: " + caller + " has asked for it")
			}
		}
		if !found {
			answer(fmt.Errorf("%w: no file is pinned by the name of %s", ErrBadName, target))
			return
		}
		l.want(lookWanted{trigger: TriggerUpdate})
		l.keep()
		answer(nil)
	})
	if err != nil {
		return err
	}
	return result
}
