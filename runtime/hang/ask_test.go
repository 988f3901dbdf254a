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

// TestClose: of files that cannot be closed one is waited for at a time, and all are closed
// in the end.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, release := fixed(), make(chan struct{})
		stuck, quick := &closing{wait: release}, new(opened)
		begun := time.Now()
		d.Close("/b", stuck)
		for range 3 {
			d.Close("/b", stuck)
		}
		if took := time.Since(begun); took != Patience {
			t.Errorf("it took %v", took)
		}
		d.Close("/a", quick)
		synctest.Wait()
		if n, under := quick.closed.Load(), stuck.under.Load(); n != 1 || under > 2 {
			t.Errorf("closed elsewhere: %d, under way: %d", n, under)
		}
		close(release)
		synctest.Wait()
		if n := stuck.closed.Load(); n != 5 || len(d.unclosed) != 0 { // the one that was given up is asked twice
			t.Errorf("closed: %d, left: %d", n, len(d.unclosed))
		}
	})
}

// closing is a file whose closing waits.
type closing struct {
	opened
	wait  chan struct{}
	under atomic.Int32
}

func (c *closing) Close() error {
	c.under.Add(1)
	defer c.under.Add(-1)
	<-c.wait
	return c.opened.Close()
}
