package spec

import "strings"

// Namespec is how commands and remote calls name what they mean.
//
// Source: contract/rpc.md section 3.
type Namespec struct {
	Group   string
	Process string // empty for the whole group
}

// ParseNamespec reads group:process. A bare name is the process of that name in
// the group of that name; group:* and group: are the whole group.
func ParseNamespec(s string) Namespec {
	group, process, both := strings.Cut(s, ":")
	switch {
	case !both:
		return Namespec{Group: s, Process: s}
	case process == "*":
		process = ""
	}
	return Namespec{Group: group, Process: process}
}

// WholeGroup reports whether a namespec means every process of its group.
func (n Namespec) WholeGroup() bool { return n.Process == "" }

// String is the shortest form: the bare name where group and process share it,
// group:* for a whole group.
func (n Namespec) String() string {
	switch n.Process {
	case "":
		return n.Group + ":*"
	case n.Group:
		return n.Group
	}
	return n.Group + ":" + n.Process
}
