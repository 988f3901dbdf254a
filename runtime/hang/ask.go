package hang

import (
	"context"
	"errors"
	"io"
)

// together is how many accesses that are asked for may be under way in one directory:
// so many goroutines are left behind at most when it falls silent.
const together = 4

// queue is those who ask something of one directory.
type queue struct {
	places chan struct{} // holds one for each access under way
	users  int
}

// answer is what an access came to.
type answer[T any] struct {
	result T
	err    error
}

// close closes what was opened for nobody.
func (a answer[T]) close() {
	if c, is := any(a.result).(io.Closer); is && a.err == nil {
		c.Close()
	}
}

// Ask makes one access to something in dir for a caller that waits until ctx ends at the
// latest. If the directory does not answer in time, or is known not to, the error is a
// *Silent. However many callers come and go, only a few accesses are under way in a
// directory. What f opened after its caller has gone is closed. f may be called again while
// an earlier call hangs, so it must not share anything that it changes.
func Ask[T any](ctx context.Context, d *Disks, dir string, f func() (T, error)) (T, error) {
	var none T
	q := d.join(dir)
	select {
	case q.places <- struct{}{}: // nobody has one for longer than the patience
	case <-ctx.Done():
		d.leave(dir, q)
		return none, ctx.Err()
	}
	answers := make(chan answer[T])
	go func() { // ends when the access has returned or its directory is silent
		a, _ := Do(d, nil, func(t *Try) (a answer[T]) {
			a.result, a.err = Call(t, dir, f)
			if t.GivenUp() {
				a.close()
			}
			return a
		})
		<-q.places
		d.leave(dir, q)
		select {
		case answers <- a:
		case <-ctx.Done():
			a.close()
		}
	}()
	select {
	case a := <-answers:
		return a.result, a.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

func (d *Disks) join(dir string) *queue {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.queues[dir]
	if q == nil {
		q = &queue{places: make(chan struct{}, together)}
		d.queues[dir] = q
	}
	q.users++
	return q
}

func (d *Disks) leave(dir string, q *queue) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(d.queues, dir)
	}
}

// Close closes a file in dir. It waits no longer than for an access; files in a directory
// that does not answer are closed when it does, one after the other.
func (d *Disks) Close(dir string, file io.Closer) {
	_, err := Ask(context.Background(), d, dir, func() (any, error) { return nil, file.Close() })
	if _, silent := errors.AsType[*Silent](err); !silent {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	waiting, busy := d.unclosed[dir]
	d.unclosed[dir] = append(waiting, file)
	if !busy {
		go d.closeAll(dir) // ends when all are closed
	}
}

func (d *Disks) closeAll(dir string) {
	for {
		d.mu.Lock()
		todo := d.unclosed[dir]
		if len(todo) == 0 {
			delete(d.unclosed, dir)
			d.mu.Unlock()
			return
		}
		d.unclosed[dir] = todo[1:]
		d.mu.Unlock()
		todo[0].Close() // again is no harm
	}
}
