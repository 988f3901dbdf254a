package reconcile

import (
	"maps"
	"slices"
	"time"

	"supervisord/reconcile/watch"
	"supervisord/spec"
)

// The loop asks for looks at the files, and goes by the newest view.

// looking is a look that is under way.
type looking struct {
	readers []reading // who waits for it
	lookWanted
}

// lookWanted is a look for the sake of automatic updates.
type lookWanted struct {
	trigger string // "" in a look that is for readers
	ahead   bool   // it is kept until a hint with the same number of changes
	changes int
}

// reading is the wait of a person for a look.
type reading struct {
	names []string // of the groups that are asked for by name
	f     func(*view)
}

// read has f called in the loop with what the files say from now on to a person who asks
// for these groups by name: content of theirs that was rejected is read as it stands, as an
// update by these names tries it again.
func (l *loop) read(names []string, f func(*view)) { l.readers = append(l.readers, reading{names, f}) }

// want asks for a look for the sake of automatic updates. One that is wanted
// already serves; but one that reads ahead gives way.
func (l *loop) want(w lookWanted) {
	if l.wanted == nil || l.wanted.ahead {
		l.wanted = &w
	}
}

// look has the loader look, if there is a reason and it is idle. People go
// first, but not twice in a row.
func (l *loop) look() {
	if l.looking != nil || len(l.readers) == 0 && l.wanted == nil {
		return
	}
	l.seq++
	q := question{
		seq: l.seq, open: l.view.open, good: l.view.good, dirs: l.view.dirs, settings: l.view.settings,
		inForce: l.inForce, patterns: l.view.patterns, revision: l.view.revision,
	}
	var names []string
	if u := l.current; u != nil && u.explicit {
		names = u.names
	}
	l.looking = new(looking)
	if l.wanted == nil || len(l.readers) > 0 && !l.forReaders {
		q.explicit, l.forReaders = true, true
		names = l.readers[0].names
		var later []reading
		for _, r := range l.readers {
			if slices.Equal(r.names, names) {
				l.looking.readers = append(l.looking.readers, r)
			} else {
				later = append(later, r)
			}
		}
		l.readers = later
	} else {
		l.looking.lookWanted, l.wanted, l.forReaders = *l.wanted, nil, false
		if !l.looking.ahead { // what is read ahead counts only if all was quiet
			q.busy = l.busy
		}
	}
	q.failed = l.proof.known(names)
	l.questions <- q
}

// load answers questions until done is closed. What it does may take as long as it
// will: the loop goes on meanwhile.
func (l *loop) load(done <-chan struct{}) {
	for {
		select {
		case q := <-l.questions:
			if v := l.reader.look(done, q); v != nil {
				l.views <- v
			}
		case <-done:
			return
		}
	}
}

// looked takes the view that the loader made.
func (l *loop) looked(v *view) {
	was := l.looking
	l.looking = nil
	switch {
	case was.trigger == "":
		for _, r := range was.readers {
			r.f(v)
		}
	case was.ahead:
		l.ahead, l.aheadAt = v, was.changes
	default:
		l.useView(was.trigger, v)
	}
}

// onHint reads the files because of a hint. What was read ahead is what they say
// if nothing changed since.
func (l *loop) onHint(h watch.Hint) {
	w := lookWanted{trigger: h.Trigger, ahead: h.ReadAhead, changes: h.Changes}
	if h.ReadAhead {
		l.want(w)
		return
	}
	l.busy = h.Busy
	v := l.ahead
	l.ahead = nil
	switch now := l.looking; {
	case len(h.Busy) > 0:
		l.want(w)
	case v != nil && l.aheadAt == h.Changes && v.seq > l.view.seq:
		l.useView(h.Trigger, v)
	case now != nil && now.ahead && now.changes == h.Changes:
		now.ahead = false // it is under way
	default:
		l.want(w)
	}
}

// useView goes by a new view, unless a newer one is in force. An update that runs
// on older content is told to stop after the steps in hand.
func (l *loop) useView(trigger string, v *view) {
	if v.seq <= l.view.seq {
		return
	}
	before := l.inForce
	if trigger == TriggerRevert { // all else that it sees may not have settled
		l.minSeq = max(l.minSeq, v.seq+1)
	} else {
		l.trigger = trigger
	}
	l.take(v)
	if l.current != nil && !spec.Diff(before.Groups, l.inForce.Groups).Empty() {
		l.overtake()
	}
}

// take goes by a view from now on, and tells whoever depends on it.
func (l *loop) take(v *view) {
	l.proof.seen(v)
	l.setView(v)
	l.logProblems(v)
	l.watchFor(v)
	l.keep()
}

// setView makes a view the newest.
func (l *loop) setView(v *view) {
	l.view, l.undecided = v, true
	if v.config == nil {
		return
	}
	l.inForce = v.config
	back, _, _ := l.goingBack(nil)
	l.guard.returned(v.config.Groups, back)
	l.guard.observe(time.Now(), v.config)
	l.locate(v.config)
}

// locate notes which file each group is in now. Those that are active but in no file any
// more were where they were seen last.
func (l *loop) locate(cfg *spec.Config) {
	files := make(map[string]string, len(cfg.Groups))
	for i := range cfg.Groups {
		files[cfg.Groups[i].Name] = origin(&cfg.Groups[i])
	}
	gone := maps.Clone(l.files)
	maps.DeleteFunc(gone, func(group, _ string) bool { return files[group] != "" })
	if len(gone) > 0 {
		for _, a := range l.target.Groups() {
			if file := gone[a.Group.Name]; file != "" {
				files[a.Group.Name] = file
			}
		}
	}
	l.files = files
}

// watchFor has the watcher watch what a view depends on, and sets the time at
// which what is wrong is read again even if no file changes: a missing directory
// for logs may be made, a lost mount come back.
func (l *loop) watchFor(v *view) {
	l.watcher.Set(watch.Scope{Paths: slices.Concat(v.patterns, v.revisionFiles), Settle: v.settings.Settle, Rescan: v.settings.Rescan})
	l.rereadAt = time.Time{}
	if (len(v.bad) > 0 || slices.ContainsFunc(v.holds, func(h hold) bool { return !h.rejected && !h.pinned }) || v.config == nil) && v.settings.Rescan > 0 {
		l.rereadAt = time.Now().Add(v.settings.Rescan)
	}
	if !v.retryAt.IsZero() && (l.rereadAt.IsZero() || v.retryAt.Before(l.rereadAt)) {
		l.rereadAt = v.retryAt
	}
}
