package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"supervisord/rpc/client"
	"supervisord/spec"
	"supervisord/spec/value"
)

// hint tells a person something that helps.
func (s *session) hint(format string, args ...any) {
	fmt.Fprintf(s.advice, "hint: "+format+"\n", args...)
}

// unknownName is a name that was given and means nothing.
type unknownName struct {
	text  string
	group bool // only a group can be meant, by its bare name
}

// hints says what may help with what went wrong in the call. It asks the server
// only if a person reads the answer.
func (c *call) hints(ctx context.Context) {
	if c.advice == io.Discard || len(c.unknown)+len(c.failedStarts) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, asideLimit)
	defer cancel()
	if len(c.unknown) > 0 {
		if infos, err := c.AllProcessInfo(ctx); err == nil {
			for i, name := range c.unknown {
				if text := meant(name, infos); text != "" && !slices.Contains(c.unknown[:i], name) {
					c.hint("%s", text)
				}
			}
		}
	}
	for _, name := range c.failedStarts[:min(len(c.failedStarts), mostFailedStarts)] {
		c.hintFailedStart(ctx, name)
	}
}

// meant says which process or group a name that does not exist may have been meant
// to be, "" if none is near.
func meant(unknown unknownName, infos []client.ProcessInfo) string {
	name := unknown.text
	if isGlob(name) {
		return ""
	}
	var names []string
	for _, info := range infos {
		switch shown := display(info.Group, info.Name); {
		case unknown.group:
			names = append(names, info.Group)
		case info.Group == name:
			return fmt.Sprintf("%s is a group: %s:* means all its processes.", name, name)
		case info.Name == name:
			return fmt.Sprintf("%s is in the group %s: call it %s.", name, info.Group, shown)
		case spec.ParseNamespec(name).WholeGroup():
			names = append(names, info.Group+":*")
		case shown == info.Group:
			names = append(names, shown)
		default:
			names = append(names, shown, info.Group+":*", info.Group)
		}
	}
	slices.Sort(names)
	near := value.Nearest(name, slices.Compact(names))
	if near == "" {
		return ""
	}
	if !unknown.group && len(exactMatches(near, infos)) == 0 {
		near += ":*"
	}
	return name + ": did you mean " + near + "?"
}

// hintCommand says which command a misspelt one may have been meant to be.
func (s *session) hintCommand(name string) {
	if near := value.Nearest(strings.ToLower(name), actions()); near != "" {
		s.hint("Did you mean %s?", near)
	}
}

// mostFailedStarts is how many of the starts that failed are explained, and
// lastLines how much of what each wrote.
const mostFailedStarts, lastLines = 3, 5

// hintFailedStart says why a process may have failed to start: what kept it from
// being run, or what it wrote last.
func (c *call) hintFailedStart(ctx context.Context, name string) {
	shown := spec.ParseNamespec(name).String()
	for _, channel := range []string{"stderr", "stdout"} {
		text, _ := c.ReadLog(ctx, name, channel, -tailBytes, 0) // a log that cannot be read is passed over
		lines := strings.Split(strings.TrimSpace(text), "\n")
		if lines[0] == "" {
			continue
		}
		lines = withoutRepeats(lines)
		lines = lines[max(0, len(lines)-lastLines):]
		c.hint("The last output of %s on %s:\n    %s", shown, channel, strings.Join(lines, "\n    "))
		return
	}
	if info, err := c.ProcessInfo(ctx, name); err == nil && info.SpawnErr != "" {
		c.hint("%s: %s", shown, info.SpawnErr)
	}
}

// withoutRepeats is the end of a log without what came just before it in the same words,
// as from every attempt to start.
func withoutRepeats(lines []string) []string {
	for n := 1; 2*n <= len(lines); n++ {
		at := len(lines) - n
		if slices.Equal(lines[at:], lines[at-n:at]) {
			return lines[at:]
		}
	}
	return lines
}

// hintURL says how a URL should read that cannot be used.
func (s *session) hintURL(url string) {
	if text := adviseURL(url); text != "" {
		s.hint("%s", text)
	}
}

// adviseURL says how a URL should read, "" where nothing is wrong with its beginning.
func adviseURL(url string) string {
	scheme, rest, ok := strings.Cut(url, ":")
	would := ""
	switch lower := strings.ToLower(scheme); {
	case strings.HasPrefix(url, "/"):
		would = "unix://" + url
	case lower == "unix":
		would = "unix:///" + strings.TrimLeft(rest, "/")
	case (lower == "http" || lower == "https") && rest != "":
		would = lower + "://" + strings.TrimLeft(rest, "/")
	case ok && !strings.HasPrefix(rest, "//"):
		would = "http://" + url
	}
	switch would {
	case "":
		return "The URL of a server begins with http://, https:// or unix://."
	case url:
		return ""
	}
	return "Did you mean " + would + "?"
}

// watchSocket tells of a supervisord --watch that listens at its socket while the
// server asked for does not answer, "" if there is none.
func watchSocket(url, socket string) string {
	if url == "unix://"+socket {
		return ""
	}
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return ""
	}
	conn.Close()
	return "A supervisord --watch listens on another socket: use -s unix://" + socket + "."
}
