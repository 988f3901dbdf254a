package value

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Host is what the parsers of paths, users and groups ask of the machine.
type Host interface {
	// Stat describes what a path names, following symbolic links.
	Stat(path string) (fs.FileInfo, error)
	// Getwd is the working directory against which relative paths stand.
	Getwd() string
	// Home is the home directory of the user that ~ or ~name means; name is
	// empty for a lone ~. It fails as LookupUser does.
	Home(name string) (dir string, err error)
	// LookupUser finds an account by name, or by number where name is all
	// digits. It fails with ErrNoAccount when there is none, and with *Unanswered
	// when that cannot be known.
	LookupUser(name string) (Account, error)
	// LookupGroup finds a group's number by name, or checks a number. It fails as
	// LookupUser does.
	LookupGroup(name string) (gid int, err error)
}

// ErrNoAccount is the error of a lookup of a user or group that does not exist.
var ErrNoAccount = errors.New("there is no such account")

// Unanswered is the error of a lookup of a user or group which nobody has answered: it
// may exist or not.
type Unanswered struct {
	Reason string        // what went wrong
	Again  time.Duration // when it is asked again, by a daemon that runs
}

func (e *Unanswered) Error() string { return e.Reason }

// unanswered is the error of a value whose account could not be looked up. The original
// has no words for that: to the C library such an account does not exist.
func unanswered(err error, what, name string) error {
	var e *Unanswered
	if !errors.As(err, &e) {
		return nil
	}
	return &lookupError{fmt.Sprintf("the %s %s cannot be looked up: %s", what, name, e.Reason),
		fmt.Sprintf("it may exist; a running daemon looks it up again after %v", e.Again)}
}

// lookupError is an error that has a hint of its own.
type lookupError struct{ text, hint string }

func (e *lookupError) Error() string { return e.text }

// Hint says what follows from it.
func (e *lookupError) Hint() string { return e.hint }
