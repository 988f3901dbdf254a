// Package reconcile makes the active process groups what the configuration
// files say, with the fewest actions that do it.
//
// It owns the desired state (an immutable *spec.Config), what is known of each
// file and directory it came from, and the history of updates. It does not own
// processes: it asks a Target.
//
// The parts, from the bottom up:
//
//   - compare.go, plan.go: pure. Plan(active, desired) is the list of steps.
//   - guard.go: pure. Which of those steps may be taken without a person.
//   - apply.go: carries steps out, in order, in parallel within one priority.
//   - source.go, lastgood.go, overlay.go: read the files, with the last good
//     content in the place of what is bad or out of sight.
//   - permissions.go: who else could have written a file.
//   - reconciler.go, auto.go, job.go, config.go: the loop, and what clients may
//     ask.
//   - store.go: what outlives the daemon.
//
// What the contract leaves open is decided so:
//
//   - The files are read while the second half of the settle time passes, and
//     what was read counts if nothing changed until its end.
//   - A tree that never gets quiet is not waited for for ever. After ten times
//     settle everything goes ahead but the files that were written to within the
//     last one: they keep their last good content, and a new one is nothing yet.
//     Nothing is removed then: half of a move looks like a removal.
//   - Removals within a minute count together against max_removals, and stay held
//     until the files come back or a person decides.
//   - "No more than one automatic update per second" holds for each group, as the
//     limit of five in a minute does: its subject is content that flaps. For all
//     together it would make an edit of one file wait because another was just
//     edited, and save nothing: the steps are the same, only later.
//   - A FATAL or EXITED process whose definition changes is started afresh if it is
//     one that starts by itself (autostart). One that a person started and that has
//     ended is left for that person, as Supervisor's update leaves it.
//   - add and remove by a person, of whichever client, are updates of one action in
//     the history. What a reload does is the entry of the life that it begins.
//
// It imports spec and nothing else of ours; package watch beside it, which knows
// nothing of Supervisor, gives the hints that something may have changed.
//
// Source: reconciler.md, contract/reconcile.md.
package reconcile
