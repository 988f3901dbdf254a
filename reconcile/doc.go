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
// # Proved updates
//
// With verify=, "good" means that it ran, not only that it could be read. What an update
// starts or restarts is on trial: it must be RUNNING within verify (ready, where there is a
// probe) and stay so for verify_stable, or end as expected. It has failed when it is FATAL,
// when it leaves RUNNING unexpectedly before that, or at the deadline; a first BACKOFF is no
// failure. While it waits for what it depends on, its clock stands still. What a person
// stops, and what does not start by itself, is not on trial; a change in place is proved
// at once. A process answers for the changed file that its section is in, else for that of
// its group, else for the main file. Then on_failure decides, of the program or of
// [reconcile]:
//
//   - keep: it is told. The content stays in force, and is not taken for proved.
//   - hold: it is told, and no automatic update touches what is from this file any more,
//     whatever the file says by then, until a person runs update.
//   - revert: the last proved content of the file is put back in force.
//
// A look takes rejected content, by its hash, for what the file had before (reject.go); so
// plans, rereads and the updates of people follow from that without rules of their own. The
// update that puts it back passes every guard, whether automatic updates are on or not, and
// is not on trial. It starts what ran before the failed update, and nothing else: work
// that was done is not done again. The rules for what is not so simple, each a transcript in
// testdata/verify:
//
//   - Two files of one update stand or fall each by itself; but where a section has gone from
//     one to the other, or with atomic=directory in one directory, they do so together. A
//     file that changes ends the rejection of all that was rejected with it.
//   - A new file has no former content: its programs are stopped. A file that is new under
//     one name and gone under another has its former content from there.
//   - The main file is held, not reverted: it says also what the daemon itself is to be, and
//     these rules.
//   - Without a state directory that can be written, a revert is a hold: after a restart
//     what was rejected would be tried again.
//   - Other content that comes while a file is on trial is on trial in its place, and what
//     was proved before the first is what it goes back to. Proved content ends the trial.
//   - Content that was rejected is not tried again when the daemon restarts or is upgraded,
//     but when the file changes, or by an update of one of its groups by name. Any other
//     update by a person leaves it out, says so and has failed.
//   - A daemon that starts verifies what has changed since content was proved. Of what never
//     was, nothing is taken back then: a machine that comes up without its state is to run
//     what its files say.
//   - Where a program is added or removed by a person, nothing is on trial.
//
// Proof is pure (proof.go): the loop gives it the processes when they change, and at the
// times for which it asks.
//
// # The revision
//
// With revision=auto a look reads which commit the files are: that of the first include
// directory, in the order of the patterns and by its real path, that is in a checkout. Git
// is not run, and the files that say it are watched, too. A look that they do not answer
// leaves it as it was. It is attempted once a look has read it, and in force once the phase
// is synced with it: after a revert, what was in force before is so still.
//
// The outcome of what was attempted is failure if a file of it is invalid or rejected, what
// it started has failed, or a step has; pending if it waits for a person; success if it is
// in force. Until then it has none. Status gives it out when nothing is being done any more.
//
// Neither counts in any comparison: a process keeps the SUPERVISOR_REVISION and
// SUPERVISOR_GENERATION that it was started with, those of the update in hand or the last.
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
//   - proof.go: pure. Whether what an update started runs, and what was proved.
//   - apply.go: carries steps out, in order, in parallel within one priority.
//   - view.go, unready.go, reject.go, lastgood.go, overlay.go: read the files, with the last
//     good content in the place of what is bad, rejected or out of sight.
//   - revision.go, report.go: which revision the files are, and what became of it.
//   - permissions.go: who else could have written a file.
//   - loop.go, update.go, verify.go: the loop, the update in hand, and what is on trial.
//   - complaints.go: what is wrong with the files, each thing told once when it comes and
//     once when it is over. What cannot be seen for now is not over.
//   - requests.go, snapshot.go: what clients may ask of the loop, and what they
//     may see without asking.
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
//   - add and remove by a person, of whichever client, are updates of one action in
//     the history. What a reload does is the entry of the life that it begins.
//
// It imports spec and, beside it, watch, which gives the hints that something may
// have changed, and hang.
//
// Source: reconciler.md, contract/reconcile.md.
package reconcile
