//go:build unix && !linux

package trust

// HasACL is not known here.
func HasACL(string) bool { return false }

// hasACL is not known here.
func hasACL(int) bool { return false }
