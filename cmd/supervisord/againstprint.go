package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"supervisord/reconcile"
	"supervisord/rpc/planned"
	"supervisord/spec"
)

// plannedActions is actions as they are put in words.
func plannedActions(actions []reconcile.Action) []planned.Action {
	list := make([]planned.Action, len(actions))
	for i, a := range actions {
		list[i] = planned.Action{Action: a.Action, Group: a.Group, Process: a.Process, Changes: []planned.Change{}, Reason: a.Reason, File: a.File}
		for _, c := range a.Changes {
			list[i].Changes = append(list[i].Changes, planned.Change(c).Shown())
		}
	}
	return list
}

func plannedReach(r reconcile.Reach) planned.Reach {
	return planned.Reach{
		Restarted: specs(r.Restarted), Ended: specs(r.Ended), Started: specs(r.Started),
		Following: plannedLinks(r.Following), Dependents: plannedLinks(r.Dependents),
		WaitSeconds: int(r.Wait.Seconds()), Removals: r.Removals, Held: r.Held,
	}
}

func specs(list []spec.Namespec) []string {
	names := make([]string, len(list))
	for i, n := range list {
		names[i] = n.String()
	}
	return names
}

func plannedLinks(list []reconcile.Link) []planned.Link {
	links := make([]planned.Link, len(list))
	for i, l := range list {
		links[i] = planned.Link{Process: l.Process.String(), Of: l.Of.String()}
	}
	return links
}

// said is a comparison as it is printed: for people, in two forms, and for programs.
type said struct {
	Changed bool             `json:"changed"`
	Actions []planned.Action `json:"actions"`
	// Reach is what that means to the processes of a daemon with the base in which all
	// runs that starts by itself; null where nothing can be applied.
	Reach  *planned.Reach `json:"reach"`
	Reload []string       `json:"reload"` // sections that only a reload brings into force
	// Assumed are variables of the environment that must be a number, or the like: they are
	// taken for 1.
	Assumed []string `json:"assumed"`
	// Errors are the mistakes of the head, Follows their consequences, and BaseErrors the
	// mistakes of the base.
	Errors     []finding `json:"errors"`
	Follows    []string  `json:"follows"`
	BaseErrors []finding `json:"base_errors"`

	c *comparison
}

func (c *comparison) say() said {
	s := said{
		Actions: []planned.Action{}, Reload: []string{}, Assumed: append([]string{}, c.assumed...), Follows: append([]string{}, c.follows...),
		Errors: findings(c.mistakes), BaseErrors: findings(c.baseMistakes), c: c,
	}
	if r := c.review; r != nil {
		reach := plannedReach(r.Reach)
		s.Changed, s.Actions, s.Reach, s.Reload = !r.Empty(), plannedActions(r.Actions), &reach, append(s.Reload, r.Reload...)
	}
	return s
}

// byFile are actions that go together, each list with those of one file, in their order.
func byFile(actions []planned.Action) (lists [][]planned.Action) {
	at := make(map[string]int)
	for _, a := range planned.Together(actions) {
		i, known := at[a.File]
		if !known {
			i = len(lists)
			at[a.File], lists = i, append(lists, nil)
		}
		lists[i] = append(lists[i], a)
	}
	return lists
}

// baseUnknown is what follows of a mistake in the base.
const baseUnknown = "what runs for these files is unknown: what they define now counts as new"

// reloadText says what an update leaves to a reload.
func (s *said) reloadText() string {
	if len(s.Reload) == 0 {
		return ""
	}
	return "only a reload, which restarts everything, puts these into force: [" + strings.Join(s.Reload, "], [") + "]"
}

// notes is what is to be said at the end.
func (s *said) notes() (lines []string) {
	if text := s.reloadText(); text != "" {
		lines = append(lines, text)
	}
	if len(s.Assumed) > 0 {
		lines = append(lines, "not known here, and assumed to be 1: "+strings.Join(s.Assumed, ", "))
	}
	return lines
}

// text is for a terminal.
func (s *said) text(w io.Writer) {
	for _, e := range s.c.baseMistakes {
		fmt.Fprintln(w, "base: "+e.Report())
	}
	if len(s.c.baseMistakes) > 0 {
		fmt.Fprintln(w, "    "+baseUnknown)
	}
	for _, e := range s.c.mistakes {
		fmt.Fprintln(w, e.Report())
	}
	for _, line := range s.Follows {
		fmt.Fprintln(w, "    "+line)
	}
	for _, list := range byFile(s.Actions) {
		fmt.Fprintln(w, list[0].File)
		for _, a := range list {
			fmt.Fprintln(w, "  "+strings.ReplaceAll(a.String(), "\n", "\n  "))
		}
	}
	if s.Reach == nil {
		return
	}
	for _, line := range s.notes() {
		fmt.Fprintln(w, line)
	}
	if len(s.Actions) == 0 {
		fmt.Fprintln(w, "update: nothing to do")
		return
	}
	fmt.Fprintln(w, planned.Summary(s.Actions))
	fmt.Fprintln(w, s.Reach.String())
}

// markdown is for a comment on a pull request.
func (s *said) markdown(w io.Writer) {
	fmt.Fprintln(w, "### What this changes for supervisord")
	fmt.Fprintln(w)
	switch {
	case s.Reach == nil:
		fmt.Fprintln(w, "**This cannot be applied: see the mistakes.**")
	case len(s.Actions) == 0:
		fmt.Fprintln(w, "**Nothing: no process is touched.**")
	default:
		parts := s.Reach.Parts()
		fmt.Fprintf(w, "**Blast radius: %s**%s\n", parts[0], strings.Join(append([]string{""}, parts[1:]...), "; "))
	}
	quote := func(title string, mistakes []*spec.Error, follows []string) {
		if len(mistakes) == 0 {
			return
		}
		fmt.Fprintf(w, "\n#### %s\n\n", title)
		for _, e := range mistakes {
			fmt.Fprintln(w, "- "+code(e.Report()))
		}
		for _, line := range follows {
			fmt.Fprintf(w, "\n→ %s\n", line)
		}
	}
	quote("Mistakes", s.c.mistakes, s.Follows)
	quote("Mistakes in the configuration that this is compared with", s.c.baseMistakes, []string{baseUnknown})
	for _, list := range byFile(s.Actions) {
		fmt.Fprintf(w, "\n#### %s\n\n", code(list[0].File))
		for _, a := range list {
			fmt.Fprintf(w, "- **%s** %s", code(a.Name()), planned.Words(a.Action))
			if a.Reason != "" {
				fmt.Fprintf(w, " (%s)", a.Reason)
			}
			fmt.Fprintln(w)
			for _, c := range a.Changes {
				if c.Old == "" && c.New == "" {
					fmt.Fprintf(w, "  - %s: changed\n", code(c.Key))
					continue
				}
				fmt.Fprintf(w, "  - %s: %s → %s\n", code(c.Key), code(c.Old), code(c.New))
			}
		}
	}
	for _, line := range s.notes() {
		fmt.Fprintf(w, "\n%s\n", line)
	}
}

// code is text as a span of code, whatever is in it.
func code(text string) string {
	if text == "" {
		return "(not set)"
	}
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if text = strings.Join(strings.Fields(text), " "); len(fence) > 1 {
		return fence + " " + text + " " + fence
	}
	return fence + text + fence
}

// checkAgainst is --check --against. The result is the exit status.
func checkAgainst(w, errs io.Writer, h spec.Host, path string, o spec.Options, f flags) int {
	c, err := against(h, path, o, f)
	if err != nil {
		fmt.Fprintf(errs, "Error: %v\n", err)
		return 2
	}
	s := c.say()
	switch {
	case f.json:
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		encoder.Encode(s) // plain values; an error can only be a closed output
	case f.markdown:
		s.markdown(w)
	default:
		s.text(w)
	}
	return c.status()
}
