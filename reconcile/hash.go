package reconcile

import "supervisord/spec"

// ConfigHash is a SHA-256 over what groups say after full expansion, in hex:
// equal exactly if an update from one to the other has nothing to do. The order
// of the groups and the files they stand in do not matter, so that machines can
// be compared.
func ConfigHash(groups []*spec.Group) string { return spec.Fingerprint(groups) }
