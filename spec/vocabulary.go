package spec

import "slices"

// Keys are the keys that have a meaning in the section of that name, without the
// brackets; nil for a section that nobody reads or whose keys are its own affair.
func Keys(section string) []string { return slices.Clone(keysFor(section)) }
