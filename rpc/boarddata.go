package rpc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"supervisord/rpc/page"
	"supervisord/rpc/planned"
	"supervisord/rpc/xmlrpc"
	"supervisord/runtime/state"
)

// answer is one struct of a reply. The pages are a client of reconcile.* like any other,
// without the way through XML; what a reply does not have is zero.
type answer map[string]any

func answerOf(v any) answer {
	r := answer{}
	if members, ok := v.(xmlrpc.Struct); ok {
		for _, m := range members {
			r[m.Name] = m.Value
		}
	}
	return r
}

func answersOf(v any) []answer {
	list, _ := v.([]any)
	answers := make([]answer, len(list))
	for i, item := range list {
		answers[i] = answerOf(item)
	}
	return answers
}

func (r answer) text(name string) string { text, _ := r[name].(string); return text }

func (r answer) flag(name string) bool { flag, _ := r[name].(bool); return flag }

func (r answer) number(name string) int64 {
	switch n := r[name].(type) {
	case int:
		return int64(n)
	case int64:
		return n
	}
	return 0
}

func (r answer) time(name string) time.Time {
	if at := r.number(name); at != 0 {
		return time.Unix(at, 0)
	}
	return time.Time{}
}

func (r answer) texts(name string) (texts []string) {
	list, _ := r[name].([]any)
	for _, item := range list {
		if text, ok := item.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

// ask calls a method as a client would, who may call it.
func (s *Server) ask(ctx context.Context, method string, args ...any) (any, error) {
	return s.invoke(ctx, s.methods, method, args)
}

// reconcileState is how files and processes stand to each other; without a phase where
// there is no reconciler, or no longer one. It waits for nobody.
func (s *Server) reconcileState() page.Reconcile {
	if _, there := s.methods.rows["reconcile.getState"]; !there || s.opt.Processes.Mood() != state.MoodRunning {
		return page.Reconcile{}
	}
	p := s.opt.Config.Progress()
	r := page.Reconcile{
		Phase: p.Phase, Reason: p.Reason, Since: p.Since, Generation: p.Generation, Autoupdate: p.Autoupdate,
		Verifying: p.Verifying, Paused: p.Paused, Told: s.opt.Config.Told(),
	}
	for _, f := range s.opt.Config.ConfigFiles() {
		if f.State == fileInvalid {
			r.Invalid++
		}
	}
	return r
}

// plan is what an update would do, as reconcile.plan says.
type plan struct {
	id      string
	actions []planned.Action
	// ends are the processes that it ends, held is why it is left to a person.
	ends int
	held string
}

// plan asks for that, or why nobody can say, in lines. The files are read anew.
func (s *Server) plan(ctx context.Context) (plan, []string) {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	result, err := s.ask(ctx, "reconcile.plan")
	if err != nil {
		return plan{}, lines(err)
	}
	of := answerOf(result)
	reach := answerOf(of["reach"])
	p := plan{id: of.text("plan"), held: reach.text("held")}
	p.ends = len(reach.texts("restarted")) + len(reach.texts("ended")) + len(answersOf(reach["following"]))
	for _, a := range answersOf(of["actions"]) {
		action := planned.Action{Action: a.text("action"), Group: a.text("group"), Process: a.text("process"), Reason: a.text("reason"), File: a.text("file")}
		for _, c := range answersOf(a["changes"]) {
			action.Changes = append(action.Changes, planned.Change{Key: c.text("key"), Old: c.text("old"), New: c.text("new")})
		}
		p.actions = append(p.actions, action)
	}
	return p, nil
}

// plans remembers what an update would do while nothing is told that would change it: pages of
// processes are drawn often, and the files are not read for each.
type plans struct {
	mu   sync.Mutex // guards the following
	told uint64     // 0 is never
	last plan
}

// lastPlan is plan, as it was when what is told was told first.
func (s *Server) lastPlan(ctx context.Context, told uint64) plan {
	s.plans.mu.Lock()
	last, known := s.plans.last, s.plans.told == told && told != 0
	s.plans.mu.Unlock()
	if known {
		return last
	}
	p, problem := s.plan(ctx)
	if problem == nil {
		s.plans.mu.Lock()
		s.plans.told, s.plans.last = told, p
		s.plans.mu.Unlock()
	}
	return p
}

// lines are what a client is sent about an error.
func lines(err error) []string {
	if errors.Is(err, context.DeadlineExceeded) {
		return []string{"the files do not answer"}
	}
	text := err.Error()
	if fault, is := errors.AsType[*xmlrpc.Fault](err); is {
		text = strings.TrimPrefix(fault.Text, "CANT_REREAD: ")
	}
	return strings.Split(text, "\n")
}

// watched are the files and directories that the reconciler watches.
func (s *Server) watched(ctx context.Context) (files []page.File) {
	result, _ := s.ask(ctx, "reconcile.getFiles")
	for _, f := range answersOf(result) {
		files = append(files, page.File{
			Path: f.text("path"), State: f.text("state"), Reason: f.text("reason"),
			Programs: f.texts("programs"), Warnings: f.texts("warnings"), Changed: f.time("changed"),
		})
	}
	return files
}

// updates are the last ones, the newest first.
func (s *Server) updates(ctx context.Context) (list []page.Update) {
	const most = 30
	result, _ := s.ask(ctx, "reconcile.getHistory", most)
	for _, e := range answersOf(result) {
		reasons := slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(e.texts("reasons")))), func(r string) bool { return r == "" })
		list = append(list, page.Update{
			Reasons:    reasons,
			Generation: int(e.number("generation")), Time: e.time("time"), Trigger: e.text("trigger"), Caller: e.text("caller"),
			Result: e.text("result"), Reason: e.text("reason"), Actions: e.texts("actions"), Duration: time.Duration(e.number("duration_ms")) * time.Millisecond,
			Revertible: e.flag("revertible"),
		})
	}
	return list
}
