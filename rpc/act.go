package rpc

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"supervisord/rpc/page"
	"supervisord/rpc/planned"
	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/spec"
)

// order is what somebody wants done on a page.
type order struct {
	verb   string
	names  []string // namespecs; none is all
	signal string
}

// verbs are what can be done to processes: the word for the question, for what was done, and
// for what was asked and not waited for, where that is not the same.
var verbs = map[string]struct{ question, done, asked string }{
	"start": {"Start", "started", "asked to start"}, "stop": {"Stop", "stopped", "asked to stop"},
	"restart": {"Restart what runs of", "restarted", ""}, "roll": {"Restart, one after another,", "restarted one after another", ""},
	"clear": {"Clear the logs of", "cleared of logs", ""}, "signal": {"Send a signal to", "signalled", ""},
}

// orderOf reads a form: do is a verb, or a verb and a name, which goes before those that
// are chosen.
func orderOf(form url.Values) (o order, ok bool) {
	verb, name, named := strings.Cut(form.Get("do"), " ")
	o = order{verb: verb, names: form["name"], signal: form.Get("signal")}
	if named {
		o.names = []string{name}
	}
	_, ok = verbs[verb]
	return o, ok && !slices.Contains(o.names, "") // which would be all
}

// many reports whether an order reaches more than one process, so that it is asked about.
func (o order) many() bool {
	return len(o.names) != 1 || spec.ParseNamespec(o.names[0]).WholeGroup()
}

// subject is what an order is about, in words.
func (o order) subject() string {
	switch {
	case len(o.names) == 0:
		return "all processes"
	case len(o.names) > 1:
		return fmt.Sprintf("%d processes", len(o.names))
	}
	if n := spec.ParseNamespec(o.names[0]); n.WholeGroup() {
		return "the group " + n.Group
	}
	return o.names[0]
}

// serveAct does what a form asks for, and says what came of it: the script in JSON,
// anybody else on the page from where it was asked.
func (s *Server) serveAct(w http.ResponseWriter, r *http.Request) {
	ctx, end := outliving(r.Context())
	defer end()
	var done string
	var err error
	switch do, target, _ := strings.Cut(r.Form.Get("do"), " "); do {
	case "update":
		var question string
		if question, err = s.questionOf(ctx, r.Form.Get("plan")); question != "" && r.Form.Get("confirm") == "" {
			s.askAbout(w, r, page.Question{Text: question, Do: "update", Plan: r.Form.Get("plan")})
			return
		}
		if err == nil {
			done, err = s.update(ctx, r.Form.Get("plan"))
		}
	case "freeze", "thaw":
		if _, err = s.ask(ctx, "reconcile.setAutoupdate", do == "thaw"); err == nil {
			done = map[string]string{"freeze": "Automatic updates are off until the daemon is restarted", "thaw": "Automatic updates are on"}[do]
		}
	case "revert": // to an update, by its number
		if n, err := strconv.ParseUint(target, 10, 31); err != nil || n == 0 {
			httpErrorMessage(w, http.StatusBadRequest, "Bad Request: an update has a number")
			return
		}
		if r.Form.Get("confirm") == "" {
			s.askAbout(w, r, page.Question{Text: "Take all files back to what they were in update " + target + "?", Do: "revert " + target})
			return
		}
		var report any
		if report, err = s.ask(ctx, "reconcile.revert", target); err == nil {
			done, err = updateMessage(answerOf(report))
		}
	case "unpin":
		if _, err = s.ask(ctx, "reconcile.unpin", target); err == nil {
			done = target + " is in force again"
		}
	default:
		o, ok := orderOf(r.Form)
		if !ok {
			httpErrorMessage(w, http.StatusBadRequest, "Bad Request: there is no such action")
			return
		}
		if choice := (page.Choice{State: r.Form.Get("state"), Text: r.Form.Get("q")}); len(o.names) == 0 && choice.Any() {
			if o.names, err = s.shown(ctx, choice); err != nil {
				break
			}
		}
		if o.many() && r.Form.Get("confirm") == "" {
			if o.verb == "signal" && !slices.Contains(signals, o.signal) {
				httpErrorMessage(w, http.StatusBadRequest, "Bad Request: there is no such signal here")
				return
			}
			s.askAbout(w, r, o.question())
			return
		}
		done, err = s.carryOut(ctx, o)
	}
	if err != nil && errors.Is(context.Cause(ctx), errHandingOver) {
		err = askAgain
	}
	message := done
	_, refused := errors.AsType[*refusals](err)
	switch {
	case err != nil && !refused && !isFault(err):
		s.pageError(w, err)
		return
	case err != nil:
		message = strings.Join(lines(err), "; ")
	}
	if wantsJSON(r) {
		s.answerJSON(w, map[string]any{"ok": err == nil, "message": message})
		return
	}
	w.Header().Set("Location", backTo(r, message))
	noCache(w)
	httpError(w, http.StatusSeeOther)
}

// outliving is a context of what a browser has asked for: one that goes away ends no action,
// since a restart would stop half-way. A handover ends the wait for an action, which goes on;
// restarts are not begun then, see HoldOrders.
func outliving(ctx context.Context) (action context.Context, end func()) {
	action, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if cause := context.Cause(ctx); errors.Is(cause, errHandingOver) {
			cancel(cause)
		}
	})
	return action, func() {
		stop()
		cancel(nil)
	}
}

// shown are the names of the processes that a page shows by a choice: where none were
// selected, those are meant.
func (s *Server) shown(ctx context.Context, c page.Choice) (names []string, err error) {
	all, err := s.processes(ctx)
	for _, row := range c.Of(all.rows) {
		names = append(names, row.Name)
	}
	if len(names) == 0 && err == nil {
		err = &refusals{texts: []string{"No process is shown"}}
	}
	return names, err
}

func isFault(err error) bool {
	_, is := errors.AsType[*xmlrpc.Fault](err)
	return is
}

// otherPlan is what somebody is told who saw another update than there would be.
const otherPlan = "Nothing was done: the files or the processes have changed since the page showed what an update would do. Look at it again"

// questionOf is what is asked before an update of that plan, "" for nothing: one that ends
// several processes, or that was held for a person. The error says that the plan is another
// one by now. Without a plan nothing was shown, and nothing is asked.
func (s *Server) questionOf(ctx context.Context, id string) (string, error) {
	if id == "" {
		return "", nil
	}
	now, problem := s.plan(ctx)
	switch {
	case problem != nil:
		return "", &refusals{texts: problem}
	case now.id != id:
		return "", &refusals{texts: []string{otherPlan}}
	case now.held != "":
		return "Update, although " + now.held + "? " + planned.Summary(now.actions), nil
	case now.ends > 1:
		return fmt.Sprintf("Update? It ends %d processes: %s", now.ends, strings.TrimPrefix(planned.Summary(now.actions), "update: ")), nil
	}
	return "", nil
}

// update makes the groups what the files say, if that is still the plan, unless that is "".
func (s *Server) update(ctx context.Context, id string) (string, error) {
	var report any
	var err error
	if id == "" {
		report, err = s.ask(ctx, "reconcile.apply")
	} else {
		report, err = s.ask(ctx, "reconcile.applyPlan", id)
	}
	if fault, is := errors.AsType[*xmlrpc.Fault](err); is && fault.Code == xmlrpc.Conflict {
		return "", &refusals{texts: []string{otherPlan}}
	}
	if err != nil {
		return "", err
	}
	return updateMessage(answerOf(report))
}

// updateMessage says what an update did, or has met.
func updateMessage(report answer) (string, error) {
	texts := report.texts("lines")
	if report.flag("ok") {
		return cmp.Or(strings.Join(texts, "; "), "Nothing to update"), nil
	}
	if result := report.text("result"); result != "" {
		texts = append([]string{result}, texts...)
	}
	return "", &refusals{texts: texts}
}

// question asks whether an order is meant.
func (o order) question() page.Question {
	verb := verbs[o.verb].question
	if o.verb == "signal" {
		verb = "Send " + o.signal + " to"
	}
	return page.Question{Text: verb + " " + o.subject() + "?", Do: o.verb, Names: o.names, Signal: o.signal}
}

// askAbout asks a question.
func (s *Server) askAbout(w http.ResponseWriter, r *http.Request, q page.Question) {
	if wantsJSON(r) {
		s.answerJSON(w, map[string]any{"ask": q.Text, "names": q.Names})
		return
	}
	if !showsPages(r) { // a script would take the question for an answer
		httpErrorMessage(w, http.StatusConflict, "Conflict: "+q.Text+" Say confirm=yes")
		return
	}
	all, err := s.overall(r.Context())
	if err != nil {
		s.pageError(w, err)
		return
	}
	q.Frame = s.frame(r, all, "overview", q.Text, "./")
	s.draw(w, r, http.StatusOK, q)
}

// refusals are what an order met, in words; what was done to others stays done.
type refusals struct {
	texts      []string
	notRunning bool // the one process had nothing to stop
}

// askAgain is what an order meets that an upgrade has no time for.
var askAgain = &refusals{texts: []string{errHandingOver.Error()}}

func (r *refusals) Error() string { return strings.Join(r.texts, "; ") }

// carryOut does what an order says to processes.
func (s *Server) carryOut(ctx context.Context, o order) (done string, err error) {
	if o.verb == "restart" || o.verb == "roll" {
		end, ok := s.orders.begin(&o)
		if !ok {
			return "", askAgain
		}
		defer end()
	}
	var failed []string
	targets := o.names
	if len(targets) == 0 {
		targets = []string{""}
	}
	for _, name := range targets {
		// Of several that were chosen, none waits for another, but where they go one by one.
		wait := len(targets) == 1 || o.verb == "restart" || o.verb == "roll"
		err := s.do(ctx, o, name, wait)
		if some, is := errors.AsType[*refusals](err); is {
			failed = append(failed, some.texts...)
		} else if err != nil {
			return "", err
		}
		if len(failed) > 0 && o.verb == "roll" {
			break
		}
	}
	if len(failed) > 0 {
		return "", &refusals{texts: failed}
	}
	subject, did := o.subject(), verbs[o.verb].done
	if asked := verbs[o.verb].asked; len(targets) > 1 && asked != "" {
		did = asked
	}
	if len(o.names) != 1 || subject != o.names[0] { // a name is written as it is
		subject = strings.ToUpper(subject[:1]) + subject[1:]
	}
	return subject + " " + did, nil
}

// do carries out an order on one process, one group ("NAME:*") or all ("").
func (s *Server) do(ctx context.Context, o order, name string, wait bool) error {
	switch o.verb {
	case "start", "stop":
		return s.operate(ctx, o.verb+"Process", name, wait)
	case "restart":
		if o.many() {
			return s.restartRunning(ctx, name)
		}
		return s.restart(ctx, name, true)
	case "signal":
		return s.operate(ctx, "signalProcess", name, o.signal)
	}
	members, err := s.members(ctx, name)
	if err != nil {
		return err
	}
	ran := false
	var failed []string
	for _, p := range members {
		member := namespec(p.Group, p.Name)
		switch {
		case o.verb == "clear": // each for itself
			err := s.operate(ctx, "clearProcessLogs", member)
			if refused, is := errors.AsType[*refusals](err); is {
				failed = append(failed, refused.texts...)
			} else if err != nil {
				return err
			}
		case p.State.InRunning():
			ran = true
			if err := s.restart(ctx, member, false); err != nil {
				return err
			}
		}
	}
	if len(failed) > 0 {
		return &refusals{texts: failed}
	}
	if o.verb == "roll" && !ran && len(o.names) == 1 {
		return &refusals{texts: []string{name + ": not running"}}
	}
	return nil
}

// restartRunning restarts what runs of what a name stands for: what is down is so on purpose, or
// waits for somebody. They stop in the order of a stop. If all of it ran it starts as a whole;
// otherwise each is started in the order of a start, and not waited for.
func (s *Server) restartRunning(ctx context.Context, name string) error {
	members, err := s.members(ctx, name)
	if err != nil {
		return err
	}
	run := slices.DeleteFunc(slices.Clone(members), func(p runtime.Info) bool { return !p.State.InRunning() })
	if len(run) == 0 {
		return &refusals{texts: []string{cmp.Or(name, "all") + ": not running"}}
	}
	if err := s.operate(ctx, "stopProcess", name, true); err != nil {
		return err
	}
	if len(run) == len(members) {
		return s.operate(ctx, "startProcess", name, true)
	}
	slices.SortStableFunc(run, func(p, q runtime.Info) int {
		return cmp.Or(cmp.Compare(p.GroupPrio, q.GroupPrio), cmp.Compare(p.Priority, q.Priority))
	})
	var failed []string
	for _, p := range run {
		err := s.operate(ctx, "startProcess", namespec(p.Group, p.Name), false)
		if refused, is := errors.AsType[*refusals](err); is {
			failed = append(failed, refused.texts...)
		} else if err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		return &refusals{texts: failed}
	}
	return nil
}

// restart stops what name stands for and starts it. What is down is started only if stopped
// says so: somebody may have stopped it on purpose.
func (s *Server) restart(ctx context.Context, name string, stopped bool) error {
	if err := s.operate(ctx, "stopProcess", name, true); err != nil {
		if refused, is := errors.AsType[*refusals](err); !is || !refused.notRunning {
			return err
		}
		if !stopped {
			return nil
		}
	}
	return s.operate(ctx, "startProcess", name, true)
}

// members are the processes that a name stands for.
func (s *Server) members(ctx context.Context, name string) (members []runtime.Info, err error) {
	all, err := s.opt.Processes.Snapshot(ctx)
	n := spec.ParseNamespec(name)
	for _, p := range all {
		if name == "" || p.Group == n.Group && (n.WholeGroup() || p.Name == n.Process) {
			members = append(members, p)
		}
	}
	if len(members) == 0 && name != "" && err == nil {
		err = toFault(&runtime.Error{Kind: runtime.BadName, Name: name}, name)
	}
	return members, err
}

// operate calls a method of supervisor.* on one process, one group or all. Of several it
// tells of each that failed.
func (s *Server) operate(ctx context.Context, method, name string, rest ...any) error {
	args := Args{name}
	if name == "" {
		method, args = strings.Replace(method, "Process", "AllProcesses", 1), nil
	}
	result, err := s.invoke(ctx, s.supervisorMethods, "supervisor."+method, append(args, rest...))
	if fault, is := errors.AsType[*xmlrpc.Fault](err); is {
		return &refusals{[]string{inWords(cmp.Or(name, "all"), fault)}, fault.Code == xmlrpc.NotRunning}
	}
	all, several := result.(results)
	if err != nil || !several {
		return err
	}
	var failed []string
	for _, r := range all {
		name := namespec(r.Group, r.Name)
		if fault, is := errors.AsType[*xmlrpc.Fault](toFault(r.Err, name)); is {
			failed = append(failed, inWords(name, fault))
		}
	}
	if len(failed) > 0 {
		return &refusals{texts: failed}
	}
	return nil
}

// inWords says what a process has against an order.
func inWords(name string, fault *xmlrpc.Fault) string {
	text := startFaults[fault.Code]
	if _, extra, found := strings.Cut(fault.Text, ": "); text == "" {
		text = strings.ToLower(strings.ReplaceAll(fault.Code.String(), "_", " "))
		if found && extra != name {
			text = extra
		}
	}
	return name + ": " + text
}

// wantsJSON reports whether the script asks.
func wantsJSON(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Accept"), "application/json")
}

func (s *Server) answerJSON(w http.ResponseWriter, result any) {
	data, err := json.Marshal(result)
	if err != nil {
		s.pageError(w, err)
		return
	}
	noCache(w)
	protectBoard(w)
	w.Header().Set("Content-Type", "application/json")
	w.Write(data)
}

// backTo is the page from where something was asked, with a message. It is relative, and
// one of ours, whatever a client says.
func backTo(r *http.Request, message string) string {
	to, query := "./", url.Values{}
	if from, err := url.Parse(r.Header.Get("Referer")); err == nil && from.Host == r.Host {
		switch last := path.Base(from.Path); last {
		case "process":
			query.Set("name", from.Query().Get("name"))
			query.Set("stream", from.Query().Get("stream"))
			to = last
		case "files", "listeners":
			to = last
		}
	}
	query.Set("message", message)
	return to + "?" + query.Encode()
}
