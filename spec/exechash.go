package spec

// ExecHash is a fingerprint of what a running child of p was given at its start:
// another exactly if Compare finds a difference for which the child must be
// restarted.
//
// Source: reconciler.md, What counts as a change, restart; After the daemon
// itself was killed.
func (p *Process) ExecHash() [32]byte {
	given := Process{
		Name: p.Name, Command: p.Command, Directory: p.Directory, HasDir: p.HasDir, Umask: p.Umask, User: p.User,
		Environment: p.Environment, RedirectStderr: p.RedirectStderr,
		ServerURL: p.ServerURL, ServerURLAuto: p.ServerURLAuto, Socket: p.Socket,
	}
	return given.Hash()
}
