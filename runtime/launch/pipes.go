package launch

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// pipes are the descriptors of one start, -1 where there is none. The child's
// ends block, as programs expect; ours do not.
type pipes struct {
	ours, child [3]int
	borrowed    bool   // child[0] is a socket that is not ours to close
	ready       [2]int // our end and the child's of the pipe of ReadyFD
}

func openPipes(c *Command) (*pipes, error) {
	p := &pipes{ours: [3]int{-1, -1, -1}, child: [3]int{-1, -1, -1}, ready: [2]int{-1, -1}}
	if c.ReadyFD > 0 {
		r, w, err := pipe()
		if err != nil {
			return nil, err
		}
		p.ready = [2]int{r, w}
		doNotBlock(r)
	}
	if c.Socket != nil {
		p.child[0], p.borrowed = int(c.Socket.Fd()), true
	}
	for fd := range 3 {
		if fd == 0 && p.borrowed {
			continue
		}
		if fd == 2 && c.RedirectStderr {
			p.child[2] = p.child[1]
			continue
		}
		r, w, err := pipe()
		if err != nil {
			p.close()
			return nil, err
		}
		if fd == 0 {
			p.child[0], p.ours[0] = r, w
		} else {
			p.child[fd], p.ours[fd] = w, r
		}
		if c.otherUser() {
			// Else the child could not open /dev/stdout, /dev/stderr or /dev/stdin, which
			// programs in containers are told to write to. Where it cannot be done, that
			// is as it was.
			_ = syscall.Fchown(p.child[fd], c.UID, c.GID)
		}
		doNotBlock(p.ours[fd])
	}
	return p, nil
}

// doNotBlock has no read or write of a new pipe wait. It cannot fail; were it to,
// os.NewFile would notice and its reads would only cost a thread. A new pipe has no flags
// that it could lose, so they are not asked for.
func doNotBlock(fd int) { _, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_NONBLOCK) }

// given are the descriptors that the child gets.
func (p *pipes) given() []int {
	if p.ready[1] < 0 {
		return p.child[:]
	}
	return append(p.child[:], p.ready[1])
}

// numbers are the pipes' inodes.
func (p *pipes) numbers() (n Pipes) {
	for i, fd := range p.ours {
		var st syscall.Stat_t
		if fd >= 0 && syscall.Fstat(fd, &st) == nil {
			n[i] = uint64(st.Ino)
		}
	}
	return n
}

func (p *pipes) close() {
	p.closeChildEnds()
	p.closeOurEnds()
}

func (p *pipes) closeChildEnds() {
	for fd, n := range p.child {
		if n < 0 || fd == 0 && p.borrowed || fd == 2 && n == p.child[1] {
			continue
		}
		_ = syscall.Close(n)
	}
	if p.ready[1] >= 0 {
		_ = syscall.Close(p.ready[1])
	}
}

func (p *pipes) closeOurEnds() {
	for _, n := range append(p.ours[:], p.ready[0]) {
		if n >= 0 {
			_ = syscall.Close(n)
		}
	}
}

func (p *pipes) handOver(pid int, name string) *Child {
	c := &Child{PID: pid}
	for fd, to := range []**os.File{&c.Stdin, &c.Stdout, &c.Stderr} {
		if p.ours[fd] >= 0 {
			*to = os.NewFile(uintptr(p.ours[fd]), fileName(name, fd))
		}
	}
	if p.ready[0] >= 0 {
		c.Ready = os.NewFile(uintptr(p.ready[0]), name+" readiness")
	}
	return c
}
