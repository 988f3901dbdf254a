package value

// OnFailure says what happens to an update whose processes fail. Supervisor has no such
// key.
type OnFailure int

// The values of on_failure. The zero value is that of a program without the key.
const (
	OnFailureInherit OnFailure = iota // what [reconcile] says
	OnFailureKeep                     // nothing but a line in the log, and what clients see
	OnFailureHold                     // nothing more is changed before a person decides
	OnFailureRevert                   // the former content of the file is put back in force
)

// String is the value of on_failure in a file, "" for OnFailureInherit.
func (o OnFailure) String() string { return [...]string{"", "keep", "hold", "revert"}[o] }

// ParseOnFailure reads keep, hold or revert, in any case.
func ParseOnFailure(s string) (OnFailure, error) {
	return parseWord("on_failure", s, OnFailureKeep, OnFailureHold, OnFailureRevert)
}
