package value

import "io/fs"

// Host is what the parsers of paths, users and groups ask of the machine.
type Host interface {
	// Stat describes what a path names, following symbolic links.
	Stat(path string) (fs.FileInfo, error)
	// Getwd is the working directory against which relative paths stand.
	Getwd() string
	// Home is the home directory of the user that ~ or ~name means; name is
	// empty for a lone ~. ok is false for an unknown name.
	Home(name string) (dir string, ok bool)
	// LookupUser finds an account by name, or by number where name is all
	// digits. ok is false when there is none.
	LookupUser(name string) (a Account, ok bool)
	// LookupGroup finds a group's number by name, or checks a number.
	LookupGroup(name string) (gid int, ok bool)
}
