package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// giveBackAfter is how long after its begin a life gives back memory. By then it has
	// started hundreds of programs.
	giveBackAfter = 30 * time.Second
	// worthGiving is how many bytes that must be for it to be worth the work.
	worthGiving = 2 << 20
)

// giveBack gives back, once, the memory that reading the files and starting the programs
// took and nothing needs any more. By itself the garbage collector would do so only once
// as much again has been used, which in a daemon with nothing to do takes days. The pages
// of the program itself that only the start has used are released, too.
func (l *life) giveBack(ctx context.Context) {
	timer := time.NewTimer(giveBackAfter)
	defer timer.Stop()
	select {
	case <-timer.C:
		if unused() >= worthGiving {
			debug.FreeOSMemory()
		}
		releaseProgramPages()
	case <-ctx.Done():
	}
}

// unused is how much of the heap is free or garbage, and not given back.
func unused() uint64 {
	const free, objects, live = "/memory/classes/heap/free:bytes", "/memory/classes/heap/objects:bytes", "/gc/heap/live:bytes"
	samples := []metrics.Sample{{Name: free}, {Name: objects}, {Name: live}}
	metrics.Read(samples)
	garbage := samples[1].Value.Uint64() - min(samples[1].Value.Uint64(), samples[2].Value.Uint64())
	return samples[0].Value.Uint64() + garbage
}
