package spec

import (
	"maps"
	goruntime "runtime"
	"sync"
	"sync/atomic"
)

// Cache remembers what a load read, parsed and built, so that the next one does
// only what is new. The zero value is empty. It may be used by many goroutines: a load
// that finds it in use by another does without it.
//
// Three things are remembered: the content of a file for as long as its Stamp
// stands, its sections for as long as its content does, and the group made of a
// section for as long as all parts of the section, everything outside it that
// counts (the environment, the daemon's variables, the working directory) and every
// answer that the machine gave about it (users, directories) are the same.
type Cache struct {
	mu       sync.Mutex           // held for a whole load
	files    map[string]knownFile // by path
	sections map[string]*section
	context  *buildContext // nil before the first load
	built    map[buildKey]*built
}

// knownFile is a file that was read.
type knownFile struct {
	*source
	stamp   Stamp // of the content that was read, if stamped
	stamped bool
}

// buildKey identifies what a group, or one member's share of it, is built from.
type buildKey struct {
	section *section
	group   string // the group of which it is a member, if it makes none itself
	member  bool
}

// built is the result for one buildKey.
type built struct {
	notes
	group     Group // of a member only its processes
	dependsOn dependencies
}

// buildContext is everything outside its own section on which a value may
// depend.
type buildContext struct {
	textual  bool
	here     string
	hostname string
	cwd      string
	uid      int
	env      Env // of the daemon at start
	daemon   Env // [supervisord] environment
	// serverURL is what processes with serverurl=AUTO are given.
	serverURL string
	// dependentStartup is that of [supervisord].
	dependentStartup bool
}

func (s *buildContext) equal(t *buildContext) bool {
	return s != nil && s.textual == t.textual && s.here == t.here && s.hostname == t.hostname &&
		s.cwd == t.cwd && s.uid == t.uid && s.serverURL == t.serverURL && s.dependentStartup == t.dependentStartup && maps.Equal(s.env, t.env) && maps.Equal(s.daemon, t.daemon)
}

// keep makes what one load used the content of the cache, whether it found
// mistakes or not: what is wrong is remembered like what is right.
func (c *Cache) keep(l *load, b *builder) {
	c.files = make(map[string]knownFile, len(l.taken))
	for _, f := range l.taken {
		c.files[f.path] = f
	}
	c.sections, c.built = b.byName, b.built
}

// is reports whether two sources are of one file, read in the same role.
func (s *source) is(t *source) bool {
	return s != nil && s.path == t.path && s.shown == t.shown && s.here == t.here && s.main == t.main
}

// inParallel calls f with 0 to n-1, on as many goroutines as may run at a time,
// and returns when all calls have.
func inParallel(n int, f func(i int)) {
	workers := min(goruntime.GOMAXPROCS(0), n)
	if workers < 2 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wait.Wait()
}
