package proc

import (
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
	"time"

	"supervisord/runtime/state"
	"supervisord/spec"
)

// The waits before a process is started again, and when it is not any more.

const (
	// firstWait is the first wait where backoff is not set, and what each is longer than
	// the one before where there is no factor: Supervisor's way.
	firstWait = time.Second
	// neverMax is the longest wait of attempts that never end, where backoff_max is not set.
	neverMax = time.Minute
)

// wait is the n'th wait in a row, from 1. dice, from 0 to 1, is where in the range of the
// jitter it falls.
func wait(r *spec.Retry, n int, dice float64) time.Duration {
	first, last := r.Backoff, r.Max
	if first == 0 {
		first = firstWait
	}
	switch {
	case last != 0:
	case r.GiveUp == spec.GiveUpNever:
		last = neverMax
	default:
		last = longest
	}
	d := float64(first) + float64(n-1)*float64(firstWait)
	if r.Factor != 0 {
		d = float64(first) * math.Pow(r.Factor, float64(n-1))
	}
	d = min(d, float64(last))
	d *= 1 + float64(r.Jitter)/100*(2*dice-1)
	return time.Duration(min(d, float64(longest)))
}

// diceOf is a number from 0 to 1 that nothing else has a part in, so that processes which
// fail together are not started again together.
func diceOf(name string, now time.Time) float64 {
	h := fnv.New32a()
	h.Write([]byte(name))
	h.Write(strconv.AppendInt(nil, now.UnixNano(), 10))
	return float64(h.Sum32()) / math.MaxUint32
}

// retryAt is when the wait of a process in BACKOFF is over.
func (m *Machine) retryAt() time.Time {
	return m.since.Add(wait(&m.Rules.Retry, max(1, m.Retries), m.dice))
}

// Retry is which retry a process in BACKOFF waits for, and until when. ok is false where
// no time is left to wait, and where its rules are Supervisor's, which tells nobody.
func (m *Machine) Retry() (n int, at time.Time, ok bool) {
	if m.State != state.Backoff || m.Waiting || m.Rules.Retry == (spec.Retry{}) {
		return 0, time.Time{}, false
	}
	return max(1, m.Retries), m.retryAt(), true
}

// waitToRetry enters BACKOFF.
func (m *Machine) waitToRetry(now time.Time) {
	m.Retries++
	m.since, m.dice = now, diceOf(m.Name, now)
	m.to(state.Backoff)
}

// again starts a process anew that has run: as soon as what it depends on is there, after
// a wait where backoff or the caller asks for one, or never where it has ended too often.
func (m *Machine) again(now time.Time, waits bool) {
	limit := m.Rules.Retry.Crashes
	switch {
	case m.crashed(now, limit):
		m.SpawnErr = fmt.Sprintf("Exited too often (crash_limit %s)", limit)
		m.log(info, "gave up: %s entered FATAL state, exited too often (crash_limit %s)", m.Name, limit)
		m.fail()
	case waits || m.Rules.Retry.Backoff != 0:
		m.waitToRetry(now)
	default:
		m.launchInOrder(now)
	}
}

// hasLived has the waits begin anew if the process that has ended was up for long enough.
func (m *Machine) hasLived() {
	if m.Stopped.Sub(m.up) >= m.Rules.Retry.Reset {
		m.Retries = 0
	}
}

// crashed counts an end, and reports whether that is one too many.
func (m *Machine) crashed(now time.Time, limit spec.CrashLimit) bool {
	kept := m.crashes[:0:0]
	for _, at := range m.crashes {
		if now.Sub(at) < limit.Within {
			kept = append(kept, at)
		}
	}
	m.crashes = nil
	if limit.N == 0 {
		return false
	}
	m.crashes = append(kept[max(0, len(kept)+1-limit.N):], now)
	return len(m.crashes) == limit.N
}

// forget has every counter begin anew.
func (m *Machine) forget() { m.Tries, m.Retries, m.crashes = 0, 0, nil }

// reset forgets what went wrong, and with it that starting was given up.
func (m *Machine) reset() {
	m.forget()
	if m.State == state.Fatal {
		m.SpawnErr = ""
		m.to(state.Stopped)
	}
}
