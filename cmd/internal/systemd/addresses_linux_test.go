package systemd

import "crypto/rand"

// addresses are those that a manager may have here.
func addresses(path string) []string { return []string{path, "@" + rand.Text()} }
