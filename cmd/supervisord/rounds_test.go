package main

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestRounds: looks with different intervals that begin at different times have their
// ticks together where those meet, each in its own time, and none once it is stopped.
func TestRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		r := newRounds()
		a, stopA := r.every(10 * time.Second)
		time.Sleep(3 * time.Second)
		b, stopB := r.every(5 * time.Second)
		var got []string
		see := func(until time.Duration) {
			end := time.After(until - time.Since(begun))
			for {
				select {
				case at := <-a:
					got = append(got, fmt.Sprint("a", at.Sub(begun)))
				case at := <-b:
					got = append(got, fmt.Sprint("b", at.Sub(begun)))
				case <-end:
					return
				}
				synctest.Wait()
			}
		}
		see(9 * time.Second)
		time.Sleep(15 * time.Second) // nobody takes the ticks of 10, 15 and 20
		synctest.Wait()
		if len(a) != 1 || len(b) != 1 {
			t.Errorf("%d and %d ticks wait, want one each", len(a), len(b))
		}
		<-a
		<-b
		stopB()
		see(31 * time.Second)
		stopA()
		time.Sleep(time.Hour)
		if want := "[b5s a30s]"; fmt.Sprint(got) != want {
			t.Errorf("ticks %v, want %s", got, want)
		}
		if len(a)+len(b) > 0 {
			t.Error("there are ticks after the stop")
		}
	})
}
