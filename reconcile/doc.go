// Package reconcile makes the active process groups what the configuration
// files say, with the fewest actions that do it.
//
// # Who owns what
//
// One goroutine, Run, called the loop, owns the desired state (an immutable
// *spec.Config), what is known of each file and directory it came from, guard,
// history, holds and the update in hand. It owns no processes: it asks a Target.
// Nothing slow happens in it: it starts what takes long, and goes on when that has
// posted its result.
//
//	watcher ── hint ──────────┐
//	timer ────────────────────┤            ┌─ question ─> loader ─> disks
//	clients ── ask ───────────┤            │  <── view ──┘
//	                          ├──> loop ───┼─ steps ────> execution ─> Target
//	disk answers again ───────┤            │  <─ outcomes ┘
//	                          │            ├─ add, remove ─> Target, <─ error
//	                          │            ├─ keepsake ──> keeper ─> state directory
//	                          │            └─ snapshot, then answers ─> clients
//
// A turn of the loop is
//
//	one thing that happened, as above
//	next: begin what can be begun: an update that somebody asked for, a look, or,
//	    if anything changed, an automatic update (decide)
//	publish the snapshot, then give the answers and begin what was decided
//	arm the one timer for the earliest time at which something is due
//
// Every look has a number, and a view is taken only if it is newer than the one in
// force. What is read ahead counts if the hint that follows has seen no further
// change. Clients ask with a context and give up with it, which changes nothing
// about what they asked for; those that wait for a look share it.
//
// # Disks that do not answer
//
// Package hang leaves an access behind that has not returned in two seconds. The
// look is then made anew without that directory, whose files are held as they were,
// by whomever it is asked for. When the access returns, the loop looks again. A link to a
// file elsewhere, or a file that something is mounted over, is held by itself, and nothing
// beside it.
//
// # Going on in another program
//
// HandOver has the loop stand still between two updates, and gives out what it knows and the
// files do not say: what was held, removed by a person, seen last and when. Resume begins
// from that, with a look at the files as the loop would have made it; there is no first
// update. Should nothing be made of the files by then, what was in force stays so.
//
// # Goroutines
//
//	the loop     1
//	the watcher  1, and those of package watch
//	the loader   1, and one for each look; one for each directory that hangs
//	execution    1 for the update in hand, and one for each of its parallel steps
//	set          1 for each add or remove by a person
//	the keeper   1, asleep until something must outlive the daemon
//
// Run waits for all but what hangs in a disk; for the keeper a second.
//
// # The parts, from the bottom up
//
//   - compare.go, plan.go: pure. Plan(active, desired) is the list of steps.
//   - guard.go, absence.go: pure. Which of those steps may be taken without a person,
//     and when.
//   - apply.go: carries steps out, in order, in parallel within one priority.
//   - view.go, unready.go, lastgood.go, overlay.go: read the files, with the last good
//     content in the place of what is bad or out of sight.
//   - permissions.go: who else could have written a file.
//   - loop.go, update.go: the loop, and the update in hand.
//   - complaints.go: what is wrong with the files, each thing told once when it comes and
//     once when it is over. What cannot be seen for now is not over.
//   - requests.go, snapshot.go: what clients may ask of the loop, and what they
//     may see without asking.
//   - reach.go, review.go: pure. What a plan means to the processes that run, and the
//     plan between two configurations that no daemon has.
//   - planned.go: a plan by its name, and that of another tree of files.
//   - explain.go, drift.go: where a definition comes from, and what differs from the
//     files although nothing is to be done.
//   - keep.go, store.go: what outlives the daemon.
//   - memory.go: what another reconciler goes on from.
//
// What the contract leaves open is decided so:
//
//   - The files are read while the second half of the settle time passes, and
//     what was read counts if nothing changed until its end.
//   - A tree that never gets quiet is not waited for for ever. After ten times
//     settle everything goes ahead but the files that were written to within the
//     last one: they keep their last good content, and a new one is nothing yet.
//     Nothing is removed then: half of a move looks like a removal.
//   - What a vanished file had is removed when it has been absent for settle_removals,
//     counted from the first look that missed it. Only for another file that is open
//     for writing, which may be where it is moved to, does a removal wait longer; and so
//     does that of a section which is gone from a file that stands. New groups wait
//     while a removal does. Ten times settle_removals is the limit of each.
//     What waits counts in max_removals, which is asked once a removal is due.
//   - Removals within a minute count together against max_removals, in groups or in
//     processes, whichever is the larger share, and stay held until the files come
//     back or a person decides. Everything else goes ahead. One group may always go
//     where max_removals is a share.
//   - A single file that is held, since it is open, empty, unreadable or mounted no more,
//     is held whole: what it says is one text, and half of the old with half of the new
//     may be what nobody ever wrote. Of a directory only what it lacks is held. Either
//     way a section that a live file has goes before the held one.
//   - "No more than one automatic update per second" holds for each group, as the
//     limit of five returns in a minute does: its subject is content that flaps. For all
//     together it would make an edit of one file wait because another was just
//     edited, and save nothing: the steps are the same, only later.
//   - A FATAL or EXITED process whose definition changes is started afresh if it is
//     one that starts by itself (autostart). One that a person started and that has
//     ended is left for that person, as Supervisor's update leaves it.
//   - What automatic updates did within the last minute is owed to a person: a reread
//     lists it, as often as it asks, since Debian's client asks once more for its update;
//     the first update, add or remove tells of it, and starts afresh what has failed
//     (debts.go). Debian's client then restarts what changed, as Supervisor's update does,
//     though it runs already: its stop, remove and add are three requests, the first of
//     which a person could have made, at the same connection even, and who asks for a stop
//     must get one. If reread told of a change only once, the restart would be spared, but
//     after a reread the update would say nothing and start nothing afresh. To an update by
//     name Debian's client says that there is no such group where it finds no process of it:
//     one would have to be shown that is not there.
//   - An update that somebody asked for, and the first one, is planned again where groups
//     or files change under it: ten times, and then it has failed and says what changed.
//   - A plan is named by a hash over what is active, what is wanted and what would be
//     done. An update that is asked for by that name compares it in the turn in which it
//     begins, with the same look at the files that it goes by; and does nothing if it is
//     another, not even what an update does beside its steps (holds, debts).
//   - Another tree of files is read by the daemon, not by the client: only the daemon has
//     the definitions in force with their environments, its own variables and users, and
//     so can say what would be so here, without a secret on the wire. It is asked by root
//     and by the daemon's own user alone, over a unix socket: anybody else could have it
//     read what he may not. The tree is read as if it stood in the place of the daemon's
//     own, so that paths are the same; nothing of it is kept, and a disk that hangs
//     holds up that one answer.
//   - add and remove by a person, of whichever client, are updates of one action in
//     the history. What a reload does is the entry of the life that it begins.
//
// It imports spec and, beside it, watch, which gives the hints that something may
// have changed, and hang.
//
// Source: reconciler.md, contract/reconcile.md.
package reconcile
