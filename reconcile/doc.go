// Package reconcile makes the active process groups match the configuration files,
// with as few actions as possible.
//
// # Who owns what
//
// One goroutine, Run, called the loop, owns the desired state (an immutable
// *spec.Config), what is known of each file and directory it came from, the guard, the
// history, the holds and the current update. It owns no processes: it asks a Target.
// Nothing slow happens in it: it starts slow work elsewhere, and continues when the
// result is posted.
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
//	one input, as above
//	next: begin what can begin: an update that somebody asked for, a look at the files
//	    or, if anything changed, an automatic update (decide)
//	publish the snapshot, then send the answers and begin what was decided
//	set the one timer to the earliest deadline
//
// Every look at the files has a number, and its view is used only if it is newer than the
// one in force. A look that is made ahead counts if the hint that follows reports no
// further change. Clients ask with a context; giving up changes nothing about what they
// asked for. Clients that wait for a look share it.
//
// # Disks that do not answer
//
// Package hang abandons an access that has not returned after two seconds. The look is
// then repeated without that directory, whose files are held as they were, whoever asked
// for it. When the access returns, the loop looks again. A link to a file elsewhere, or a
// file with a mount over it, is held alone, without its neighbours.
//
// # Continuing in another program
//
// HandOver stops the loop between two updates and returns what the files do not say: what
// was held, what a person removed, what was seen last and when. Resume continues from
// that, with a look at the files as the loop would have made it; there is no initial
// update. If the files cannot be read or used then, the previous configuration stays in
// force.
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
//   - keep: it is told. The content stays in force, and is not taken for proved before its
//     processes have been started afresh, and run.
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
//     one to the other, or with atomic=directory if it has changed both in one directory,
//     they do so together. A file that changes ends the rejection of all that was rejected
//     with it.
//   - A new file has no former content: its programs are stopped. A file that is new under
//     one name and gone under another, or several, has its former content from there.
//   - A group with members from other files goes back as a whole.
//   - What a file that is gone for the moment had is not removed by a revert, and what a
//     person removed meanwhile is not added by it.
//   - While nothing can be made of the files, for a bad main file or with on_invalid=strict,
//     nothing is put back.
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
//   - Revert pins a file to what it was before, in the way of a rejection: until it changes,
//     or Unpin. That is an update by a person, which is not on trial.
//
// Proof is pure (proof.go, trial.go, failed.go): the loop gives it the processes when they change, and at the
// times for which it asks.
//
// # What people want
//
// People may pause and disable a group or a process by its name (intent.go, persons.go):
// whatever has that name, whether it is there or goes and comes back. Both outlive the daemon.
// The rules, each a transcript in testdata/intent:
//
//   - Paused: no automatic update touches it, until a time or Resume. A step of its group
//     that would is held as a whole; one that does something to others alone is taken. What a
//     person asks for is done, and ends no pause. What is paused and fails to be proved is
//     held, not reverted. A daemon that starts goes by its files as they are then.
//   - How long a pause has left goes by the clock that nobody sets; after a boot of the
//     machine by the one on the wall, and it is never longer than it was.
//   - Disabled: the Target is told, and starts it for a person alone, by its name. It counts as
//     stopped by a person, until one starts it: so updates leave it down, and nothing of it is
//     on trial. That is no change of its definition. Enable starts what has autostart.
//   - A group goes with all that is in it; a process of it cannot be taken out.
//   - With window=, steps of automatic updates are held outside of it. The first update, those
//     of people and reverts pass. What an update has stopped to restart it is started with the
//     definition in force. An update that has begun goes on when the window closes. While
//     something is held the clock is looked at each minute, since it may be set.
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
//	the keeper   1, asleep until something must be saved
//
// Run waits for all of them except those stuck on a disk, and for the keeper a second.
//
// # The parts, from the bottom up
//
//   - compare.go, plan.go: pure. Plan(active, desired) is the list of steps.
//   - guard.go, absence.go: pure. Which of those steps may be taken without a person,
//     and when.
//   - intent.go, persons.go: what people want of groups and processes, the former pure: which
//     steps that and the window permit.
//   - proof.go, trial.go, failed.go: pure. What was proved, whether what an update started
//     runs, and what becomes of it if not.
//   - apply.go: carries steps out, in order, in parallel within one priority.
//   - rollout.go: divides a step into waves, where a program says how many of its
//     processes are restarted at a time, and waits between them. These come last.
//   - view.go, unready.go, reject.go, lastgood.go, overlay.go: read the files, with the last
//     good content in place of what is invalid, rejected or cannot be read.
//   - revision.go, report.go: which revision the files are, and what became of it.
//   - permissions.go: who else could have written a file.
//   - loop.go, update.go, verify.go: the loop, the current update, and what is on trial.
//   - complaints.go: what is wrong with the files; each problem is reported once when it
//     appears and once when it is solved. One that cannot be checked for now is not solved.
//   - requests.go, snapshot.go: what clients may ask of the loop, and what they
//     may see without asking.
//   - reach.go, review.go: pure. What a plan means to the processes that run, and the
//     plan between two configurations that no daemon has.
//   - planned.go: a plan by its name, and that of another tree of files.
//   - explain.go, drift.go: where a definition comes from, and what differs from the
//     files although nothing is to be done.
//   - keep.go, store.go: what is kept across restarts.
//   - memory.go: the state from which another reconciler continues.
//
// What the contract leaves open is decided as follows:
//
//   - The files are read during the second half of the settle time, and the result
//     counts if nothing changed until its end.
//   - A tree that never gets quiet is not waited for without limit. After ten times
//     settle everything is applied except files that were written to within the last
//     settle time: they keep their last good content, and new ones are ignored for now.
//     Nothing is removed then, since half of a move looks like a removal.
//   - The programs of a vanished file are removed when it has been absent for
//     settle_removals, counted from the first look that missed it. A removal waits longer
//     only while another file is open for writing, which may be where the content is
//     moving to; the same holds for a section that is gone from an existing file. New
//     groups wait while a removal does. Each waits for ten times settle_removals at most.
//     What waits counts towards max_removals, which is checked once a removal is due.
//   - Removals within a minute count together against max_removals, in groups or in
//     processes, whichever is the larger share, and stay held until the files come
//     back or a person decides. Everything else goes ahead. If max_removals is a share,
//     a single group may always be removed.
//   - A single file that is held, because it is open, empty, unreadable or no longer
//     mounted, is held as a whole: half of its old content with half of the new could be
//     something that nobody ever wrote. Of a directory only the missing files are held.
//     In both cases a section of a live file takes precedence over the held one.
//   - "No more than one automatic update per second" applies to each group, as does the
//     limit of five returns in a minute: both are about content that flaps. A limit for
//     all groups together would delay an edit of one file because another was just
//     edited, and save nothing: the steps are the same, only later.
//   - A FATAL or EXITED process whose definition changes is started again if it has
//     autostart. One that a person started and that has ended is left to that person,
//     as Supervisor's update leaves it.
//   - Automatic updates of the last minute are still reported to the next person who
//     asks (debts.go). reread lists them, each time, since Debian's client rereads once
//     more for its update; the first update, add or remove reports them, and starts again
//     what has failed. Debian's client then restarts what changed, as Supervisor's update
//     does, although it already runs: its stop, remove and add are three requests, and the
//     first cannot be told from a person's stop, which must be obeyed. If reread reported
//     a change only once, this restart would be avoided, but an update after a reread
//     would report nothing and restart nothing that failed. For an update by name,
//     Debian's client says that there is no such group if it finds no process of it; to
//     avoid that, a process would have to be shown that does not exist.
//   - An update that somebody asked for, and the first one, is planned again if groups
//     or files change during it: up to ten times; then it fails and says what changed.
//   - A plan is named by a hash over what is active, what is wanted and what would be
//     done. An update that is asked for by that name compares it in the turn in which it
//     begins, with the look at the files that it goes by. If the plan is another by then it
//     does nothing, not even what an update does beside its steps (holds, debts).
//   - Another tree of files is read by the daemon, not by the client: only the daemon has
//     the active definitions with their environments, and its own variables and users, so
//     only it can say what would happen here without sending a secret. It accepts this from
//     root and its own user alone, over a unix socket, since anybody else could have it read
//     files that he may not. The tree is read as if it were in the place of the daemon's own,
//     so that paths are the same. Nothing of it is kept, and a disk that hangs delays that
//     one answer only.
//   - add and remove by a person, with whichever client, are updates of one action in
//     the history. What a reload does is the first entry of the history after it.
//
// It imports spec, its own subpackage watch, which hints that something may have
// changed, and hang.
//
// Source: reconciler.md, contract/reconcile.md.
package reconcile
