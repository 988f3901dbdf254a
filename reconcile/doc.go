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
//	next: begin what can begin: an update that somebody asked for, a scan of the files
//	    or, if anything changed, an automatic update (decide)
//	publish the snapshot, then send the answers and begin what was decided
//	set the one timer to the earliest deadline
//
// Every scan of the files (type look) has a number, and its view is used only if it is
// newer than the one in force. A scan that is made ahead counts if the hint that follows
// reports no further change. Clients ask with a context; giving up does not cancel what
// they asked for. Clients that wait for a scan share it.
//
// # Disks that do not answer
//
// Package hang abandons an access that has not returned after two seconds. The scan is
// then repeated without that directory, whose files are held as they were, whoever asked
// for it. When the access returns, the loop scans again. A link to a file elsewhere, or a
// file with a mount over it, is held without its neighbours.
//
// # Continuing in another program
//
// HandOver stops the loop between two updates and returns what the files do not say: what
// was held, what a person removed, what was seen last and when. Resume continues from
// that, with a scan of the files as the loop would have made it; there is no initial
// update. If the files cannot be read or used then, the previous configuration stays in
// force.
//
// # Proved updates
//
// With verify=, content is good once it has run, not as soon as it can be read. What an
// update starts or restarts is on trial: it must be RUNNING within verify (ready, where
// there is a probe) and stay so for verify_stable, or end as expected. It has failed when it
// is FATAL, when it leaves RUNNING unexpectedly before that, or at the deadline; a first
// BACKOFF is no failure. While it waits for what it depends on, its clock stands still. What
// a person stops, and what does not start by itself, is not on trial; a change in place is
// proved at once. A process counts for the changed file that contains its section, else that
// of its group, else the main file. Then on_failure decides, of the program or of
// [reconcile]:
//
//   - keep: the failure is reported. The content stays in force, and is not proved until its
//     processes have been started afresh, and run.
//   - hold: the failure is reported, and until a person runs update no automatic update
//     touches what comes from this file, whatever the file says by then.
//   - revert: the last proved content of the file is put back in force.
//
// A scan reads rejected content, known by its hash, as what the file had before (reject.go);
// so plans, rereads and updates by people need no rules of their own. The update that puts
// it back passes every guard, whether automatic updates are on or not, and is not on trial.
// It starts what ran before the failed update, and nothing else: work that was done is not
// done again. The rules for the less simple cases, each with a transcript in
// testdata/verify:
//
//   - Two files of one update succeed or fail separately; but if a section has moved from one
//     to the other, or with atomic=directory if both are in one directory, they do so
//     together. When a file changes, the rejection of all that was rejected with it ends.
//   - A new file has no former content: its programs are stopped. A file that is new under
//     one name and gone under one or more others has its former content from those.
//   - A group with members from other files goes back as a whole.
//   - A revert neither removes what a temporarily missing file defined, nor adds what a
//     person removed meanwhile.
//   - While the files cannot be used, because the main file is bad or with
//     on_invalid=strict, nothing is put back.
//   - The main file is held, not reverted: it also configures the daemon itself, and these
//     rules.
//   - Without a writable state directory, a revert is a hold: otherwise rejected content
//     would be tried again after a restart.
//   - Other content that arrives while a file is on trial replaces it on trial, and a revert
//     goes back to what was proved before the first. Proved content ends the trial.
//   - A file is put in force as a whole: where one of its groups waits for its turn, since it
//     was updated within the last second, the others wait with it.
//   - Rejected content is not tried again when the daemon restarts or is upgraded, but when
//     the file changes, or by an update of one of its groups by name. Any other update by a
//     person leaves it out, says so and fails.
//   - A daemon that starts verifies what has changed since content was proved. What was
//     never proved is not taken back then: a machine that comes up without its state shall
//     run what its files say.
//   - A process that failed before an update does not keep new content from being proved;
//     one that failed in content which on_failure kept or held does, until it runs.
//   - Programs that a person adds or removes are not on trial.
//   - Revert pins a file to its former content, as a rejection does: until it changes, or
//     until Unpin. That is an update by a person, which is not on trial.
//   - Revert also takes back a file that was deleted: scans read it as it was until it comes
//     back, or until Unpin. It is refused if a group of it is in another file by now that does
//     not go back with it. Going back further, to before there was the file, ends that: its
//     groups are removed, past every guard. Looks that began before know of neither.
//
// The reason for a failure has the last lines of output of the run that failed, from the
// memory of the Target: no disk is read, and no line is of an earlier run. Reports and events
// go without those lines, which may have secrets.
//
// Proof is pure (proof.go, trial.go, failed.go): the loop gives it the processes when they change, and at the
// times it asks for.
//
// # What people want
//
// People may pause and disable a group or a process by its name (intent.go, persons.go):
// whatever has that name, whether it is there or goes and comes back. Both outlive the daemon.
// The rules, each a transcript in testdata/intent:
//
//   - Paused: no automatic update touches it until that time or Resume. If a step of its
//     group would, the whole step is held; a step that affects only other processes is taken.
//     Requests by people are carried out and do not end the pause. A paused program that fails
//     verification is held, not reverted. A daemon that starts uses the files as they are then.
//   - What is left of a pause is measured with the monotonic clock, after a reboot with the
//     wall clock; it never grows.
//   - Disabled: the Target starts it only when a person names it. It counts as stopped by a
//     person, until one starts it: so updates leave it down, and nothing of it is on trial;
//     content all of which is disabled stays unproved. That is no change of its definition.
//     Enable starts what has autostart, unless it has ended by itself.
//   - Changes held by a pause or the window are held as intended: they are counted
//     separately, do not make the daemon unready, and the phase is held only if nothing else
//     is to be done.
//   - Pausing or disabling a group includes all its processes; one of them cannot be exempted.
//   - With window=, steps of automatic updates are held outside of it. The first update, those
//     of people and reverts pass. What an update has stopped for a restart is started with the
//     definition in force, and an addition that failed after a removal is tried again. An
//     update that has begun goes on when the window closes. While something is held the clock
//     is read each minute, since it may be set.
//
// # The revision
//
// With revision=auto a scan reads which commit the files are at: that of the first include
// directory, in the order of the patterns and by its real path, that is in a checkout. Git
// is not run; the files that name the commit are watched too. A scan that cannot read them
// leaves the revision as it was. A revision is attempted once a scan has read it, and in
// force once the phase is synced with it: after a revert, the earlier one is still in
// force.
//
// The outcome of an attempted revision is failure if one of its files is invalid or
// rejected, or something it started, or a step, has failed; pending if it waits for a
// person; success if it is in force. Until then it has none. Status reports it when no work
// is under way.
//
// No comparison considers SUPERVISOR_REVISION and SUPERVISOR_GENERATION: a process keeps
// those that it was started with, of the update under way or the last.
//
// # Goroutines
//
//	the loop     1
//	the watcher  1, and those of package watch
//	the loader   1, and one for each scan; one for each directory that hangs
//	execution    1 for the update under way, and one for each of its parallel steps
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
//     runs, and what happens if not.
//   - debts.go: pure. What automatic updates did lately, for the next person who asks.
//   - apply.go: carries steps out, in order, in parallel within one priority.
//   - rollout.go: divides a step into waves, where a program limits how many of its
//     processes are restarted at a time, and waits between them. These come last.
//   - view.go, unready.go, reject.go, lastgood.go, overlay.go: read the files, with the last
//     good content in place of what is invalid, rejected or cannot be read.
//   - revision.go, report.go: which revision the files are at, and its outcome.
//   - permissions.go: who else could have written a file.
//   - loop.go, looks.go, update.go, verify.go: the loop, its looks at the files, the current
//     update, and what is on trial.
//   - holds.go: what is held, as it is reported and counted.
//   - complaints.go: what is wrong with the files; each problem is reported once when it
//     appears and once when it is solved. One that cannot be checked for now is not solved.
//   - requests.go, snapshot.go: what clients may ask of the loop, and what they
//     may see without asking.
//   - reach.go, review.go: pure. What a plan means for the running processes, and the plan
//     between two configurations that no daemon has.
//   - planned.go: a plan by its name, and the plan for another tree of files.
//   - generations.go, past.go: what the files were before the last updates, to show and to go
//     back to.
//   - explain.go, drift.go: where a definition comes from, and what differs from the files
//     although there is nothing to do.
//   - keep.go, store.go: the state that survives restarts.
//   - memory.go: the state from which another reconciler continues.
//
// What the contract leaves open is decided as follows:
//
//   - The files are read during the second half of the settle time, and the result
//     counts if nothing changed until its end.
//   - A tree that never gets quiet is not waited for indefinitely. After ten times
//     settle everything is applied except files that were written to within the last
//     settle time: they keep their last good content, and new ones are ignored for now.
//     Nothing is removed then, since half of a move looks like a removal.
//   - The programs of a vanished file are removed when it has been absent for
//     settle_removals, counted from the first scan that missed it. A removal waits longer
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
//   - A plan is named by a hash over what is active, what is desired and what would be
//     done. An update requested by that name compares it in the turn in which it begins,
//     with the scan of the files that it uses. If the plan has changed by then it does
//     nothing, not even what an update does besides its steps (holds, debts).
//   - Another tree of files is read by the daemon, not by the client: only the daemon has
//     the active definitions with their environments, and its own variables and users, so
//     only it can say what would happen here without sending a secret. It accepts this only
//     from root and its own user, over a unix socket, since anybody else could make it read
//     files that they may not. The tree is read as if it were in place of the daemon's own,
//     so that paths are the same. Nothing of it is kept, and a disk that hangs delays that
//     one answer only.
//   - add and remove by a person, with any client, are updates of one action in the history.
//     What a reload does is the first entry of the history after it.
//
// Source: reconciler.md, contract/reconcile.md.
package reconcile
