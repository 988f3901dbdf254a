package launch

import "golang.org/x/sys/unix"

// GroupMembers lists the processes of the process group pgid that live, zombies
// left out.
func GroupMembers(pgid int) []int {
	if SignalGroup(pgid, 0) == unix.EINVAL {
		return nil
	}
	const zombie = 5 // SZOMB of sys/proc.h
	procs, err := unix.SysctlKinfoProcSlice("kern.proc.pgrp", pgid)
	if err != nil {
		return nil
	}
	var members []int
	for _, p := range procs {
		if p.Proc.P_stat != zombie {
			members = append(members, int(p.Proc.P_pid))
		}
	}
	return members
}
