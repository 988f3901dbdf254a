// Package bound holds fuzz targets to what one input may take of time and memory. It
// is only for tests.
//
// Imports nothing of ours.
package bound

import (
	"flag"
	"fmt"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"
)

// What one input may take.
const (
	Memory = 64 << 20 // beyond the size of the process when the target begins, in bytes
	Time   = 10 * time.Second
)

// patience is Time, but in a test of this.
var patience = Time

// watchEvery is how often an input that goes on is looked at.
const watchEvery = 20 * time.Millisecond

// Target is a fuzz target that is held to its bounds.
type Target struct {
	idle    uint64 // bytes, when it began
	created time.Time
	began   atomic.Int64 // the input, in nanoseconds since created; 0 between two
	sizes   []metrics.Sample
	last    uint64 // bytes, after the last input
	fuzzed  bool   // this is a process of the fuzzer's, which has yet to take its own
}

// Start is called when a target has made what its inputs share, and begins.
//
// The collector is told to keep the process well below the bound, so that what goes
// beyond it is in use and no garbage.
func Start(f testing.TB) *Target {
	debug.FreeOSMemory()
	b := &Target{created: time.Now(), sizes: newSizes()}
	if worker := flag.Lookup("test.fuzzworker"); worker != nil {
		b.fuzzed = worker.Value.String() == "true"
	}
	b.last = size(b.sizes)
	before := b.rest(b.last)
	ended, watched := make(chan struct{}), make(chan struct{})
	go func() { // ends with the target
		defer close(watched)
		b.watch(ended)
	}()
	f.Cleanup(func() {
		close(ended)
		<-watched
		debug.SetMemoryLimit(before)
	})
	return b
}

// rest takes a size for the one at the start, and returns the collector's limit so far.
func (b *Target) rest(idle uint64) (before int64) {
	b.idle = idle
	return debug.SetMemoryLimit(int64(idle + Memory*3/4))
}

// Input is called when an input begins, and done when it is through:
//
//	defer b.Input(t)()
//
// An input that has taken too much fails. One that goes on taking, or takes too long,
// ends the process, which the fuzzer notes as its failure.
func (b *Target) Input(t testing.TB) (done func()) {
	if b.fuzzed {
		// What comes at once between two inputs is the fuzzer's, to change them in.
		if now := size(b.sizes); now > b.last+Memory {
			b.rest(b.idle + now - b.last)
			b.fuzzed = false
		}
	}
	b.began.Store(max(1, int64(time.Since(b.created))))
	return func() {
		b.began.Store(0)
		b.last = size(b.sizes)
		if over := b.over(b.last); over > 0 {
			t.Errorf("%d MiB above the size at the start", over>>20)
			debug.FreeOSMemory() // so that the next one does not fail for it
			b.last = size(b.sizes)
		}
	}
}

// watch ends the process when an input takes too long or too much.
func (b *Target) watch(ended <-chan struct{}) {
	ticks, sizes := time.NewTicker(watchEvery), newSizes()
	defer ticks.Stop()
	for {
		select {
		case <-ended:
			return
		case <-ticks.C:
		}
		began := time.Duration(b.began.Load())
		if began == 0 {
			continue
		}
		took, over := time.Since(b.created)-began, b.over(size(sizes))
		// While it goes on, a little more is too little to end the process for.
		if took > patience || over > 2*Memory {
			debug.SetTraceback("all")
			panic(fmt.Sprintf("one input has taken %v, and the process is %d MiB above its size at the start", took, over>>20))
		}
	}
}

// over is how far a size is above that at the start, if that is too far, else 0.
func (b *Target) over(now uint64) uint64 {
	if now > b.idle+Memory {
		return now - b.idle
	}
	return 0
}

func newSizes() []metrics.Sample {
	return []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
}

// size is what the process has from the system and has not given back. It is asked
// for after each input, and so must cost little: a microsecond, here.
func size(sizes []metrics.Sample) uint64 {
	metrics.Read(sizes)
	return sizes[0].Value.Uint64() - sizes[1].Value.Uint64()
}
