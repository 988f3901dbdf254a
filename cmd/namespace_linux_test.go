package cmd

import (
	"os"
	"syscall"

	"supervisord/cmd/internal/oracle"
)

// inNamespaces are surroundings in which a daemon has a mount namespace of its
// own, further ones as flags say, and the script has run before it: as root, or as
// root of a user namespace.
func inNamespaces(flags uintptr, script string) oracle.Surroundings {
	attr := &syscall.SysProcAttr{Setpgid: true, Cloneflags: syscall.CLONE_NEWNS | flags}
	if os.Getuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return oracle.Surroundings{
		Through: []string{"/bin/sh", "-ec", "mount --make-rprivate /\n" + script + "\nexec \"$@\"", "sh"},
		Attr:    attr,
	}
}
