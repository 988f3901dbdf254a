package main

import (
	"context"
	"fmt"
	"strings"

	"supervisord/rpc/client"
	"supervisord/rpc/planned"
	"supervisord/runtime/state"
)

// explained is all that explain says of one process.
type explained struct {
	client.Explanation
	State       string        `json:"statename"`
	Description string        `json:"description"`
	Why         []string      `json:"why"`       // of the state, a clause each
	WaitsFor    string        `json:"waits_for"` // "" for nothing
	Needs       []client.Need `json:"needs"`
	// Intents are what people want of it whatever the files say.
	Intents []client.Intent `json:"intents"`
}

// explain says of processes why they are as they are: the state, what is waited for, where
// each key comes from, and what an update would do.
//
// Source: ours.
func (c *call) explain(ctx context.Context) error {
	if len(c.words) == 0 {
		return c.usage(exitUsage, "explain requires a process name")
	}
	facts, err := c.facts(ctx)
	if err != nil {
		return c.needsReconcile(err)
	}
	infos, err := c.AllProcessInfo(ctx)
	if err != nil {
		return err
	}
	var named []client.ProcessInfo
	for _, word := range c.words {
		picked := selected(word, infos)
		if len(picked) == 0 {
			c.noSuch(word, exitFailed)
		}
		named = append(named, picked...)
	}
	if len(named) == 0 && !c.json {
		return nil
	}
	list := make([]explained, 0, len(named))
	for _, info := range named {
		e, err := c.Explain(ctx, info.Group+":"+info.Name)
		if err != nil {
			return c.needsReconcile(err)
		}
		e.Next = redact(e.Next)
		list = append(list, facts.explain(info, e))
	}
	if c.json {
		return c.emit(list)
	}
	for i, e := range list {
		if i > 0 {
			c.say("")
		}
		c.sayExplained(e)
	}
	return nil
}

// facts is what the server knows of all processes beside their states.
type facts struct {
	ends    map[[2]string]client.End
	health  map[[2]string]client.Health
	depends map[[2]string]client.Dependency
	intents []client.KnownIntent
}

func (c *call) facts(ctx context.Context) (f facts, err error) {
	if f.ends, err = c.Ends(ctx); err != nil {
		return f, err
	}
	if f.health, err = c.Health(ctx); err != nil {
		return f, err
	}
	if f.intents, err = c.knownIntents(ctx); err != nil {
		return f, err
	}
	all, err := c.Dependencies(ctx)
	f.depends = make(map[[2]string]client.Dependency, len(all))
	for _, d := range all {
		f.depends[[2]string{d.Group, d.Name}] = d
	}
	return f, err
}

// explain puts together what is known of one process.
func (f facts) explain(info client.ProcessInfo, e client.Explanation) explained {
	at := [2]string{info.Group, info.Name}
	d := f.depends[at]
	end, ended := f.ends[at]
	return explained{
		Explanation: e, State: info.StateName, Description: info.Description,
		Why: whyState(info, e.UserStopped, end, ended, f.health[at]), WaitsFor: d.Waiting, Needs: d.Needs,
		Intents: append([]client.Intent{}, intentsOf(f.intents, info.Group, info.Name)...),
	}
}

// whyState is why a process is in its state, a clause each. It is pure.
func whyState(info client.ProcessInfo, userStopped bool, end client.End, ended bool, health client.Health) []string {
	why := []string{}
	add := func(format string, args ...any) { why = append(why, fmt.Sprintf(format, args...)) }
	switch {
	case userStopped && info.State.InStopped():
		add("it was stopped by hand")
	case info.State == state.Stopped && info.Start == 0:
		add("it has not been started")
	}
	if info.SpawnErr != "" && info.State != state.Running {
		add("the last start failed: %s", info.SpawnErr)
	}
	if ended {
		text := "it ended last with " + end.How
		if strings.HasPrefix(end.How, "terminated") {
			text = "it was last " + end.How
		}
		switch {
		case end.OOM:
			text += ", by the kernel's OOM killer"
		case end.Core:
			text += ", and dumped core"
		}
		if info.Stop > 0 {
			text += " at " + formatTime(info.Stop)
		}
		why = append(why, text)
	}
	if health.Ready == "no" {
		add("it is not ready yet")
	}
	if health.Health != "" {
		add("health: %s", health.Health)
	}
	if health.Complaint != "" {
		add("the last check that failed: %s", health.Complaint)
	}
	return why
}

// whatIntent is what follows from an intent.
var whatIntent = map[string]string{
	"paused":   "no automatic update touches it until then, or resume",
	"disabled": "nothing starts it but start with its name",
}

// sayExplained tells of one process.
func (c *call) sayExplained(e explained) {
	head := display(e.Group, e.Name) + ": " + e.State
	if e.Description != "" {
		head += " (" + e.Description + ")"
	}
	c.say("%s", head)
	for _, clause := range e.Why {
		c.say("  %s", clause)
	}
	for _, i := range e.Intents {
		c.say("  %s is %s: %s", nameOfIntent(i), i.String(), whatIntent[i.Kind])
	}
	if e.WaitsFor != "" {
		c.say("  it waits for %s", e.WaitsFor)
	}
	for _, n := range e.Needs {
		met := "is there"
		if !n.Met {
			met = "is not there"
		}
		c.say("  it depends on %s, which %s", n.Text, met)
	}
	if len(e.Next) == 0 {
		c.say("  an update would change nothing")
	}
	for _, a := range e.Next {
		c.say("  an update would: %s", strings.ReplaceAll(a.String(), "\n", "\n  "))
	}
	c.columns(settingRows(e.Settings))
}

// settingRows is a table of the keys that are not the default, and of how many are.
func settingRows(settings []client.Setting) []tableRow {
	rows := []tableRow{{cells: []string{"  KEY", "VALUE", "FROM", "UPDATE"}}}
	for _, s := range settings {
		if s.Default {
			continue
		}
		from, generation := "", ""
		if s.Line > 0 {
			from = fmt.Sprintf("%s:%d", s.File, s.Line)
		}
		if s.Generation > 0 {
			generation = fmt.Sprint(s.Generation)
		}
		rows = append(rows, tableRow{cells: []string{"  " + s.Key, s.Value, from, generation}})
	}
	if n := len(settings) - len(rows) + 1; n > 0 {
		rows[len(rows)-1].notes = []string{fmt.Sprintf("%d more have their defaults: -o json", n)}
	}
	return rows
}

// drift lists what differs from the files although no update is due.
//
// Source: ours.
func (c *call) drift(ctx context.Context) error {
	list, err := c.Drift(ctx)
	if err != nil {
		return c.needsReconcile(err)
	}
	if len(list) > 0 {
		c.fail(exitFailed)
	}
	if c.json {
		return c.emit(append([]client.Drift{}, list...))
	}
	if len(list) == 0 {
		c.say("nothing differs from the files except what diff shows")
	}
	for _, d := range list {
		c.say("%s", planned.Action{Group: d.Group, Process: d.Name}.Name()+": "+d.Text)
	}
	return nil
}
