// Package lazy makes what is seldom needed when it is first needed, so that no start of a
// program pays for it. It imports nothing of ours.
package lazy

import (
	"regexp"
	"sync"
)

// Regexp returns a function that compiles expr at its first call, as regexp.MustCompile
// does, and gives the same result to every caller from then on. It may be called by any
// goroutine.
func Regexp(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
