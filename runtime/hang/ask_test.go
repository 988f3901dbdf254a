package hang

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestAskBounds: those who ask and leave again before the directory is known to be
// silent leave only a few accesses behind; then all are refused at once.
func TestAskBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, files := fixed(), new(disk)
		files.hang("/b")
		var under atomic.Int32
		ask := func(patience time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, err := Ask(ctx, d, "/b", func() (string, error) {
				under.Add(1)
				defer under.Add(-1)
				return files.read("/b")
			})
			return err
		}
		for range 140 {
			if err := ask(time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		if n := under.Load(); n != together {
			t.Errorf("%d accesses under way", n)
		}
		var silent *Silent
		for i := range 3 {
			begun := time.Now()
			if err := ask(time.Hour); !errors.As(err, &silent) || i > 0 && time.Since(begun) > 0 {
				t.Errorf("%v after %v", err, time.Since(begun))
			}
		}
		if n := under.Load(); n != together {
			t.Errorf("%d accesses under way", n)
		}
		files.release("/b")
		synctest.Wait()
		if err := ask(time.Hour); err != nil || under.Load() != 0 || len(d.queues) != 0 {
			t.Errorf("when it answers again: %v, %d under way, %d queues", err, under.Load(), len(d.queues))
		}
	})
}

// opened is a file that notes its closing.
type opened struct{ closed atomic.Int32 }

func (o *opened) Close() error { o.closed.Add(1); return nil }

// TestAskCloses: what is opened for somebody who has gone is closed.
func TestAskCloses(t *testing.T) {
	for _, late := range []time.Duration{Patience / 2, 2 * Patience} {
		synctest.Test(t, func(t *testing.T) {
			d, file := fixed(), new(opened)
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if got, err := Ask(ctx, d, "/b", func() (*opened, error) { time.Sleep(late); return file, nil }); got != nil || err == nil {
				t.Error(got, err)
			}
			time.Sleep(late)
			synctest.Wait()
			if n := file.closed.Load(); n != 1 {
				t.Errorf("after %v: closed %d times", late, n)
			}
		})
	}
}

// TestLater: chores of a directory wait for each other, and for no other directory's.
func TestLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, release := fixed(), make(chan struct{})
		var done atomic.Int32
		for range 3 {
			d.Later("/b", func() { <-release; done.Add(1) })
		}
		d.Later("/a", func() { done.Add(10) })
		synctest.Wait()
		if n := done.Load(); n != 10 {
			t.Errorf("done: %d", n)
		}
		close(release)
		synctest.Wait()
		if n := done.Load(); n != 13 || len(d.chores) != 0 {
			t.Errorf("done: %d, left: %d", n, len(d.chores))
		}
	})
}
