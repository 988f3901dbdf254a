package launch

import (
	"sync"
	"syscall"
)

// umaskLock lets starts with an umask of their own take turns where the umask
// is the whole process's. A file that the daemon makes meanwhile, for about
// half a millisecond, gets that umask too; there is no way around it.
type umaskLock struct{ mu sync.RWMutex }

// with calls f while the process's umask is umask; -1 leaves it alone, and
// keeps others from changing it.
func (l *umaskLock) with(umask int, f func()) {
	if umask < 0 {
		l.mu.RLock()
		defer l.mu.RUnlock()
		f()
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old := syscall.Umask(umask)
	defer syscall.Umask(old)
	f()
}
