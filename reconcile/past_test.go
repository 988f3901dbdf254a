package reconcile

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
)

// TestGenerationContents: whatever was changed, the contents in force after each of the last
// updates are known as they were, and what each of them changed.
func TestGenerationContents(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 50 {
		g := generations{inForce: make(map[string]goodFile)}
		now, was := make(map[string][]byte), make(map[int]map[string][]byte)
		was[0] = maps.Clone(now)
		last := 0
		for range 60 {
			last += 1 + r.IntN(2) // some updates change no file
			for range r.IntN(4) {
				name := fmt.Sprint("f", r.IntN(5))
				if r.IntN(4) == 0 {
					delete(now, name)
				} else {
					now[name] = fmt.Appendf(nil, "[program:p%d]\n", r.IntN(3))
				}
			}
			g.record(last, newContents(now), nil)
			was[last] = maps.Clone(now)
		}
		known := 0
		for number := range last + 1 {
			want, ended := was[number]
			files, err := g.contents(number, last)
			switch {
			case err != nil && !errors.Is(err, ErrNoGeneration), err != nil && g.knows(number):
				t.Fatalf("%d: %d: %v", round, number, err)
			case err != nil || !ended:
				continue
			case !equalContents(files, want):
				t.Fatalf("%d: %d is %q, was %q", round, number, files, want)
			}
			known++
			if before, had := was[number-1]; had && g.knows(number) {
				if got := g.undone(number, files); !equalContents(got, before) {
					t.Fatalf("%d: before %d there was %q, want %q", round, number, got, before)
				}
			}
		}
		if known < keptGenerations/2 {
			t.Errorf("%d: %d of %d are known", round, known, last)
		}
		for _, number := range []int{-1, last + 1} {
			if _, err := g.contents(number, last); !errors.Is(err, ErrNoGeneration) {
				t.Errorf("%d: %v", number, err)
			}
		}
	}
}

func equalContents(a, b map[string][]byte) bool {
	return maps.EqualFunc(a, b, func(a, b []byte) bool { return string(a) == string(b) })
}
