package launch

// Identity says which process is meant, beyond its pid, which may come to be
// another's. It can be written down and read by a later daemon.
//
// Source: reconciler.md, After the daemon itself was killed.
type Identity struct {
	PID       int
	StartTime uint64 // clock ticks after boot, by the machine's clock, whatever time namespace we are in
	BootID    string // the boot during which StartTime counts
}
