package runtime

import (
	"sync"
	"syscall"
)

// fakeCgroups is a place for cgroups whose members a test counts out.
type fakeCgroups struct {
	mu      sync.Mutex
	members map[string]int // how many there are besides the leader, by path; -1 once removed
	done    []string
}

func newFakeCgroups() *fakeCgroups { return &fakeCgroups{members: make(map[string]int)} }

// say notes what was done; the part of a name that is never the same is left out.
func (c *fakeCgroups) say(what, path string) {
	c.done = append(c.done, what+" "+path[len("1234567890."):])
}

func (c *fakeCgroups) Create(name string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.say("create", name)
	c.members[name] = 0
	return name, nil
}

func (c *fakeCgroups) Members(path string) ([]int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return make([]int, max(0, c.members[path])), nil
}

func (c *fakeCgroups) Signal(path string, sig syscall.Signal, except int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.say(sig.String(), path)
	return nil
}

func (c *fakeCgroups) Kill(path string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.say("kill", path)
	c.members[path] = 0
	return nil
}

func (c *fakeCgroups) Remove(path string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.members[path] >= 0 {
		c.say("remove", path)
	}
	c.members[path] = -1
	return nil
}

// leave sets how many processes every cgroup that is there has besides its leader.
func (c *fakeCgroups) leave(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for path, has := range c.members {
		if has >= 0 {
			c.members[path] = n
		}
	}
}

// log is what was done.
func (c *fakeCgroups) log() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.done...)
}
