// Package spec reads Supervisor's configuration: the bytes of files become a
// Config, or a list of every mistake in them; two Configs are compared. It is pure:
// what it needs to know about the machine it asks a Host, and the same answers give
// the same Config. It starts nothing, watches nothing and logs nothing.
//
// # From bytes to a Config
//
// A file goes through these layers, from the bottom up:
//
//   - Package dialect reads Supervisor's dialect of INI. Its result, a Document,
//     depends on the bytes alone, and equal files share it.
//   - load.go reads the main file and what it includes, glob.go finds the files,
//     merge.go puts the sections of all files together. Every value keeps the file
//     and the line it comes from.
//   - Package value parses the text of one value.
//   - reader.go takes typed values out of one section, kind.go says how each type
//     of value is read and shown; build*.go follow the order in which Supervisor
//     reads the keys, and make a Config.
//   - warnings.go warns about what Supervisor accepts although it is probably a
//     mistake, warnings_command.go about commands, warnings_whole.go about servers
//     and logs. template.go recognises a template, from which the real file has yet
//     to be made.
//
// cache.go and hostmemo.go cache what a load has read and built, for the next one.
//
// Supervisor stops at its first mistake. We go on, so that the error of Load holds
// every mistake, each with its place; its text is still that of the mistake which
// Supervisor would have met first.
//
// # From two Configs to a difference
//
// field.go is the table of the keys of a process and of a group: the type, the
// default and the unit of each, and what a change of it does to a running process. Equal, Compare, Fingerprint, ExecHash, Normal and the builder go over it,
// so that a new key is a new row; testdata/fields.txt shows it. Diff compares groups
// by Equal.
//
// # Names
//
// The vocabulary is Supervisor's: a group holds processes, which a program section
// defines; a namespec names one or all of a group.
//
// Other packages may use a Config from any goroutine and must never change one. Of this
// module, spec imports its own subpackages dialect and value, and runtime/state, the
// leaf with the names of signals, log levels and event types.
package spec
