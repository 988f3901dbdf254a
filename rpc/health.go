package rpc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"supervisord/runtime/state"
)

// loopPatience is how long the supervisor's loop may take to answer: it never waits for
// anything, so if it does not it is stuck.
const loopPatience = 5 * time.Second

// serveHealth says whether the daemon works: that its loop answers.
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), loopPatience)
	defer cancel()
	if _, err := s.opt.Processes.Count(ctx); err != nil {
		verdict(w, []string{"the supervisor does not answer"})
		return
	}
	verdict(w, nil)
}

// serveReady says whether all is as people want it: the files are in force, but for what a
// pause or a closed window holds, and no process is on its way or has failed, but for those
// that a person has disabled. What has failed is what the page and supervisorctl say needs
// somebody.
func (s *Server) serveReady(w http.ResponseWriter, r *http.Request) {
	all, err := s.opt.Processes.Snapshot(r.Context())
	if err != nil {
		verdict(w, []string{"the supervisor does not answer"})
		return
	}
	var not []string
	if s.opt.Processes.Mood() != state.MoodRunning {
		not = append(not, "the daemon is shutting down or restarting")
	}
	if p := s.opt.Config.Progress(); p.Phase != "synced" && !(p.Phase == "held" && p.Held == 0 && p.Deferred > 0) {
		not = append(not, "files: "+p.Phase) // the reason may quote a file, and who asks need not have a password
	}
	ctx, cancel := context.WithTimeout(r.Context(), loopPatience)
	defer cancel()
	if errors.Is(s.opt.Config.Answers(ctx), context.DeadlineExceeded) {
		not = append(not, "the reconciler does not answer")
	}
	definitions := s.definitions.of(s.opt.Config.Desired())
	for i := range all {
		p := &all[i]
		if !p.Disabled && (p.State == state.Starting || p.State.Failed(p.ExitStatus, definitions.exitCodes(p))) {
			not = append(not, namespec(p.Group, p.Name)+": "+p.State.String())
		}
	}
	verdict(w, not)
}

// verdict answers ok, or 503 with what is not, a line each.
func verdict(w http.ResponseWriter, not []string) {
	text, status := "ok\n", http.StatusOK
	if len(not) > 0 {
		text, status = strings.Join(not, "\n")+"\n", http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprint(w, text)
}
