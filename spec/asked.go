package spec

import (
	"fmt"
	"io/fs"
	"sync"
)

// asked is a Host whose answers hold for one load: each question is put to the
// machine once, so that the parts of a configuration agree about it.
type asked struct {
	Host
	cwd   string
	mu    sync.Mutex // guards known
	known map[question]*verdict
}

// question is something that a definition depends on beside the files.
type question struct {
	about byte   // one of the about constants
	name  string // a path, a user or a group
}

const (
	aboutPath byte = iota
	aboutUser
	aboutGroup
	aboutHome
)

// verdict is what the machine said.
type verdict struct {
	info    fs.FileInfo
	err     error
	account Account
	gid     int
	home    string
	gist    gist
}

// gist is what of a verdict can make a difference to a definition.
type gist struct {
	ok       bool
	mode     fs.FileMode // type and executable bits
	uid, gid int
	groups   string
	home     string
}

func newAsked(h Host) *asked {
	return &asked{Host: h, cwd: h.Getwd(), known: map[question]*verdict{}}
}

// Getwd implements Host.
func (a *asked) Getwd() string { return a.cwd }

// ask answers a question, from memory where it was put before.
func (a *asked) ask(q question) *verdict {
	a.mu.Lock()
	known := a.known[q]
	a.mu.Unlock()
	if known != nil {
		return known
	}
	reply := a.put(q)
	a.mu.Lock()
	defer a.mu.Unlock()
	if known := a.known[q]; known != nil {
		return known
	}
	a.known[q] = reply
	return reply
}

// put asks the machine itself.
func (a *asked) put(q question) *verdict {
	v := &verdict{}
	switch q.about {
	case aboutPath:
		if v.info, v.err = a.Host.Stat(q.name); v.err == nil {
			v.gist = gist{ok: true, mode: v.info.Mode() & (fs.ModeType | 0o111)}
		}
	case aboutUser:
		v.account, v.gist.ok = a.Host.LookupUser(q.name)
		v.gist.uid, v.gist.gid, v.gist.groups = v.account.UID, v.account.GID, fmt.Sprint(v.account.Groups)
	case aboutGroup:
		v.gid, v.gist.ok = a.Host.LookupGroup(q.name)
		v.gist.gid = v.gid
	case aboutHome:
		v.home, v.gist.ok = a.Host.Home(q.name)
		v.gist.home = v.home
	}
	return v
}

// dependency is a question that was asked while something was built, and the
// answer on which it stands.
type dependency struct {
	question question
	gist     gist
}

// witness is a Host that notes what is asked. It belongs to one goroutine.
type witness struct {
	*asked
	noted []dependency
}

func (w *witness) ask(q question) *verdict {
	reply := w.asked.ask(q)
	w.noted = append(w.noted, dependency{q, reply.gist})
	return reply
}

// Stat implements Host.
func (w *witness) Stat(path string) (fs.FileInfo, error) {
	reply := w.ask(question{aboutPath, path})
	return reply.info, reply.err
}

// LookupUser implements Host.
func (w *witness) LookupUser(name string) (Account, bool) {
	reply := w.ask(question{aboutUser, name})
	return reply.account, reply.gist.ok
}

// LookupGroup implements Host.
func (w *witness) LookupGroup(name string) (int, bool) {
	reply := w.ask(question{aboutGroup, name})
	return reply.gid, reply.gist.ok
}

// Home implements Host.
func (w *witness) Home(name string) (string, bool) {
	reply := w.ask(question{aboutHome, name})
	return reply.home, reply.gist.ok
}

// still reports whether every answer is what it was.
func (a *asked) still(noted []dependency) bool {
	for _, d := range noted {
		if a.ask(d.question).gist != d.gist {
			return false
		}
	}
	return true
}
