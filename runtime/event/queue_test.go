package event

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A queue behaves as a slice does, and keeps no memory of a time when it was long.
func TestQueue(t *testing.T) {
	var q queue
	var want []int64
	var next int64
	random := rand.New(rand.NewPCG(1, 2))
	for step := range 20_000 {
		next++
		switch n := random.IntN(10); {
		case n < 4 || step < 3*keptRing:
			q.pushBack(item{serial: next})
			want = append(want, next)
		case n < 5:
			q.pushFront(item{serial: next})
			want = slices.Insert(want, 0, next)
		case len(want) > 0:
			if got := q.popFront().serial; got != want[0] {
				t.Fatalf("step %d: took out %d, want %d", step, got, want[0])
			}
			want = want[1:]
		}
		if q.len() != len(want) || len(want) > 0 && q.front().serial != want[0] {
			t.Fatalf("step %d: %d items, want %d with %v in front", step, q.len(), len(want), want[:min(1, len(want))])
		}
	}
	if len(want) == 0 {
		t.Fatal("nothing is left to take out")
	}
	for _, serial := range want {
		if got := q.popFront().serial; got != serial {
			t.Fatalf("took out %d, want %d", got, serial)
		}
	}
	if len(q.ring) > keptRing {
		t.Errorf("an empty queue keeps room for %d", len(q.ring))
	}
	q.pushFront(item{serial: 1})
	if q.len() != 1 || q.front().serial != 1 {
		t.Errorf("after it was let go: %d items", q.len())
	}
}
