package proc

import (
	"fmt"
	"log/slog"
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

func (m *Machine) tick(now time.Time) {
	at, ok := m.Deadline()
	if !ok || now.Before(at) {
		return // early ticks are harmless
	}
	if m.stoodStill(now, at) {
		return
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

// longest is the longest time that Seconds returns.
const longest = 100 * 365 * 24 * time.Hour

// Seconds is n seconds, at most a hundred years: what people write for "never"
// may be more than a Duration holds.
func Seconds(n int) time.Duration {
	return min(time.Duration(n), longest/time.Second) * time.Second
}
