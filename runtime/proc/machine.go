package proc

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"supervisord/runtime/state"
	"supervisord/spec"
	"supervisord/spec/value"
)

// Rules are the keys of a program that decide its transitions. Defined may replace
// them at any time; the new ones are in force at once, also for a deadline that is
// already running.
type Rules struct {
	Autorestart  spec.Autorestart
	StartSecs    int // seconds
	StartRetries int
	ExitCodes    []int
	StopSignal   int
	StopWaitSecs int // seconds
	StopAsGroup  bool
	KillAsGroup  bool
	Retry        spec.Retry
	Ready        bool          // it must be found ready, too
	Notify       bool          // it says so itself, with READY=1
	ReadyWithin  time.Duration // 0 for no limit
	Failures     int           // failed looks in a row after which it is unhealthy
	OnUnhealthy  spec.OnUnhealthy
	Watchdog     time.Duration // within which it must say that it is well; 0 for never. Of the next run
}

// RulesOf takes the rules from a process's definition.
func RulesOf(p *spec.Process) Rules {
	group := p.KillMode != spec.KillProcess
	return Rules{
		Autorestart:  p.Autorestart,
		StartSecs:    p.StartSecs,
		StartRetries: p.StartRetries,
		ExitCodes:    p.ExitCodes,
		StopSignal:   p.StopSignal,
		StopWaitSecs: p.StopWaitSecs,
		StopAsGroup:  p.StopAsGroup || group,
		KillAsGroup:  p.KillAsGroup || group,
		Retry:        p.Retry,
		Ready:        p.Probes.Ready != spec.Probe{},
		ReadyWithin:  p.Probes.ReadyWithin(),
		Notify:       p.Probes.Ready.Kind == value.ProbeNotify,
		Failures:     p.Probes.Failures(),
		OnUnhealthy:  p.Probes.OnUnhealthy,
		Watchdog:     p.Probes.Watchdog,
	}
}

// Whole reports whether a stop is over only when the process's group or cgroup is
// empty.
func (r *Rules) Whole() bool { return r.StopAsGroup || r.KillAsGroup }

// Machine is one process as the supervisor sees it. The zero value is a process
// that was never started, and waits for its definition. All fields are plain data,
// and Step alone alters them.
type Machine struct {
	Name  string // as the log has it
	Rules Rules

	State state.Process
	// PID is the live process, 0 for none. While EndingGroup it is the number of the
	// process group whose leader has ended.
	PID int
	// Launching is set between a Launch and its answer. The state is STARTING.
	Launching bool
	// EndingGroup is set while STOPPING when the leader has ended and others of its
	// group or cgroup have not.
	EndingGroup bool
	// OrphanGroup is the process group of the run before, if members of it or of its
	// cgroup outlived the leader and are to be ended before there is a new one; 0 for
	// none. A launch ends them; one that is called off may leave them.
	OrphanGroup int
	// Killed is set while STOPPING, Late or Leaving, once SIGKILL was sent because stopwaitsecs had
	// passed.
	Killed bool
	// Ready is set once this run was found ready, or was RUNNING before anybody asked.
	Ready bool
	// Late is set while STARTING when the time to be ready has passed, and the process was
	// sent its stop signal.
	Late bool
	// Renewing is set while STOPPING when it is to be started again afterwards, since it
	// was unhealthy.
	Renewing bool
	// Health is what the probes of this run have found, Failing how many in a row have
	// failed, and Complaint what the last of these said.
	Health    Health
	Failing   int
	Complaint string
	// StatusText is what the last run has said of itself, for people.
	StatusText string
	// Reloading is set while RUNNING when it has said that it is, and not yet that it is
	// ready again; Leaving when it has said that it ends by itself: it has stopwaitsecs
	// for that.
	Reloading, Leaving bool
	// Missed is why it is unhealthy by what it says itself, "" while it is well.
	Missed string
	// Waiting is set while a start is wanted and something that the process depends on is
	// not there: STOPPED, FATAL, EXITED, or BACKOFF after its time. To clients it is in
	// that state, and nothing is emitted.
	Waiting bool
	// Frozen is set by Freeze and Shutdown: nothing is started any more.
	Frozen bool

	Tries   int       // how often in a row starting has failed
	Retries int       // waits in BACKOFF in a row, by which the next one goes; at least Tries
	Started time.Time // last attempt to spawn; zero for never
	Stopped time.Time // last exit; zero for never
	// Crashed is how often, since a start was asked for, it has left RUNNING in a way that
	// nobody asked for and its exit codes do not expect, ends for the sake of its health
	// among them.
	Crashed    int
	SpawnErr   string // why the last start failed, "Bad exit code N" or ExitUnknown
	ExitStatus int    // of the last exit; -1 for death by signal; 0 for none

	up        time.Time     // Started, for measuring: in a life after a handover that has no more than the wall clock's time
	shut      bool          // Input.Shut of this Step
	since     time.Time     // when the deadline of this state began to run
	stopAsked bool          // a stop has come since the launch
	watchdog  time.Duration // of this run: see Rules
	said      time.Time     // when it began to run, or last said that it is well
	extended  time.Time     // the time of this state is not over before
	blind     time.Time     // since when nobody looks and hears; zero while somebody does
	why       string        // while Renewing: what was wrong
	status    int           // see Status
	dice      float64       // of the wait in BACKOFF
	crashes   []time.Time   // the last ends after RUNNING, if they are limited
	exit      Exit          // while EndingGroup: how the leader ended
	out       []Effect
}

// tooQuick is the spawn error of a process that did not outlive startsecs.
const tooQuick = "Exited too quickly (process log may have details)"

// notReady is that of one that was not found ready.
const notReady = "Exited before it was ready (process log may have details)"

// Deadline is when the machine wants its next Tick; ok is false when it is not
// waiting for anything.
func (m *Machine) Deadline() (at time.Time, ok bool) {
	switch m.State {
	case state.Starting:
		switch {
		case m.Launching:
		case m.Late:
			return m.stopUntil(), true
		case !m.awaitsReady():
			return m.since.Add(Seconds(m.Rules.StartSecs)), true
		case m.Rules.ReadyWithin > 0 && m.blind.IsZero():
			return m.readyUntil(), true
		}
	case state.Running:
		if m.Leaving {
			return m.stopUntil(), true
		}
		return m.watched()
	case state.Backoff:
		return m.retryAt(), !m.Waiting
	case state.Stopping:
		return m.stopUntil(), true
	}
	return time.Time{}, false
}

// stopUntil is when a process that was sent its stop signal is killed.
func (m *Machine) stopUntil() time.Time {
	at := m.since.Add(Seconds(max(m.Rules.StopWaitSecs, 0)))
	if m.Killed {
		return at
	}
	return later(at, m.extended)
}

// Up is when the last attempt to spawn began, for measuring: Started is for people.
func (m *Machine) Up() time.Time { return m.up }

// Step gives one input to the machine and returns what must be done, in order.
// It never blocks and never fails: an input that means nothing in this state is
// answered with the single effect Refused. The slice is reused by the next Step.
//
// Source: contract/process.md sections 3, 5, 6.
func (m *Machine) Step(now time.Time, in Input) []Effect {
	m.out, m.shut = m.out[:0], in.Shut
	switch in.Kind {
	case Defined:
		m.Name, m.Rules = in.Name, in.Rules
	case Start:
		m.start(now)
	case StartInOrder:
		m.startInOrder(now)
	case Look:
		m.look(now)
	case Stop:
		m.stop(now)
	case SendSignal:
		m.signal(in.Signal)
	case Launched:
		m.launched(now, in.PID)
	case LaunchFailed:
		m.launchFailed(now, in.Text)
	case Cancelled:
		m.cancelled(now)
	case Exited:
		m.exited(now, in)
	case GroupEnded:
		m.groupEnded(now)
	case OrphansEnded:
		m.orphansEnded(in.PID)
	case KillFailed:
		m.killFailed(now, in.Text)
	case Tick:
		m.tick(now)
	case Adopted:
		m.adopted(in.PID, in.Began)
	case Freeze:
		m.freeze()
	case TimeUp:
		m.timeUp(now)
	case Shutdown:
		m.shutdown()
	case Reset:
		m.reset()
	case BecameReady:
		m.becameReady(now)
	case Healthy:
		m.healthy()
	case Unhealthy:
		m.unhealthy(now, in.Text)
	case Notified:
		m.notified(now, in.Notice)
	case Blind:
		m.becomeBlind(now)
	case Sighted:
		m.becomeSighted(now)
	default:
		m.refuse()
	}
	return m.out
}

func (m *Machine) start(now time.Time) {
	switch m.State {
	case state.Stopped, state.Exited, state.Fatal:
		if m.Frozen {
			m.refuse()
			return
		}
		m.forget()
		m.Crashed = 0
		m.launch(now)
	default:
		m.refuse()
	}
}

func (m *Machine) freeze() { m.Frozen, m.Waiting = true, false }

// launch begins one attempt. The event comes before the attempt is made.
func (m *Machine) launch(now time.Time) {
	m.SpawnErr, m.ExitStatus = "", 0
	m.Started, m.up, m.since = now, now, now
	m.Launching, m.stopAsked, m.Waiting = true, false, false
	m.beginRun(false, m.Rules.Watchdog)
	m.to(state.Starting)
	m.do(Effect{Kind: Launch, OrphanGroup: m.OrphanGroup})
}

// beginRun forgets what was found out about the run before.
func (m *Machine) beginRun(ready bool, watchdog time.Duration) {
	m.Ready, m.watchdog = ready, watchdog
	m.Health, m.Failing, m.Complaint, m.StatusText, m.Missed = HealthUnknown, 0, "", "", ""
}

func (m *Machine) launched(now time.Time, pid int) {
	if !m.Launching {
		m.refuse()
		return
	}
	m.Launching, m.OrphanGroup = false, 0
	m.PID = pid
	m.Started, m.up, m.since = now, now, now
	m.log(info, "spawned: '%s' with pid %d", m.Name, pid)
	switch {
	case m.stopAsked:
		m.stop(now)
	case m.Rules.StartSecs <= 0 && !m.awaitsReady():
		m.succeed(now)
	}
}

// adopted makes an earlier daemon's process this one's: it runs, and has done so
// since it began. Nobody hears it any more.
func (m *Machine) adopted(pid int, began time.Time) {
	if m.State != state.Stopped || m.Frozen {
		m.refuse()
		return
	}
	m.SpawnErr, m.ExitStatus = "", 0
	m.stopAsked, m.Waiting = false, false
	m.forget()
	m.PID, m.Started, m.up = pid, began, began
	m.Crashed = 0
	m.beginRun(true, 0)
	m.log(info, "adopted: '%s' with pid %d, which an earlier supervisord started", m.Name, pid)
	m.to(state.Running)
}

func (m *Machine) launchFailed(now time.Time, text string) {
	if !m.Launching {
		m.refuse()
		return
	}
	m.Launching, m.OrphanGroup = false, 0
	m.SpawnErr, m.status = text, notStarted
	m.log(info, "spawnerr: %s", text)
	m.backoff(now)
}

// cancelled is the end of an attempt that a stop came before. What clients see of it
// is the stop of a process that was starting.
func (m *Machine) cancelled(now time.Time) {
	if !m.Launching || !m.stopAsked {
		m.refuse()
		return
	}
	m.Launching = false
	m.Stopped = now
	m.to(state.Stopping)
	m.log(info, "stopped: %s (before it was spawned)", m.Name)
	m.to(state.Stopped)
}

// backoff is entered after a failed attempt; it gives up at once when the
// attempts are used up.
func (m *Machine) backoff(now time.Time) {
	m.Tries++
	m.waitToRetry(now)
	switch {
	case m.stopAsked:
		m.stop(now)
	case m.Frozen:
		m.fail()
	case m.Tries > m.Rules.StartRetries && m.Rules.Retry.GiveUp != spec.GiveUpNever:
		m.log(info, "gave up: %s entered FATAL state, too many start retries too quickly", m.Name)
		m.fail()
	}
}

func (m *Machine) fail() {
	m.forget()
	m.to(state.Fatal)
	m.left()
}

// left tells that the process has ended for good, unless that was asked for.
func (m *Machine) left() {
	if !m.stopAsked && !m.Frozen {
		m.do(Effect{Kind: Left})
	}
}

// Status is how the process ended last, as a shell tells it: its exit status, or 128 and
// the number of the signal that it died of; 127 where it could not be started. In FATAL
// it is never 0, since starting has failed even if the program thinks otherwise. It is 1
// where it is not known, and means nothing before there was an end.
func (m *Machine) Status() int {
	if m.State == state.Fatal {
		return max(1, m.status)
	}
	return m.status
}

func (m *Machine) succeed(now time.Time) {
	m.Tries, m.Ready, m.said = 0, true, now
	m.to(state.Running)
	m.log(info, "success: %s entered RUNNING state, process has stayed up for > than %d seconds (startsecs)",
		m.Name, m.Rules.StartSecs)
}

func (m *Machine) stop(now time.Time) {
	m.Waiting = false
	switch m.State {
	case state.Starting, state.Running:
		m.stopAsked = true
		if m.Launching {
			m.do(Effect{Kind: Cancel})
			return
		}
		m.since = now
		m.kill(m.Rules.StopSignal, m.Rules.StopAsGroup, func() { m.to(state.Stopping) })
	case state.Backoff:
		m.log(debug, "Attempted to kill %s, which is in BACKOFF state.", m.Name)
		if m.Stopped.IsZero() {
			m.Stopped = now // so that no client shows the epoch
		}
		m.to(state.Stopped)
	case state.Stopping:
		if !m.Renewing {
			m.refuse()
		}
		m.Renewing = false
	default:
		m.refuse()
	}
}

// kill logs, lets before change the state, and sends.
func (m *Machine) kill(sig int, group bool, before func()) {
	target := ""
	if group {
		target = "process group "
	}
	m.log(debug, "killing %s (pid %d) %swith signal %s", m.Name, m.PID, target, state.SignalName(sig))
	if before != nil {
		before()
	}
	m.do(Effect{Kind: Kill, PID: m.PID, Signal: sig, Group: group})
}

func (m *Machine) signal(sig int) {
	if m.PID == 0 || m.EndingGroup || !m.State.Signallable() {
		m.refuse()
		return
	}
	m.log(debug, "sending %s (pid %d) sig %s", m.Name, m.PID, state.SignalName(sig))
	m.do(Effect{Kind: Kill, PID: m.PID, Signal: sig})
}

func (m *Machine) killFailed(now time.Time, text string) {
	if !m.State.Signallable() || m.PID == 0 {
		m.refuse()
		return
	}
	verb := "sending sig"
	if m.State == state.Stopping {
		verb = "killing"
	}
	m.log(critical, "unknown problem %s %s (%d):%s", verb, m.Name, m.PID, text)
	if m.EndingGroup { // the process itself has ended; its group is out of reach
		m.groupEnded(now)
		return
	}
	m.to(state.Unknown)
}

func (m *Machine) exited(now time.Time, in Input) {
	if m.PID == 0 || m.EndingGroup {
		m.refuse()
		return
	}
	m.Stopped = now
	if !in.Ended.IsZero() {
		m.Stopped = in.Ended
	}
	whole := m.Rules.Whole()
	if in.Orphans > 0 {
		m.reportOrphans(in)
		if whole && m.State == state.Stopping {
			m.EndingGroup, m.exit = true, in.Exit
			return
		}
		if whole {
			m.OrphanGroup = m.PID
		}
	}
	m.ended(now, in.Exit)
}

func (m *Machine) reportOrphans(in Input) {
	if m.State == state.Stopping { // a shell's sleep, as a rule, which is gone in a moment
		m.log(debug, "%s survived the stop", orphansOf(m.Name, in.Orphans, in.Cgroup))
		return
	}
	m.log(warn, "%s survived the exit of its leader", orphansOf(m.Name, in.Orphans, in.Cgroup))
}

// StillThere is what the log says of descendants of a program that its stop has not ended.
func StillThere(name string, orphans int, cgroup bool) string {
	return orphansOf(name, orphans, cgroup) + " survived the stop"
}

func orphansOf(name string, orphans int, cgroup bool) string {
	processes, group := "processes", "group"
	if orphans == 1 {
		processes = "process"
	}
	if cgroup {
		group = "cgroup"
	}
	return fmt.Sprintf("%s: %d %s of its %s", name, orphans, processes, group)
}

func (m *Machine) groupEnded(now time.Time) {
	if !m.EndingGroup {
		m.refuse()
		return
	}
	m.EndingGroup = false
	m.ended(now, m.exit)
}

func (m *Machine) orphansEnded(group int) {
	if m.OrphanGroup == 0 || m.OrphanGroup != group {
		m.refuse()
		return
	}
	m.OrphanGroup = 0
}

// Failed reports whether the process could not be started, so far or for good, or has
// ended in a way that its exit codes do not expect.
func (m *Machine) Failed() bool {
	switch m.State {
	case state.Backoff, state.Fatal:
		return true
	case state.Exited:
		return !m.listed(m.ExitStatus)
	}
	return false
}

// listed reports whether a status is one of the exit codes.
func (m *Machine) listed(status int) bool {
	return status >= 0 && slices.Contains(m.Rules.ExitCodes, status)
}

// ended classifies an exit and does what follows from it.
func (m *Machine) ended(now time.Time, e Exit) {
	pid := m.PID
	listed := m.listed(e.Code)
	m.ExitStatus, m.status = e.Code, e.status()
	switch m.State {
	case state.Stopping:
		level := warn
		if listed {
			level = info
		}
		m.log(level, "stopped: %s (%s)", m.Name, e.How)
		m.to(state.Stopped)
		m.PID = 0
		m.renew(now)
	case state.Starting:
		if failed := m.failedStart(); failed != "" {
			m.SpawnErr, m.ExitStatus = failed, 0
			m.log(warn, "exited: %s (%s; not expected)", m.Name, e.How)
			m.PID = 0
			m.backoff(now)
			return
		}
		m.to(state.Running) // it was up long enough, and the Tick had not come yet
		m.exitedRunning(now, e, listed)
	case state.Running:
		m.exitedRunning(now, e, listed)
	default: // UNKNOWN: it could not be signalled, but it has ended
		m.log(warn, "exited: %s (%s; not expected)", m.Name, e.How)
		m.do(Effect{Kind: Emit, From: m.State, To: state.Exited, PID: pid, Exit: e})
		m.enter(state.Exited)
		m.PID = 0
		m.left()
	}
}

// failedStart is why the exit of a process that is STARTING is a failed start, "" if it is
// none.
func (m *Machine) failedStart() string {
	switch {
	case m.Late:
		return "Not ready within " + value.ShowDuration(m.Rules.ReadyWithin) + " (ready_timeout)"
	case m.awaitsReady():
		return notReady
	case m.Stopped.Sub(m.up) < Seconds(m.Rules.StartSecs):
		return tooQuick
	}
	return ""
}

// exitedRunning is the exit of a process in RUNNING that nobody asked to stop.
func (m *Machine) exitedRunning(now time.Time, e Exit, expected bool) {
	if expected {
		m.log(info, "exited: %s (%s; expected)", m.Name, e.How)
	} else {
		m.SpawnErr = fmt.Sprintf("Bad exit code %d", e.Code)
		if e == ExitUnknown {
			m.SpawnErr = e.How
		}
		m.Crashed++
		m.log(warn, "exited: %s (%s; not expected)", m.Name, e.How)
	}
	m.Tries = 0
	m.hasLived()
	m.do(Effect{Kind: Emit, From: m.State, To: state.Exited, PID: m.PID, Expected: expected, Exit: e})
	m.enter(state.Exited)
	m.PID = 0

	again := m.Rules.Autorestart == spec.RestartAlways ||
		m.Rules.Autorestart == spec.RestartUnexpected && !expected
	if again && !m.Frozen {
		m.again(now)
		return
	}
	m.left()
}

func (m *Machine) tick(now time.Time) {
	at, ok := m.Deadline()
	if !ok || now.Before(at) {
		return // early ticks are harmless
	}
	switch m.State {
	case state.Starting:
		m.dueStarting(now)
	case state.Running:
		m.dueRunning(now)
	case state.Backoff:
		if m.Frozen {
			m.fail()
			return
		}
		m.launchInOrder(now)
	case state.Stopping:
		m.killHard(now)
	}
}

func (m *Machine) timeUp(now time.Time) {
	if m.State != state.Stopping || m.Killed {
		m.refuse()
		return
	}
	m.killHard(now)
}

// killHard ends what its stop signal has not ended.
func (m *Machine) killHard(now time.Time) {
	m.log(warn, "killing '%s' (%d) with SIGKILL", m.Name, m.PID)
	m.since, m.Killed = now, true
	if m.Rules.StopWaitSecs < 1 {
		m.since = now.Add(time.Second) // a wait of nothing must not spin
	}
	m.kill(sigKill, m.Rules.KillAsGroup || m.EndingGroup, nil)
}

func (m *Machine) shutdown() {
	m.freeze()
	if m.State == state.Backoff {
		m.fail()
	}
}

// to changes the state and emits the event. PID is cleared by the caller, after
// the event that carries it.
func (m *Machine) to(s state.Process) {
	m.do(Effect{Kind: Emit, From: m.State, To: s, Tries: m.Tries, PID: m.PID})
	m.enter(s)
}

// enter changes the state, and forgets what belongs to the one before.
func (m *Machine) enter(s state.Process) {
	m.State, m.Killed, m.Late, m.Reloading, m.Leaving, m.extended = s, false, false, false, false, time.Time{}
	m.Renewing = m.Renewing && (s == state.Stopping || s == state.Stopped)
}

func (m *Machine) do(e Effect) { m.out = append(m.out, e) }

func (m *Machine) log(l slog.Level, format string, args ...any) {
	m.do(Effect{Kind: Log, Level: l, Text: fmt.Sprintf(format, args...)})
}

func (m *Machine) refuse() { m.do(Effect{Kind: Refused}) }

// sigKill is SIGKILL's number on every Unix.
const sigKill = 9

// longest is the longest time that Seconds returns.
const longest = 100 * 365 * 24 * time.Hour

// Seconds is n seconds, at most a hundred years: what people write for "never"
// may be more than a Duration holds.
func Seconds(n int) time.Duration {
	return min(time.Duration(n), longest/time.Second) * time.Second
}
