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
	names, states, err := c.parseStates(c.words)
	if err != nil {
		return err
	}
	infos, err := c.AllProcessInfo(ctx)
	if err != nil {
		return err
	}
	if len(names) > 0 && !slices.Contains(names, "all") {
		infos = c.named(names, infos)
	}
	if len(states) > 0 {
		infos = slices.DeleteFunc(infos, func(i client.ProcessInfo) bool { return !slices.Contains(states, i.State) })
	}
	if slices.ContainsFunc(infos, func(i client.ProcessInfo) bool { return i.State.InStopped() }) {
		c.fail(exitStopped)
	}
	if c.json {
		return c.emitStatus(ctx, infos)
	}
	_, err = fmt.Fprint(c.out, table(infos))
	return err
}

// emitStatus writes processes as JSON, and with the event listeners among them
// how they are doing, where the server can tell.
func (c *call) emitStatus(ctx context.Context, infos []client.ProcessInfo) error {
	listeners, err := c.Listeners(ctx)
	if err != nil && !client.HasCode(err, client.FaultUnknownMethod) {
		return err
	}
	type row struct {
		client.ProcessInfo
		Listener *client.Listener `json:"listener,omitempty"`
	}
	rows := []row{}
	for _, info := range infos {
		r := row{ProcessInfo: info}
		if at := slices.IndexFunc(listeners, func(l client.Listener) bool {
			return l.Group == info.Group && l.Name == info.Name
		}); at >= 0 {
			r.Listener = &listeners[at]
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
			} else {
				c.say("%s: ERROR (no such process)", name)
			}
			c.fail(exitUnknown)
		}
		shown = append(shown, picked...)
	}
	return shown
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
				return nil, nil, c.usage(exitUsage, "no such state: %s", name)
			}
			states = append(states, state.Processes[at])
		}
	}
	return names, states, nil
}
