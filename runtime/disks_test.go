package runtime

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/spec"
)

// Work whose disk hangs delays no other, however much of it comes first, and is
// finished when the disk answers.
func TestOnDisks(t *testing.T) {
	for _, test := range []struct{ n, hung int }{{0, 0}, {1, 0}, {1, 1}, {1000, 0}, {1000, 1}, {1000, 900}, {1000, 1000}} {
		synctest.Test(t, func(t *testing.T) {
			answer, failed := make(chan struct{}), errors.New("no")
			var done, under, most atomic.Int32
			begun := time.Now()
			errs := onDisks(background, test.n, time.Second, func(i int) error {
				if i < test.hung {
					<-answer
				} else {
					if n := under.Add(1); n > most.Load() {
						most.Store(n)
					}
					time.Sleep(time.Millisecond)
					under.Add(-1)
				}
				done.Add(1)
				if i%2 == 1 {
					return failed
				}
				return nil
			})
			quick := time.Duration(test.n-test.hung) * time.Millisecond / atOnce
			switch took := time.Since(begun); {
			case test.hung == 0 && took > quick+time.Millisecond:
				t.Errorf("%v: it took %v", test, took)
			case test.hung > 0 && (took < time.Second || took > quick+time.Second+15*hangsAfter):
				t.Errorf("%v: it took %v", test, took)
			case test.hung == 0 && most.Load() > atOnce:
				t.Errorf("%v: %d at once", test, most.Load())
			}
			for i, err := range errs {
				want := error(nil)
				if i%2 == 1 {
					want = failed
				}
				if i < test.hung {
					want = errHangs
				}
				if err != want {
					t.Fatalf("%v: the error of %d is %v, want %v", test, i, err, want)
				}
			}
			close(answer)
			synctest.Wait()
			if n := int(done.Load()); n != test.n {
				t.Errorf("%v: %d were done in the end", test, n)
			}
		})
	}
}

// Who goes away waits for no disk.
func TestOnDisksIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(background, time.Millisecond)
		defer cancel()
		answer := make(chan struct{})
		begun := time.Now()
		errs := onDisks(ctx, 2, time.Hour, func(i int) error {
			if i == 1 {
				<-answer
			}
			return nil
		})
		if errs[0] != nil || errs[1] != context.DeadlineExceeded || time.Since(begun) != time.Millisecond {
			t.Errorf("%v after %v", errs, time.Since(begun))
		}
		close(answer)
	})
}

// All logs are opened anew, the one that fails first is told, and the others are not
// kept waiting by it.
func TestReopenLogs(t *testing.T) {
	dir := t.TempDir()
	logging := func(priority int, path string) *spec.Group {
		return program(strings.ReplaceAll(path, "/", "-"), func(p *spec.Process) {
			p.Priority = priority
			p.Stdout = spec.Output{Kind: spec.OutputFile, File: filepath.Join(dir, path)}
		})
	}
	for _, sub := range []string{"a", "b", "c"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	inBubble(t, func(b *bench) {
		b.after(2 * time.Second)
		for _, sub := range []string{"a", "b", "c"} {
			if err := os.Rename(filepath.Join(dir, sub), filepath.Join(dir, "old-"+sub)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(filepath.Join(dir, "c"), 0o700); err != nil {
			t.Fatal(err)
		}
		err := b.sup.ReopenLogs(background)
		if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "a/log")) {
			t.Errorf("the first failure in start order is not told: %v", err)
		}
		if n := strings.Count(b.lines(), "cannot reopen log: "); n != 2 {
			t.Errorf("%d failures logged:\n%s", n, b.lines())
		}
		if _, err := os.Stat(filepath.Join(dir, "c/log")); err != nil {
			t.Error(err)
		}
	}, logging(3, "c/log"), logging(1, "a/log"), logging(2, "b/log"))
}
