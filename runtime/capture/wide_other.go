//go:build !linux

package capture

// widePipe is a pipe that may hold more than usual, which is for Linux alone.
type widePipe struct {
	room   int
	buffer []byte
}

func newWidePipe(int) *widePipe   { return nil }
func (*widePipe) narrow(int) bool { return true }
func (*widePipe) release()        {}
