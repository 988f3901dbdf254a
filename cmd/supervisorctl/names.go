package main

import (
	"context"
	"path"
	"slices"
	"strings"

	"supervisord/rpc/client"
	"supervisord/spec"
)

// display is the name under which a process is shown: group:process, or the
// bare name where both are equal.
func display(group, process string) string {
	if group == process {
		return process
	}
	return group + ":" + process
}

// isGlob reports whether a name is a shell pattern. The star of group:* is not
// one: it has always meant the whole group.
func isGlob(name string) bool {
	return strings.ContainsAny(strings.TrimSuffix(name, ":*"), "*?[")
}

// matches reports whether a pattern names a process: by the name it is shown
// under, or by group:process where the pattern has a colon.
func matches(pattern string, info client.ProcessInfo) bool {
	name := display(info.Group, info.Name)
	if strings.Contains(pattern, ":") {
		name = info.Group + ":" + info.Name
	}
	// A slash in a name is a letter like any other, for the star too.
	hide := strings.NewReplacer("/", "\x00")
	ok, err := path.Match(hide.Replace(pattern), hide.Replace(name))
	return ok && err == nil
}

// expand replaces each pattern among names by the processes that it names, in
// the server's order. A pattern that names nothing stays, so that it is
// reported like any name that does not exist. The server is asked only if there
// is a pattern.
func (c *call) expand(ctx context.Context, names []string) ([]string, error) {
	if !slices.ContainsFunc(names, isGlob) {
		return names, nil
	}
	infos, err := c.AllProcessInfo(ctx)
	return expandAmong(names, infos), err
}

func expandAmong(names []string, infos []client.ProcessInfo) (expanded []string) {
	for _, name := range names {
		matched := globMatches(name, infos)
		if len(matched) == 0 {
			expanded = append(expanded, name)
		}
		for _, info := range matched {
			expanded = append(expanded, info.Group+":"+info.Name)
		}
	}
	return expanded
}

// selected returns the processes that a name means; none if it means nothing.
func selected(name string, infos []client.ProcessInfo) []client.ProcessInfo {
	if matched := globMatches(name, infos); len(matched) > 0 {
		return matched
	}
	return exactMatches(name, infos)
}

// globMatches returns the processes that a pattern names; none where a process
// bears the pattern itself as its name, which then means that one.
func globMatches(name string, infos []client.ProcessInfo) []client.ProcessInfo {
	if !isGlob(name) || len(exactMatches(name, infos)) > 0 {
		return nil
	}
	return filter(infos, func(info client.ProcessInfo) bool { return matches(name, info) })
}

// exactMatches returns the processes that have exactly that name, or are in the
// group of that name.
func exactMatches(name string, infos []client.ProcessInfo) []client.ProcessInfo {
	n := spec.ParseNamespec(name)
	return filter(infos, func(info client.ProcessInfo) bool {
		return info.Group == n.Group && (n.WholeGroup() || info.Name == n.Process)
	})
}

func filter(infos []client.ProcessInfo, keep func(client.ProcessInfo) bool) []client.ProcessInfo {
	var kept []client.ProcessInfo
	for _, info := range infos {
		if keep(info) {
			kept = append(kept, info)
		}
	}
	return kept
}
