package main

import (
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"supervisord/spec"
)

// differences is everything that is known to differ from Supervisor.
//
//go:embed differences.md
var differences string

// concern is one of the differences, by how it begins, and whom it concerns: the sections
// of a configuration that it is about.
type concern struct {
	begins string
	about  func(*spec.Config) []string
}

var concerns = []concern{
	{"A changed file is in force", func(c *spec.Config) []string {
		if !c.Reconcile.Autoupdate {
			return nil
		}
		return []string{"every file"}
	}},
	{"Backups, swap files", func(c *spec.Config) []string { return c.Ignored }},
	{"State is changed only by POST", ofServers(func(s spec.Server) bool { return s.Network == "tcp" })},
	{"What is at the path of a server's unix socket", ofServers(func(s spec.Server) bool { return s.Network == "unix" })},
	{"Inside a group, processes are started", ofGroups(func(g *spec.Group) bool {
		return slices.ContainsFunc(g.Processes, func(p spec.Process) bool { return p.Priority != g.Processes[0].Priority })
	})},
	{"FastCGI programs keep their socket", ofProcesses(func(p *spec.Process) bool { return p.Socket != nil })},
	{"What is left of a process group", ofProcesses(func(p *spec.Process) bool { return p.StopAsGroup || p.KillAsGroup })},
	{"The pipes of a program with `user=`", ofProcesses(func(p *spec.Process) bool { return p.User != nil })},
	{"`clear` empties the log", ofProcesses(func(p *spec.Process) bool {
		return strings.HasPrefix(p.Stdout.File, "/dev/") || strings.HasPrefix(p.Stderr.File, "/dev/")
	})},
	{"Capture mode neither delays", ofProcesses(func(p *spec.Process) bool {
		return p.Stdout.CaptureMaxBytes > 0 || p.Stderr.CaptureMaxBytes > 0
	})},
	{"A log that another program has renamed", ofProcesses(func(p *spec.Process) bool {
		return p.Stdout.MaxBytes == 0 && p.Stdout.File != "" && !strings.HasPrefix(p.Stdout.File, "/dev/")
	})},
	{"With `loglevel=debug` or `trace`", func(c *spec.Config) []string {
		if !echoes(&c.Daemon) {
			return nil
		}
		return []string{"[supervisord]"}
	}},
	{"A rejected event goes back", listeners},
	{"A listener that has not answered", listeners},
	{"At a shutdown, listeners are told", listeners},
}

func listeners(c *spec.Config) []string {
	return ofGroups(func(g *spec.Group) bool { return g.Listener != nil })(c)
}

func ofServers(concerned func(spec.Server) bool) func(*spec.Config) []string {
	return func(c *spec.Config) (list []string) {
		for _, s := range c.Servers {
			if concerned(s) {
				list = append(list, "["+s.Section+"]")
			}
		}
		return list
	}
}

func ofGroups(concerned func(*spec.Group) bool) func(*spec.Config) []string {
	return func(c *spec.Config) (list []string) {
		for i := range c.Groups {
			if g := &c.Groups[i]; concerned(g) {
				list = append(list, "["+g.Origin.Section+"]")
			}
		}
		return list
	}
}

func ofProcesses(concerned func(*spec.Process) bool) func(*spec.Config) []string {
	return func(c *spec.Config) (list []string) {
		for i := range c.Groups {
			for j := range c.Groups[i].Processes {
				if p := &c.Groups[i].Processes[j]; concerned(p) && !slices.Contains(list, "["+p.Origin.Section+"]") {
					list = append(list, "["+p.Origin.Section+"]")
				}
			}
		}
		return list
	}
}

// text is the difference in the words of the list, "" if that has none such, or several.
func (c concern) text() string {
	head := "\n- " + c.begins
	if strings.Count(differences, head) != 1 {
		return ""
	}
	_, text, _ := strings.Cut(differences, head)
	lines := []string{c.begins}
	for i, line := range strings.Split(text, "\n") {
		switch {
		case i == 0:
			lines[0] += line
		case strings.HasPrefix(line, "  "):
			lines = append(lines, strings.TrimSpace(line))
		default:
			return strings.Join(lines, "\n  ")
		}
	}
	return strings.Join(lines, "\n  ")
}

// migrateCheck is --migrate-check: it reads an installation of Supervisor as this daemon
// would, and tells what is wrong with it, then what will be different for it. The result
// is the exit status: 2 if this daemon would not start with it, else 0.
func migrateCheck(w io.Writer, h spec.Host, path string, o spec.Options) int {
	v := runCheck(h, path, o, flags{here: true})
	v.sort()
	v.print(w, stylesFor(w))
	if v.config == nil || len(v.errors) > 0 {
		return 2
	}
	fmt.Fprintln(w, "\nWhat will be different here:")
	for _, c := range concerns {
		if about := c.about(v.config); len(about) > 0 {
			const shown = 5
			more := ""
			if len(about) > shown {
				more = fmt.Sprintf(" and %d more", len(about)-shown)
			}
			fmt.Fprintf(w, "\n- %s\n  -> %s%s\n", c.text(), strings.Join(about[:min(len(about), shown)], ", "), more)
		}
	}
	return 0
}
