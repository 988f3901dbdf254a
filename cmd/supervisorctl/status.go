package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"supervisord/rpc/client"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// status prints a line for each process asked for. Names that mean nothing come
// first. It exits 3 if a process shown is down.
func (c *call) status(ctx context.Context) error {
	words, problems := without(c.words, "--problems")
	names, states, err := c.parseStates(words)
	if err != nil {
		return err
	}
	infos, err := c.AllProcessInfo(ctx)
	if err != nil {
		return err
	}
	everything := len(names) == 0 || slices.Contains(names, "all")
	if !everything {
		infos = c.named(names, infos)
	}
	counts := countStates(infos)
	if len(states) > 0 {
		infos = filter(infos, func(i client.ProcessInfo) bool { return slices.Contains(states, i.State) })
	}
	if problems {
		configs, err := c.configs(ctx)
		if err != nil {
			return err
		}
		infos = filter(infos, func(i client.ProcessInfo) bool {
			return i.State.Failed(i.ExitStatus, configs[processID{i.Group, i.Name}].ExitCodes)
		})
	}
	if slices.ContainsFunc(infos, func(i client.ProcessInfo) bool { return i.State.InStopped() }) {
		c.fail(exitStopped)
	}
	if c.json {
		return c.emitStatus(ctx, infos)
	}
	if _, err = fmt.Fprint(c.out, table(infos)); err != nil || !c.onTerminal {
		return err
	}
	if problems && len(infos) == 0 {
		c.say("no problems")
	}
	switch {
	case counts == "":
	case problems || len(states) > 0:
		c.say("all %s", counts)
	default:
		c.say("%s", counts)
		// What the exit codes say costs another question.
		if slices.ContainsFunc(infos, func(i client.ProcessInfo) bool { return i.State.Failed(0, nil) }) {
			c.say("there are problems: %s", c.typed("status --problems"))
		}
	}
	if everything {
		c.sayPaused(ctx)
		c.sayTrouble(ctx)
	}
	return nil
}

// sayPaused tells a person what automatic updates leave alone for now: of what is disabled,
// the table tells.
func (c *call) sayPaused(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, asideLimit)
	defer cancel()
	intents, _ := c.Intents(ctx) // a server that cannot tell has none
	var names []string
	for _, i := range intents {
		if i.Kind == "paused" {
			names = append(names, nameOfIntent(i.Intent))
		}
	}
	if len(names) > 0 {
		c.say("paused: %s: %s", someOf(names, mostNames), c.typed("pause"))
	}
}

// countStates is how many processes are in each state, most of them first; "" for one
// process or none.
func countStates(infos []client.ProcessInfo) string {
	if len(infos) < 2 {
		return ""
	}
	count := make(state.Counts)
	for _, info := range infos {
		count[info.State]++
	}
	return count.String()
}

// typed is how a person asks for an action.
func (c *call) typed(action string) string {
	if c.settings.interactive {
		return action
	}
	return "supervisorctl " + action
}

// sayTrouble tells a person of files that cannot be used, and of those that wait.
func (c *call) sayTrouble(ctx context.Context) {
	command := c.typed("files")
	tell := func(n int, state string) {
		switch n {
		case 0:
		case 1:
			c.say("1 file is %s: %s", state, command)
		default:
			c.say("%d files are %s: %s", n, state, command)
		}
	}
	invalid, pending := c.troubledFiles(ctx)
	tell(invalid, "invalid")
	tell(pending, "pending")
}

// without takes an option that stands alone out of words.
func without(words []string, option string) (rest []string, found bool) {
	rest = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == option })
	return rest, len(rest) < len(words)
}

// emitStatus writes processes as JSON, and with each how it ended last, what probes have found out, what people want of it, and how the event
// listeners among them are doing, where the server can tell.
func (c *call) emitStatus(ctx context.Context, infos []client.ProcessInfo) error {
	listeners, err := c.Listeners(ctx)
	if err != nil && !client.HasCode(err, client.FaultUnknownMethod) {
		return err
	}
	ends, err := c.Ends(ctx)
	if err != nil && !client.HasCode(err, client.FaultUnknownMethod) {
		return err
	}
	health, err := c.Health(ctx)
	if err != nil && !client.HasCode(err, client.FaultUnknownMethod) {
		return err
	}
	intents, err := c.knownIntents(ctx)
	if err != nil {
		return err
	}
	type row struct {
		client.ProcessInfo
		*client.Health
		Intents  []client.Intent  `json:"intents,omitempty"` // what people want of it
		LastExit *client.End      `json:"last_exit,omitempty"`
		Listener *client.Listener `json:"listener,omitempty"`
	}
	rows := []row{}
	for _, info := range infos {
		r := row{ProcessInfo: info, Intents: intentsOf(intents, info.Group, info.Name)}
		if at := slices.IndexFunc(listeners, func(l client.Listener) bool {
			return l.Group == info.Group && l.Name == info.Name
		}); at >= 0 {
			r.Listener = &listeners[at]
		}
		if end, ended := ends[[2]string{info.Group, info.Name}]; ended {
			r.LastExit = &end
		}
		if h, probed := health[[2]string{info.Group, info.Name}]; probed {
			r.Health = &h
		}
		rows = append(rows, r)
	}
	return c.emit(rows)
}

// named picks processes in the order of names, and says which names mean
// nothing.
func (c *call) named(names []string, infos []client.ProcessInfo) []client.ProcessInfo {
	shown := []client.ProcessInfo{}
	for _, name := range names {
		picked := selected(name, infos)
		if len(picked) == 0 {
			if n := spec.ParseNamespec(name); n.WholeGroup() && !isGlob(name) {
				c.say("%s: ERROR (no such group)", n.Group)
				c.notKnown(name, exitUnknown)
			} else {
				c.noSuch(name, exitUnknown)
			}
		}
		shown = append(shown, picked...)
	}
	return shown
}

// noSuch says that nothing has a name.
func (c *call) noSuch(name string, status int) {
	c.say("%s: ERROR (no such process)", name)
	c.notKnown(name, status)
}

// notKnown notes a name that was said to mean nothing, for hints and the exit status.
func (c *call) notKnown(name string, status int) {
	c.unknown = append(c.unknown, unknownName{text: name})
	c.fail(status)
}

// nameWidth and stateWidth are the least widths of the columns.
const nameWidth, nameGap, stateWidth = 30, 3, 10

// table sets processes in columns.
//
// Source: contract/supervisorctl.md section 7, status.
func table(infos []client.ProcessInfo) string {
	width := nameWidth
	for _, info := range infos {
		width = max(width, len([]rune(display(info.Group, info.Name))))
	}
	var b strings.Builder
	for _, info := range infos {
		fmt.Fprintf(&b, "%-*s%-*s%s\n", width+nameGap, display(info.Group, info.Name),
			stateWidth, info.StateName, info.Description)
	}
	return b.String()
}

// joinStates is the name of every state.
func joinStates() string {
	var names []string
	for _, p := range state.Processes {
		names = append(names, p.String())
	}
	return strings.Join(names, ", ")
}

// parseStates takes --state=A,B out of words.
func (c *call) parseStates(words []string) (names []string, states []state.Process, err error) {
	for i := 0; i < len(words); i++ {
		list, ok := strings.CutPrefix(words[i], "--state")
		if ok && list == "" && i+1 < len(words) {
			i++
			list = "=" + words[i]
		}
		list, hasValue := strings.CutPrefix(list, "=")
		if !ok || !hasValue {
			names = append(names, words[i])
			continue
		}
		for name := range strings.SplitSeq(strings.ToUpper(list), ",") {
			at := slices.IndexFunc(state.Processes, func(p state.Process) bool { return p.String() == name })
			if at < 0 {
				return nil, nil, c.usage(exitUsage, "no such state: %s (one of %s)", name, joinStates())
			}
			states = append(states, state.Processes[at])
		}
	}
	return names, states, nil
}
