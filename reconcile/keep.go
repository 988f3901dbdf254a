package reconcile

import (
	"slices"
	"time"
)

// keepDelay is how long after a change what outlives the daemon is written: when
// the processes that it is about have been started, which else would wait for the
// disk with it.
const keepDelay = 250 * time.Millisecond

// keepPatience is how long the end of Run waits for the last of it.
const keepPatience = time.Second

// keepsake is what outlives the daemon. Nothing in it is ever changed.
type keepsake struct {
	history []Entry
	good    *contents
}

// keep has what outlives the daemon written, in a while.
func (l *loop) keep() {
	if l.store == nil {
		return
	}
	select {
	case <-l.keepsakes: // it is out of date
	default:
	}
	l.keepsakes <- keepsake{l.history, l.view.good}
}

// keepAll is the keeper: it writes to the state directory, which may take as long
// as it will. When done is closed it writes what is left, and ends.
func (l *loop) keepAll(done <-chan struct{}) {
	var stored keepsake
	for {
		select {
		case k := <-l.keepsakes:
			select {
			case <-time.After(keepDelay):
			case <-done:
			}
			select {
			case k = <-l.keepsakes:
			default:
			}
			l.store.save(k, &stored)
		case <-done:
			select {
			case k := <-l.keepsakes:
				l.store.save(k, &stored)
			default:
			}
			return
		}
	}
}

// save writes what of k differs from what was stored last.
func (s *Store) save(k keepsake, stored *keepsake) {
	// An error is reported by the store, once, and shown by State.
	if !slices.EqualFunc(k.history, stored.history, func(a, b Entry) bool { return a.Generation == b.Generation && a.Time.Equal(b.Time) }) {
		_ = s.Save(historyItem, k.history, true)
	}
	if k.good != stored.good {
		_ = s.Save(goodItem, k.good.raw(), true)
	}
	*stored = k
}
