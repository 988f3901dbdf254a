package launch

import "testing"

// TestForked: who waits for the fork is told of it once, whatever becomes of the program, and
// not of one that there never is.
func TestForked(t *testing.T) {
	l := launcher(t)
	for name, row := range map[string]struct {
		change func(*Command)
		told   int
		starts bool
	}{
		"it runs":           {func(*Command) {}, 1, true},
		"there is none":     {func(c *Command) { c.Path = "/nonexistent" }, 1, false},
		"it was called off": {func(c *Command) { c.Announce = func(Pipes) bool { return false } }, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			told := 0
			c := cat()
			c.Forked = func() { told++ }
			row.change(&c)
			child, err := l.Start(c)
			if err == nil {
				defer closeAll(child)
			}
			if told != row.told || (err == nil) != row.starts {
				t.Errorf("told %d times, %v", told, err)
			}
		})
	}
}
