package reconcile

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"supervisord/spec"
)

// What is told of an update after it: what it did, and what it changed in the files.

// FileDiff is how one file differs between two updates.
type FileDiff struct {
	Path   string
	Change string // spec.Added, spec.Removed or spec.Changed
	// Sections are what differs; none where only comments do, or the order. Values are as
	// they stand in the file, and those of secrets are left out.
	Sections []spec.SectionDiff
}

// Past is one update, as far as it is remembered.
type Past struct {
	Generation int
	// Entries are those of the history, oldest first: more than one where it failed later, or
	// the daemon was started anew. There may be none any more.
	Entries []Entry
	// Files are those whose content in force it changed; Forgotten is why that is not known,
	// "" where it is.
	Files     []FileDiff
	Forgotten string
}

// ErrNoGeneration: there is no update of that number, or nothing is known of it any more.
var ErrNoGeneration = errors.New("no such generation")

// CanRevert reports whether Revert could take all files back to what they were in an update:
// that is known, and something was changed since. It may be called from any goroutine.
func (r *Reconciler) CanRevert(number int) bool {
	return r.published.Load().generations.reaches(number) == nil
}

// Past is what is known of the update of that number. The error is ErrNoGeneration. It asks
// no disk.
func (r *Reconciler) Past(number int) (Past, error) {
	s := r.published.Load()
	p := Past{Generation: number}
	for _, e := range s.history {
		if e.Generation == number {
			p.Entries = append(p.Entries, e)
		}
	}
	if number < 0 || number > s.gen {
		return p, fmt.Errorf("%w: %d: the last one is %d", ErrNoGeneration, number, s.gen)
	}
	after, err := s.generations.contents(number, s.gen)
	if err == nil && s.generations.knows(number) {
		p.Files = compareFiles(s.generations.undone(number, after), after)
	} else {
		p.Forgotten = s.generations.forgotten()
	}
	if len(p.Entries) == 0 && p.Forgotten != "" {
		return p, fmt.Errorf("%w any more: %d: %s", ErrNoGeneration, number, p.Forgotten)
	}
	return p, nil
}

// Between says how the contents in force after one update differ from those after another,
// by their numbers. The error is ErrNoGeneration. It asks no disk.
func (r *Reconciler) Between(from, to int) ([]FileDiff, error) {
	s := r.published.Load()
	before, err := s.generations.contents(from, s.gen)
	if err != nil {
		return nil, err
	}
	after, err := s.generations.contents(to, s.gen)
	if err != nil {
		return nil, err
	}
	return compareFiles(before, after), nil
}

// contents are all files in force after the update of that number, of which the last has the
// number last.
func (g *generations) contents(number, last int) (map[string][]byte, error) {
	switch {
	case number < 0 || number > last:
		return nil, fmt.Errorf("%w: %d: the last one is %d", ErrNoGeneration, number, last)
	case len(g.list) == 0 && number < last, len(g.list) > 0 && number < g.list[0].Number-1:
		return nil, fmt.Errorf("%w any more: %d: %s", ErrNoGeneration, number, g.forgotten())
	}
	files := (&contents{g.inForce}).raw()
	for _, r := range slices.Backward(g.list) {
		if r.Number <= number {
			break
		}
		r.undo(files)
	}
	return files, nil
}

// knows reports whether it is known what the update of that number changed in the files.
func (g *generations) knows(number int) bool { return len(g.list) > 0 && number >= g.list[0].Number }

// undone are the files before the update of that number, of those after it.
func (g *generations) undone(number int, after map[string][]byte) map[string][]byte {
	before := maps.Clone(after)
	for _, r := range g.list {
		if r.Number == number {
			r.undo(before)
		}
	}
	return before
}

// undo turns the files after an update into those before it.
func (r *generation) undo(files map[string][]byte) {
	for name, content := range r.Before {
		if content == nil {
			delete(files, name)
		} else {
			files[name] = content
		}
	}
}

// forgotten says how far back the files are known.
func (g *generations) forgotten() string {
	if len(g.list) == 0 {
		return "no earlier contents of the files are kept"
	}
	return fmt.Sprintf("the contents of the files are kept from generation %d on", g.list[0].Number-1)
}

// compareFiles says how two sets of files differ.
func compareFiles(before, after map[string][]byte) (list []FileDiff) {
	all := maps.Clone(before)
	maps.Copy(all, after)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		was, had := before[name]
		is, has := after[name]
		switch {
		case !had:
			list = append(list, FileDiff{Path: name, Change: spec.Added, Sections: spec.CompareContents(nil, is)})
		case !has:
			list = append(list, FileDiff{Path: name, Change: spec.Removed, Sections: spec.CompareContents(was, nil)})
		case !bytes.Equal(was, is):
			list = append(list, FileDiff{Path: name, Change: spec.Changed, Sections: spec.CompareContents(was, is)})
		}
	}
	return list
}
