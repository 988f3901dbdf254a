//go:build unix && !linux

package launch

// inheritedFiles is the soft limit on descriptors that children get. Go raises
// its own at start and does not tell the old one; this system neither.
func inheritedFiles(current uint64) uint64 { return current }
