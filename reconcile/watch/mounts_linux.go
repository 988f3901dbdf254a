package watch

import "os"

// watchMounts sends on changed whenever something was mounted or unmounted where
// this process can see it, until stop is called, which waits for the goroutine.
// The kernel tells of mounts neither in the directory below nor in the one above,
// but a poll of this file ends at each change (proc(5), /proc/pid/mountinfo). An
// error means that there will be none to hear of.
func watchMounts(changed chan<- struct{}) (stop func(), err error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	conn, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The function is called at the beginning and whenever the file is ready
		// anew; as it never says that it has read enough, only Close ends this.
		_ = conn.Read(func(uintptr) bool {
			select {
			case changed <- struct{}{}:
			default:
			}
			return false
		})
	}()
	return func() { f.Close(); <-done }, nil
}
