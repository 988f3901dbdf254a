//go:build !linux

package capture

// sleepers is where Streams could sleep: here none does.
var sleepers poller

type poller struct{}

func (poller) add(*Stream) bool { return false }
func (poller) remove(*Stream)   {}
