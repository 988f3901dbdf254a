// Package value turns the text of one value of a configuration file into the
// value: numbers, sizes, booleans, signals, users, paths, lists of variables,
// Python's %(name)s and its shell words. It knows nothing of files, sections or
// keys, and learns about the machine only through a Host.
//
// Every error carries Supervisor's own text and nothing else: the caller adds
// where the value stands and what would be right. There an error with a method
// Plain says the same in short.
//
// Of this module it imports runtime/state, for the names of signals and levels.
package value
