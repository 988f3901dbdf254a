// Package value turns the text of one value of a configuration file into the
// value: numbers, sizes, booleans, signals, users, paths, lists of variables,
// Python's %(name)s and its shell words. It knows nothing of files, sections or
// keys, and asks of the machine only what a Host says.
//
// Every error carries Supervisor's own text and nothing else: where the value
// stands, and what would be right, the caller adds. An error with a method Plain
// says the same in short there.
//
// Of ours it imports runtime/state, for the names of signals and levels.
package value
