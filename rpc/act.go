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

// verbs are what can be done to processes: the word for the question, for what was done.
var verbs = map[string][2]string{
	"start": {"Start", "started"}, "stop": {"Stop", "stopped"}, "restart": {"Restart", "restarted"},
	"roll": {"Restart, one after another,", "restarted one after another"}, "clear": {"Clear the logs of", "cleared of its logs"},
	"signal": {"Send a signal to", "signalled"},
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
	// A browser that goes away ends no action: a restart would stop half-way.
	ctx := context.WithoutCancel(r.Context())
	var done string
	var err error
	switch do, target, _ := strings.Cut(r.Form.Get("do"), " "); do {
	case "update":
		var report any
		if report, err = s.ask(ctx, "reconcile.apply"); err == nil {
			done = updateMessage(answerOf(report))
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
			done = updateMessage(answerOf(report))
		}
	case "unpin":
		if _, err = s.ask(ctx, "reconcile.unpin", target); err == nil {
			done = target + " counts again"
		}
	default:
		o, ok := orderOf(r.Form)
		if !ok {
			httpErrorMessage(w, http.StatusBadRequest, "Bad Request: there is no such action")
			return
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

func isFault(err error) bool {
	_, is := errors.AsType[*xmlrpc.Fault](err)
	return is
}

// updateMessage says what an update did.
func updateMessage(report answer) string {
	if texts := report.texts("lines"); len(texts) > 0 {
		return strings.Join(texts, "; ")
	}
	if result := report.text("result"); !report.flag("ok") && result != "" {
		return result
	}
	return "Nothing to update"
}

// question asks whether an order is meant.
func (o order) question() page.Question {
	verb := verbs[o.verb][0]
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

func (r *refusals) Error() string { return strings.Join(r.texts, "; ") }

// carryOut does what an order says to processes.
func (s *Server) carryOut(ctx context.Context, o order) (done string, err error) {
	if o.verb == "restart" || o.verb == "roll" {
		end, ok := s.orders.begin(&o)
		if !ok {
			return "", &refusals{texts: []string{errHandingOver.Error()}}
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
	subject := o.subject()
	return strings.ToUpper(subject[:1]) + subject[1:] + " " + verbs[o.verb][1], nil
}

// do carries out an order on one process, one group ("NAME:*") or all ("").
func (s *Server) do(ctx context.Context, o order, name string, wait bool) error {
	switch o.verb {
	case "start", "stop":
		return s.operate(ctx, o.verb+"Process", name, wait)
	case "restart":
		return s.restart(ctx, name, true)
	case "signal":
		return s.operate(ctx, "signalProcess", name, o.signal)
	}
	members, err := s.members(ctx, name)
	if err != nil {
		return err
	}
	ran := false
	for _, p := range members {
		member := namespec(p.Group, p.Name)
		switch {
		case o.verb == "clear":
			err = s.operate(ctx, "clearProcessLogs", member)
		case p.State.InRunning():
			ran, err = true, s.restart(ctx, member, false)
		}
		if err != nil {
			return err
		}
	}
	if o.verb == "roll" && !ran && len(o.names) == 1 {
		return &refusals{texts: []string{name + ": not running"}}
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
