package reconcile

import (
	"slices"
	"time"
)

// keepDelay is how long after a change what outlives the daemon is written: when
// the processes that it is about have been started, which else would wait for the
// disk with it. What people want is written at once: they are told whether it is.
const keepDelay = 250 * time.Millisecond

// keepPatience is how long the end of Run waits for the last of it.
const keepPatience = time.Second

// keepsake is what outlives the daemon. Nothing in it is ever changed.
type keepsake struct {
	history     []Entry
	good        *contents
	proof       *proofRecord
	generations []generation
	inForce     string // the revision
	intents     *intentRecord
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
	if l.keptAt != l.proof.changes || l.keptGood != l.view.good {
		l.kept, l.keptAt, l.keptGood = l.proof.record(l.inForce, l.view.good, l.kept), l.proof.changes, l.view.good
	}
	l.keepsakes <- keepsake{l.history, l.view.good, l.kept, l.generations.list, l.revisions.InForce, l.keptIntents}
}

// equal reports whether two say the same.
func (k keepsake) equal(o keepsake) bool {
	return sameHistory(k.history, o.history) && k.good == o.good && k.proof == o.proof && k.inForce == o.inForce && k.intents == o.intents && sameGenerations(k.generations, o.generations)
}

// sameGenerations goes by the numbers: of one number there is one record, which only grows.
func sameGenerations(a, b []generation) bool {
	return slices.EqualFunc(a, b, func(a, b generation) bool { return a.Number == b.Number && len(a.Before) == len(b.Before) })
}

func sameHistory(a, b []Entry) bool {
	return slices.EqualFunc(a, b, func(a, b Entry) bool { return a.Generation == b.Generation && a.Time.Equal(b.Time) })
}

// What could not be written is tried again with the first look after a pause, which
// grows from keepAgain to keepRarely.
const (
	keepAgain  = 5 * time.Second
	keepRarely = 5 * time.Minute
)

// keeper knows what is in the state directory.
type keeper struct {
	store  *Store
	tell   func(*intentRecord) // that writing it has been tried
	stored keepsake
	tried  keepsake // what was to be there last
	pause  time.Duration
	again  time.Time // when that is tried once more
}

// keepAll has a keeper write to the state directory, which may take as long as it will.
// When done is closed it writes what is left, and ends.
func (l *loop) keepAll(done <-chan struct{}) {
	all := keeper{store: l.store, tell: func(written *intentRecord) {
		l.through.Store(int64(written.number))
		l.written.Tell()
	}}
	for {
		select {
		case k := <-l.keepsakes:
			all.keepIntents(k)
			select {
			case <-time.After(keepDelay):
			case <-done:
			}
			select {
			case k = <-l.keepsakes:
			default:
			}
			all.keep(k)
		case <-done:
			last := all.tried
			select {
			case last = <-l.keepsakes:
			default:
			}
			all.again = time.Time{}
			all.keep(last)
			return
		}
	}
}

// keepIntents writes what people want if it is new.
func (r *keeper) keepIntents(k keepsake) {
	if k.intents == r.stored.intents {
		return
	}
	if r.store.Save(intentsItem, k.intents, true) == nil {
		r.stored.intents = k.intents
	}
	r.tell(k.intents)
}

// keep writes what of k is not stored, unless that has just failed. What is new is
// tried at once.
func (r *keeper) keep(k keepsake) {
	if k.equal(r.stored) || k.equal(r.tried) && time.Now().Before(r.again) {
		return
	}
	if !k.equal(r.tried) {
		r.pause = 0
	}
	r.tried = k
	// An error is reported by the store, once, and shown by State.
	if !sameHistory(k.history, r.stored.history) && r.store.Save(historyItem, k.history, true) == nil {
		r.stored.history = k.history
	}
	if k.inForce != r.stored.inForce && r.store.Save(revisionItem, k.inForce, true) == nil {
		r.stored.inForce = k.inForce
	}
	r.keepIntents(k)
	if k.proof != r.stored.proof && r.store.Save(proofItem, k.proof, true) == nil {
		r.stored.proof = k.proof
	}
	if !sameGenerations(k.generations, r.stored.generations) && r.store.Save(generationsItem, k.generations, true) == nil {
		r.stored.generations = k.generations
	}
	if k.good != r.stored.good && r.store.Save(goodItem, k.good.raw(), true) == nil {
		r.stored.good = k.good
	}
	if !k.equal(r.stored) {
		r.pause = min(max(2*r.pause, keepAgain), keepRarely)
		r.again = time.Now().Add(r.pause)
	}
}
