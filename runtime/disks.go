package runtime

import (
	"context"
	"errors"
	"time"
)

// errHangs says that a disk has not answered in time. What was asked of it is done
// when it does.
var errHangs = errors.New("the disk does not answer")

const (
	// atOnce is how many pieces of work are begun together, so that those that are
	// quick, however many, do not occupy a thread each.
	atOnce = 8
	// hangsAfter is how long nothing may come back before more of them are begun:
	// those under way may all be on a disk that hangs.
	hangsAfter = 50 * time.Millisecond
)

// onDisks does n pieces of work that may wait for a disk, each on a goroutine of its
// own, and returns the error of each. One that hangs delays no other: when nothing
// has come back for as long as patience, or ctx has ended, the error of each that has
// not is errHangs, or the context's. Whoever asks must not be the loop.
func onDisks(ctx context.Context, n int, patience time.Duration, work func(i int) error) []error {
	type result struct {
		i   int
		err error
	}
	errs := make([]error, n)
	for i := range errs {
		errs[i] = errHangs
	}
	results := make(chan result, n) // so that those that come back late find room
	quiet := time.NewTimer(hangsAfter)
	defer quiet.Stop()
	last := time.Now()
	next, under, limit := 0, 0, atOnce
	for back := 0; back < n; {
		for ; next < n && under < limit; under++ {
			i := next
			next++
			go func() { results <- result{i, work(i)} }() // ends with its disk
		}
		select {
		case r := <-results:
			errs[r.i] = r.err
			back++
			under--
			last = time.Now()
			quiet.Reset(hangsAfter)
		case <-quiet.C:
			if next == n && time.Since(last) >= patience {
				return errs
			}
			limit = min(2*limit, under+n)
			quiet.Reset(hangsAfter)
		case <-ctx.Done():
			for i, err := range errs {
				if err == errHangs {
					errs[i] = ctx.Err()
				}
			}
			return errs
		}
	}
	return errs
}
