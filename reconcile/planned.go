package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	"supervisord/runtime/hang"
	"supervisord/spec"
)

// Planned is what an update would do, as things were when it was asked for.
type Planned struct {
	// ID names the plan: it is another one as soon as anything differs of what is active, of
	// what is wanted, or of what would be done.
	ID      string
	Actions []Action
	Reach   Reach
}

// ErrMoved: an update was asked for by a plan, and that is another one by now.
var ErrMoved = errors.New("files or processes have changed since the plan was made")

// ErrTree: a tree of files cannot be compared with what runs here.
var ErrTree = errors.New("the tree cannot be read")

// Diff says what an update would do, reading the files again. ErrBadName for a
// name that is neither active nor in the files; an error of spec.Load when
// nothing can be made of the files; else that of the context, or ErrNotRunning. Content
// that was rejected is in it if the update would try it again, which is if these names are
// of groups from it.
func (r *Reconciler) Diff(ctx context.Context, names []string) ([]Action, error) {
	p, err := r.Plan(ctx, names)
	return p.Actions, err
}

// Plan is Diff with the name of what it says, for Apply, and with what it reaches.
func (r *Reconciler) Plan(ctx context.Context, names []string) (Planned, error) {
	names = everything(names)
	type found struct {
		view *view
		known
	}
	f, err := ask(ctx, r, func(l *loop, answer func(found)) {
		l.read(names, func(v *view) { answer(found{v, l.known()}) })
	})
	if err != nil {
		return Planned{}, err
	}
	if f.view.config == nil {
		return Planned{}, f.view.err
	}
	return r.planned(f.view.config, f.known, names)
}

// PlanTree says what an update would do if another tree of files stood in place of those
// that the daemon goes by: tree is the directory that takes the place of the main file's, or
// of the one that is watched; or a file, which takes that of the main file. All else is as
// it is here: users, variables, and files that are named from elsewhere. ErrTree when that
// cannot be; otherwise errors are as those of Diff, with every mistake in the tree.
//
// The daemon reads the tree, as its own user: whoever asks must be allowed to have it do so.
// A disk that does not answer delays only this answer.
func (r *Reconciler) PlanTree(ctx context.Context, names []string, tree string) (Planned, error) {
	k, err := ask(ctx, r, func(l *loop, answer func(known)) { answer(l.known()) })
	if err != nil {
		return Planned{}, err
	}
	config, err := r.trees.read(ctx, tree, k.inForce)
	if err != nil {
		return Planned{}, err
	}
	return r.planned(config, k, everything(names))
}

// known is what the loop knows and a plan depends on.
type known struct {
	pending pendingStarts
	debts   debts
	files   map[string]string
	inForce *spec.Config
}

func (l *loop) known() known {
	return known{maps.Clone(l.pending), maps.Clone(l.debts), l.files, l.inForce}
}

// planned is the plan of an update that somebody asks for.
func (r *Reconciler) planned(desired *spec.Config, k known, names []string) (Planned, error) {
	active := r.target.Groups()
	owed := k.debts.owed(time.Now(), active, names)
	for _, n := range unknownNames(active, desired.Groups, names) {
		if owed[n].action == "" {
			return Planned{}, fmt.Errorf("%w: %s", ErrBadName, n)
		}
	}
	k.pending.prune(active)
	steps := Plan(active, desired.Groups, explicitPolicy(desired, names, k.files, k.pending, afresh(owed)))
	p := Planned{ID: planID(active, desired.Groups, names, steps), Reach: ReachOf(active, steps, desired.Reconcile.MaxRemovals)}
	for i := range steps {
		p.Actions = append(p.Actions, steps[i].Actions...)
	}
	return p, nil
}

// explicitPolicy is that of an update that somebody asks for.
func explicitPolicy(desired *spec.Config, names []string, files map[string]string, pending pendingStarts, afresh map[string]bool) Policy {
	return Policy{Only: names, Explicit: true, Kept: desired.Kept, LeftOut: desired.LeftOut, Files: files, PendingStarts: pending, Afresh: afresh}
}

// planID names a plan by a hash over what is active and what is wanted, all or that of the
// named groups, and what is to be done. In which files it stands does not count.
func planID(active []Active, desired []spec.Group, names []string, steps []Step) string {
	named := func(name string) bool { return len(names) == 0 || slices.Contains(names, name) }
	var is, wanted []*spec.Group
	for i := range active {
		if named(active[i].Group.Name) {
			is = append(is, active[i].Group)
		}
	}
	for i := range desired {
		if named(desired[i].Name) {
			wanted = append(wanted, &desired[i])
		}
	}
	h := sha256.New()
	fmt.Fprintln(h, spec.Fingerprint(is), spec.Fingerprint(wanted))
	for i := range steps {
		steps[i].name(h)
	}
	return hex.EncodeToString(h.Sum(nil)[:planIDBytes])
}

// planIDBytes is how much of the hash is the name: enough that no two plans of a machine
// have the same, and little enough to be read aloud.
const planIDBytes = 8

// name writes what tells a step from others beside the definitions.
func (s *Step) name(w io.Writer) {
	fmt.Fprintf(w, "%q %q %q %v\n", s.Group, s.Stop, s.Start, s.Replace)
	for i := range s.Actions {
		fmt.Fprintf(w, "%q %q\n", s.Actions[i].String(), s.Actions[i].Reason)
	}
}

// moved reports whether an update was asked for by another plan than what it would do now.
func (l *loop) moved(u *update, active []Active) bool {
	if u.plan == "" {
		return false
	}
	pending := maps.Clone(l.pending)
	pending.prune(active)
	steps := Plan(active, u.config.Groups, explicitPolicy(u.config, u.names, l.files, pending, u.afresh))
	return planID(active, u.config.Groups, u.names, steps) != u.plan
}

// treeReader reads another tree in place of the daemon's files.
// It is never changed.
type treeReader struct {
	host    spec.Host
	path    string
	options spec.Options
	main    string // absolute
}

func newTreeReader(r *reader) *treeReader {
	t := &treeReader{r.host, r.path, r.options, r.main()}
	t.options.Cache = nil // the loader's
	return t
}

// read is what another tree says. Nothing of what is remembered of the daemon's own disks
// counts for it, nor is anything remembered.
func (r *treeReader) read(ctx context.Context, tree string, inForce *spec.Config) (*spec.Config, error) {
	type answer struct {
		config *spec.Config
		err    error
	}
	a, ok := hang.Do(hang.New(0, 0), ctx.Done(), func(try *hang.Try) (a answer) {
		if try.Again() { // what cannot be seen would look like a removal
			a.err = fmt.Errorf("%w: %s: a disk does not answer", ErrTree, tree)
			return a
		}
		a.config, a.err = r.load(newOverlay(r.host, try, r.main, nil), tree, inForce)
		return a
	})
	if !ok {
		return nil, ctx.Err()
	}
	return a.config, a.err
}

func (r *treeReader) load(h spec.Host, tree string, inForce *spec.Config) (*spec.Config, error) {
	options := r.options
	options.Content = nil
	info, err := h.Stat(tree)
	var of *fs.PathError
	switch {
	case !path.IsAbs(tree):
		return nil, fmt.Errorf("%w: %s is not an absolute path", ErrTree, tree)
	case errors.As(err, &of):
		return nil, fmt.Errorf("%w: %s: %w", ErrTree, tree, of.Err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrTree, err)
	case r.path == "" && (len(options.Watch) != 1 || !info.IsDir()):
		return nil, fmt.Errorf("%w: with --watch it can only be a directory in place of the only one that is watched", ErrTree)
	}
	tree = path.Clean(tree)
	mounted := spec.Mounted{Host: h, At: path.Dir(r.main), From: tree}
	main := r.main
	switch {
	case r.path == "":
		main, mounted.At = "", inForce.Here
	case !info.IsDir():
		mounted.From, main = path.Dir(tree), path.Join(path.Dir(r.main), path.Base(tree))
	}
	config, err := spec.Load(mounted, main, options)
	if mistakes := (*spec.LoadError)(nil); errors.As(err, &mistakes) {
		for _, e := range mistakes.All() { // where it is, not where it would be
			e.File = mounted.Real(e.File)
		}
	}
	return config, err
}
